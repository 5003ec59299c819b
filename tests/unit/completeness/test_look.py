"""Folders of hours: when they are complete, what their markers list, and how processes agree."""

from __future__ import annotations

import datetime
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet import FieldPartitioner, HourlyPartitioner, ObjectNaming
from kafka2parquet.audit.read import read_coverage
from kafka2parquet.completeness import Completeness, Marker
from kafka2parquet.converters.record_views import RecordViews
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.parquet.footer import METADATA_KEY
from kafka2parquet.partitioners import CompositePartitioner
from kafka2parquet.records import TopicPartition
from kafka2parquet.testing.memory_storage import StoredObject
from tests.support.hours_world import BEGIN_MS, HOUR_MS, MINUTE_MS, HoursWorld
from tests.support.sink_world import TOPIC

QUARTER = datetime.timedelta(minutes=15)
TEN, ELEVEN = BEGIN_MS, BEGIN_MS + HOUR_MS
FOLDER = f"topics/{TOPIC}/year=2026/month=05/day=17/hour=10"


@pytest.fixture
def world() -> HoursWorld:
    """Three partitions with a row in hour 10 each; two of them have a row in hour 11, which has begun."""
    world = HoursWorld()
    world.arrive(0, TEN + 1, TEN + 2, ELEVEN)
    world.arrive(1, TEN + 3, ELEVEN)
    world.arrive(2, TEN + 4)
    world.clock.advance(3601)
    return world


def test_each_partition_has_to_pass_the_end(world: HoursWorld) -> None:
    """An hour is complete once each partition has a durable row of a later hour; until then, the result names the others."""
    world.sink()
    ten, eleven = world.look().folders
    assert ((TopicPartition(TOPIC, 2),), False, {}) == (ten.waits_for, ten.is_complete, world.markers())
    assert 3 == len(eleven.waits_for)
    world.arrive(2, ELEVEN + 500)
    world.sink()
    found = world.look()
    assert ["17T10"] == list(world.markers())
    assert [4] == world.marked_rows("17T10")
    assert (ELEVEN, True) == (found.complete_until_ms, found.folders[0].is_complete)
    assert (0, ["17T10"]) == (world.look().written, list(world.markers()))


def test_rows_that_are_not_durable_do_not_count(world: HoursWorld) -> None:
    """Records that are read but not in a file of a committed flush complete nothing."""
    world.arrive(2, ELEVEN + 500)
    world.sink(flush=False)
    assert ((), {}) == (world.look().folders, world.markers())
    world.sink()
    world.look()
    assert ["17T10"] == list(world.markers())


def test_published_and_not_committed(world: HoursWorld) -> None:
    """Files of a flush that is published and not committed are in no marker, and don't move the time of their partition."""
    world.arrive(2, ELEVEN + 500)
    world.sink()
    world.kafka.commit("group", TOPIC, 2, 0)
    state = world.look().folders[0]
    assert ((TopicPartition(TOPIC, 2),), {0, 1}) == (state.waits_for, {file.partition for file in state.unmarked})


def test_lateness_waits_longer(world: HoursWorld) -> None:
    """With a lateness, each partition has to be that much beyond the end."""
    world.arrive(2, ELEVEN + 10 * MINUTE_MS)
    world.arrive(1, ELEVEN + 10 * MINUTE_MS)
    world.arrive(0, ELEVEN + 10 * MINUTE_MS - 1)
    world.clock.advance(660)
    world.sink()
    lateness = datetime.timedelta(minutes=10)
    found = world.look(lateness=lateness)
    assert ((TopicPartition(TOPIC, 0),), ELEVEN - 1) == (found.folders[0].waits_for, found.complete_until_ms)
    world.arrive(0, ELEVEN + 10 * MINUTE_MS)
    world.sink()
    assert 1 == world.look(lateness=lateness).written


def test_late_rows_get_another_marker(world: HoursWorld) -> None:
    """Rows that become durable after the marker are listed by a second and a third one; the first marker never changes."""
    world.arrive(2, ELEVEN + 500)
    world.sink()
    completeness = world.completeness()
    world.look(completeness)
    first = world.storage.objects[f"{FOLDER}/_SUCCESS"].content
    for count in (1, 2):
        world.arrive(1, TEN + 700)
        world.sink()
        assert 1 == world.look(completeness if count == 1 else None).written
    assert [4, 1, 1] == world.marked_rows("17T10")
    assert [0, 1, 2] == [marker.number for marker in world.markers()["17T10"]]
    assert first == world.storage.objects[f"{FOLDER}/_SUCCESS"].content
    assert f"{FOLDER}/_SUCCESS-2" in world.storage.objects


