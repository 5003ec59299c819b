"""Partitions move to merged files so that a query sees each row once, whatever comes late, dies, or runs at the same time."""

from __future__ import annotations

import collections
import datetime
import itertools
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import attrs
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka2parquet import HourlyPartitioner
from kafka2parquet.compaction import SinkCompaction, run_unit
from kafka2parquet.compaction.deletion import (
    MOVED_LATELY,
    NOT_MOVED,
    NOT_MOVED_HERE,
    Deletion,
    delete,
    find_deletable,
)
from kafka2parquet.compaction.switching import (
    CHANGED,
    ELSEWHERE,
    NO_PARTITION,
    NOT_BY_TIME,
    NOT_MERGED,
    PartitionSwitch,
    SwitchedTopic,
)
from kafka2parquet.completeness.folders import TimeFolders
from kafka2parquet.connect import load_connect_config, load_worker_config
from kafka2parquet.tables.partition_catalog import CatalogPartition
from tests.support.hours_world import BEGIN_MS, HOUR_MS
from tests.support.merge_world import MergeWorld
from tests.support.sink_properties import json_sink
from tests.support.sink_world import TOPIC
from tests.unit.compaction.test_merge_crashes import Died, Listings, Mortal

HOUR = "year=2026/month=05/day=17/hour="
Rows = collections.Counter[tuple[int, int]]


class MemoryCatalog:
    """A table in memory. Calls a function before each move."""

    name = "table raw.events"

    def __init__(self, world: MergeWorld, before_move: Callable[[], object] = lambda: None) -> None:
        self.world = world
        self.partitions: dict[str, CatalogPartition] = {}
        self.before_move = before_move
        self.calls_left = -1

    def register(self, *hours: str) -> None:
        """Adds partitions at the originals, as a follower does."""
        for hour in hours:
            self.partitions.setdefault(f"{HOUR}{hour}", CatalogPartition(locate(f"topics/{TOPIC}/{HOUR}{hour}/")))

    def check(self) -> None:
        pass

    def find(self, folders: Collection[str]) -> Mapping[str, CatalogPartition]:
        return {folder: self.partitions[folder] for folder in folders if folder in self.partitions}

    def move(self, folder: str, found: CatalogPartition, location: str, now: datetime.datetime) -> bool:
        self.before_move()
        if self.partitions.get(folder) != found:
            return False
        self.partitions[folder] = CatalogPartition(location, now)
        self.calls_left -= 1
        if not self.calls_left:
            raise Died
        return True

    def rows(self, *hours: str) -> Rows:
        """Counts partition and offset of each row that a query sees now."""
        found: Rows = collections.Counter()
        for hour in hours:
            prefix = self.partitions[f"{HOUR}{hour}"].location.removeprefix("memory://")
            for key in self.world.storage.list(prefix):
                if not key.rpartition("/")[2].startswith("_"):
                    with self.world.storage.open(key) as source:
                        table = pq.ParquetFile(source).read(["_kafka_partition", "_kafka_offset"])
                    found.update(zip(*(column.to_pylist() for column in table.columns), strict=True))
        return found

    def moved(self) -> list[str]:
        """Returns the hours whose partitions are at the merged files."""
        return [folder[-2:] for folder, found in sorted(self.partitions.items()) if "topics-merged" in found.location]


def locate(key: str) -> str:
    return f"memory://{key}"


def switch(catalog: MemoryCatalog, *, storage: Any = None, write: bool = True, **parts: Any) -> SwitchedTopic:
    world = catalog.world
    defaults: dict[str, Any] = {
        "naming": world.naming,
        "merged": world.merged,
        "ends": TimeFolders(HourlyPartitioner()),
        "locate": locate,
        "clock": world.clock,
    }
    storage = storage if storage is not None else world.storage
    return PartitionSwitch(storage, TOPIC, catalog, **{**defaults, **parts}).run(f"id-of-{TOPIC}", write=write)


