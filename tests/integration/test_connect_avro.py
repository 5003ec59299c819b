"""Avro from a registry, three alternating versions of a schema: on Apache Kafka, Apicurio and S3, from a Connect configuration.

What Confluent's sink would make of the log is worked out record by record (`tests/support/topic_partition_writer.py`), and
each file compared with that: its key, its schema, its rows.
"""

from __future__ import annotations

import collections
import contextlib
import datetime
import functools
import json
import random
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import duckdb
import pyarrow as pa
import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.support.connect_sink import ConnectRun, ConnectSink, ObjectName
from tests.support.kafka_admin import create_topic
from tests.support.kafka_clients import unique
from tests.support.topic_partition_writer import File, Sent, files_of

PARTITIONS = 4
ROWS = 600
BEGIN = datetime.datetime(2026, 5, 17, 10, 30, tzinfo=datetime.timezone.utc)
HOUR_MS = 3_600_000
PASSED_MS = 2 * HOUR_MS
#: One record in this number is late, by up to this time: at the turn of an hour two folders are open.
LATE_ONE_IN = 10
LATE_MS = 900_000
FLUSH_ROWS = 70

_TIME = {"type": "long", "logicalType": "timestamp-millis"}
_PRICE = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}
_FIRST: list[dict[str, Any]] = [
    {"name": "number", "type": "int"},
    {"name": "at", "type": _TIME},
    {"name": "article", "type": "string"},
]
_NOTE = {"name": "note", "type": ["null", "string"], "default": None}
_COUNTRY = {"name": "country", "type": "string", "default": "FR"}

#: The fields of the versions: the second one has more, the third one more still, and a wider number.
VERSIONS: Mapping[int, list[dict[str, Any]]] = {
    1: _FIRST,
    2: [*_FIRST, _NOTE, _COUNTRY],
    3: [
        {"name": "number", "type": "long"},
        *_FIRST[1:],
        _NOTE,
        _COUNTRY,
        {"name": "price", "type": ["null", _PRICE], "default": None},
    ],
}
DEFAULTS = {"note": None, "country": "FR", "price": None}

_COLUMNS = {
    "number": pa.field("number", pa.int32(), nullable=False),
    "at": pa.field("at", pa.timestamp("ms", "UTC"), nullable=False),
    "article": pa.field("article", pa.string(), nullable=False),
    "note": pa.field("note", pa.string()),
    "country": pa.field("country", pa.string(), nullable=False),
    "price": pa.field("price", pa.decimal128(10, 2)),
}
_WIDE = {"number": pa.field("number", pa.int64(), nullable=False)}


def columns(version: int) -> pa.Schema:
    """Returns the columns of a file of the version."""
    types = {**_COLUMNS, **_WIDE} if version == 3 else _COLUMNS
    return pa.schema([types[field["name"]] for field in VERSIONS[version]])


def may_join(mode: str, record: int, file: int) -> bool:
    """Returns whether `schema.compatibility` lets a record of one version join a file of another."""
    if record == file:
        return True
    narrower = record == 3  # its number doesn't fit into the files of the others
    if mode == "NONE" or narrower:
        return False
    return record > file if mode == "FORWARD" else record < file


def projected(row: Mapping[str, Any], version: int) -> dict[str, Any]:
    """Returns a row in a file of the version."""
    return {name: row[name] if name in row else DEFAULTS[name] for name in columns(version).names}


@attrs.frozen
class Log:
    """A topic and its records, by partition."""

    topic: str
    records: Mapping[int, list[Sent]]


