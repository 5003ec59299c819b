"""JSON with schemas: logical types, keys, headers, tombstones and rejects, on Apache Kafka and S3, from a configuration."""

from __future__ import annotations

import base64
import collections
import datetime
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import attrs
import pyarrow as pa
import pytest
from confluent_kafka import Producer

from tests.support.connect_sink import ConnectRun, ConnectSink, ObjectName
from tests.support.kafka_admin import create_topic
from tests.support.kafka_clients import read, unique
from tests.support.topic_partition_writer import Sent, files_of

PARTITIONS = 3
ROWS = 400
FLUSH_ROWS = 75
BEGIN_MS = 1_779_012_000_000  # 2026-05-17 10:00 UTC
STEP_MS = 25_000
DELETED = "deleted"
_LOGICAL = "org.apache.kafka.connect.data."
_DECIMAL = {"type": "bytes", "name": f"{_LOGICAL}Decimal", "version": 1}
_FIELDS: list[dict[str, Any]] = [
    {"field": "index", "type": "int32"},
    {"field": "at", "type": "int64", "name": f"{_LOGICAL}Timestamp", "version": 1},
    {"field": "day", "type": "int32", "name": f"{_LOGICAL}Date", "version": 1, "optional": True},
    {"field": "time", "type": "int32", "name": f"{_LOGICAL}Time", "version": 1},
    {"field": "amount", **_DECIMAL, "parameters": {"scale": "2", "connect.decimal.precision": "10"}, "optional": True},
    {
        "field": "lines",
        "type": "array",
        "items": {"type": "struct", "fields": [{"field": "sku", "type": "string"}, {"field": "count", "type": "int16"}]},
    },
    {"field": "tags", "type": "map", "keys": {"type": "string"}, "values": {"type": "double"}, "optional": True},
]
_CHANNEL = {"field": "channel", "type": "string", "optional": True, "default": "web"}
SCHEMAS = {
    version: {"type": "struct", "name": "shop.Order", "version": version, "fields": fields}
    for version, fields in {1: _FIELDS, 2: [*_FIELDS, _CHANNEL]}.items()
}
COLUMNS = pa.schema(
    [
        pa.field("index", pa.int32(), nullable=False),
        pa.field("at", pa.timestamp("ms", "UTC"), nullable=False),
        pa.field("day", pa.date32()),
        pa.field("time", pa.time32("ms"), nullable=False),
        pa.field("amount", pa.decimal128(10, 2)),
        pa.field(
            "lines",
            pa.list_(
                pa.field(
                    "element",
                    pa.struct([pa.field("sku", pa.string(), nullable=False), pa.field("count", pa.int32(), nullable=False)]),
                    nullable=False,
                )
            ),
            nullable=False,
        ),
        pa.field("tags", pa.map_(pa.string(), pa.field("value", pa.float64(), nullable=False))),
    ]
)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def _message(index: int, version: int, time_ms: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the message as Kafka Connect writes it, and the expected row."""
    at = _EPOCH + datetime.timedelta(milliseconds=time_ms)
    cents = index * 37 - 5_000
    day, amount = index % 4 != 0, index % 6 != 0
    payload: dict[str, Any] = {
        "index": index,
        "at": time_ms,
        "day": (at - _EPOCH).days if day else None,
        "time": index * 1_001,
        "amount": base64.b64encode(cents.to_bytes(3, "big", signed=True)).decode() if amount else None,
        "lines": [{"sku": f"s{line}", "count": line} for line in range(index % 3)],
        "tags": {"a": index / 2} if index % 5 else None,
    }
    row = {
        **payload,
        "at": at,
        "day": at.date() if day else None,
        "time": (_EPOCH + datetime.timedelta(milliseconds=index * 1_001)).time(),
        "amount": Decimal(cents) / 100 if amount else None,
        "tags": [("a", index / 2)] if index % 5 else None,
    }
    if version == 2:
        payload["channel"] = None if index % 2 else "shop"
        row["channel"] = "web" if index % 2 else "shop"  # Connect's converter takes null for the default
    return payload, row


@attrs.define
class Log:
    """A topic: the records that become rows, by partition, and how many become rejects."""

    topic: str
    records: Mapping[int, list[Sent]] = attrs.Factory(lambda: collections.defaultdict(list))
    rejects: dict[tuple[int, int], str] = attrs.Factory(dict)


@pytest.fixture(scope="module")
def log(kafka_server: Any) -> Log:
    """Produces records of two alternating versions, 50 of each, with tombstones, and records that are bad in three ways."""
    made = Log(unique("orders"))
    create_topic(kafka_server.bootstrap, made.topic, PARTITIONS)
    producer = Producer({"bootstrap.servers": kafka_server.bootstrap})
    for partition in range(PARTITIONS):
        for index in range(ROWS):
            version = 1 + index // 50 % 2
            time_ms = BEGIN_MS + index * STEP_MS
            folder = (_EPOCH + datetime.timedelta(milliseconds=time_ms)).strftime("year=%Y/month=%m/day=%d/hour=%H")
            payload, row = _message(index, version, time_ms)
            value: bytes | None = json.dumps({"schema": SCHEMAS[version], "payload": payload}).encode()
            key: str | None = f"key {index}"
            headers: list[tuple[str, str | bytes | None]] = [("index", str(index)), ("source", "shop")]
            if index % 41 == 7:
                key = None
                made.rejects[partition, index] = "Key cannot be null for SinkRecord: "
            elif index % 41 == 17:
                headers = []
                made.rejects[partition, index] = "Headers cannot be null for SinkRecord: "
            elif index % 41 == 27:
                value = json.dumps({"payload": payload}).encode()
                made.rejects[partition, index] = 'JsonConverter with schemas.enable requires "schema" and "payload" fields'
            elif index % 11 == 5:
                value = None
                made.records[partition].append(Sent(index, time_ms, DELETED, None, {}))
            else:
                made.records[partition].append(Sent(index, time_ms, folder, version, row))
            producer.produce(made.topic, value, key, partition, timestamp=time_ms, headers=headers)
    producer.flush()
    return made


@pytest.fixture
def sink(kafka_server: Any, s3_server: Any) -> Iterator[ConnectSink]:
    made = ConnectSink(kafka_server, s3_server)
    yield made
    made.close()


def properties(sink: ConnectSink, log: Log) -> dict[str, str]:
    """Returns the properties of the configuration."""
    return sink.properties(
        {
            "topics": log.topic,
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "true",
            "timestamp.extractor": "Record",
            "flush.size": str(FLUSH_ROWS),
            "store.kafka.keys": "true",
            "keys.format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
            "store.kafka.headers": "true",
            "headers.format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
            "behavior.on.null.values": "write",
            "tombstone.encoded.partition": DELETED,
            "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": f"{log.topic}-dead",
            "errors.deadletterqueue.topic.replication.factor": "1",
            "errors.deadletterqueue.context.headers.enable": "true",
        }
    )


def test_values_keys_and_headers(kafka_server: Any, sink: ConnectSink, log: Log) -> None:
    """Files end as in Confluent's sink. Files of keys and headers have the same rows, and tombstones are only in these.

    Records without key, without headers or without schema are dead letters.
    """
    rows = sum(map(len, log.records.values()))
    with ConnectRun(sink, properties(sink, log)) as run:
        progress = run.drain(rows, len(log.rejects))
    assert rows == progress.committed_rows

    expected: dict[ObjectName, list[dict[str, Any]]] = {}
    for partition, records in log.records.items():
        for file in files_of(records, flush_size=FLUSH_ROWS, may_join=lambda record, of_file: record == of_file):
            name = ObjectName(log.topic, file.folder, partition, file.offsets[0])
            expected[attrs.evolve(name, view="keys")] = [{"key": f"key {offset}"} for offset in file.offsets]
            expected[attrs.evolve(name, view="headers")] = [
                {"headers": [{"key": "index", "value": str(offset)}, {"key": "source", "value": "shop"}]}
                for offset in file.offsets
            ]
            if file.schema is not None:
                expected[name] = [dict(record.row) for record in file.records]
    seen = dict(sink.tables())
    assert expected == {name: table.to_pylist() for name, table in seen.items()}
    assert {DELETED, *(record.folder for record in log.records[0])} == {name.folder for name in seen}
    schemas = {table.schema for name, table in seen.items() if name.view == "values"}
    assert [COLUMNS, COLUMNS.append(pa.field("channel", pa.string()))] == sorted(schemas, key=len)

    letters = [dict(letter.headers) for letter in read(kafka_server.bootstrap, f"{log.topic}-dead", progress.rejected)]
    expected_reasons = {
        (int(found["__connect.errors.partition"]), int(found["__connect.errors.offset"])): found[
            "__connect.errors.exception.message"
        ].decode()
        for found in letters
    }
    assert log.rejects.keys() == expected_reasons.keys()
    assert [] == [
        (place, expected_reasons[place])
        for place, reason in log.rejects.items()
        if not expected_reasons[place].startswith(reason)
    ]
