"""The contract of a schema on a real store: two members at once, in the middle of a rebalance."""

from __future__ import annotations

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet import FsspecStorage, JsonConverter, build_task, load_connect_config, load_worker_config
from kafka2parquet.converters.json.contract import SchemaContract, SchemaVersions
from kafka2parquet.events import OffsetCommitted, RecordRejected
from kafka2parquet.storage.base import Storage
from kafka2parquet.storage.options import GcsOptions, S3Options
from kafka2parquet.testing import EmbeddedBroker
from tests.integration.test_storage_gcs import bucket as gcs_bucket  # noqa: F401  # a fixture
from tests.support.batches import batch_of
from tests.support.kafka_clients import unique
from tests.support.sink_properties import json_sink

ROWS = 2_000
LIMIT_S = 120.0


def record(partition: int, number: int) -> dict[str, Any]:
    """Returns a record with columns of its partition, columns that both partitions have, and sometimes one of another type."""
    made: dict[str, Any] = {"id": number, f"own{partition}_{number // 200}": True}
    made[f"both{number // 100}"] = number if partition == 0 else number + 0.5
    if number % 10 == 0:
        made["disputed"] = number if partition == 0 else f"text {number}"
    return made


@pytest.fixture
def s3_bucket(s3_server: Any) -> str:
    name = unique("bucket")
    s3_server.create_bucket(name)
    return name


def config_of(bucket: str, name: str) -> dict[str, str]:
    return json_sink(
        {
            "name": name,
            "flush.size": "300",
            "s3.bucket.name": bucket,
            "aws.access.key.id": "testing",
            "aws.secret.access.key": "testing-secret",
            "errors.tolerance": "all",
            "kafka2parquet.metadata.columns": "partition,offset",
        }
    )


def test_two_members_agree_while_they_write(s3_server: Any, s3_bucket: str) -> None:
    """No record is lost, files have the contract's types, and only records that conflict with the contract are rejected."""
    rejected: set[tuple[int, int]] = set()
    committed = {0: 0, 1: 0}
    almost_done = threading.Event()

    def note(event: object) -> None:
        if isinstance(event, RecordRejected):
            rejected.add((event.topic_partition.partition, event.reject.offset))
        if isinstance(event, OffsetCommitted):
            committed[event.topic_partition.partition] = event.offset
            if min(committed.values()) >= ROWS - 600:  # whole flushes of 300 rows; the stop commits the rest
                almost_done.set()

    with EmbeddedBroker() as broker:
        broker.create_topic("events", partitions=2)
        for partition in (0, 1):
            values = [json.dumps(record(partition, number)).encode() for number in range(ROWS)]
            for start in range(0, ROWS, 100):  # in many batches, so that the members take turns to grow the schema
                broker.append_values("events", partition, values[start : start + 100], [0] * 100)
        worker = load_worker_config(
            {"consumer.max.partition.fetch.bytes": "20000", "consumer.fetch.max.bytes": "20000"},
            bootstrap_servers=broker.bootstrap,
            endpoint_url=s3_server.url,
        )
        config = load_connect_config(config_of(s3_bucket, unique("sink")))
        # Each task has its own plan, as if it were in another process.
        tasks = [build_task(config, worker, task_index=index, hooks=[note]) for index in (0, 1)]
        threads = [threading.Thread(target=task.run) for task in tasks]
        for thread in threads:
            thread.start()
        assert almost_done.wait(LIMIT_S), committed
        for task in tasks:
            task.stop()
        for thread in threads:
            thread.join(LIMIT_S)

    client = s3_server.client()
    objects = {
        item["Key"]: client.get_object(Bucket=s3_bucket, Key=item["Key"])["Body"].read()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=s3_bucket)
        for item in page["Contents"]
    }
    client.close()
    versions = sorted(
        int(key.rpartition("-")[2].removesuffix(".json")) for key in objects if key.startswith("topics/_kafka2parquet/events/")
    )
    newest = json.loads(objects[f"topics/_kafka2parquet/events/schema-{versions[-1]}.json"])
    types = {field["name"]: field["type"] for field in newest["fields"]}
    arrow = {"int64": "int64", "double": "double", "string": "string", "boolean": "bool"}
    written: dict[tuple[int, int], dict[str, Any]] = {}
    for key, content in objects.items():
        if key.endswith(".parquet"):
            table = pq.read_table(io.BytesIO(content), partitioning=None)
            for field in table.schema:
                if not field.name.startswith("_kafka_"):
                    assert str(field.type) in (arrow[types[field.name]], "int64" if types[field.name] == "double" else "")
            for row in table.to_pylist():
                place = (row.pop("_kafka_partition"), row.pop("_kafka_offset"))
                assert place not in written
                written[place] = {name: value for name, value in row.items() if value is not None}

    assert list(range(1, len(versions) + 1)) == versions
    everything = {(partition, offset) for partition in (0, 1) for offset in range(committed[partition])}
    assert everything == set(written) | {place for place in rejected if place in everything}
    loser = 1 if types["disputed"] == "int64" else 0
    assert {(partition, offset) for partition, offset in everything if partition == loser and offset % 10 == 0} == {
        place for place in rejected if place in everything
    }
    assert {place: record(*place) for place in written} == written


@pytest.fixture(params=["s3", "gcs"])
def new_storage(request: pytest.FixtureRequest) -> Any:
    """Makes storages on the same bucket, each with its own connections."""
    bucket = request.getfixturevalue("s3_bucket" if request.param == "s3" else "gcs_bucket")
    server = request.getfixturevalue(f"{request.param}_server")

    def make() -> Storage:
        if request.param == "s3":
            options = S3Options(
                endpoint_url=server.url, access_key_id=server.key, secret_access_key=server.secret, region="us-east-1"
            )
            return FsspecStorage(f"s3://{bucket}", options)
        return FsspecStorage(f"gs://{bucket}", GcsOptions(endpoint_url=server.url, token="anon", project="p"))

    return make


def test_members_that_race_for_each_version_agree(new_storage: Any) -> None:
    """Four members repeatedly add columns at the same moment, and no column is lost and no version is made twice."""
    members, rounds = 4, 8
    start = threading.Barrier(members)

    def work(number: int) -> list[pa.Schema]:
        contract = SchemaContract(SchemaVersions(new_storage()), "events")
        converter = JsonConverter(learned=contract)
        schemas = []
        for turn in range(rounds):
            start.wait()
            values = [json.dumps({f"m{number}_{turn}": turn, f"turn{turn}": "x"}).encode()]
            schemas.append(converter.convert(batch_of(values)).rows.table.schema)
        return schemas

    with ThreadPoolExecutor(members) as pool:
        schemas = [schema for found in pool.map(work, range(members)) for schema in found]

    versions = SchemaVersions(new_storage())
    numbers = versions.numbers("events")
    newest = versions.newest("events")
    assert newest is not None
    assert list(range(1, len(numbers) + 1)) == numbers
    expected = {f"m{number}_{turn}" for number in range(members) for turn in range(rounds)}
    assert expected | {f"turn{turn}" for turn in range(rounds)} == set(newest.schema.names)
    assert [True] * len(schemas) == [set(schema.names) <= set(newest.schema.names) for schema in schemas]
