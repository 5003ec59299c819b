"""The table in docs/guarantees.md is what the code does, row by row."""

from __future__ import annotations

import collections
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kafka2parquet import HourlyPartitioner, RecordCountRotation
from kafka2parquet.consumers import Assigned
from kafka2parquet.converters import StringConverter
from kafka2parquet.delivery.bounds import OffsetRange
from kafka2parquet.errors import (
    ConflictingSinkError,
    DamagedFooterError,
    DataLossError,
    ForeignObjectError,
    LogTruncatedError,
    TopicRecreatedError,
    UnknownMetadataError,
)
from kafka2parquet.events import Event, FilePublished, IntentCommitted, OffsetCommitted, PartitionFinished
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.parquet.footer import METADATA_KEY
from kafka2parquet.testing.memory_storage import StoredObject
from tests.support.sink_world import TOPIC, SinkWorld

TEN_O_CLOCK_MS = 1_779_012_000_000


class World(SinkWorld):
    """A world with 30 records that alternate between two folders, and tasks that skip bad records."""

    def __init__(self) -> None:
        super().__init__()
        self.add(30)

    def add(self, count: int, value: bytes = b"{}") -> None:
        for number in range(count):
            self.append(value, time_ms=TEN_O_CLOCK_MS + number % 2 * 3_600_000)

    def run(self, until: int, *, rows: int = 10, **parts: Any) -> None:
        super().run(until, rotation=RecordCountRotation(rows), partitioner=HourlyPartitioner(), tolerance="skip", **parts)

    def metadata(self) -> str:
        committed = self.kafka.committed("group", TOPIC, 0)
        assert committed is not None
        return committed.metadata

    def files_of(self, first: int) -> list[int]:
        key = next(key for key in self.storage.objects if f"+0+{first:010}" in key)
        return [row["_kafka_offset"] for row in self.storage.rows(key)]


def anchor(event: Event) -> bool:
    return isinstance(event, FilePublished) and event.is_anchor


def sibling(event: Event) -> bool:
    return isinstance(event, FilePublished) and not event.is_anchor


def intent(event: Event) -> bool:
    return isinstance(event, IntentCommitted)


def trusted(world: World) -> None:
    world.run(30)
    world.add(10)
    listing = world.storage.fail("list", error=AssertionError("nothing has to be listed"))
    world.run(37, rows=7)
    assert not listing.reached.is_set()
    assert collections.Counter(range(37)) == world.offsets()


def not_trusted(world: World) -> None:
    world.run(30)
    before = dict(world.storage.objects)
    world.kafka.commit("group", TOPIC, 0, 13)
    world.run(30, rows=7)
    assert before == dict(world.storage.objects)


def intent_without_anchor(world: World) -> None:
    world.run(30, die_at=intent)
    assert {} == dict(world.storage.objects)
    world.run(10, rows=7)
    assert [0, 2, 4, 6, 8] == world.files_of(0)


def intent_with_all(world: World) -> None:
    world.run(30, die_at=sibling)
    before = dict(world.storage.objects)
    assert 2 == len(before)
    assert " i " in world.metadata()
    world.run(10, rows=1000)
    assert before == dict(world.storage.objects)


def intent_with_some(world: World) -> None:
    world.storage.fail("publish", key_part="0000000001", times=1000)
    world.run(30, die_at=anchor)
    assert 1 == len(world.storage.objects)
    world.storage._faults.clear()
    world.run(10, rows=7)
    assert [1, 3, 5, 7, 9] == world.files_of(1)


def foreign(world: World) -> None:
    key = f"topics/{TOPIC}/year=2026/month=05/day=17/hour=10/{TOPIC}+0+0000000000.snappy.parquet"
    world.storage.objects[key] = StoredObject(b"of another tool")
    with pytest.raises(ForeignObjectError, match=r"Nothing was overwritten\. Probably Confluent's sink wrote the object"):
        world.run(10)
    assert b"of another tool" == world.storage.objects[key].content


def damaged(world: World) -> None:
    world.run(30, die_at=sibling)
    key, stored = next((key, stored) for key, stored in world.storage.objects.items() if "+0+0000000000" in key)
    for change in ({"end": 0}, {"end": 10**6}, {"version": 99}):
        text = json.dumps({**json.loads(stored.metadata[METADATA_KEY]), **change})
        world.storage.objects[key] = StoredObject(stored.content, {METADATA_KEY: text})
        before = world.metadata()
        with pytest.raises(DamagedFooterError, match=re.escape(key)):
            world.run(10)
        assert before == world.metadata()


def unknown(world: World) -> None:
    world.run(30, die_at=intent)
    for metadata in ("k2p9 something newer", world.metadata()[:-1]):
        world.kafka.commit("group", TOPIC, 0, 0, metadata)
        with pytest.raises(UnknownMetadataError):
            world.run(10)


def elsewhere(world: World) -> None:
    world.run(20)
    other = ObjectNaming(topics_dir="elsewhere")
    with pytest.raises(ConflictingSinkError, match="writes to memory://test/topics, and this one writes to"):
        world.run(30, naming=other)
    world.run(30, naming=other, take_over=True)
    assert collections.Counter(range(30)) == world.offsets()