def _rows(partition: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Returns version and fields of each record; producers of three versions alternate after a few records."""
    chance = random.Random(partition)
    version, left = 1, 0
    for index in range(ROWS):
        if not left:
            version = chance.choice([other for other in VERSIONS if other != version])
            left = chance.randint(1, 25)
        left -= 1
        late_ms = chance.randrange(LATE_MS) if chance.randrange(LATE_ONE_IN) == 0 else 0
        at = BEGIN + datetime.timedelta(milliseconds=index * PASSED_MS // ROWS - late_ms)
        row: dict[str, Any] = {"number": index, "at": at, "article": f"article {index % 7}"}
        if version >= 2:
            row |= {"note": None if index % 3 else f"note {index}", "country": chance.choice(["FR", "DE"])}
        if version >= 3:
            row |= {"number": (1 << 40) + index, "price": Decimal(index) / 100 if index % 5 else None}
        yield version, row


@pytest.fixture(scope="module")
def log(kafka_server: Any, registry_server: Any) -> Log:
    """Produces records with Confluent's serializer, which also registers their schemas."""
    topic = unique("orders")
    create_topic(kafka_server.bootstrap, topic, PARTITIONS)
    producer = Producer({"bootstrap.servers": kafka_server.bootstrap})
    context = SerializationContext(topic, MessageField.VALUE)
    records: dict[int, list[Sent]] = collections.defaultdict(list)
    with SchemaRegistryClient({"url": registry_server.url}) as client:
        texts = {v: json.dumps({"type": "record", "name": "shop.Order", "fields": fields}) for v, fields in VERSIONS.items()}
        for text in texts.values():
            registry_server.register(f"{topic}-value", text)
        serialize = {version: AvroSerializer(client, text) for version, text in texts.items()}
        for partition in range(PARTITIONS):
            for offset, (version, row) in enumerate(_rows(partition)):
                producer.produce(topic, serialize[version](row, context), partition=partition)
                folder = f"{row['at']:year=%Y/month=%m/day=%d/hour=%H}"
                time_ms = round(row["at"].timestamp() * 1000)
                records[partition].append(Sent(offset, time_ms, folder, version, row))
    producer.flush()
    return Log(topic, records)


@attrs.frozen
class Case:
    """Additional properties, and the rules that Confluent's sink follows with them."""

    properties: Mapping[str, str]
    mode: str = ""
    interval_ms: int = 0


CASES: Mapping[str, Case] = {
    **{mode: Case({"schema.compatibility": mode}, mode) for mode in ("NONE", "BACKWARD", "FORWARD", "FULL")},
    **{
        f"{mode} hourly": Case({"schema.compatibility": mode, "rotate.interval.ms": str(HOUR_MS)}, mode, HOUR_MS)
        for mode in ("NONE", "BACKWARD", "FORWARD")
    },
    "own": Case({"kafka2parquet.unite.schemas": "true", "kafka2parquet.metadata.columns": "partition,offset"}),
}


@pytest.fixture(scope="module")
def runs(kafka_server: Any, s3_server: Any, registry_server: Any, log: Log) -> Iterator[Mapping[str, ConnectRun]]:
    """Starts all cases at once, because each spends most of its time waiting for Kafka."""
    with contextlib.ExitStack() as stack:
        made = {}
        for name, case in CASES.items():
            sink = ConnectSink(kafka_server, s3_server)
            stack.callback(sink.close)
            made[name] = ConnectRun(sink, properties(sink, log, registry_server, case.properties))
            stack.enter_context(made[name])
        yield made


def properties(sink: ConnectSink, log: Log, registry: Any, changes: Mapping[str, str]) -> dict[str, str]:
    """Returns the properties of the configuration."""
    return sink.properties(
        {
            "topics": log.topic,
            "tasks.max": "2",
            "value.converter": "io.confluent.connect.avro.AvroConverter",
            "value.converter.schema.registry.url": registry.url,
            "timestamp.extractor": "RecordField",
            "timestamp.field": "at",
            "flush.size": str(FLUSH_ROWS),
            **changes,
        }
    )


def predicted(log: Log, fits: Callable[[int, int], bool], interval_ms: int = 0) -> dict[ObjectName, File]:
    """Predicts the files that Confluent's sink makes of the log, by the names of the objects."""
    return {
        ObjectName(log.topic, file.folder, partition, file.offsets[0]): file
        for partition, records in log.records.items()
        for file in files_of(records, flush_size=FLUSH_ROWS, may_join=fits, interval_ms=interval_ms)
    }


def test_modes_differ_on_this_log(log: Log) -> None:
    """No two modes except BACKWARD and FULL make the same files, so the tests below can distinguish them."""
    made = [set(predicted(log, functools.partial(may_join, mode))) for mode in ("NONE", "BACKWARD", "FORWARD", "FULL")]
    assert [1, 3] == [index for index, names in enumerate(made) if names == made[1]]
    assert made[0] != made[2]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.mode])
def test_files_are_those_of_confluents_sink(runs: Mapping[str, ConnectRun], log: Log, name: str) -> None:
    """Files end where Confluent's rules say and have the columns of their first record, to which all rows are projected."""
    case = CASES[name]
    expected = predicted(log, functools.partial(may_join, case.mode), case.interval_ms)
    progress = runs[name].drain(PARTITIONS * ROWS)
    seen = dict(runs[name].sink.tables())
    assert (PARTITIONS * ROWS, 0) == (progress.committed_rows, progress.rejected)
    assert {name: file.schema for name, file in expected.items()} == {
        name: next((v for v in VERSIONS if columns(v).equals(table.schema)), table.schema) for name, table in seen.items()
    }
    assert {name: [projected(record.row, file.schema or 0) for record in file.records] for name, file in expected.items()} == {
        name: table.to_pylist() for name, table in seen.items()
    }


def test_own_mode_unites_versions(runs: Mapping[str, ConnectRun], log: Log, tmp_path: Path) -> None:
    """Each hour of a flush has one file with the columns of all versions, and null where a version lacks a column."""
    expected = predicted(log, lambda record, file: True)
    progress = runs["own"].drain(PARTITIONS * ROWS)
    assert (PARTITIONS * ROWS, 0) == (progress.committed_rows, progress.rejected)

    seen = dict(runs["own"].sink.tables())
    assert {name: file.offsets for name, file in expected.items()} == {
        name: table["_kafka_offset"].to_pylist() for name, table in seen.items()
    }
    for name, file in expected.items():
        united = {name for record in file.records for name in record.row}
        assert {*united, "_kafka_partition", "_kafka_offset"} == set(seen[name].column_names)
        assert [{column: record.row.get(column) for column in united} for record in file.records] == (
            seen[name].drop_columns(["_kafka_partition", "_kafka_offset"]).to_pylist()
        )

    runs["own"].sink.download(tmp_path)
    with duckdb.connect() as engine:
        pattern = str(tmp_path / "topics" / log.topic / "**" / "*.parquet")
        files = engine.read_parquet(pattern, hive_partitioning=True, union_by_name=True)
        hour_of_time = "strftime(\"at\" AT TIME ZONE 'UTC', '%H')"
        rows = files.project(f"_kafka_partition, _kafka_offset, number, price, {hour_of_time} = hour").fetchall()
    sent = [
        (partition, record.offset, record.row["number"], record.row.get("price"), True)
        for partition, records in log.records.items()
        for record in records
    ]
    assert sorted(sent, key=lambda row: row[:2]) == sorted(rows, key=lambda row: row[:2])