def late(world: MergeWorld, *, flush: bool = True) -> None:
    """Publishes a row of the first hour."""
    world.arrive(0, BEGIN_MS + 1)
    world.sink(flush=flush, rows=1)


@pytest.fixture
def world() -> MergeWorld:
    """Two partitions, with flushes of four rows in two hours that are closed and one that isn't."""
    world = MergeWorld(2)
    world.fill(BEGIN_MS, 2)
    world.clock.advance(2 * 3600)
    world.sink()
    return world


@pytest.fixture
def catalog(world: MergeWorld) -> MemoryCatalog:
    catalog = MemoryCatalog(world)
    catalog.register("10", "11", "12")
    return catalog


def test_merged_hours_are_moved(world: MergeWorld, catalog: MemoryCatalog) -> None:
    """The partitions of merged hours move, queries see the same rows, and a second run finds nothing to do."""
    before = catalog.rows("10", "11", "12")
    assert SwitchedTopic(TOPIC, catalog.name, (), 0, {}, {}, {}) == switch(catalog)
    world.compact()
    assert ((f"{HOUR}10", f"{HOUR}11"), []) == (switch(catalog, write=False).moved, catalog.moved())
    found = switch(catalog)
    assert SwitchedTopic(TOPIC, catalog.name, (f"{HOUR}10", f"{HOUR}11"), 0, {}, {}, {}) == found
    assert (["10", "11"], before) == (catalog.moved(), catalog.rows("10", "11", "12"))
    assert locate(f"topics-merged/{TOPIC}/{HOUR}10/") == catalog.partitions[f"{HOUR}10"].location
    assert SwitchedTopic(TOPIC, catalog.name, (), 2, {}, {}, {}) == switch(catalog)


def test_a_late_file_before_the_move(world: MergeWorld, catalog: MemoryCatalog) -> None:
    """A partition with a file that is not merged stays at the originals, and moves once the file is merged, too."""
    world.compact()
    late(world)
    found = switch(catalog)
    assert ((f"{HOUR}11",), {f"{HOUR}10": NOT_MERGED}, {}) == (found.moved, found.kept, found.unseen)
    assert {1} == set(catalog.rows("10", "11").values())
    assert 21 == len(catalog.rows("10"))
    world.compact()
    assert (f"{HOUR}10",) == switch(catalog).moved
    assert 21 == len(catalog.rows("10"))


def test_a_file_that_is_not_committed(world: MergeWorld, catalog: MemoryCatalog) -> None:
    """A file that a sink has published and not committed keeps the partition at the originals, where queries see its rows."""
    world.compact()
    committed = world.kafka._committed.copy()
    late(world)
    world.kafka._committed.update(committed)
    world.compact()
    assert {f"{HOUR}10": NOT_MERGED} == switch(catalog).kept
    assert 21 == len(catalog.rows("10"))


def test_a_late_file_after_the_move(world: MergeWorld, catalog: MemoryCatalog) -> None:
    """A late file is counted as unseen and moves nothing back; the next run merges it, and queries see each row once."""
    world.compact()
    switch(catalog)
    late(world)
    found = switch(catalog)
    assert ((), 2, {f"{HOUR}10": 1}) == (found.moved, found.moved_before, found.unseen)
    assert 20 == len(catalog.rows("10"))
    world.compact()
    assert ({}, 21, {1}) == (switch(catalog).unseen, len(catalog.rows("10")), set(catalog.rows("10").values()))


