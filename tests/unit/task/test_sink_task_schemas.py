"""SinkTask with JSON schemas that change while a flush is open, and with contracts in a store."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kafka2parquet import JsonConverter, ParquetWriter, RecordCountRotation
from kafka2parquet.converters import SchemaContract, SchemaVersions
from kafka2parquet.testing import InlineExecutor, ManualClock, MemoryConsumer
from tests.support.sink_world import GROUP, TOPIC, SinkWorld


def drain(world: SinkWorld, converter: JsonConverter, *values: Any, flush_rows: int, row_group_bytes: int = 1 << 20) -> None:
    """Runs a task that polls the values one at a time, until all of them are committed."""
    world.append(*(json.dumps(value).encode() for value in values))
    world.run(
        len(values),
        consumer=MemoryConsumer(world.kafka, group_id=GROUP, topics=[TOPIC], max_poll_records=1),
        converter=converter,
        rotation=RecordCountRotation(flush_rows),
        writer=ParquetWriter(row_group_bytes=row_group_bytes),
        executor=InlineExecutor(),
    )


def rows(world: SinkWorld) -> list[dict[str, Any]]:
    """Returns the rows of all files, in the order of their keys."""
    return [
        {name: value for name, value in row.items() if not name.startswith("_kafka_")}
        for table in world.tables().values()
        for row in table.to_pylist()
    ]


@pytest.mark.parametrize("row_group_bytes", [1, 1 << 20], ids=["a row group for each row", "all in memory"])
def test_a_column_becomes_text_while_its_file_is_open(row_group_bytes: int) -> None:
    """A column that becomes text stays in one file, even if row groups of the file were written before."""
    world = SinkWorld()
    values = ({"a": 1, "o": {"x": [1]}}, {"a": 2.5}, {"a": "x", "o": "y"}, {"a": {"k": 1.0}, "o": {"x": [2]}}, {"a": None})
    drain(world, JsonConverter(on_misfit="string"), *values, flush_rows=5, row_group_bytes=row_group_bytes)

    assert ["1", "2.5", "x", '{"k":1.0}', None] == [row["a"] for row in rows(world)]
    assert ['{"x":[1]}', None, "y", '{"x":[2]}', None] == [row["o"] for row in rows(world)]
    assert 1 == len(world.storage.objects)


def test_records_wait_while_the_schema_can_not_be_kept() -> None:
    """While the store can't keep the schema, records are neither lost nor rejected, nor written without their schema."""
    world = SinkWorld()
    contract = SchemaContract(SchemaVersions(world.storage), TOPIC, clock=ManualClock())
    world.storage.fail("list", times=2)
    world.storage.fail("create", times=3)
    world.storage.fail("create", key_part="schema-2", times=3, after_effect=True)
    drain(world, JsonConverter(learned=contract), {"a": 1}, {"a": 2, "b": "x"}, {"a": 3}, flush_rows=1)

    assert [{"a": 1}, {"a": 2, "b": "x"}, {"a": 3, "b": None}] == rows(world)
    assert ["a", "b"] == contract.schema.names
    assert [1, 2] == SchemaVersions(world.storage).numbers(TOPIC)