def test_idle_partition(world: HoursWorld) -> None:
    """A quiet partition holds up the others for the declared time, and for ever without one."""
    world.sink()
    world.clock.advance(899)
    assert 0 == world.look(idle_after=QUARTER).written
    world.clock.advance(2)
    assert 0 == world.look().written
    assert 1 == world.look(idle_after=QUARTER).written
    assert [False, False, True] == [
        each.is_idle and each.newest_time_ms is not None and each.newest_time_ms < ELEVEN
        for each in world.look(idle_after=QUARTER).partitions
    ]


def test_partition_that_was_never_written_to() -> None:
    """A partition without any record is idle, and has reached the present minus the idle time."""
    world = HoursWorld(partitions=2)
    world.arrive(0, TEN, ELEVEN + MINUTE_MS)
    world.clock.advance(3600 + 14 * 60)
    world.sink()
    assert (0, 0) == (world.look().written, world.look(idle_after=QUARTER).written)
    world.clock.advance(60)
    assert 1 == world.look(idle_after=QUARTER).written


def test_partition_with_unread_records_is_not_idle(world: HoursWorld) -> None:
    """A partition whose sink has stopped is not idle, however old its records are."""
    world.sink()
    world.arrive(2, TEN + 50)
    world.clock.advance(100_000)
    assert 0 == world.look(idle_after=QUARTER).written


def test_partition_that_is_filled_with_old_records_is_not_idle(world: HoursWorld) -> None:
    """Idle time counts from the last file and not from the times of rows: a partition may be written late."""
    world.sink()
    world.clock.advance(7200)
    world.arrive(2, TEN + 60)
    world.sink()
    assert 0 == world.look(idle_after=QUARTER).written
    world.clock.advance(900)
    assert 2 == world.look(idle_after=QUARTER).written


def test_storage_that_does_not_say_when_files_were_written(world: HoursWorld) -> None:
    """Then idle time counts from the first look that saw the last file."""
    world.sink()
    world.storage.objects = {key: StoredObject(each.content, each.metadata) for key, each in world.storage.objects.items()}
    world.clock.advance(10_000)
    completeness = world.completeness(idle_after=QUARTER)
    assert 0 == world.look(completeness).written
    world.clock.advance(899)
    assert 0 == world.look(completeness).written
    world.clock.advance(1)
    assert 1 == world.look(completeness, write=False).folders[0].is_due


def test_times_in_the_future_complete_nothing(world: HoursWorld) -> None:
    """A row with a time in the future doesn't move its partition, and the rows beside it do."""
    year_ms = 365 * 24 * HOUR_MS
    world.arrive(2, TEN + 70, BEGIN_MS + year_ms)
    world.sink()
    found = world.look()
    assert (TEN + 70, 0) == (found.partitions[2].newest_time_ms, found.written)
    world.arrive(2, ELEVEN + 1, BEGIN_MS + year_ms)
    world.sink()
    assert 1 == world.look().written


def test_dry_run_writes_nothing(world: HoursWorld) -> None:
    """Without `write`, a folder is due, and stays so."""
    world.arrive(2, ELEVEN)
    world.sink()
    for _ in range(2):
        assert [(True, 4), (False, 3)] == [(each.is_due, each.unmarked_rows) for each in world.look(write=False).folders]
    assert {} == world.markers()


def test_content_of_a_marker(world: HoursWorld) -> None:
    """A marker has the numbers of the folder, of each partition, and of each file, so that a reader can check them."""
    world.arrive(2, ELEVEN)
    world.sink()
    world.look()
    found = json.loads(world.storage.objects[f"{FOLDER}/_SUCCESS"].content)
    listed = found.pop("listed")
    assert {
        "version": 1,
        "topic": TOPIC,
        "topic_id": f"id-of-{TOPIC}",
        "folder": FOLDER,
        "number": 0,
        "files": 3,
        "rows": 4,
        "min_time_ms": TEN + 1,
        "max_time_ms": TEN + 4,
        "partitions": [
            {
                "partition": partition,
                "files": 1,
                "rows": rows,
                "min_time_ms": TEN + first,
                "max_time_ms": TEN + last,
                "first_offset": 0,
                "last_offset": rows - 1,
            }
            for partition, rows, first, last in ((0, 2, 1, 2), (1, 1, 3, 3), (2, 1, 4, 4))
        ],
    } == found
    assert [f"{TOPIC}+{partition}+0000000000.snappy.parquet" for partition in range(3)] == [each["name"] for each in listed]
    assert {"values"} == {each["role"] for each in listed}


