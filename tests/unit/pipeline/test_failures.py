"""If a pipeline step breaks for some records, only these records are rejected."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest

from kafka2parquet import DefaultPartitioner, JsonConverter, RecordCountRotation
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.errors import RejectedRecordError, UnexpectedError, UsageError
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rotation.base import Cut, FlushStats
from kafka2parquet.rows import Converted, Partitioned, PartitionedRows, Rows, Transformed
from kafka2parquet.transforms import MapTable
from tests.support.sink_world import SinkWorld

GOOD, PILL = b'{"a":1}', b'{"a":666}'


class PanicException(BaseException):  # as native code calls it
    """The exception that pyo3 raises for a panic in Rust."""


PanicException.__module__ = "pyo3_runtime"


def breaking(error: BaseException) -> Any:
    """Returns a part that raises the error if a pill is among the rows."""

    def check(rows: Rows) -> None:
        if 666 in rows.table["a"].to_pylist():
            raise error

    return check


class BreakingConverter(JsonConverter):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def convert(self, batch: ConsumedBatch) -> Converted:
        if PILL in batch.values.to_pylist():
            raise self.error
        return super().convert(batch)


class BreakingColumns(MetadataColumns):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.check = breaking(error)

    def add(self, rows: Rows) -> Transformed:
        self.check(rows)
        return super().add(rows)


@attrs.define(eq=False)
class BreakingPartitioner(DefaultPartitioner):
    check: Any

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        self.check(rows)
        return super().partition(rows, opened_at)


def breaking_transform(error: BaseException) -> MapTable:
    def transform(table: Any) -> Any:
        if 666 in table["a"].to_pylist():
            raise error
        return table

    return MapTable(transform)


STEPS: Mapping[str, Callable[[BaseException], dict[str, Any]]] = {
    "decode": lambda error: {"converter": BreakingConverter(error)},
    "transform": lambda error: {"transforms": [breaking_transform(error)]},
    "write": lambda error: {"metadata_columns": BreakingColumns(error)},
    "partition": lambda error: {"partitioner": BreakingPartitioner(breaking(error))},
}
WHO = {
    "decode": "BreakingConverter.convert raised ",
    "transform": "MapTable.apply raised ",
    "write": "",
    "partition": "BreakingPartitioner.partition raised ",
}
ERRORS = [OverflowError("too large"), KeyError("a"), RecursionError("too deep"), PanicException("index out of bounds")]


@pytest.mark.parametrize("stage", STEPS)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_only_the_records_that_break_a_step_are_rejects(stage: str, error: BaseException) -> None:
    """Bad records at the first, the last and middle offsets are rejected, the traceback is logged, and the task continues."""
    world = SinkWorld()
    values = [GOOD] * 23
    for offset in (0, 7, 8, 22):
        values[offset] = PILL
    world.append(*values, *[GOOD] * 7)
    world.run(30, rotation=RecordCountRotation(13), tolerance="skip", quarantine=True, **STEPS[stage](error))

    assert dict.fromkeys(set(range(30)) - {0, 7, 8, 22}, 1) == world.offsets()
    assert dict.fromkeys((0, 7, 8, 22), 1) == world.offsets("rejects", "offset")
    rejects = [row for table in world.tables("rejects").values() for row in table.to_pylist()]
    assert {(stage, f"{WHO[stage]}{type(error).__name__}: {error}")} == {(row["stage"], row["reason"]) for row in rejects}


@pytest.mark.parametrize("stage", STEPS)
def test_all_records_break_a_step(stage: str) -> None:
    """If the step breaks for every record, all records of the batch are rejected."""
    world = SinkWorld()
    world.append(*[PILL] * 5)
    world.run(5, tolerance="skip", quarantine=True, **STEPS[stage](OverflowError("too large")))

    assert dict.fromkeys(range(5), 1) == world.offsets("rejects", "offset")


@pytest.mark.parametrize("stage", STEPS)
def test_without_tolerance_the_first_such_record_ends_the_task(stage: str) -> None:
    """The error that ends the task names topic, partition and offset."""
    world = SinkWorld()
    world.append(GOOD, PILL, GOOD, PILL)
    where = f"events-0, offset 1: rejected at stage '{stage}': {WHO[stage]}"
    with pytest.raises(RejectedRecordError, match=f"{where}OverflowError: too large"):
        world.run(4, **STEPS[stage](OverflowError("too large")))


@pytest.mark.parametrize("error", [MemoryError(), UsageError("no table"), KeyboardInterrupt()])
def test_errors_that_are_not_about_records_pass(error: BaseException) -> None:
    """Lack of memory, interrupts and this library's errors are raised, and no record is rejected."""
    world = SinkWorld()
    world.append(GOOD, PILL)
    with pytest.raises(type(error)):
        world.run(2, tolerance="skip", **STEPS["transform"](error))
    assert not world.offsets()


def test_an_exception_that_single_records_do_not_raise_rejects_nothing() -> None:
    """Records that break a step only together are all written."""

    class Pairs(JsonConverter):
        def convert(self, batch: ConsumedBatch) -> Converted:
            if len(batch) > 1:
                raise RuntimeError("one at a time")
            return super().convert(batch)

    world = SinkWorld()
    world.append(*[GOOD] * 10)
    world.run(10, converter=Pairs(), tolerance="skip", quarantine=True)
    assert dict.fromkeys(range(10), 1) == world.offsets()
    assert not world.tables("rejects")


class BreakingRotation(RecordCountRotation):
    """A user's rotation policy with a bug."""

    def cut(self, stats: FlushStats, rows: PartitionedRows) -> Cut | None:
        raise ZeroDivisionError("division by zero")


def test_what_breaks_after_the_pipeline_names_topic_partition_and_offset() -> None:
    """An exception in a later part ends the task with an error of this library; earlier rows are kept."""
    world = SinkWorld()
    world.append(*[GOOD] * 10)
    world.run(10)
    world.append(GOOD)
    with pytest.raises(
        UnexpectedError, match=r"events-0, from offset 10 on: BreakingRotation.cut raised ZeroDivisionError: division by zero"
    ) as raised:
        world.run(11, rotation=BreakingRotation(10))
    assert ("events", 0, 10) == (raised.value.topic, raised.value.partition, raised.value.offset)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
