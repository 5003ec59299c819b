"""Rejected records are kept in the flush, sent before the flush is published, reported, or end the task."""

from __future__ import annotations

from typing import Any

import pytest

from kafka2parquet import HourlyPartitioner, RecordCountRotation
from kafka2parquet.backoff import ConverterRetry
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.dead_letters.reject_limit import RejectLimit
from kafka2parquet.dead_letters.tolerance import Tolerance
from kafka2parquet.errors import RejectedRecordError, SchemaRegistryUnavailableError, TooManyRejectsError
from kafka2parquet.events import ConverterRetried, FilePublished, IntentCommitted, RecordRejected
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted
from tests.support.sink_world import Letters, SinkWorld

GOOD, BAD = b'{"a":1}', b"no JSON"


def test_rejects_are_a_file_of_the_flush() -> None:
    """Rows and rejects become visible with their flush, each once, with the rejected bytes and the reason."""
    world = SinkWorld()
    world.append(*[GOOD] * 3, BAD, *[GOOD] * 7, BAD, key=b"k")
    world.run(11, tolerance="skip", quarantine=True)

    rejects = world.tables("rejects")
    assert ["quarantine/events+0+0000000003.snappy.parquet"] == list(rejects)
    (row,) = rejects["quarantine/events+0+0000000003.snappy.parquet"].to_pylist()
    assert ("events", 0, 3, b"k", BAD, "decode") == tuple(
        row[name] for name in ("topic", "partition", "offset", "key", "value", "stage")
    )
    assert "JSON" in row["reason"]
    assert dict.fromkeys((0, 1, 2, *range(4, 11)), 1) == world.offsets()


def test_rejects_behind_the_last_row_belong_to_the_next_flush() -> None:
    """A flush ends behind its last row, and later rejects are published with the next flush."""
    world = SinkWorld()
    world.append(*[GOOD] * 10, BAD, *[GOOD] * 10)
    world.run(21, tolerance="skip", quarantine=True)
    footers = [event for event in world.events if isinstance(event, FilePublished)]
    assert [True, True, False] == [footer.is_anchor for footer in footers]
    assert {10: 1} == world.offsets("rejects", "offset")


def test_rejects_alone_are_published_after_a_while() -> None:
    """A topic with only bad records gets a file of rejects a minute later, and its offset moves."""
    world = SinkWorld()
    world.append(*[BAD] * 5)
    with world.task(tolerance="skip", quarantine=True) as task:
        world.step_until(task, lambda: bool([e for e in world.events if isinstance(e, RecordRejected)]))
        assert not world.tables("rejects")
        world.step_until(task, lambda: world.committed == 5, seconds=1)
    assert dict.fromkeys(range(5), 1) == world.offsets("rejects", "offset")


@pytest.mark.parametrize("dies", [False, True])
def test_a_flush_of_rejects_is_found_by_a_longer_flush_with_its_start(dies: bool) -> None:
    """A late commit sets the offset back to a flush of rejects alone, whose records are then neither lost nor repeated.

    The next flush from that offset has rows, too. Its anchor has the key of its first record, as the published flush has.
    """
    world = SinkWorld()
    parts: dict[str, Any] = {"tolerance": "skip", "quarantine": True, "rotation": RecordCountRotation(2)}
    with world.task(**parts) as task:
        world.step_until(task, lambda: world.committed == 0, seconds=1)
        late = world.kafka.committed("group", "events", 0)
        assert late is not None
        world.append(*[BAD] * 3)
        world.step_until(task, lambda: world.committed == 3, seconds=1)
    world.kafka.commit("group", "events", 0, late.offset, late.metadata, late.leader_epoch)
    world.append(BAD, GOOD, BAD, GOOD)
    if dies:
        world.run(7, die_at=lambda event: isinstance(event, FilePublished), **parts)
    world.run(7, **parts)
    assert {4: 1, 6: 1} == world.offsets()
    assert dict.fromkeys((0, 1, 2, 3, 5), 1) == world.offsets("rejects", "offset")


@pytest.mark.parametrize("after", ["intent", "anchor", "rejects"])
def test_rejects_are_kept_once_whatever_crashes(after: str) -> None:
    """A crash between the effects of a flush with rejects neither loses nor repeats one."""
    points = {
        "intent": lambda event: isinstance(event, IntentCommitted),
        "anchor": lambda event: isinstance(event, FilePublished) and event.is_anchor,
        "rejects": lambda event: isinstance(event, FilePublished) and "quarantine" in event.key,
    }
    world = SinkWorld()
    for number in range(12):
        world.append(GOOD if number % 3 else BAD, time_ms=number % 2 * 3_600_000)
    parts: dict[str, Any] = {
        "tolerance": "skip",
        "quarantine": True,
        "rotation": RecordCountRotation(4),
        "partitioner": HourlyPartitioner(),
    }
    world.run(12, die_at=points[after], **parts)
    world.run(12, **parts)
    assert {offset: 1 for offset in range(12) if offset % 3} == world.offsets()
    assert dict.fromkeys(range(0, 12, 3), 1) == world.offsets("rejects", "offset")


