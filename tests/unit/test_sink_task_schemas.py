"""SinkTask with JSON schemas that change while a flush is open, and with contracts in a store."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kafka2parquet import FileSettings, HourlyPartitioner, JsonConverter, ParquetWriter, RecordCountRotation, SinkTask
from kafka2parquet.converters import SchemaContract, SchemaVersions
from kafka2parquet.testing import InlineExecutor, ManualClock, MemoryConsumer, MemoryKafka, MemoryRecord, MemoryStorage

TEN_O_CLOCK_MS = 1_779_012_000_000  # 2026-05-17 10:00 UTC
STEPS = 3000


class Sink:
    """A topic whose records are polled one at a time, and a task that reads the topic."""

    def __init__(self, converter: JsonConverter, *, flush_rows: int, storage: MemoryStorage, row_group_bytes: int) -> None:
        self.kafka = MemoryKafka()
        self.kafka.create_topic("events")
        self.clock = ManualClock()
        self.storage = storage
        self.task = SinkTask(
            consumer=MemoryConsumer(self.kafka, group_id="group", topics=["events"], max_poll_records=1),
            converter=converter,
            partitioner=HourlyPartitioner(),
            rotation=RecordCountRotation(flush_rows),
            storage=storage,
            files=FileSettings(writer=ParquetWriter(row_group_bytes=row_group_bytes)),
            clock=self.clock,
            executor=InlineExecutor(),
        )

    def drain(self, *values: Any) -> None:
        """Appends records, and steps until all of them are committed."""
        self.kafka.append("events", 0, [MemoryRecord(json.dumps(v).encode(), timestamp_ms=TEN_O_CLOCK_MS) for v in values])
        end = len(values)
        for _ in range(STEPS):
            self.task.step(0)
            self.clock.advance(0.25)
            committed = self.kafka.committed("group", "events", 0)
            if committed is not None and committed.offset == end:
                self.task.close()
                return
        raise AssertionError(f"{committed} is committed")

    def rows(self) -> list[dict[str, Any]]:
        """Returns the rows of all files, in the order of their keys."""
        keys = [key for key in sorted(self.storage.objects) if key.endswith(".parquet")]
        return [
            {name: value for name, value in row.items() if not name.startswith("_kafka_")}
            for key in keys
            for row in self.storage.rows(key)
        ]


@pytest.mark.parametrize("row_group_bytes", [1, 1 << 20], ids=["a row group for each row", "all in memory"])
def test_a_column_becomes_text_while_its_file_is_open(row_group_bytes: int) -> None:
    """A column that becomes text stays in one file, even if row groups of the file were written before."""
    sink = Sink(JsonConverter(on_misfit="string"), flush_rows=5, storage=MemoryStorage(), row_group_bytes=row_group_bytes)
    sink.drain({"a": 1, "o": {"x": [1]}}, {"a": 2.5}, {"a": "x", "o": "y"}, {"a": {"k": 1.0}, "o": {"x": [2]}}, {"a": None})

    assert ["1", "2.5", "x", '{"k":1.0}', None] == [row["a"] for row in sink.rows()]
    assert ['{"x":[1]}', None, "y", '{"x":[2]}', None] == [row["o"] for row in sink.rows()]
    assert 1 == len(sink.storage.objects)


def test_records_wait_while_the_schema_can_not_be_kept() -> None:
    """While the store can't keep the schema, records are neither lost nor rejected, nor written without their schema."""
    storage = MemoryStorage()
    contract = SchemaContract(SchemaVersions(storage), "events", clock=ManualClock())
    sink = Sink(JsonConverter(learned=contract), flush_rows=1, storage=storage, row_group_bytes=1 << 20)
    storage.fail("list", times=2)
    storage.fail("create", times=3)
    storage.fail("create", key_part="schema-2", times=3, after_effect=True)
    sink.drain({"a": 1}, {"a": 2, "b": "x"}, {"a": 3})

    assert [{"a": 1}, {"a": 2, "b": "x"}, {"a": 3, "b": None}] == sink.rows()
    assert ["a", "b"] == contract.schema.names
    assert [1, 2] == SchemaVersions(storage).numbers("events")
