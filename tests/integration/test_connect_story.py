"""The configuration of the user's story, as it stands, on Apache Kafka, S3 and GCS: three million records, to the row."""

from __future__ import annotations

import collections
import datetime
import json
import re
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Producer

from kafka2parquet import build_runner, load_connect_config, load_worker_config
from kafka2parquet.clock import SystemClock
from tests.support.connect_story import STORY
from tests.support.gcs_objects import GcsBucket
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import unique, wait_until

ROWS = 3_000_000
#: Share of each partition: some are much busier than others.
SHARES = (20, 15, 12, 10, 8, 8, 7, 6, 5, 4, 3, 2)
BEGIN_MS = 1_779_012_000_000  # 2026-05-17 10:00 UTC
HOUR_MS = 3_600_000
FLUSH_ROWS = 100_000
#: One record in `LATE_ONE_IN` arrives up to `LATE_MS` late. After the hour has changed, late records make their own files.
LATE_ONE_IN = 2_000
LATE_MS = 90_000
LIMIT_S = 240.0


class MorningClock(SystemClock):
    """A clock with the real time, shifted so that no hour ends during the test. Scheduled cuts would depend on its speed."""

    def __init__(self) -> None:
        self._offset = datetime.datetime(2026, 5, 17, 14, 5, tzinfo=datetime.timezone.utc) - super().now()

    def now(self) -> datetime.datetime:
        return super().now() + self._offset


@attrs.frozen
class Produced:
    """The topic, and the times of its records by partition."""

    topic: str
    times: list[np.ndarray[Any, Any]]


@pytest.fixture(scope="module")
def produced(kafka_server: Any) -> Produced:
    """Produces three million records over three hours in twelve partitions."""
    topic = unique("story")
    create_topic(kafka_server.bootstrap, topic, len(SHARES))
    random = np.random.default_rng(1)
    times = []
    producer = Producer({"bootstrap.servers": kafka_server.bootstrap, "linger.ms": 20, "compression.type": "zstd"})
    for partition, share in enumerate(SHARES):
        rows = ROWS * share // sum(SHARES)
        on_time = BEGIN_MS + np.arange(rows) * (3 * HOUR_MS) // rows
        late_ms = random.integers(0, LATE_MS, rows) * (random.integers(0, LATE_ONE_IN, rows) == 0)
        times.append(np.maximum(BEGIN_MS, on_time - late_ms))
        for index, time_ms in enumerate(times[-1].tolist()):
            while True:
                try:
                    producer.produce(
                        topic,
                        b'{"partition":%d,"index":%d,"time_ms":%d}' % (partition, index, time_ms),
                        timestamp=time_ms,
                        partition=partition,
                    )
                    break
                except BufferError:
                    producer.poll(0.05)
        producer.flush()
    return Produced(topic, times)


def predicted_files(topic: str, produced: Produced) -> dict[str, list[int]]:
    """Predicts the offsets in each file with a row-by-row model of the rotation rules."""
    files: dict[str, list[int]] = {}
    for partition, times in enumerate(produced.times):
        flush: dict[str, list[int]] = {}
        rows, first_ms = 0, 0
        for offset, time_ms in enumerate(times.tolist()):
            folder = f"year=2026/month=05/day=17/hour={(time_ms - BEGIN_MS) // HOUR_MS + 10:02}"
            # rotate.interval.ms ends a flush, and with it rotate.file.on.partition.change, which is on by default
            if rows and (time_ms - first_ms >= HOUR_MS or folder not in flush):
                files.update(named(topic, partition, flush))
                flush, rows = {}, 0
            if not rows:
                first_ms = time_ms
            flush.setdefault(folder, []).append(offset)
            rows += 1
            if rows == FLUSH_ROWS:
                files.update(named(topic, partition, flush))
                flush, rows = {}, 0
        files.update(named(topic, partition, flush))  # by the stop at the end
    return files


