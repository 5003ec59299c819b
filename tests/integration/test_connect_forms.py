"""Configurations in the forms in which people have them, as they stand, on Apache Kafka, S3 and GCS."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet import build_runner, load_worker_config
from kafka2parquet.connect.build import load_for_worker
from tests.configurations.expected import RUN, Configuration
from tests.support.gcs_objects import GcsBucket
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import LIMIT_S, python_producer, wait_until

PARTITIONS = 2
ROWS = 400
BEGIN_MS = 1_779_012_000_000  # 2026-05-17 10:00 UTC
STEP_MS = 18_000  # so that they fill two hours
KINDS, COUNTRIES = ("gift", "sale", "loan"), ("DE", "FR")

Row = dict[str, Any]


def row_of(index: int) -> Row:
    """Returns the value of a record."""
    return {
        "id": index,
        "kind": KINDS[index % 3],
        "country": COUNTRIES[index % 2],
        "at_ms": BEGIN_MS + index * STEP_MS,
        "partition": index % PARTITIONS,
    }


def hour(row: Row) -> str:
    return f"{10 + (row['at_ms'] - BEGIN_MS) // 3_600_000:02}"


def as_it_is(row: Row) -> Row:
    return row


@attrs.frozen
class Sink:
    """The topics that a configuration reads, and the place where it writes.

    Attributes:
        folder: where each row has to lie.
        value: of the record; by default the row.
        written: what the file has of it; by default the row.
        topic: that records are produced to; by default the one that the configuration names.
        topic_folder: the name of that topic in the files, if it is another one.
    """

    folder: Callable[[Row], str]
    value: Callable[[Row], Row] = as_it_is
    written: Callable[[Row], Row] = as_it_is
    topic: str = ""
    topic_folder: str = ""


def with_kafka_columns(row: Row) -> Row:
    kept = {name: value for name, value in row.items() if name != "country"}
    return {**kept, "kafka_offset": row["id"] // PARTITIONS, "kafka_partition": row["partition"], "source": "web"}


def change_event(row: Row) -> Row:
    """Makes Debezium's event for a new row."""
    return {"before": None, "after": row, "source": {"table": "orders"}, "op": "c", "ts_ms": row["at_ms"]}


#: By the names of the connectors.
SINKS: dict[str, Sink] = {
    "orders-hourly": Sink(lambda row: f"raw/shop.orders/dt=2026-05-17/hour={hour(row)}"),
    "clicks-to-s3": Sink(lambda row: f"topics/shop.clicks/partition={row['partition']}"),
    "s3-sink-standalone": Sink(lambda row: "topics/shop.payments/year=2026/month=05/day=17"),
    "users-to-s3": Sink(lambda row: "lake/raw/shop.users/year=2026/month=05/day=17"),
    "inventory-to-s3": Sink(lambda row: f"topics/shop.inventory/year=2026/month=05/day=17/hour={hour(row)}"),
    "shipments-to-s3": Sink(lambda row: f"tracking/shop.shipments/kind={row['kind']}"),
    "sessions-to-gcs": Sink(lambda row: "topics/shop.sessions/date=2026-05-17"),
    "searches-to-s3": Sink(lambda row: f"toml/shop.searches/partition={row['partition']}"),
    "events-by-their-own-time": Sink(lambda row: f"topics/shop.events/2026/05/17/{hour(row)}"),
    "gifts-to-s3": Sink(lambda row: f"topics/shop.gifts/country={row['country']}/kind={row['kind']}"),
    "stock-to-s3": Sink(lambda row: f"topics/shop.stock/partition={row['partition']}"),
    "with-kafka-columns": Sink(lambda row: f"topics/shop.logins/partition={row['partition']}", written=with_kafka_columns),
    "by-the-day-of-a-field": Sink(
        lambda row: "topics/shop.trips/day=2026-05-17", written=lambda row: {**row, "day": "2026-05-17"}
    ),
    "changes": Sink(
        lambda row: f"topics/shop.changes/partition={row['partition']}",
        value=change_event,
        written=lambda row: {**row, "__deleted": "false", "__op": "c"},
    ),
    "visits-by-country-and-hour": Sink(
        lambda row: f"topics/shop.visits/country={row['country']}/year=2026/month=05/day=17/hour={hour(row)}"
    ),
    "routed": Sink(lambda row: f"topics/baskets/partition={row['partition']}", topic="shop-eu.baskets", topic_folder="baskets"),
}
ENVELOPES = next(configuration for configuration in RUN if configuration.name == "envelopes-to-s3")
_FIELDS = {"id": "int32", "kind": "string", "country": "string", "at_ms": "int64", "partition": "int32"}
SCHEMA = {"type": "struct", "optional": False, "fields": [{"field": name, "type": kind} for name, kind in _FIELDS.items()]}


