"""Originals are deleted only if nobody can need them again, and the audit stays exact at each moment."""

from __future__ import annotations

import collections
import datetime
import itertools
from collections.abc import Callable, Collection, Mapping
from typing import Any

import attrs
import pytest

from kafka2parquet.audit.coverage import Audit
from kafka2parquet.audit.read import read_coverage
from kafka2parquet.compaction.deletion import (
    CHANGED,
    FLUSH_NOT_MERGED,
    MERGED_WRONG,
    NEWEST,
    NOT_COMMITTED,
    NOT_MERGED,
    STILL_IN_KAFKA,
    TOO_YOUNG,
    Deletion,
    delete,
    find_deletable,
)
from kafka2parquet.completeness.look import LogOffsets
from kafka2parquet.errors import StorageUnavailableError
from kafka2parquet.records import TopicPartition
from kafka2parquet.testing import MemoryRecord
from tests.support.hours_world import BEGIN_MS, HOUR_MS
from tests.support.merge_world import MergeWorld
from tests.support.sink_world import TOPIC
from tests.unit.compaction.test_merge_crashes import Died, Mortal

TWO_DAYS = datetime.timedelta(days=2)


@attrs.frozen
class Offsets:
    """Offsets of a log and its group, as a test wants them."""

    starts: int
    committed_offsets: int
    partitions: int = 2

    def bounds(self, topic: str) -> Mapping[TopicPartition, tuple[int, int]]:
        return {TopicPartition(topic, number): (self.starts, 41) for number in range(self.partitions)}

    def committed(self, topics: Collection[str]) -> Mapping[TopicPartition, int]:
        return {TopicPartition(TOPIC, number): self.committed_offsets for number in range(self.partitions)}

    def topic_id(self, topic: str) -> str:
        return f"id-of-{topic}"


def find(world: MergeWorld, log: LogOffsets | None = None, older_than: datetime.timedelta = TWO_DAYS) -> Deletion:
    return find_deletable(
        world.storage,
        TOPIC,
        log if log is not None else world.offsets_of_group,
        naming=world.naming,
        merged=world.merged,
        older_than=older_than,
        now=world.clock.now(),
    )


def audit(world: MergeWorld) -> Audit:
    committed = world.offsets_of_group.committed([TOPIC])
    return read_coverage(world.storage, world.naming, TOPIC, committed, merged=world.merged)


@pytest.fixture
def world() -> MergeWorld:
    """Two partitions with flushes of four rows, of which two hours are merged, two days ago; Kafka has only the newest rows."""
    world = MergeWorld(2)
    world.fill(BEGIN_MS, 4)
    world.sink()
    world.compact()
    world.clock.advance(2 * 86_400 + 1)
    for partition in world.log:
        world.kafka.delete_records(TOPIC, partition, 40)
    return world


def test_deletion(world: MergeWorld) -> None:
    """All merged files of old flushes are deleted, each row is in a merged or an original file, and the audit is exact."""
    before = world.rows_under("topics/")
    merged = world.rows_under("topics-merged/")
    found = find(world)
    delete(world.storage, found)
    assert 12 == found.files
    assert {NOT_MERGED: 14} == dict(found.refused)
    assert before == world.rows_under("topics/") + merged
    judged = audit(world)
    assert ([], True) == ([each for coverage in judged.coverages for each in coverage.findings], judged.is_exact)
    assert 12 == sum(coverage.covered_files for coverage in judged.coverages)
    assert 0 == find(world).files


