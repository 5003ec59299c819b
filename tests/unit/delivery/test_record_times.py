"""Footers record the least and the greatest time of a file's rows, and the anchor's footer those of the whole flush."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from kafka2parquet import RecordCountRotation
from kafka2parquet.events import FilePublished
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.partitioners import TimeBasedPartitioner
from tests.support.sink_world import SinkWorld

HOUR_MS = 3_600_000
#: Three records of hour 1, around two records of hour 0; in no order.
TIMES_MS = [HOUR_MS + 500, 900, HOUR_MS + 100, 40, HOUR_MS + 700]


def by_hour() -> dict[str, Any]:
    partitioner = TimeBasedPartitioner(path_format="'hour'=HH", partition_duration=datetime.timedelta(hours=1))
    return {"partitioner": partitioner, "rotation": RecordCountRotation(5)}


def a_world(times_ms: list[int]) -> SinkWorld:
    world = SinkWorld()
    for time_ms in times_ms:
        world.append(b'{"a":1}', time_ms=time_ms)
    return world


def ranges(world: SinkWorld) -> dict[str, tuple[int | None, ...]]:
    found: dict[str, tuple[int | None, ...]] = {}
    for key, stored in world.storage.objects.items():
        footer = FlushFooter.from_metadata(stored.metadata)
        assert footer is not None
        flush = (footer.flush_min_time_ms, footer.flush_max_time_ms)
        found[key.split("/")[2]] = (footer.min_time_ms, footer.max_time_ms, *flush)
    return found


EXPECTED = {
    "hour=01": (HOUR_MS + 100, HOUR_MS + 700, 40, HOUR_MS + 700),
    "hour=00": (40, 900, None, None),
}


def test_each_footer_has_the_range_of_its_file() -> None:
    """The range doesn't depend on the order of the records, and only the anchor has the range of the flush."""
    world = a_world(TIMES_MS)
    world.run(5, **by_hour())
    assert EXPECTED == ranges(world)


def test_a_file_that_is_published_by_the_next_owner_has_its_range() -> None:
    """A missing sibling is written again with the times of its own rows."""
    world = a_world(TIMES_MS)
    world.run(5, die_at=lambda event: isinstance(event, FilePublished), **by_hour())
    for key in [key for key in world.storage.objects if "hour=00" in key]:
        del world.storage.objects[key]
    world.run(5, **by_hour())
    assert EXPECTED == ranges(world)


@pytest.mark.parametrize(
    ("times_ms", "expected"),
    [([253_402_300_799_999, 3, 5], (3, 253_402_300_799_999)), ([-1, 7, -1], (7, 7)), ([-1, -1, -1], (None, None))],
)
def test_records_without_a_timestamp_do_not_count(times_ms: list[int], expected: tuple[int | None, ...]) -> None:
    """A range covers the rows that have a time; it is empty if no row has one."""
    world = a_world(times_ms)
    world.run(3, rotation=RecordCountRotation(3))
    (found,) = ranges(world).values()
    assert expected * 2 == found
