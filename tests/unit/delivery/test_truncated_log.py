"""A log that an unclean leader election made shorter: offsets come again, in a later leader epoch, with other records."""

from __future__ import annotations

import collections

import pytest

from kafka2parquet import RecordCountRotation
from kafka2parquet.delivery.settings import DeliverySettings
from kafka2parquet.errors import LogTruncatedError
from kafka2parquet.events import FilePublished, IntentCommitted, LogTruncated
from tests.support.sink_world import TOPIC, SinkWorld

CONTINUE = DeliverySettings(on_data_loss="continue")


def a_world(records: int = 30) -> SinkWorld:
    world = SinkWorld()
    append(world, records, b"old")
    return world


def append(world: SinkWorld, records: int, text: bytes) -> None:
    world.append(*[b'{"text": "%s"}' % text] * records)


def texts(world: SinkWorld) -> dict[int, str]:
    found: dict[int, str] = {}
    for table in world.tables().values():
        for offset, text in zip(table["_kafka_offset"].to_pylist(), table["text"].to_pylist(), strict=True):
            assert offset not in found
            found[offset] = text
    return found


def reports(world: SinkWorld) -> list[tuple[int, int]]:
    return [(event.offset, event.position) for event in world.events if isinstance(event, LogTruncated)]


def test_a_stopped_sink_refuses_a_log_that_was_truncated_meanwhile() -> None:
    """The error names the offset and is raised again at each restart; nothing is written or committed."""
    world = a_world()
    world.run(30)
    world.kafka.truncate(TOPIC, 0, 20)
    append(world, 40, b"new")
    for _ in range(2):
        with pytest.raises(LogTruncatedError, match="truncated at offset 20") as raised:
            world.run(60)
        assert raised.value.offset == 20
    assert world.committed == 30
    assert set(texts(world).values()) == {"old"}


def test_a_running_sink_notices_at_once() -> None:
    """Records from before the truncation are dropped, and not mixed with records of the current log."""
    world = a_world(25)
    task = world.task()
    world.step_until(task, lambda: world.committed == 20)
    world.kafka.truncate(TOPIC, 0, 15)
    append(world, 40, b"new")
    with pytest.raises(LogTruncatedError, match="truncated at offset 15"):
        world.step_until(task, lambda: world.committed == 50)
    task.close()
    with pytest.raises(LogTruncatedError, match="truncated at offset 15"):
        world.run(50)
    assert collections.Counter(texts(world).values()) == {"old": 20}


def test_going_on_keeps_the_older_record_of_each_offset_and_says_so() -> None:
    """With `on_data_loss="continue"`, each offset is in one file, and skipped records are an event."""
    world = a_world()
    world.run(30)
    world.kafka.truncate(TOPIC, 0, 20)
    append(world, 40, b"new")
    world.run(60, delivery=CONTINUE)
    assert texts(world) == {**dict.fromkeys(range(30), "old"), **dict.fromkeys(range(30, 60), "new")}
    assert reports(world) == [(20, 30)]


def test_a_log_that_is_shorter_than_what_was_read_is_waited_for() -> None:
    """Records at offsets that are already written are skipped, and later records are taken."""
    world = a_world()
    world.run(30)
    world.kafka.truncate(TOPIC, 0, 20)
    append(world, 5, b"new")
    with pytest.raises(LogTruncatedError, match="the log ends at offset 25"):
        world.run(60)
    task = world.task(delivery=CONTINUE)
    world.step_until(task, lambda: reports(world) == [(20, 30)])
    append(world, 15, b"new")
    world.step_until(task, lambda: world.committed == 40)
    task.close()
    assert texts(world) == {**dict.fromkeys(range(30), "old"), **dict.fromkeys(range(30, 40), "new")}