def test_audit_without_merged_files_sees_the_gap(world: MergeWorld) -> None:
    """The deleted rows are missing for an audit that doesn't know of the merged files, so they are what makes it exact."""
    delete(world.storage, find(world))
    committed = world.offsets_of_group.committed([TOPIC])
    starts = [coverage.start for coverage in read_coverage(world.storage, world.naming, TOPIC, committed).coverages]
    assert [20, 20] == starts
    assert [0, 0] == [coverage.start for coverage in audit(world).coverages]


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_crash_at_each_call(world: MergeWorld, after_effect: bool) -> None:
    """Whatever call of the store a process dies at, the audit is exact, and the next run deletes the rest."""
    objects = dict(world.storage.objects)
    everything = find(world)
    for dies_at in itertools.count(1):
        world.storage.objects = dict(objects)
        mortal = Mortal(world.storage, dies_at, after_effect=after_effect)
        try:
            delete(mortal, everything)
        except Died:
            assert audit(world).is_exact
            assert everything.files == find(world).files + len(objects) - len(world.storage.objects)
            delete(world.storage, find(world))
            assert len(objects) - everything.files == len(world.storage.objects)
        else:
            break
    assert dies_at == everything.files + 1


def changed(world: MergeWorld) -> None:
    for key in world.keys("topics/"):
        stored = world.storage.objects[key]
        text = stored.metadata["kafka2parquet"].replace('"fingerprint":"', '"fingerprint":"x')
        world.storage.objects[key] = attrs.evolve(stored, metadata={"kafka2parquet": text})


def without_merged_file(world: MergeWorld) -> None:
    del world.storage.objects[world.keys("topics-merged/events/year=2026/month=05/day=17/hour=10/events")[0]]


def without_result(world: MergeWorld) -> None:
    for key in world.keys("_merged-0000.json"):
        del world.storage.objects[key]


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (changed, {NOT_MERGED: 14, CHANGED: 12}),
        (without_merged_file, {NOT_MERGED: 20, FLUSH_NOT_MERGED: 2, MERGED_WRONG: 4}),
        (without_result, {NOT_MERGED: 26}),
    ],
)
def test_wrong_files_are_refused(world: MergeWorld, change: Callable[[MergeWorld], None], reasons: dict[str, int]) -> None:
    """A file that was changed, or whose merged file isn't as it should be, is refused with the reason."""
    change(world)
    found = find(world)
    assert (0, reasons) == (found.files, dict(found.refused))


@pytest.mark.parametrize(
    ("log", "older_than", "files", "reasons"),
    [
        (Offsets(40, 41), TWO_DAYS + datetime.timedelta(seconds=2), 0, {TOO_YOUNG: 12}),
        (Offsets(15, 41), TWO_DAYS, 8, {STILL_IN_KAFKA: 4}),
        (Offsets(41, 11), TWO_DAYS, 4, {NOT_COMMITTED: 8}),
    ],
)
def test_flushes_that_may_be_needed(
    world: MergeWorld, log: Offsets, older_than: datetime.timedelta, files: int, reasons: dict[str, int]
) -> None:
    """A flush is kept while its merge is young, while Kafka has its records, and if the group would read them again."""
    found = find(world, log, older_than)
    assert (files, {NOT_MERGED: 14, **reasons}) == (found.files, dict(found.refused))


def test_the_newest_flush_is_kept(world: MergeWorld) -> None:
    """The newest flush of a partition is kept, even if it is merged and Kafka has none of its records."""
    for key in world.keys("topics/"):
        if not any(hour in key for hour in ("hour=10", "hour=11")):
            del world.storage.objects[key]
    found = find(world)
    assert (10, {NEWEST: 2}) == (found.files, dict(found.refused))


def test_a_flush_goes_as_a_whole() -> None:
    """A flush with files in a folder that is not merged yet is kept, and its merged files with it."""
    world = MergeWorld(1)
    world.arrive(0, *range(BEGIN_MS, BEGIN_MS + 4), *[BEGIN_MS + 1, BEGIN_MS + 2, BEGIN_MS + 3, BEGIN_MS + HOUR_MS])
    world.arrive(0, BEGIN_MS + HOUR_MS + 1)
    world.clock.advance(3 * 3600)
    world.sink()
    world.compact()
    world.kafka.delete_records(TOPIC, 0, 9)
    world.clock.advance(2 * 86_400 + 1)
    found = find(world)
    assert (1, {NOT_MERGED: 2, FLUSH_NOT_MERGED: 1}) == (found.files, dict(found.refused))
    delete(world.storage, found)
    assert audit(world).is_exact