def test_a_late_file_between_the_look_and_the_move(world: MergeWorld, catalog: MemoryCatalog) -> None:
    """The run itself reports a file that was published right before the move, and the next run makes its rows visible."""
    world.compact()
    published: list[int] = []

    def publish() -> None:
        if not published:
            published.append(1)
            late(world)

    catalog.before_move = publish
    assert {f"{HOUR}10": 1} == switch(catalog).unseen
    world.compact()
    assert ({}, 21) == (switch(catalog).unseen, len(catalog.rows("10")))


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_crash_at_each_call(world: MergeWorld, catalog: MemoryCatalog, after_effect: bool) -> None:
    """Whatever call a process dies at, queries see each row once, and the next run moves the rest."""
    before = catalog.rows("10", "11")
    at_originals = dict(catalog.partitions)
    world.compact()
    deaths = 0
    at_moves = [(1, 10**9), (2, 10**9)]
    for moves_left, dies_at in itertools.chain(at_moves, zip(itertools.repeat(-1), itertools.count(1))):
        catalog.partitions = dict(at_originals)
        catalog.calls_left = moves_left
        try:
            switch(catalog, storage=Mortal(world.storage, dies_at, after_effect=after_effect))
        except Died:
            deaths += 1
            assert before == catalog.rows("10", "11")
            catalog.calls_left = -1
            switch(catalog)
            assert (["10", "11"], before) == (catalog.moved(), catalog.rows("10", "11"))
        else:
            break
    assert deaths > 10


def stray(world: MergeWorld) -> None:
    world.storage.objects[f"topics-merged/{TOPIC}/{HOUR}10/copy.parquet"] = world.storage.objects[world.keys("hour=10/ev")[0]]


def without_merged_file(world: MergeWorld) -> None:
    del world.storage.objects[world.keys(f"topics-merged/{TOPIC}/{HOUR}10/{TOPIC}")[0]]


def cut(world: MergeWorld) -> None:
    key = world.keys(f"topics-merged/{TOPIC}/{HOUR}10/{TOPIC}")[0]
    stored = world.storage.objects[key]
    world.storage.objects[key] = attrs.evolve(stored, content=stored.content[:-1])


def without_plan(world: MergeWorld) -> None:
    del world.storage.objects[f"topics-merged/{TOPIC}/{HOUR}10/_merge-0000.json"]


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (stray, "copy.parquet is in no plan, but queries would read it"),
        (without_merged_file, "doesn't exist, or is not as large as its result says"),
        (cut, "doesn't exist, or is not as large as its result says"),
        (without_plan, "_merge-0000.json is missing"),
    ],
)
def test_wrong_merged_files(world: MergeWorld, catalog: MemoryCatalog, damage: Callable[[MergeWorld], None], text: str) -> None:
    """If the folder of merged files isn't exactly what the results say, the partition stays, and the reason is a problem."""
    world.compact()
    damage(world)
    found = switch(catalog)
    assert ((f"{HOUR}11",), [f"{HOUR}10"]) == (found.moved, [*found.problems])
    assert text in found.problems[f"{HOUR}10"]


def test_a_damaged_plan_after_the_move(world: MergeWorld, catalog: MemoryCatalog) -> None:
    """A partition that is moved already doesn't end the run with an error if a plan of its folder is gone."""
    world.compact()
    switch(catalog)
    without_plan(world)
    assert SwitchedTopic(TOPIC, catalog.name, (), 2, {}, {}, {}) == switch(catalog)


def test_objects_that_stand_for_folders(world: MergeWorld, catalog: MemoryCatalog) -> None:
    """An object that a console has created for a folder is not a file, and does not hold up a partition."""
    world.compact()
    empty = attrs.evolve(next(iter(world.storage.objects.values())), content=b"")
    world.storage.objects |= {f"topics/{TOPIC}/{HOUR}10/": empty, f"topics-merged/{TOPIC}/{HOUR}11/": empty}
    assert SwitchedTopic(TOPIC, catalog.name, (f"{HOUR}10", f"{HOUR}11"), 0, {}, {}, {}) == switch(catalog)


def test_no_table(tmp_path: Path) -> None:
    """Without a table there is nothing to switch, and nothing is connected: the broker doesn't exist."""
    config = load_connect_config(json_sink({"topics": TOPIC, "kafka2parquet.storage.url": str(tmp_path)}))
    assert () == SinkCompaction(config, load_worker_config(bootstrap_servers="127.0.0.1:1")).switch()


