"""Topics whose folders have the times of records in their names: files are found again, whatever crashes, beside others."""

from __future__ import annotations

import collections
import datetime
from collections.abc import Callable
from typing import Any

import pytest

from kafka2parquet import DefaultPartitioner, FieldPartitioner, FirstOf, HourlyPartitioner, ObjectNaming, RecordCountRotation
from kafka2parquet.audit.read import read_coverage
from kafka2parquet.converters import RecordViews
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.errors import ConflictingSinkError, RejectedRecordError, UsageError
from kafka2parquet.events import Event, PartitionStopped, RecordRejected
from kafka2parquet.records import TopicPartition
from kafka2parquet.rotation import EncodedPartitionRotation
from kafka2parquet.testing import MemoryConsumer, MemoryRecord
from kafka2parquet.transforms import InsertField, Route, RoutedFolders, TimestampRouter
from tests.support.sink_world import TOPIC, SinkWorld

DAY_MS = 86_400_000
ROUTER = TimestampRouter("${topic}-${timestamp}", "yyyyMMdd")
NAMING = ObjectNaming(topic_folders=RoutedFolders([Route(ROUTER)]))
#: Its folders begin as those of the topic do.
OTHER = f"{TOPIC}-eu"
#: The days of nine records, which don't come in the order of their times.
DAYS = (0, 0, 1, 0, 1, 1, 2, 0, 2)


def parts(**changes: Any) -> dict[str, Any]:
    return {
        "naming": NAMING,
        "transforms": [ROUTER],
        "partitioner": FieldPartitioner(["n"]),
        "rotation": RecordCountRotation(3),
        "metadata_columns": MetadataColumns(["topic", "offset"]),
        **changes,
    }


def records() -> list[MemoryRecord]:
    return [MemoryRecord(b'{"n":%d}' % (number % 2), timestamp_ms=day * DAY_MS + number) for number, day in enumerate(DAYS)]


def a_world(*, other: bool = True) -> SinkWorld:
    """Makes two topics with records; the records of the other topic are already published."""
    world = SinkWorld()
    world.kafka.append(TOPIC, 0, records())
    if other:
        world.kafka.create_topic(OTHER)
        world.kafka.append(OTHER, 0, records())
        task = world.task(**parts(consumer=MemoryConsumer(world.kafka, group_id="other", topics=[OTHER])))
        world.step_until(task, lambda: (found := world.kafka.committed("other", OTHER, 0)) is not None and found.offset == 9)
        task.close(flush=False)
    return world


def dying_at(death: int) -> Callable[[Event], bool]:
    """Makes a hook that says whether the process dies at an event: at the one with index `death`, if the task gets that far."""
    events: list[Event] = []

    def dies(event: Event) -> bool:
        events.append(event)
        return len(events) == death + 1 and not isinstance(event, PartitionStopped)

    return dies


def written(world: SinkWorld) -> collections.Counter[tuple[str, int, str]]:
    """Counts how often each record is in a folder of a topic."""
    return collections.Counter(
        (row["_kafka_topic"], row["_kafka_offset"], key.split("/")[1])
        for key in world.storage.objects
        if "_kafka2parquet" not in key
        for row in world.storage.rows(key)
    )


EVERYTHING = {(topic, offset, f"{topic}-1970010{day + 1}"): 1 for topic in (TOPIC, OTHER) for offset, day in enumerate(DAYS)}
OF_THE_TOPIC = {place: count for place, count in EVERYTHING.items() if place[0] == TOPIC}


@pytest.mark.parametrize("death", range(18))
def test_a_crash_at_each_event(death: int) -> None:
    """Each record of both topics is in one file, in the folder of its day, wherever the task crashes."""
    world = a_world()
    world.run(9, die_at=dying_at(death), **parts())
    world.run(9, **parts())
    assert EVERYTHING == written(world)