def test_folders_around_and_files_of_keys(world: HoursWorld) -> None:
    """Each folder of a field's value gets a marker, which lists files of keys and doesn't count them."""
    world.arrive(2, ELEVEN)
    by_field = CompositePartitioner(FieldPartitioner("a"), HourlyPartitioner())
    world.sink(partitioner=by_field, views=RecordViews(keys=True))
    assert 1 == world.look().written
    (key,) = (key for key in world.storage.objects if key.endswith("_SUCCESS"))
    assert f"topics/{TOPIC}/a=1/year=2026/month=05/day=17/hour=10/_SUCCESS" == key
    marker = Marker.from_bytes(world.storage.objects[key].content)
    assert (4, ["keys"] * 3 + ["values"] * 3) == (marker.rows, sorted(file.role for file in marker.files))


def test_two_processes_that_see_the_same(world: HoursWorld) -> None:
    """Both make the same bytes, and one of them creates the marker."""
    world.arrive(2, ELEVEN)
    world.sink()
    one, other = world.completeness(), world.completeness()
    due = world.look(one, write=False).folders[0]
    assert due.unmarked == world.look(other, write=False).folders[0].unmarked
    assert [1, 0] == [world.look(each).written for each in (one, other)]


def test_a_faster_process_saw_fewer_files(world: HoursWorld) -> None:
    """A process that finds the marker taken reads it, and lists only the rest in the next one."""
    world.arrive(2, ELEVEN)
    world.sink()
    world.look(world.completeness())
    first = world.storage.objects.pop(f"{FOLDER}/_SUCCESS")
    world.arrive(0, TEN + 90)
    world.sink()
    slow = world.completeness()
    create = world.storage.create

    def later(key: str, content: bytes) -> bool:
        world.storage.objects.setdefault(f"{FOLDER}/_SUCCESS", first)
        return create(key, content)

    world.storage.create = later  # type: ignore[method-assign]  # the other process creates its marker at this moment
    state = world.look(slow).folders[0]
    assert ([4, 1], 1, ()) == (world.marked_rows("17T10"), state.written, state.unmarked)
    assert [marker.rows for marker in state.markers] == world.marked_rows("17T10")


def test_answer_that_is_lost(world: HoursWorld) -> None:
    """If the store created the marker and its answer was lost, the next look finds the marker."""
    world.arrive(2, ELEVEN)
    world.sink()
    world.storage.fail("create", after_effect=True)
    completeness = world.completeness()
    with pytest.raises(Exception, match="fails as planned"):
        world.look(completeness)
    assert (0, [4]) == (world.look(completeness).written, world.marked_rows("17T10"))


def _damage(world: HoursWorld, name: str) -> None:
    """Does one kind of damage to hour 10."""
    objects = world.storage.objects
    key = next(key for key in objects if key.startswith(FOLDER))
    stored = objects[key]
    footer = json.loads(stored.metadata[METADATA_KEY])
    if name == "times":
        del footer["min_time_ms"], footer["max_time_ms"]
    elif name == "topic":
        footer["topic_id"] = "other"
    elif name == "version":
        footer["version"] = 99
    elif name == "sibling":
        del objects[next(key for key in objects if "hour=11" in key and "+0+" in key)]
    elif name == "marker":
        objects[f"{FOLDER}/_SUCCESS"] = StoredObject(b"")
    elif name == "number":
        objects[f"{FOLDER}/_SUCCESS-1"] = StoredObject(Marker(TOPIC, "", FOLDER, 1, ()).to_bytes())
    elif name == "elsewhere":
        objects[f"{FOLDER}/_SUCCESS"] = StoredObject(Marker("other", "", FOLDER, 0, ()).to_bytes())
    elif name == "twice":
        objects[key.replace("0000000000", "0000000001")] = stored
    objects[key] = StoredObject(stored.content, {} if name == "foreign" else {METADATA_KEY: json.dumps(footer)})


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("times", "has no times in its footer"),
        ("topic", "is of an earlier topic of the same name"),
        ("version", "can't be read: it was written by another version"),
        ("foreign", "was not written by kafka2parquet"),
        ("sibling", "a file of a committed flush, doesn't exist"),
        ("marker", "_SUCCESS is not a marker of this library"),
        ("number", "_SUCCESS is missing, although a later marker exists"),
        ("elsewhere", "is the marker of topic other"),
        ("twice", "have rows of the same offsets"),
    ],
)
def test_what_can_not_be_answered(world: HoursWorld, damage: str, problem: str) -> None:
    """A folder with something wrong gets no marker, and the result says why; other folders aren't affected."""
    world.arrive(2, ELEVEN)
    for partition in range(3):
        world.arrive(partition, ELEVEN + HOUR_MS)
    world.clock.advance(3600)
    world.sink()
    _damage(world, damage)
    before = set(world.storage.objects)
    found = world.look()
    assert [FOLDER] == [state.folder for state in found.problems if state.folder == FOLDER]
    assert problem in str(found.folders[0].problem)
    assert set() == {key for key in set(world.storage.objects) - before if key.startswith(FOLDER)}
    if damage != "sibling":
        assert 1 == found.written