def test_a_log_that_is_truncated_again_before_it_is_read_is_reported_again() -> None:
    """The consumer keeps checking the leader epoch of the record before the offset at which the log was truncated first."""
    world = a_world()
    world.run(30)
    world.kafka.truncate(TOPIC, 0, 20)
    task = world.task(delivery=CONTINUE)
    world.step_until(task, lambda: reports(world) == [(20, 30)])
    world.kafka.truncate(TOPIC, 0, 15)
    append(world, 25, b"new")
    world.step_until(task, lambda: world.committed == 40)
    task.close()
    assert reports(world) == [(20, 30), (15, 30)]
    assert texts(world) == {**dict.fromkeys(range(30), "old"), **dict.fromkeys(range(30, 40), "new")}


def test_a_truncation_above_the_position_is_not_a_loss() -> None:
    """Records that were fetched but not taken are fetched again."""
    world = a_world(25)
    world.run(20)
    world.kafka.truncate(TOPIC, 0, 22)
    append(world, 18, b"new")
    world.run(40)
    assert texts(world) == {**dict.fromkeys(range(22), "old"), **dict.fromkeys(range(22, 40), "new")}


def test_a_published_flush_that_was_not_committed_is_not_taken_for_the_log_that_is() -> None:
    """The footer has the leader epoch of the last record, so the position behind the flush is checked too."""
    world = a_world()
    world.run(30, die_at=lambda event: isinstance(event, FilePublished) and event.key.endswith("20.snappy.parquet"))
    world.kafka.truncate(TOPIC, 0, 25)
    append(world, 40, b"new")
    with pytest.raises(LogTruncatedError, match="truncated at offset 25"):
        world.run(60)
    world.run(60, delivery=CONTINUE)
    assert texts(world) == {**dict.fromkeys(range(30), "old"), **dict.fromkeys(range(30, 60), "new")}
    assert (25, 30) in reports(world)


def test_an_offset_set_by_hand_below_published_files_is_checked_behind_them() -> None:
    """The error is raised again if an operator sets the offset but leaves the files of the lost records in place."""
    world = a_world()
    world.run(30)
    world.kafka.truncate(TOPIC, 0, 20)
    append(world, 40, b"new")
    world.kafka.commit("group", TOPIC, 0, 20)
    with pytest.raises(LogTruncatedError, match="truncated at offset 20"):
        world.run(60)
    for key in [key for key in world.storage.objects if key.endswith("20.snappy.parquet")]:
        del world.storage.objects[key]
    world.kafka.commit("group", TOPIC, 0, 20)
    world.run(60)
    assert texts(world) == {**dict.fromkeys(range(20), "old"), **dict.fromkeys(range(20, 60), "new")}


def test_an_intent_of_a_truncated_flush_is_redone_with_what_the_log_has() -> None:
    """An unpublished flush is repeated with the current records, because no file contradicts them."""
    world = a_world()
    world.run(30, die_at=lambda event: isinstance(event, IntentCommitted) and event.start == 20)
    world.kafka.truncate(TOPIC, 0, 25)
    append(world, 15, b"new")
    world.run(40)
    assert texts(world) == {**dict.fromkeys(range(25), "old"), **dict.fromkeys(range(25, 40), "new")}


def test_commits_carry_the_leader_epoch_of_the_record_before() -> None:
    """A commit has the leader epoch of the previous record, even if a new owner commits records that it did not read."""
    world = a_world()
    world.run(30)
    world.kafka.truncate(TOPIC, 0, 30)
    append(world, 10, b"new")
    world.run(40, die_at=lambda event: isinstance(event, FilePublished) and event.key.endswith("30.snappy.parquet"))
    intent = world.kafka.committed("group", TOPIC, 0)
    assert intent is not None
    assert (intent.offset, intent.leader_epoch) == (30, 0)
    world.run(40, rotation=RecordCountRotation(10))
    committed = world.kafka.committed("group", TOPIC, 0)
    assert committed is not None
    assert (committed.offset, committed.leader_epoch) == (40, 1)