@pytest.mark.parametrize("topic_format", ["${topic}/${timestamp}", "lake/${timestamp}-${topic}", "${topic}${timestamp}"])
@pytest.mark.parametrize("death", range(2, 20, 3))
def test_other_formats(topic_format: str, death: int) -> None:
    """Other formats are exactly-once too, even if another task continues without the committed offset."""
    router = TimestampRouter(topic_format, "yyyy/MM/dd")
    by_time = {"transforms": [router], "naming": ObjectNaming(topic_folders=RoutedFolders([Route(router)]))}
    world = a_world(other=False)
    world.run(9, die_at=dying_at(death), **parts(**by_time))
    world.kafka.commit("group", TOPIC, 0, 0)
    world.run(9, **parts(**by_time, rotation=RecordCountRotation(1)))
    assert dict.fromkeys(range(9), 1) == world.offsets()
    folders = {key.rpartition("/n=")[0] for key in world.storage.objects}
    assert {f"topics/{router.routed(TOPIC, day * DAY_MS)}" for day in DAYS} == folders


def test_a_group_whose_offsets_are_lost() -> None:
    """Published files are found in all folders and are not written again."""
    world = a_world()
    world.run(9, **parts())
    before = dict(world.storage.objects)
    world.kafka.commit("group", TOPIC, 0, 0)
    world.run(9, **parts(rotation=RecordCountRotation(9)))
    assert before == world.storage.objects
    assert EVERYTHING == written(world)


@pytest.mark.parametrize("death", range(1, 24, 2))
def test_another_format_of_the_time(death: int) -> None:
    """After a crash, a begun flush is finished under its recorded names, and later flushes have the new names."""
    world = a_world(other=False)
    world.run(9, die_at=dying_at(death), **parts())
    by_year = TimestampRouter("${topic}-${timestamp}", "yyyy")
    world.run(9, **parts(transforms=[by_year], naming=ObjectNaming(topic_folders=RoutedFolders([Route(by_year)]))))
    assert dict.fromkeys(range(9), 1) == world.offsets()