def test_files_of_an_earlier_topic_do_not_count(world: HoursWorld) -> None:
    """Rows of an earlier topic of the same name say nothing about the times that the topic has reached."""
    world.arrive(2, ELEVEN)
    world.sink()
    for key in [key for key in world.storage.objects if "+2+" in key]:
        stored = world.storage.objects[key]
        footer = json.loads(stored.metadata[METADATA_KEY]) | {"topic_id": "earlier"}
        world.storage.objects[key] = StoredObject(stored.content, {METADATA_KEY: json.dumps(footer)})
    found = world.look()
    assert (None, None, 0) == (found.partitions[2].reached_ms, found.complete_until_ms, found.written)


def test_files_of_an_earlier_topic_do_not_make_a_partition_idle(world: HoursWorld) -> None:
    """An old file with a greater offset, of an earlier topic, doesn't say for how long the partition has been quiet."""
    world.sink()
    key = next(key for key in world.storage.objects if "+2+" in key)
    stored = world.storage.objects[key]
    footer = json.loads(stored.metadata[METADATA_KEY]) | {"topic_id": "earlier"}
    old = StoredObject(stored.content, {METADATA_KEY: json.dumps(footer)}, world.clock.now() - datetime.timedelta(days=1))
    world.storage.objects[key.replace("hour=10", "hour=08").replace("0000000000", "0000000009")] = old
    assert not world.look(idle_after=QUARTER).partitions[2].is_idle
    world.clock.advance(900)
    assert world.look(idle_after=QUARTER).partitions[2].is_idle


def test_what_is_repaired_is_read_again(world: HoursWorld) -> None:
    """A file and a marker that could not be used are read anew in each look."""
    world.arrive(2, ELEVEN)
    world.sink()
    key = next(key for key in world.storage.objects if key.startswith(FOLDER))
    stored = world.storage.objects[key]
    world.storage.objects[key] = StoredObject(b"")
    world.storage.objects[f"{FOLDER}/_SUCCESS"] = StoredObject(b"")
    completeness = world.completeness()
    assert "_SUCCESS is not a marker" in str(world.look(completeness).folders[0].problem)
    world.storage.objects[f"{FOLDER}/_SUCCESS"] = StoredObject(Marker(TOPIC, "", FOLDER, 0, ()).to_bytes())
    assert "was not written by kafka2parquet" in str(world.look(completeness).folders[0].problem)
    world.storage.objects[key] = stored
    assert (1, [0, 4]) == (world.look(completeness).written, world.marked_rows("17T10"))


def test_folders_of_other_things(world: HoursWorld) -> None:
    """Rows in folders that aren't by time don't count as times that a partition has reached, and the folders get no markers."""
    world.arrive(2, ELEVEN)
    world.sink()
    for key in [key for key in world.storage.objects if "+2+" in key and "hour=11" in key]:
        name = key.rpartition("/")[2]
        world.storage.objects[f"topics/{TOPIC}/tombstones/{name}"] = world.storage.objects.pop(key)
        anchor = next(key for key in world.storage.objects if "+2+" in key and "hour=10" in key)
        stored = world.storage.objects[anchor]
        text = stored.metadata[METADATA_KEY].replace(key, f"topics/{TOPIC}/tombstones/{name}")
        world.storage.objects[anchor] = StoredObject(stored.content, {METADATA_KEY: text})
    found = world.look()
    tombstones = found.folders[0]
    assert (f"topics/{TOPIC}/tombstones", False, None, True) == (
        tombstones.folder,
        tombstones.is_by_time,
        tombstones.problem,
        tombstones.is_settled,
    )
    assert (TEN + 4, 0) == (found.partitions[2].reached_ms, found.written)


