"""Topics by a pattern, each with its own settings, on Apache Kafka and S3; one of them is made while the sink runs."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from kafka2parquet.events import RecordRejected
from tests.support.connect_sink import ConnectRun, ConnectSink
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import fill, unique

ROWS = 200
FLUSH_ROWS = 80
BEGIN = datetime.datetime(2026, 5, 17, 10, 0, tzinfo=datetime.timezone.utc)


@pytest.fixture
def sink(kafka_server: Any, s3_server: Any) -> Iterator[ConnectSink]:
    made = ConnectSink(kafka_server, s3_server)
    yield made
    made.close()


def with_misfits() -> list[dict[str, Any]]:
    """Makes records; in every tenth record the number is text."""
    return [{"n": f"n/a {index}" if index % 10 == 0 else index, "at": f"{BEGIN:%Y-%m-%dT%H:%M:%SZ}"} for index in range(ROWS)]


def produce(bootstrap: str, topic: str, sent: list[dict[str, Any]]) -> None:
    """Produces to the only partition of a topic, all in one hour."""
    fill(bootstrap, topic, [json.dumps(value).encode() for value in sent])


def rows_of(sink: ConnectSink, topic: str) -> Mapping[int, dict[str, Any]]:
    """Returns the rows of a topic by offset; a repeated row is an error."""
    found: dict[int, dict[str, Any]] = {}
    for name, table in sink.tables():
        for row in table.to_pylist() if name.topic == topic else ():
            offset = row.pop("_kafka_offset")
            if offset in found:
                raise ValueError(f"twice: {topic}, offset {offset}")
            found[offset] = row
    return found


def types_of(sink: ConnectSink, topic: str) -> set[pa.Schema]:
    """Returns the columns of a topic's files."""
    return {table.schema.remove_metadata() for name, table in sink.tables() if name.topic == topic}


def test_topics_of_a_pattern(kafka_server: Any, sink: ConnectSink, tmp_path: Path) -> None:
    """The sink reads all matching topics, also one that is created later, each with the settings for its name."""
    prefix, bootstrap = unique("shop"), kafka_server.bootstrap
    orders, web, later, other = f"{prefix}.orders", f"{prefix}.web.clicks", f"{prefix}.later", f"x{prefix}.orders"
    schema = tmp_path / "later.json"
    schema.write_text('[{"name": "n", "type": "int32"}, {"name": "at", "type": "timestamp[us, UTC]"}]')
    given = sink.properties(
        {
            "topics.regex": rf"{prefix}\.[a-z.]+",
            "tasks.max": "2",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "false",
            "timestamp.extractor": "Record",
            "flush.size": str(FLUSH_ROWS),
            "errors.tolerance": "all",
            "errors.log.enable": "true",
            "consumer.override.metadata.max.age.ms": "500",
            "kafka2parquet.metadata.columns": "offset",
            "kafka2parquet.parquet.types": "own",
            f"kafka2parquet.topic.{orders}.schema.on.misfit": "rescue",
            f"kafka2parquet.topic.{web}.schema.on.misfit": "string",
            f"kafka2parquet.topic.{later}.schema.file": str(schema),
        }
    )
    numbers, sent = [{"n": index, "at": "x"} for index in range(ROWS)], with_misfits()
    for topic in (orders, web, other):
        create_topic(bootstrap, topic, 1)
        produce(bootstrap, topic, numbers)  # so that the schema is learned before misfits come
    rejected: set[tuple[str, int]] = set()

    def note(event: object) -> None:
        if isinstance(event, RecordRejected):
            rejected.add((event.topic_partition.topic, event.reject.offset))

    with ConnectRun(sink, given, [note]) as run:
        run.until(lambda now: now.taken_rows == 2 * ROWS, "the rows of the topics that are there")
        create_topic(bootstrap, later, 1)
        for topic in (orders, web, later):
            produce(bootstrap, topic, sent)
        progress = run.drain(2 * 2 * ROWS + ROWS - ROWS // 10, ROWS // 10)

    assert 5 * ROWS - ROWS // 10 == progress.committed_rows
    assert {(later, offset) for offset in range(0, ROWS, 10)} == rejected
    assert {} == committed_offsets(bootstrap, f"connect-{given['name']}", other)
    unfit = [isinstance(row["n"], str) for row in sent]
    rescued = [
        {**row, "n": None if rescues else row["n"], "_rescued": f'{{"n":"{row["n"]}"}}' if rescues else None}
        for row, rescues in zip(sent, unfit, strict=True)
    ]
    assert dict(enumerate([*({**row, "_rescued": None} for row in numbers), *rescued])) == rows_of(sink, orders)
    texts = [{"n": str(row["n"]), "at": row["at"]} for row in [*numbers, *sent]]
    assert dict(enumerate(texts)) == {offset: {**row, "n": str(row["n"])} for offset, row in rows_of(sink, web).items()}
    typed = {offset: {"n": row["n"], "at": BEGIN} for offset, row in enumerate(sent) if not unfit[offset]}
    assert typed == rows_of(sink, later)
    offset_column = ("_kafka_offset", pa.int64())
    assert {pa.schema([("n", pa.int32()), ("at", pa.timestamp("us", "UTC")), offset_column])} == types_of(sink, later)