def test_a_flush_of_rejects_alone_is_found_again() -> None:
    """Offsets that are set back behind a flush of rejects repeat none of them."""
    world = SinkWorld()
    world.append(*[BAD] * 5)
    world.run(5, tolerance="skip", quarantine=True)
    world.kafka.commit("group", "events", 0, 0)
    world.append(*[GOOD] * 10)
    world.run(15, tolerance="skip", quarantine=True)
    assert dict.fromkeys(range(5), 1) == world.offsets("rejects", "offset")
    assert dict.fromkeys(range(5, 15), 1) == world.offsets()


def test_nothing_is_published_before_dead_letters_are_stored() -> None:
    """The intent and all later steps wait for the dead letters of the flush."""
    world, letters = SinkWorld(), Letters(stores=False)
    world.append(BAD, *[GOOD] * 10)
    with world.task(tolerance="skip", dead_letters=letters) as task:
        world.step_until(task, lambda: bool(letters.sent))
        for _ in range(50):
            task.step(0.001)
        assert [0] == letters.offsets()
        assert not world.storage.objects
        assert not world.committed
        letters.store_all()
        world.step_until(task, lambda: world.committed == 11)
    assert letters.is_closed


def test_offsets_of_dead_letters_alone_wait_for_them() -> None:
    """A position behind rejects is committed once their dead letters are stored."""
    world, letters = SinkWorld(), Letters(stores=False)
    world.append(BAD, BAD)
    with world.task(tolerance="skip", dead_letters=letters) as task:
        for _ in range(50):
            task.step(0.001)
            world.clock.advance(1)
        assert not world.committed
        letters.store_all()
        world.step_until(task, lambda: world.committed == 2)


def test_a_reject_that_is_not_tolerated_is_sent_and_ends_the_task() -> None:
    """The reject goes to dead letters and hooks before the task fails, and nothing is committed."""
    world, letters = SinkWorld(), Letters()
    world.append(GOOD, BAD)
    task = world.task(dead_letters=letters)
    with pytest.raises(RejectedRecordError, match=r"events-0, offset 1: rejected at stage 'decode'"):
        world.step_until(task, lambda: False)
    task.close(flush=False)
    assert [1] == letters.offsets()
    assert [1] == [event.reject.offset for event in world.events if isinstance(event, RecordRejected)]
    assert not world.committed


def test_the_stage_decides_without_a_reporter() -> None:
    """Without a reporter, a record that can't be converted is skipped, and one that can't be partitioned ends the task."""
    world = SinkWorld()
    world.append(BAD, GOOD)
    world.kafka.append("events", 0, [])
    world.append(GOOD, time_ms=None)  # type: ignore[arg-type]  # a record without a timestamp
    task = world.task(tolerance=Tolerance(everything=True), partitioner=HourlyPartitioner())
    with pytest.raises(RejectedRecordError, match=r"offset 2: rejected at stage 'timestamp'.*errors.log.enable"):
        world.step_until(task, lambda: False)
    task.close(flush=False)


def test_too_many_rejects_end_the_task() -> None:
    """The limit counts over the last records of the partition."""
    world = SinkWorld()
    world.append(*[GOOD, BAD] * 100)
    task = world.task(tolerance="skip", limit=RejectLimit(0.4))
    with pytest.raises(TooManyRejectsError):
        world.step_until(task, lambda: False)
    task.close(flush=False)


class _Unreachable(RecordConverter):
    """A converter whose registry is down for some calls."""

    fingerprint = "unreachable"

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self._converter = JsonConverter()

    def convert(self, batch: ConsumedBatch) -> Converted:
        if self.failures:
            self.failures -= 1
            raise SchemaRegistryUnavailableError("the registry is down")
        return self._converter.convert(batch)


def test_records_wait_while_the_registry_is_down() -> None:
    """Nothing is rejected for an outage, and nothing is converted twice."""
    world = SinkWorld()
    world.append(*[GOOD] * 10)
    world.run(10, converter=_Unreachable(3))
    assert dict.fromkeys(range(10), 1) == world.offsets()
    assert [1, 2, 3] == [event.attempt for event in world.events if isinstance(event, ConverterRetried)]


def test_a_limit_for_waiting_ends_the_task() -> None:
    """With a limit, the outage itself is the error, and nothing is committed."""
    world = SinkWorld()
    world.append(*[GOOD] * 10)
    task = world.task(converter=_Unreachable(1000), converter_retry=ConverterRetry(timeout_s=5))
    with pytest.raises(SchemaRegistryUnavailableError):
        world.step_until(task, lambda: False)
    task.close(flush=False)
    assert not world.committed


ABSURD_MS = 2**62


def test_timestamp_too_large_for_a_column_of_times_rejects_only_its_record() -> None:
    """The quarantined row doesn't have a time, and its reason contains the timestamp."""
    world = SinkWorld()
    world.append(GOOD)
    world.append(GOOD, time_ms=ABSURD_MS)
    world.append(GOOD)
    world.run(3, rotation=RecordCountRotation(2), tolerance="skip", quarantine=True)
    assert {0: 1, 2: 1} == world.offsets()
    (table,) = world.tables("rejects").values()
    (row,) = table.to_pylist()
    assert (1, None) == (row["offset"], row["timestamp"])
    assert row["reason"].startswith("field _kafka_timestamp: ")
    assert row["reason"].endswith(f" (its timestamp, {ABSURD_MS} ms, is too large for a column of times)")
