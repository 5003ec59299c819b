"""A Connect configuration on real servers: what it says of the bucket, runs until all is read, and the objects it leaves."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet import build_runner, load_connect_config, load_worker_config
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.events import Hook
from kafka2parquet.runner import Progress
from tests.support.kafka_clients import unique, wait_until

#: Several sinks may run at once, beside other tests.
LIMIT_S = 120.0
_NAME = re.compile(r"(?P<topic>.+)\+(?P<partition>\d+)\+(?P<offset>\d{10})\.(?:(?P<view>keys|headers)\.)?snappy\.parquet")


@attrs.frozen
class ObjectName:
    """The parts of an object's key.

    Attributes:
        folder: the encoded partition.
        view: `keys` or `headers`; `values` for the file of the values itself.
    """

    topic: str
    folder: str
    partition: int
    first_offset: int
    view: str = "values"

    @classmethod
    def of(cls, key: str) -> ObjectName:
        """Parses a key such as `topics/orders/hour=10/orders+3+0000000120.snappy.parquet`.

        Raises:
            ValueError: Confluent's sink makes no such key.
        """
        _, topic, *folders, name = key.split("/")
        found = _NAME.fullmatch(name)
        if found is None or found["topic"] != topic:
            raise ValueError(key)
        return cls(topic, "/".join(folders), int(found["partition"]), int(found["offset"]), found["view"] or "values")


class ConnectSink:
    """A separate bucket, and configurations that write there."""

    def __init__(self, kafka: Any, s3: Any) -> None:
        self.bucket = unique("bucket")
        self._kafka, self._s3 = kafka, s3
        s3.create_bucket(self.bucket)
        self._client = s3.client()

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def properties(self, changes: Mapping[str, str]) -> dict[str, str]:
        """Returns the properties of a sink that writes Parquet into hourly folders."""
        return {
            "name": unique("sink"),
            "connector.class": "io.confluent.connect.s3.S3SinkConnector",
            "tasks.max": "3",
            "s3.bucket.name": self.bucket,
            "s3.region": self._s3.region,
            "aws.access.key.id": self._s3.key,
            "aws.secret.access.key": self._s3.secret,
            "storage.class": "io.confluent.connect.s3.storage.S3Storage",
            "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
            "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
            "partition.duration.ms": "3600000",
            "locale": "en-US",
            "timezone": "UTC",
            **changes,
        }

    def worker(self) -> WorkerConfig:
        """Returns the worker's properties with the servers."""
        return load_worker_config(bootstrap_servers=self._kafka.bootstrap, endpoint_url=self._s3.url)

    def keys(self) -> list[str]:
        """Returns the keys of all objects."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def read(self, key: str) -> bytes:
        """Reads an object."""
        content = self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        if not isinstance(content, bytes):
            raise TypeError(key)
        return content

    def tables(self) -> Iterator[tuple[ObjectName, pa.Table]]:
        """Reads all Parquet files of topics with pyarrow, ordered by their keys."""
        for key in sorted(self.keys()):
            if not key.startswith("topics/_kafka2parquet/"):
                yield ObjectName.of(key), pq.read_table(io.BytesIO(self.read(key)), partitioning=None)

    def download(self, folder: Path) -> None:
        """Copies all objects to a local folder, for readers without S3."""
        for key in self.keys():
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.read(key))


class ConnectRun:
    """The tasks of a configuration, which run while the context is entered."""

    def __init__(self, sink: ConnectSink, properties: Mapping[str, str], hooks: Sequence[Hook] = ()) -> None:
        self.sink = sink
        self.runner = build_runner(load_connect_config(properties), sink.worker(), hooks=hooks)

    def __enter__(self) -> ConnectRun:
        self.runner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.stop()

    def until(self, reached: Callable[[Progress], bool], what: str) -> None:
        """Waits until a condition holds; a failed task raises its error."""

        def done() -> bool:
            if self.runner.failed:
                self.finish()
            return reached(self.runner.progress)

        wait_until(done, what, LIMIT_S)

    def finish(self) -> Progress:
        """Stops the tasks in order, so that open rows become files; a failed task raises its error."""
        self.runner.stop()
        if not self.runner.join(30.0):
            raise TimeoutError("the tasks don't end")
        return self.runner.progress

    def drain(self, rows: int, rejects: int = 0) -> Progress:
        """Waits until a number of rows are taken and a number of records rejected, then stops the sink in order.

        A rebalance that is still to come would take open rows away from a task that stops. So all tasks are in the group first.
        """
        self.until(
            lambda now: self._are_together() and now.taken_rows >= rows and now.rejected >= rejects,
            f"{rows} rows and {rejects} rejects",
        )
        return self.finish()

    def _are_together(self) -> bool:
        """Whether all tasks are in the same generation of the group."""
        members = [task.kafka for task in self.runner.status().tasks]
        return (
            len(members) == self.runner.task_count
            and all(member.joined for member in members)
            and len({member.generation for member in members}) == 1
        )
