"""A flush that lacks a file is read again: what was rejected behind the converter is rejected again, and goes into no file."""

from __future__ import annotations

from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from kafka2parquet import HourlyPartitioner, RecordCountRotation
from kafka2parquet.converters import RecordConverter
from kafka2parquet.converters.record_views import RecordViews
from kafka2parquet.events import StorageRetried
from kafka2parquet.partitioners import RecordFieldTimestamp
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted, Rows
from kafka2parquet.schema.compatibility import CompatibilityMode
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from tests.support.sink_world import Letters, SinkWorld

HOUR_MS = 3_600_000
COUNT = 12
#: The offset of the bad one. The record before it lies in the file that is missing.
BAD = 5
WITH_VERSION = ConnectSchema("struct", name="order", version=1, fields=(ConnectField("id", ConnectSchema("int64")),))


class MostlyVersioned(RecordConverter):
    """A converter whose records have one schema; one record doesn't state the version."""

    def convert(self, batch: ConsumedBatch) -> Converted:
        is_bad = pc.equal(batch.offsets, BAD)
        groups = []
        for mask, schema in ((pc.invert(is_bad), WITH_VERSION), (is_bad, attrs.evolve(WITH_VERSION, version=None))):
            records = batch.filter(mask)
            if len(records):
                table = pa.table({"id": records.offsets})
                groups.append(Rows(batch, records.offsets, records.timestamps_ms, table, value_schema=schema))
        return Converted(groups[0], [], others=groups[1:])

    @property
    def fingerprint(self) -> str:
        return "mostly-versioned"


def run_twice(parts: dict[str, Any]) -> SinkWorld:
    """Runs a task that dies before it publishes the file of the second hour, and a task that finishes the flush."""
    world = SinkWorld()
    for number in range(COUNT):
        time_ms = number % 3 * HOUR_MS
        value = b'{"a":%d}' % number if number == BAD else b'{"a":%d,"time":%d}' % (number, time_ms)
        world.append(value, key=b"%d" % number, time_ms=time_ms)
    fault = world.storage.fail(key_part="hour=01", times=1 << 30)
    world.run(COUNT, die_at=lambda event: isinstance(event, StorageRetried), **parts)
    fault.release()
    assert world.committed is None
    assert world.storage.objects
    world.run(COUNT, **parts)
    return world


@pytest.mark.parametrize("views", [None, RecordViews(keys=True)])
@pytest.mark.parametrize("quarantine", [False, True])
def test_records_that_can_not_be_partitioned(views: RecordViews | None, quarantine: bool) -> None:
    """Unpartitioned records between rows of a missing file are not written there, and kept rejects stay in their stage."""
    letters = Letters()
    world = run_twice(
        {
            "partitioner": HourlyPartitioner(timestamp_extractor=RecordFieldTimestamp("time")),
            "rotation": RecordCountRotation(COUNT - 1),
            "tolerance": "skip",
            "quarantine": quarantine,
            "dead_letters": letters,
            "views": views,
        }
    )
    assert dict.fromkeys({*range(COUNT)} - {BAD}, 1) == world.offsets()
    assert {BAD} == set(letters.offsets())
    assert ({BAD: 1} if quarantine else {}) == world.offsets("rejects", "offset")
    assert [["timestamp"]] * quarantine == [table["stage"].to_pylist() for table in world.tables("rejects").values()]


def test_records_whose_schema_can_not_be_compared() -> None:
    """Without quarantine, such records between rows of a missing file are not written there, because the schema differs."""
    letters = Letters()
    world = run_twice(
        {
            "converter": MostlyVersioned(),
            "partitioner": HourlyPartitioner(),
            "rotation": RecordCountRotation(COUNT - 1),
            "tolerance": "skip",
            "dead_letters": letters,
            "schema_compatibility": CompatibilityMode.BACKWARD,
        }
    )
    assert dict.fromkeys({*range(COUNT)} - {BAD}, 1) == world.offsets()
    assert {BAD} == set(letters.offsets())