def named(topic: str, partition: int, flush: dict[str, list[int]]) -> dict[str, list[int]]:
    """Returns the object key of each file of a flush, as Confluent's sink names it."""
    return {
        f"raw/kafka-source/{topic}/{folder}/{topic}+{partition}+{offsets[0]:010}.snappy.parquet": offsets
        for folder, offsets in flush.items()
    }


def drain(config: dict[str, Any], bootstrap: str, endpoint_url: str) -> None:
    """Runs the configuration until it has read all records, and stops it in order.

    Its own sum of committed rows can't say when: in a rebalance, the answer to a commit may be lost, and the rows be counted
    nowhere.
    """
    worker = load_worker_config(bootstrap_servers=bootstrap, endpoint_url=endpoint_url)
    runner = build_runner(load_connect_config(config), worker, clock=MorningClock())
    runner.start()

    def has_read_all() -> bool:
        now = runner.progress
        return now.records >= ROWS and now.partitions == len(SHARES) and now.lag == now.open_rows

    wait_until(lambda: runner.failed or has_read_all(), "all records to be read", limit_s=LIMIT_S)
    runner.stop()
    runner.join(60.0)
    ends = committed_offsets(bootstrap, f"connect-{config['name']}", config["config"]["topics"])
    assert ROWS == sum(ends.values())


def story(topic: str, **changes: str) -> dict[str, Any]:
    """Returns the user's configuration with a separate topic and bucket."""
    text = "\n".join(re.sub(r"//.*", "", line) if "//" in line else line for line in STORY.splitlines())
    config: dict[str, Any] = json.loads(text)
    config["name"] = unique("story")
    config["config"].update({"topics": topic, **changes})
    return config


def check(produced: Produced, keys: list[str], read: Callable[[str], bytes]) -> None:
    """Checks that every record is in one file, every row in the folder of its hour, and files and schema are as predicted."""
    predicted = predicted_files(produced.topic, produced)
    contract = f"raw/kafka-source/_kafka2parquet/{produced.topic}/schema-1.json"
    assert sorted([contract, *predicted]) == sorted(keys)
    seen: collections.Counter[int] = collections.Counter()
    for key, offsets in predicted.items():
        table = pq.read_table(pa.BufferReader(read(key)))
        assert {"index", "partition", "time_ms"} == set(table.column_names)
        partition = int(key.split("+")[1])
        assert {partition} == set(table["partition"].to_numpy())
        assert offsets == table["index"].to_pylist(), key
        hour = int(key.split("hour=")[1][:2])
        assert {hour} == set((table["time_ms"].to_numpy() - BEGIN_MS) // HOUR_MS + 10)
        seen[partition] += len(offsets)
    assert {partition: len(times) for partition, times in enumerate(produced.times)} == dict(seen)


def test_s3(kafka_server: Any, s3_server: Any, produced: Produced, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files on an S3 server are as expected when boto3 reads them back."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret)
    bucket = unique("bucket")
    s3_server.create_bucket(bucket)
    drain(story(produced.topic, **{"s3.bucket.name": bucket}), kafka_server.bootstrap, s3_server.url)
    client = s3_server.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="raw/")
    keys = [item["Key"] for page in pages for item in page["Contents"]]
    check(produced, keys, lambda key: client.get_object(Bucket=bucket, Key=key)["Body"].read())
    client.close()


def test_gcs(kafka_server: Any, gcs_server: Any, produced: Produced) -> None:
    """The files on the GCS emulator are as expected when plain HTTP reads them back."""
    bucket = unique("bucket")
    objects = GcsBucket(gcs_server.url, bucket)
    config = story(
        produced.topic,
        **{"connector.class": "io.confluent.connect.gcs.GcsSinkConnector", "gcs.bucket.name": bucket},
        **{"storage.class": "io.confluent.connect.gcs.storage.GcsStorage"},
        **{"format.class": "io.confluent.connect.gcs.format.parquet.ParquetFormat"},
    )
    for name in ("s3.bucket.name", "s3.region"):
        del config["config"][name]
    drain(config, kafka_server.bootstrap, gcs_server.url)
    check(produced, list(objects.keys("raw/")), objects.read)