def test_the_audit_finds_the_files() -> None:
    """The audit finds only the files of the topic, and reports a copied file among them."""
    world = a_world()
    world.run(9, **parts())
    end = {TopicPartition(TOPIC, 0): 9}
    audit = read_coverage(world.storage, NAMING, TOPIC, end)
    (coverage,) = audit.coverages
    assert (9, len(world.tables()) // 2, ()) == (coverage.rows, coverage.files, coverage.findings)
    assert audit.is_exact

    content = next(stored for key, stored in world.storage.objects.items() if f"/{TOPIC}-1" in key)
    world.storage.objects[f"topics/{OTHER}/partition=0/{OTHER}+0+0000000000.snappy.parquet"] = content
    world.storage.objects[f"topics/{TOPIC}-eu-2/x.parquet"] = content
    assert read_coverage(world.storage, NAMING, TOPIC, end).is_exact
    stray = f"topics/{TOPIC}-19700101/n=0/copy.parquet"
    world.storage.objects[stray] = content
    (found,) = read_coverage(world.storage, NAMING, TOPIC, end).strays
    assert found.text.startswith(f"{stray} is a copied or renamed file")


def test_another_folder_is_another_place() -> None:
    """A sink with a different folder stops. If the sink may take over, it continues at the committed offset."""
    world = a_world(other=False)
    world.run(3, **parts(naming=ObjectNaming(), transforms=[]))
    with pytest.raises(ConflictingSinkError, match=rf"topics/{TOPIC}-\*"):
        world.run(9, **parts())
    world.run(9, take_over=True, **parts())
    assert dict.fromkeys(range(9), 1) == world.offsets()


def test_folders_by_time_inside() -> None:
    """The partitioner's folders are inside the folder of the topic."""
    world = a_world(other=False)
    world.run(9, **parts(partitioner=HourlyPartitioner()))
    assert (
        f"topics/{TOPIC}-19700102/year=1970/month=01/day=02/hour=00/{TOPIC}+0+0000000002.snappy.parquet"
        in world.storage.objects
    )
    assert OF_THE_TOPIC == written(world)


def test_a_row_of_another_folder_ends_a_flush() -> None:
    """A row with another topic folder ends the flush if the rotation policy says so."""
    world = a_world(other=False)
    rotation = FirstOf(EncodedPartitionRotation(), RecordCountRotation(9))
    world.run(8, **parts(partitioner=DefaultPartitioner(), rotation=rotation))
    names = sorted(key.rpartition("+")[2].split(".")[0].lstrip("0") or "0" for key in world.storage.objects)
    assert ["0", "2", "3", "4", "6", "7"] == names


def test_tombstones_with_keys() -> None:
    """Tombstones are written to a separate folder inside the folder of their day."""
    world = SinkWorld()
    world.append(b'{"n":1}', None, key=b"k")
    world.append(None, key=b"l", time_ms=DAY_MS)
    changes = {"views": RecordViews(keys=True, tombstone_partition="gone"), "tombstones": "write"}
    world.run(3, **parts(rotation=RecordCountRotation(3), **changes))
    assert {
        f"topics/{TOPIC}-19700101/n=1/{TOPIC}+0+0000000000.snappy.parquet",
        f"topics/{TOPIC}-19700101/n=1/{TOPIC}+0+0000000000.keys.snappy.parquet",
        f"topics/{TOPIC}-19700101/gone/{TOPIC}+0+0000000001.keys.snappy.parquet",
        f"topics/{TOPIC}-19700102/gone/{TOPIC}+0+0000000002.keys.snappy.parquet",
    } == set(world.storage.objects)


def test_records_without_a_timestamp() -> None:
    """Records without a timestamp are rejects, and their file has the same place as without routers."""
    world = SinkWorld()
    world.append(b'{"n":1}', time_ms=-1)
    with pytest.raises(RejectedRecordError, match="TimestampRouter: the record has no timestamp"):
        world.run(1, **parts())
    world.append(b'{"n":1}')
    world.run(2, **parts(tolerance="skip", quarantine=True, rotation=RecordCountRotation(1)))
    assert [0] == [event.reject.offset for event in world.events if isinstance(event, RecordRejected)][:1]
    assert f"topics/_kafka2parquet/{TOPIC}/quarantine/{TOPIC}+0+0000000000.snappy.parquet" in world.storage.objects
    assert {1: 1} == world.offsets()


def test_a_folder_that_no_object_can_have() -> None:
    """A record is a reject if the time makes its folder impossible."""
    router = TimestampRouter("${topic}/${timestamp}", "'..'")
    naming = ObjectNaming(topic_folders=RoutedFolders([Route(router)]))
    world = a_world(other=False)
    with pytest.raises(RejectedRecordError, match=r"offset 0: .*its folder can't contain objects: .* a segment '\.' or '\.\.'"):
        world.run(9, **parts(transforms=[router], naming=naming))
    assert not world.storage.objects


def test_transforms_behind_see_the_new_topic() -> None:
    """Later transforms see the new topic of each record."""
    world = a_world(other=False)
    world.run(9, **parts(transforms=[ROUTER, InsertField(topic="t")], rotation=RecordCountRotation(9)))
    rows = {row["_kafka_offset"]: row["t"] for key in world.storage.objects for row in world.storage.rows(key)}
    assert {offset: f"{TOPIC}-1970010{day + 1}" for offset, day in enumerate(DAYS)} == rows


def test_a_router_that_only_the_names_have() -> None:
    """A router that only the names have is an error, and nothing is written."""
    world = a_world(other=False)
    with pytest.raises(UsageError, match="Give the same routers to both"):
        world.run(9, **parts(transforms=[]))
    assert not world.storage.objects


def test_one_schema_stays_one_file() -> None:
    """Rows of one folder share a file, however many other names lie between the rows."""
    world = SinkWorld()
    for number in range(60):
        world.append(b'{"n":1,"at":%d}' % number, time_ms=(number % 7) * DAY_MS)
    world.run(60, **parts(rotation=RecordCountRotation(60)))
    assert 7 == len(world.storage.objects)
    times = [datetime.datetime.fromtimestamp(day * 86_400, datetime.timezone.utc) for day in range(7)]
    assert {f"{TOPIC}-{time:%Y%m%d}" for time in times} == {key.split("/")[1] for key in world.storage.objects}
    assert dict.fromkeys(range(60), 1) == world.offsets()