def test_an_earlier_topic(world: MergeWorld, catalog: MemoryCatalog) -> None:
    """Merged files of an earlier topic of the same name are a problem, and nothing is moved."""
    world.compact()
    parts: dict[str, Any] = {"naming": world.naming, "merged": world.merged, "ends": TimeFolders(HourlyPartitioner())}
    other = PartitionSwitch(world.storage, TOPIC, catalog, locate=locate, clock=world.clock, **parts)
    assert {"10", "11"} == {folder[-2:] for folder in other.run("another-id").problems}
    assert [] == catalog.moved()


def test_an_unfinished_merge(world: MergeWorld, catalog: MemoryCatalog) -> None:
    """A partition stays while a plan has no result, also if its merged files exist, and if another process has just planned."""
    world.compact()
    objects = dict(world.storage.objects)
    del world.storage.objects[f"topics-merged/{TOPIC}/{HOUR}10/_merged-0000.json"]
    assert ((f"{HOUR}11",), {}) == ((found := switch(catalog)).moved, found.kept)
    world.storage.objects = objects
    late(world)
    catalog.partitions.clear()
    catalog.register("10", "11")
    planned = world.plan()

    class Blind(Listings):
        """Reads the folder before the new plan was made."""

        def read(self, key: str) -> bytes | None:
            return None if "-0001" in key else self._storage.read(key)

    def kept_with_both() -> list[tuple[str | None, Any]]:
        found = [switch(catalog, storage=storage) for storage in (world.storage, Blind(world.storage, set()))]
        return [(each.kept.get(f"{HOUR}10"), each.problems) for each in found]

    assert [(NOT_MERGED, {})] * 2 == kept_with_both()
    for unit in planned.units:
        run_unit(unit, world.storage)
    result = world.storage.objects.pop(f"topics-merged/{TOPIC}/{HOUR}10/_merged-0001.json")
    assert [(NOT_MERGED, {})] * 2 == kept_with_both()
    world.storage.objects[f"topics-merged/{TOPIC}/{HOUR}10/_merged-0001.json"] = result
    assert (f"{HOUR}10",) == switch(catalog).moved


def test_partitions_that_are_not_there(world: MergeWorld, catalog: MemoryCatalog) -> None:
    """A folder without a partition is left out, and a partition at another place, or changed meanwhile, is left alone."""
    world.compact()
    del catalog.partitions[f"{HOUR}10"]
    catalog.partitions[f"{HOUR}11"] = CatalogPartition("memory://elsewhere/")
    assert {f"{HOUR}10": NO_PARTITION, f"{HOUR}11": ELSEWHERE} == switch(catalog).kept
    catalog.partitions.clear()
    catalog.register("10")
    catalog.before_move = lambda: catalog.partitions.update({f"{HOUR}10": CatalogPartition("memory://elsewhere/")})
    assert CHANGED == switch(catalog).kept[f"{HOUR}10"]
    assert "memory://elsewhere/" == catalog.partitions[f"{HOUR}10"].location


