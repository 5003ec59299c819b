"""Transforms and predicates of Apache Kafka: a Kafka Connect worker and this library make the same rows of the same records.

The worker's own file sink writes each value as a line, as Java's classes write themselves as text; rows of Parquet files are
written alike here.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Producer

from kafka2parquet import build_runner, load_connect_config, load_worker_config
from tests.stack.connect_worker import ConnectWorker, connect_worker
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import unique, wait_until

RECORDS = 200
BEGIN_MS = 1_779_012_000_000  # 2026-05-17 10:00 UTC
LIMIT_S = 120.0
KAFKA = "org.apache.kafka.connect.transforms"

SCHEMA = {
    "type": "struct",
    "fields": [
        {"field": "id", "type": "int32"},
        {"field": "name", "type": "string", "optional": True},
        {"field": "price", "type": "double"},
        {"field": "paid", "type": "boolean"},
        {"field": "created", "type": "int64", "name": "org.apache.kafka.connect.data.Timestamp", "version": 1},
        {"field": "day", "type": "string"},
        {
            "field": "user",
            "type": "struct",
            "optional": True,
            "fields": [{"field": "id", "type": "int64"}, {"field": "email", "type": "string", "optional": True}],
        },
        {"field": "tags", "type": "array", "items": {"type": "string"}},
    ],
}


def transform(java: str, **properties: str) -> dict[str, str]:
    """Returns the properties of one transform; their names are given with `_` for `.`."""
    return {"type": java, **{name.replace("_", "."): text for name, text in properties.items()}}


def config(*transforms: Mapping[str, str], predicates: Mapping[str, Mapping[str, str]] | None = None) -> dict[str, str]:
    """Returns the properties of several transforms, and of the predicates that they name."""
    made = {"transforms": ",".join(f"t{number}" for number in range(len(transforms)))}
    for number, properties in enumerate(transforms):
        made |= {f"transforms.t{number}.{name}": text for name, text in properties.items()}
    if predicates:
        made["predicates"] = ",".join(predicates)
        for alias, properties in predicates.items():
            made |= {f"predicates.{alias}.{name}": text for name, text in properties.items()}
    return made


@attrs.frozen
class Case:
    """A configuration of transforms, and whether the values have a schema."""

    properties: Mapping[str, str]
    has_schema: bool = True


def java(name: str) -> str:
    """Returns the class of a transform of values."""
    return f"{KAFKA}.{name}$Value"


PREDICATES = f"{KAFKA}.predicates"
CASES = {
    "InsertField": Case(config(transform(java("InsertField"), topic_field="t", partition_field="p", offset_field="o!"))),
    "InsertField: time": Case(
        config(transform(java("InsertField"), timestamp_field="sent", static_field="s", static_value="x"))
    ),
    "InsertField, no schema": Case(
        config(transform(java("InsertField"), offset_field="o", static_field="s", static_value="x")), False
    ),
    "ReplaceField: exclude, rename": Case(
        config(transform(java("ReplaceField"), exclude="tags,user", renames="name:title,id:key"))
    ),
    "ReplaceField: include": Case(config(transform(java("ReplaceField"), include="id,user,created"))),
    "ReplaceField, no schema": Case(config(transform(java("ReplaceField"), exclude="tags", renames="name:title")), False),
    "MaskField": Case(config(transform(java("MaskField"), fields="name,price,paid,tags"))),
    "MaskField: replacement": Case(config(transform(java("MaskField"), fields="name", replacement="***"))),
    "HoistField": Case(
        config(
            {**transform(f"{KAFKA}.Filter"), "predicate": "empty"},  # of a tombstone, Java's class makes a map without a schema
            transform(java("HoistField"), field="event"),
            predicates={"empty": {"type": f"{PREDICATES}.RecordIsTombstone"}},
        )
    ),
    "ExtractField": Case(config(transform(java("HoistField"), field="event"), transform(java("ExtractField"), field="event"))),
    "Cast": Case(config(transform(java("Cast"), spec="id:string,price:int32,paid:int8,created:int64,day:string"))),
    "Cast, no schema": Case(config(transform(java("Cast"), spec="id:string,price:int32")), False),
    "Flatten": Case(config(transform(java("Flatten"), delimiter="_"))),
    "Flatten, no schema": Case(config(transform(java("Flatten"))), False),
    "TimestampConverter: to text": Case(
        config(transform(java("TimestampConverter"), field="created", target_type="string", format="yyyy-MM-dd HH:mm:ss.SSS"))
    ),
    "TimestampConverter: from text": Case(
        config(transform(java("TimestampConverter"), field="day", target_type="Timestamp", format="yyyy-MM-dd"))
    ),
    "TimestampConverter: to unix": Case(
        config({**transform(java("TimestampConverter"), field="created", target_type="unix"), "unix.precision": "seconds"})
    ),
    "SetSchemaMetadata": Case(config(transform(java("SetSchemaMetadata"), schema_name="event", schema_version="2"))),
    "ValueToKey": Case(config(transform(f"{KAFKA}.ValueToKey", fields="id"))),
    "headers": Case(
        config(
            transform(java("HeaderFrom"), fields="name,id", headers="n,i", operation="move"),
            transform(f"{KAFKA}.InsertHeader", header="h", value_literal="x"),
            transform(f"{KAFKA}.DropHeaders", headers="h"),
        )
    ),
    "Filter: tombstones": Case(
        config(
            {**transform(f"{KAFKA}.Filter"), "predicate": "empty"},
            predicates={"empty": {"type": f"{PREDICATES}.RecordIsTombstone"}},
        )
    ),
    "Filter: headers": Case(
        config(
            {**transform(f"{KAFKA}.Filter"), "predicate": "marked", "negate": "true"},
            predicates={"marked": {"type": f"{PREDICATES}.HasHeaderKey", "name": "mark"}},
        )
    ),
    "predicate of the topic": Case(
        config(
            {**transform(java("InsertField"), static_field="s", static_value="x"), "predicate": "here"},
            {**transform(java("ReplaceField"), exclude="name"), "predicate": "here", "negate": "true"},
            predicates={"here": {"type": f"{PREDICATES}.TopicNameMatches", "pattern": "events.*"}},
        )
    ),
    "TimestampRouter": Case(
        config(
            transform(
                f"{KAFKA}.TimestampRouter", topic_format="x/${topic}-${timestamp}", timestamp_format="yyyyMMdd_HHmmssSSS"
            ),
            transform(java("InsertField"), topic_field="t"),
        )
    ),
    "several": Case(
        config(
            transform(java("Flatten"), delimiter="."),
            transform(java("ReplaceField"), exclude="user.email,tags"),
            transform(java("Cast"), spec="user.id:string"),
            transform(java("InsertField"), timestamp_field="sent"),
            transform(f"{KAFKA}.RegexRouter", regex="(.*)", replacement="routed-$1"),
        )
    ),
}


def value(number: int) -> dict[str, Any]:
    """Returns the value of a record."""
    return {
        "id": number,
        "name": f"name {number}" if number % 3 else None,
        "price": number + 0.25,
        "paid": number % 2 == 0,
        "created": BEGIN_MS + number * 1_000 + number,
        "day": f"2026-05-{number % 28 + 1:02}",
        "user": {"id": 10**12 + number, "email": f"u{number}@example.org" if number % 4 else None} if number % 5 else None,
        "tags": [f"tag{i}" for i in range(number % 3)],
    }


@pytest.fixture(scope="module")
def worker(kafka_server: Any) -> Iterator[ConnectWorker]:
    with connect_worker(kafka_server.bootstrap) as worker:
        yield worker


@pytest.fixture(scope="module")
def topics(kafka_server: Any) -> dict[bool, str]:
    """Makes a topic of values with a schema, and one without.

    Each tenth record is a tombstone, and each second one has a header.
    """
    topics = {has_schema: unique("events") for has_schema in (True, False)}
    producer = Producer({"bootstrap.servers": kafka_server.bootstrap})
    for has_schema, topic in topics.items():
        create_topic(kafka_server.bootstrap, topic, 1)
        for number in range(RECORDS):
            content = {"schema": SCHEMA, "payload": value(number)} if has_schema else value(number)
            producer.produce(
                topic,
                json.dumps(content) if number % 10 else None,
                key=f"key {number}",
                timestamp=BEGIN_MS + number,
                headers={"mark": b"1"} if number % 2 else None,
            )
    producer.flush()
    return topics


@pytest.mark.parametrize("name", CASES)
def test_rows_are_those_of_a_worker(
    name: str, kafka_server: Any, worker: ConnectWorker, topics: Mapping[bool, str], tmp_path: Path
) -> None:
    """The sink and a worker read the same topic with the same configuration, and both drop records without a value."""
    case = CASES[name]
    bootstrap, topic = kafka_server.bootstrap, topics[case.has_schema]
    common = {
        "topics": topic,
        "tasks.max": "1",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": str(case.has_schema).lower(),
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "errors.tolerance": "all",
        **case.properties,
    }
    theirs = _of_worker(worker, bootstrap, topic, common)
    assert sorted(theirs, key=str) == sorted(_of_library(bootstrap, common, tmp_path), key=str)
    assert theirs


def _of_worker(worker: ConnectWorker, bootstrap: str, topic: str, common: Mapping[str, str]) -> list[Tree]:
    name = unique("file")
    path = worker.write_file(name, common)

    def done() -> bool:
        failure = worker.failure(name)
        assert failure is None, failure
        return committed_offsets(bootstrap, f"connect-{name}", topic).get(0) == RECORDS

    wait_until(done, "the worker to read all records", LIMIT_S)
    worker.delete(name)
    has_schema = common["value.converter.schemas.enable"] == "true"
    return [_tree(_value_of(line), has_schema=has_schema) for line in path.read_text().splitlines() if line != "null"]


def _of_library(bootstrap: str, common: Mapping[str, str], folder: Path) -> list[Tree]:
    properties = {
        **common,
        "name": unique("sink"),
        "connector.class": "io.confluent.connect.s3.S3SinkConnector",
        "s3.bucket.name": "bucket",
        "storage.class": "io.confluent.connect.s3.storage.S3Storage",
        "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
        "kafka2parquet.storage.url": str(folder),
        "flush.size": "100000",
        "behavior.on.null.values": "ignore",
    }
    runner = build_runner(load_connect_config(properties), load_worker_config({"bootstrap.servers": bootstrap}))
    runner.start()
    wait_until(lambda: runner.failed or runner.progress.records >= RECORDS, "all records to be read", LIMIT_S)
    runner.stop()
    runner.join(LIMIT_S)
    assert 0 == runner.progress.rejected
    has_schema = common["value.converter.schemas.enable"] == "true"
    paths = folder.rglob("*.parquet")
    return [_tree(row, has_schema=has_schema) for path in paths for row in pq.read_table(path, partitioning=None).to_pylist()]


Tree = str | list[Any] | tuple[Any, ...]


def _tree(value: Any, *, has_schema: bool) -> Tree:
    """Converts a value to text, a list, or pairs of name and value without nulls, which are sorted if no schema orders them."""
    if isinstance(value, dict):
        pairs = [(name, _tree(inner, has_schema=has_schema)) for name, inner in value.items() if inner is not None]
        return tuple(pairs if has_schema else sorted(pairs, key=lambda pair: pair[0]))
    if isinstance(value, list):
        return [_tree(item, has_schema=has_schema) for item in value]
    if isinstance(value, datetime.datetime):
        return value.strftime("%a %b %d %H:%M:%S UTC %Y")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value_of(text: str) -> Any:
    """Parses Java's text of a Struct, a map or a list; texts inside have no brackets, commas or equality signs."""
    value, rest = _read(text)
    assert not rest, text
    return value


def _read(text: str) -> tuple[Any, str]:
    if text.startswith(("Struct{", "{")):
        members: dict[str, Any] = {}
        text = text.partition("{")[2]
        while not text.startswith("}"):
            name, _, text = text.partition("=")
            members[name.strip(", ")], text = _read(text)
        return members, text[1:]
    if text.startswith("["):
        items = []
        text = text[1:]
        while not text.startswith("]"):
            item, text = _read(text.lstrip(", "))
            items.append(item)
        return items, text[1:]
    end = next((place for place, character in enumerate(text) if character in ",]}"), len(text))
    return None if text[:end] == "null" else text[:end], text[end:]