def test_rejects_stay() -> None:
    """Rejects are kept where they are, also as the anchor of a flush whose other files are deleted; late rows are merged
    and completeness is known nevertheless."""
    world = MergeWorld(1)
    values = [b"no JSON", b'{"a":1}', b'{"a":2}', b"no JSON"]
    world.kafka.append(TOPIC, 0, [MemoryRecord(value, timestamp_ms=BEGIN_MS) for value in values * 2])
    world.kafka.append(TOPIC, 0, [MemoryRecord(b'{"a":3}', timestamp_ms=BEGIN_MS + HOUR_MS)])
    world.clock.advance(4 * 3600)
    sink: dict[str, Any] = {"tolerance": "skip", "quarantine": True, "rows": 2}
    world.sink(**sink)
    world.compact()
    world.kafka.delete_records(TOPIC, 0, 9)
    world.clock.advance(2 * 86_400 + 1)
    quarantined = world.keys("quarantine")
    found = find(world)
    assert (3, 2) == (len(quarantined), found.files)
    delete(world.storage, found)
    assert audit(world).is_exact
    assert quarantined == world.keys("quarantine")
    world.kafka.append(TOPIC, 0, [MemoryRecord(b'{"a":4}', timestamp_ms=BEGIN_MS)])
    world.kafka.append(TOPIC, 0, [MemoryRecord(b'{"a":4}', timestamp_ms=BEGIN_MS + HOUR_MS)])
    world.sink(**sink)
    assert audit(world).is_exact
    looked = world.look(world.completeness_on(world.storage), write=False)
    assert [None, None] == [folder.problem for folder in looked.folders]
    (late,) = world.compact()
    assert 1 == late.rows


def test_a_failed_deletion_is_repeated(world: MergeWorld) -> None:
    """If the store fails in the middle, the error arrives, and a later run deletes the rest."""
    found = find(world)
    world.storage.fail("delete", times=3)
    with pytest.raises(StorageUnavailableError):
        delete(world.storage, found)
    assert audit(world).is_exact
    delete(world.storage, find(world))
    assert 0 == find(world).files
    assert audit(world).is_exact


def test_the_sink_goes_on(world: MergeWorld) -> None:
    """After a deletion, a group that has lost its offsets writes nothing again, because Kafka has only newer records."""
    delete(world.storage, find(world))
    before = world.rows_under("topics/")
    world.kafka._committed.clear()
    world.arrive(0, BEGIN_MS + 5 * HOUR_MS)
    world.sink()
    after = world.rows_under("topics/")
    assert {(0, 41): 1} == after - before
    assert collections.Counter() == before - after
    assert audit(world).is_exact


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_each_lost_file_is_found(world: MergeWorld, share: float) -> None:
    """At any moment of a deletion, the loss of a file is found if its rows are nowhere else, and only then."""
    found = find(world)
    order = [*found.anchors, *found.keys]
    for key in order[: round(share * len(order))]:
        world.storage.delete(key)
    objects = dict(world.storage.objects)
    merged = {file.key for plan in world.plans().values() for file in plan.inputs}
    for key in [key for key in objects if key.endswith(".parquet")]:
        world.storage.objects = {other: stored for other, stored in objects.items() if other != key}
        assert audit(world).is_exact == (key in merged), key


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_each_lost_result_is_found(world: MergeWorld, share: float) -> None:
    """If a plan or a result is lost after originals were deleted, the audit isn't exact."""
    found = find(world)
    order = [*found.anchors, *found.keys]
    for key in order[: round(share * len(order))]:
        world.storage.delete(key)
    objects = dict(world.storage.objects)
    for key in [key for key in objects if key.endswith(".json")]:
        world.storage.objects = {other: stored for other, stored in objects.items() if other != key}
        gone = {file.key for plan in world.plans().values() for file in plan.inputs} - objects.keys()
        of_folder = [each for each in gone if key.rpartition("/")[0].removeprefix("topics-merged/") in each]
        if of_folder or "_merge-" in key:
            assert not audit(world).is_exact, key