def test_folders_without_an_end(world: MergeWorld, catalog: MemoryCatalog) -> None:
    """A folder that isn't one of time stays at the originals, because new files may come at any time."""
    world.compact()

    class Never:
        def end_ms(self, encoded_partition: str, min_time_ms: int, max_time_ms: int) -> None:
            return None

    assert {NOT_BY_TIME} == set(switch(catalog, ends=Never()).kept.values())
    assert [] == catalog.moved()


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_processes_at_once(data: st.DataObject) -> None:
    """Processes merge and move in any order with old views and die anywhere, while late files come: queries never see a row
    twice, a partition never goes back, no row of the beginning is ever missing, and in the end each row is there once."""
    world = MergeWorld(2)
    world.fill(BEGIN_MS, 2, per_hour=4)
    world.clock.advance(2 * 3600)
    world.sink()
    catalog = MemoryCatalog(world)
    catalog.register("10", "11")
    beginning = catalog.rows("10", "11")
    moved: list[str] = []
    for _ in range(data.draw(st.integers(2, 8))):
        what = data.draw(st.sampled_from(["merge", "switch", "late"]))
        late_files = [key for key in world.keys(f"topics/{TOPIC}/{HOUR}10/{TOPIC}+0+") if key.split("+")[2] > "0000000008"]
        hidden = {key for key in late_files if data.draw(st.booleans())}
        storage = Mortal(Listings(world.storage, hidden), data.draw(st.integers(1, 120)), after_effect=data.draw(st.booleans()))
        try:
            if what == "late":
                late(world)
            elif what == "merge":
                world.compact(storage=storage)
            else:
                switch(catalog, storage=storage)
        except Died:
            pass
        rows = catalog.rows("10", "11")
        assert {1} == set(rows.values())
        assert not beginning - rows
        assert set(moved) <= set(catalog.moved())
        moved = catalog.moved()
    world.compact()
    assert {} == switch(catalog).unseen
    assert (["10", "11"], world.closed_rows(BEGIN_MS + 2 * HOUR_MS)) == (catalog.moved(), catalog.rows("10", "11"))


def test_deleting_originals_of_a_table(world: MergeWorld, catalog: MemoryCatalog) -> None:
    """Originals are deleted only some time after their partition was moved; then a late file leaves the partition there."""
    world.compact()
    for partition in world.log:
        world.arrive(partition, BEGIN_MS + 3 * HOUR_MS)
    world.sink()
    for partition in world.log:
        world.kafka.delete_records(TOPIC, partition, 20)
    two_days = datetime.timedelta(days=2)
    table = PartitionSwitch(
        world.storage,
        TOPIC,
        catalog,
        naming=world.naming,
        merged=world.merged,
        ends=TimeFolders(HourlyPartitioner()),
        locate=locate,
        clock=world.clock,
    )

    def refusals(found: Deletion) -> tuple[int, dict[str, int]]:
        return found.files, dict(found.refused)

    def find() -> Deletion:
        return find_deletable(
            world.storage,
            TOPIC,
            world.offsets_of_group,
            naming=world.naming,
            merged=world.merged,
            older_than=two_days,
            now=world.clock.now(),
            table=table,
        )

    world.clock.advance(3 * 86_400)
    assert (0, {"not in a merged file with a result": 4, NOT_MOVED: 12}) == refusals(find())
    table.run("")
    assert (0, {"not in a merged file with a result": 4, MOVED_LATELY: 12}) == refusals(find())
    moved = dict(catalog.partitions)
    catalog.partitions = {folder: attrs.evolve(each, moved_at=None) for folder, each in moved.items()}
    assert (0, {"not in a merged file with a result": 4, NOT_MOVED_HERE: 12}) == refusals(find())
    catalog.partitions = moved
    world.clock.advance(2 * 86_400 + 1)
    before = catalog.rows("10", "11")
    found = find()
    assert (12, {"not in a merged file with a result": 4}) == refusals(found)
    delete(world.storage, found)
    late(world)
    switch(catalog)
    assert (before, ["10", "11"]) == (catalog.rows("10", "11"), catalog.moved())
    world.compact()
    assert {(0, 22): 1} == catalog.rows("10", "11") - before


@pytest.mark.parametrize(
    ("location", "is_at"),
    [
        ("s3://lake/topics/hour=10/", True),
        ("s3://lake/topics/hour=10", True),
        ("s3a://lake/topics/hour=10", True),
        ("s3n://lake/topics/hour=10/", True),
        ("s3://lake/topics/hour=1", False),
        ("s3://lake/topics-merged/hour=10/", False),
    ],
)
def test_ways_to_write_a_location(location: str, is_at: bool) -> None:
    """A trailing slash and Hadoop's names of the scheme make no difference."""
    assert is_at == CatalogPartition(location).is_at("s3://lake/topics/hour=10/")