class S3Bucket:
    """A bucket on the S3 server for one module."""

    def __init__(self, server: Any, name: str) -> None:
        self._name = name
        server.create_bucket(name)
        self.client = server.client()

    def keys(self, prefix: str) -> Iterator[str]:
        """Returns all keys below a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        return (item["Key"] for page in pages for item in page.get("Contents", ()))

    def read(self, key: str) -> bytes:
        """Reads an object."""
        content: bytes = self.client.get_object(Bucket=self._name, Key=key)["Body"].read()
        return content


@pytest.fixture(scope="module")
def s3_bucket(s3_server: Any) -> Iterator[S3Bucket]:
    """Makes the bucket that the configurations name."""
    bucket = S3Bucket(s3_server, "shop-lake")
    yield bucket
    bucket.client.close()


@pytest.fixture(autouse=True)
def credentials(s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the credentials where S3 clients look for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret)


def produce(bootstrap: str, topic: str, value_of: Callable[[Row], object]) -> None:
    """Produces all records, each at its own time."""
    create_topic(bootstrap, topic, PARTITIONS)
    with python_producer(bootstrap) as producer:
        for row in map(row_of, range(ROWS)):
            value = json.dumps(value_of(row)).encode()
            producer.send(topic, value, partition=row["partition"], timestamp_ms=row["at_ms"])
        producer.flush()


def check(objects: Any, topic: str, sink: Sink) -> None:
    """Checks that every record is in exactly one file, in the folder that the configuration says."""
    prefix = f"{sink.folder(row_of(0)).partition(topic)[0]}{topic}/"
    found: dict[int, str] = {}
    for key in objects.keys(prefix):
        for row in pq.read_table(pa.BufferReader(objects.read(key)), partitioning=None).to_pylist():
            assert row == sink.written(row_of(row["id"]))
            assert row["id"] not in found
            found[row["id"]] = key.rpartition("/")[0]

    assert {index: sink.folder(row_of(index)) for index in range(ROWS)} == found


@pytest.mark.parametrize("configuration", [item for item in RUN if item.name in SINKS], ids=str)
def test_runs_as_it_stands(configuration: Configuration, kafka_server: Any, request: pytest.FixtureRequest) -> None:
    """Each configuration runs unchanged, with only brokers and the store's address added."""
    if configuration.destination.startswith("gs://"):
        server = request.getfixturevalue("gcs_server")
        objects: Any = GcsBucket(server.url, configuration.destination.removeprefix("gs://"))
    else:
        server, objects = request.getfixturevalue("s3_server"), request.getfixturevalue("s3_bucket")
    sink = SINKS[configuration.name]
    topic = sink.topic or configuration.topics
    produce(kafka_server.bootstrap, topic, sink.value)
    worker = load_worker_config(configuration.worker_path, bootstrap_servers=kafka_server.bootstrap, endpoint_url=server.url)
    runner = build_runner(load_for_worker(configuration.path, worker, name=configuration.given_name), worker)
    runner.start()
    wait_until(lambda: runner.failed or runner.progress.taken_rows == ROWS, "all rows", limit_s=60.0)
    runner.stop()
    runner.join(60.0)

    check(objects, sink.topic_folder or topic, sink)


def is_committed(bootstrap: str) -> bool:
    """Returns whether the sink of envelopes has committed all records."""
    offsets = committed_offsets(bootstrap, f"connect-{ENVELOPES.name}", ENVELOPES.topics)
    return offsets == dict.fromkeys(range(PARTITIONS), ROWS // PARTITIONS)


def test_command_line(kafka_server: Any, s3_server: Any, s3_bucket: S3Bucket) -> None:
    """The command reads a configuration from standard input, and stops in order."""
    produce(kafka_server.bootstrap, ENVELOPES.topics, lambda row: {"schema": SCHEMA, "payload": row})
    servers = ("--bootstrap-server", kafka_server.bootstrap, "--endpoint-url", s3_server.url)
    with (
        ENVELOPES.path.open("rb") as file,
        subprocess.Popen([sys.executable, "-m", "kafka2parquet", "run", "-", *servers], stdin=file) as process,
    ):
        wait_until(lambda: process.poll() is not None or is_committed(kafka_server.bootstrap), "all rows", limit_s=60.0)
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(LIMIT_S)

    check(s3_bucket, ENVELOPES.topics, Sink(lambda row: f"topics/{ENVELOPES.topics}/partition={row['partition']}"))