def test_a_topic_that_does_not_exist(world: HoursWorld) -> None:
    """A topic that Kafka doesn't have is a mistake in the settings."""
    completeness = Completeness(world.storage, "other", HourlyPartitioner(), clock=world.clock)
    with pytest.raises(ConfigurationError, match="Kafka has no topic other"):
        world.look(completeness)


def test_markers_do_not_disturb_the_sink_and_its_audit(world: HoursWorld) -> None:
    """Markers are neither files of the topic nor strays, and a sink that discovers its files ignores them."""
    world.arrive(2, ELEVEN)
    world.sink()
    world.look()
    for partition in range(3):
        world.kafka.commit("group", TOPIC, partition, 0)
    world.sink()
    committed = world.offsets_of_group.committed([TOPIC])
    audit = read_coverage(world.storage, ObjectNaming(), TOPIC, committed)
    assert (True, 7) == (audit.is_exact, sum(coverage.rows for coverage in audit.coverages))


def _put_old_file(world: HoursWorld, hour: int, first_offset: int, rows: int) -> None:
    """Puts a file of another tool for partition 0 into the folder of an hour."""
    key = f"topics/{TOPIC}/year=2026/month=05/day=17/hour={hour:02}/{TOPIC}+0+{first_offset:010}.gz.parquet"
    pq.write_table(pa.table({"a": [1] * rows}), sink := pa.BufferOutputStream())
    world.storage.objects[key] = StoredObject(sink.getvalue().to_pybytes())


@pytest.fixture
def migrated() -> HoursWorld:
    """Partition 0, of which another tool has written offsets 0 to 4, and the sink offsets 5 and 6, in hours 10 and 11."""
    world = HoursWorld(1)
    world.arrive(0, *[TEN] * 5, TEN + 5, ELEVEN)
    world.kafka.commit("group", TOPIC, 0, 5, "")
    world.clock.advance(3601)
    world.sink()
    return world


def test_folders_with_older_files_of_another_tool_are_left_out(migrated: HoursWorld) -> None:
    """The folder of the move gets no marker and has no problem; older folders are not judged at all, later ones are."""
    _put_old_file(migrated, 9, 0, 3)
    _put_old_file(migrated, 10, 3, 2)
    migrated.storage.objects[f"topics/{TOPIC}/year=2026/month=05/day=17/hour=09/_SUCCESS"] = StoredObject(b"")
    migrated.arrive(0, ELEVEN + HOUR_MS)
    migrated.clock.advance(3600)
    migrated.sink()
    (nine, ten, eleven, twelve) = migrated.look().folders
    assert [1, 1, 0, 0] == [each.history_files for each in (nine, ten, eleven, twelve)]
    assert [False, True, False, False] == [each.is_mixed for each in (nine, ten, eleven, twelve)]
    assert [True, True] == [each.is_settled for each in (nine, ten)]
    assert [None] * 4 == [each.problem for each in (nine, ten, eleven, twelve)]
    assert 1 == eleven.written
    assert [f"topics/{TOPIC}/year=2026/month=05/day=17/hour={hour}/_SUCCESS" for hour in ("09", "11")] == sorted(
        key for key in migrated.storage.objects if key.endswith("_SUCCESS")
    )


@pytest.mark.parametrize(("first_offset", "rows"), [(3, 3), (5, 1), (6, 1)])
def test_other_files_of_another_tool_are_a_problem(migrated: HoursWorld, first_offset: int, rows: int) -> None:
    """A file of another tool that reaches into the sink's offsets, or begins there, is a problem of its folder."""
    _put_old_file(migrated, 10, first_offset, rows)
    (ten, _) = migrated.look().folders
    assert (0, False) == (ten.history_files, ten.is_complete)
    assert "was not written by kafka2parquet" in str(ten.problem)


def test_the_first_offset_is_known_after_the_marker(migrated: HoursWorld) -> None:
    """Files that a marker lists count as the sink's first ones, in another process and in the same one."""
    completeness = migrated.completeness()
    assert 1 == migrated.look(completeness).written
    _put_old_file(migrated, 11, 4, 1)
    _put_old_file(migrated, 11, 5, 1)
    for again in (completeness, None):
        (_, eleven) = migrated.look(again).folders
        assert f"{TOPIC}+0+0000000005.gz.parquet was not written" in str(eleven.problem)