def of_another_group(world: World) -> None:
    world.run(20, group="other")
    with pytest.raises(ConflictingSinkError, match="group 'other', and this sink belongs to the group 'group'"):
        world.run(30)
    world.run(30, take_over=True)
    assert collections.Counter(range(30)) == world.offsets()


class FirstTen:
    """Lets a task take the offsets 0 to 9."""

    def range_of(self, assigned: Assigned) -> OffsetRange:
        return OffsetRange(0, 10)


def at_the_end_of_a_range(world: World) -> None:
    world.run(20)
    for committed in (10, 20):
        world.kafka.commit("group", TOPIC, 0, committed)
        task = world.task()
        task.limit_to(FirstTen())
        world.events.clear()
        world.step_until(task, lambda: any(isinstance(event, PartitionFinished) for event in world.events))
        task.close()
        assert committed == world.committed
    assert collections.Counter(range(20)) == world.offsets()


def recreated(world: World) -> None:
    world.kafka.commit("group", TOPIC, 0, 1000)
    with pytest.raises(TopicRecreatedError):
        world.run(2000)


def truncated(world: World) -> None:
    world.run(30)
    world.kafka.truncate(TOPIC, 0, 20)
    world.add(20)
    for _ in range(2):
        with pytest.raises(LogTruncatedError, match="offset 20"):
            world.run(40)
    world.run(40, on_data_loss="continue")
    assert collections.Counter(range(40)) == world.offsets()


def lost(world: World) -> None:
    world.kafka.commit("group", TOPIC, 0, 3)
    world.kafka.delete_records(TOPIC, 0, 8)
    with pytest.raises(DataLossError, match=r"\[3, 8\)"):
        world.run(18)
    world.run(18, on_data_loss="continue")
    assert collections.Counter(range(8, 18)) == world.offsets()


CASES: list[tuple[tuple[str, str, str], Callable[[World], None]]] = [
    (("no intent, trusted", "", ""), trusted),
    (("no intent, not trusted", "", ""), not_trusted),
    (("intent", "absent", ""), intent_without_anchor),
    (("intent", "published", "all there"), intent_with_all),
    (("intent", "published", "some or none"), intent_with_some),
    (("intent", "foreign object at the key", ""), foreign),
    (("intent", "published file of ours whose footer is damaged, or ends beyond the log", ""), damaged),
    (("intent of an unknown version, cut off, or of another cluster", "", ""), unknown),
    (("written for another bucket or `topics.dir`", "", ""), elsewhere),
    (("any", "file of another consumer group", ""), of_another_group),
    (("at the end of a range, or behind it", "", ""), at_the_end_of_a_range),
    (
        (
            "topic was re-created (another topic id, or an offset without our metadata that lies behind the end of the log)",
            "",
            "",
        ),
        recreated,
    ),
    (("log was truncated below the offset (unclean leader election)", "", ""), truncated),
    (("log begins after the offset", "", ""), lost),
]


def test_every_row_is_tried() -> None:
    """The table has exactly the rows that the tests have."""
    page = (Path(__file__).parents[3] / "docs" / "guarantees.md").read_text()
    table = page.split("| committed offset | anchor of the intent |")[1].split("\n\n")[0]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")[:3]) for line in table.splitlines()[2:]]
    assert [case for case, _ in CASES] == rows


@pytest.mark.parametrize("behaviour", [pytest.param(behaviour, id=", ".join(case)) for case, behaviour in CASES])
def test_the_row_is_true(behaviour: Callable[[World], None]) -> None:
    """The code does what the row of the table says."""
    behaviour(World())


def with_a_gap() -> World:
    """Makes a world without files for offsets 30 to 39, which are not JSON. [40, 50) is published, and the group is gone."""
    world = World()
    world.run(30)
    world.add(10, b"text")
    world.run(40)
    world.add(10)
    world.run(50)
    world.kafka.commit("group", TOPIC, 0, 0)
    return world


def test_a_flush_never_crosses_the_start_of_a_published_one() -> None:
    """If another converter finds rows in the gap, their flush ends where the published flush begins."""
    world = with_a_gap()
    world.run(50, rows=13, converter=StringConverter())

    assert collections.Counter(range(50)) == world.offsets()


def first_flush(event: Event) -> bool:
    return isinstance(event, OffsetCommitted) and event.rows == 4


def test_what_was_discovered_is_not_forgotten_by_a_crash() -> None:
    """A task that dies in the gap leaves a note that the files behind the gap have to be discovered again."""
    world = with_a_gap()
    world.run(
        50, rows=4, converter=StringConverter(), die_at=lambda event: isinstance(event, OffsetCommitted) and event.rows == 4
    )
    assert collections.Counter([*range(34), *range(40, 50)]) == world.offsets()
    world.run(50, rows=10, converter=StringConverter())

    assert collections.Counter(range(50)) == world.offsets()
