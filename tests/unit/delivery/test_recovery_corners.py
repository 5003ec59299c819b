"""Corners of recovery: a deleted anchor, failures of the consumer at odd moments, an end that the log does not have."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from kafka2parquet import RecordCountRotation
from kafka2parquet.consumers.base import Assigned, PartitionFailed
from kafka2parquet.errors import CorruptRecordBatchError, DamagedFooterError, DataLossError, DeliveryError, Kafka2ParquetError
from kafka2parquet.events import DataLost, FilePublished, IntentCommitted
from kafka2parquet.parquet.footer import METADATA_KEY
from kafka2parquet.partitioners.field import FieldPartitioner
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.testing import MemoryConsumer
from kafka2parquet.testing.memory_storage import StoredObject
from tests.support.sink_world import TOPIC, SinkWorld

TOLERANT: dict[str, Any] = {
    "on_data_loss": "continue",
    "tolerance": "skip",
    "quarantine": True,
    "tombstones": "ignore",
}


class FailingConsumer(MemoryConsumer):
    """A consumer that fails with an error whenever it reaches a position."""

    def __init__(self, world: SinkWorld, at: int, error: Kafka2ParquetError, *, max_poll_records: int = 1) -> None:
        super().__init__(world.kafka, group_id="group", topics=[TOPIC], max_poll_records=max_poll_records)
        self.at, self.error = at, error
        self.fails = True

    def _fetch(self) -> list[ConsumedBatch]:
        for owned in self.owned.values():
            if self.fails and owned.position == self.at and not owned.paused:
                owned.position = None
                self._events.append(PartitionFailed(owned.assignment, self.error))
                return []
        return super()._fetch()


def corrupt(offset: int, next_offset: int) -> CorruptRecordBatchError:
    return CorruptRecordBatchError("corrupt", topic=TOPIC, partition=0, offset=offset, next_offset=next_offset)


def lost(start: int, end: int) -> DataLossError:
    return DataLossError("gone", topic=TOPIC, partition=0, missing_start=start, missing_end=end)


BY_FOLDER: dict[str, Any] = {"partitioner": FieldPartitioner(["folder"])}


def a_world_without_an_anchor() -> SinkWorld:
    world = SinkWorld()
    world.append(*[b'{"folder": %d}' % (number // 5 % 2) for number in range(20)])
    world.run(10, **BY_FOLDER)
    del world.storage.objects[next(key for key in world.storage.objects if "folder=0" in key)]
    return world


@pytest.mark.parametrize(("offset", "rows"), [(5, 10), (0, 8), (0, 9), (0, 12)])
def test_a_sibling_whose_anchor_was_deleted_is_an_error(offset: int, rows: int) -> None:
    """The error names the sibling and the objects to delete, and the task doesn't loop."""
    world = a_world_without_an_anchor()
    world.kafka.commit("group", TOPIC, 0, offset)
    with pytest.raises(DeliveryError, match=r"folder=1/events\+0\+0000000005.*whose first file was deleted"):
        world.run(20, rotation=RecordCountRotation(rows), **BY_FOLDER)


@pytest.mark.parametrize("end", [8, 12])
def test_the_anchor_of_another_flush_at_a_sibling_key_ends_the_task(end: int) -> None:
    """Two flushes that contradict each other are an error; adopting the other boundary would repeat both for ever."""
    world = SinkWorld()
    world.append(*[b'{"folder": %d}' % (number // 5 % 2) for number in range(20)])
    world.run(10, die_at=lambda event: isinstance(event, FilePublished), **BY_FOLDER)
    (key, stored), *_ = world.storage.objects.items()
    footer = json.loads(stored.metadata[METADATA_KEY])
    sibling = footer["siblings"][0]["key"]
    other = {**footer, "end": end, "flush_rows": end - 5, "file_rows": end - 5, "first_offset": 5, "last_offset": end - 1}
    world.storage.objects[sibling] = StoredObject(b"", {METADATA_KEY: json.dumps({**other, "siblings": [], "layout": None})})
    del world.storage.objects[key]
    with pytest.raises(DeliveryError, match=rf"belongs to the flush \[0, {end}\)"):
        world.run(20, **BY_FOLDER)
    assert world.committed in (None, 0)


@pytest.mark.parametrize("is_listed", [False, True])
def test_a_sibling_of_another_flush_is_not_taken_for_a_published_one(is_listed: bool) -> None:
    """A file that belongs to another flush than the anchor that lists it is an error, and nothing is committed."""
    world = SinkWorld()
    world.append(*[b'{"folder": %d}' % (number // 5 % 2) for number in range(10)])
    world.run(10, die_at=lambda event: isinstance(event, FilePublished), **BY_FOLDER)
    (stored,) = world.storage.objects.values()
    footer = json.loads(stored.metadata[METADATA_KEY])
    other = {**footer, "end": 8, "flush_rows": 8, "file_rows": 3, "first_offset": 5, "last_offset": 7, "siblings": None}
    world.storage.objects[footer["siblings"][0]["key"]] = StoredObject(b"", {METADATA_KEY: json.dumps(other)})
    if is_listed:
        world.kafka.commit("group", TOPIC, 0, 0)
    before = world.kafka.committed("group", TOPIC, 0)
    with pytest.raises(
        DeliveryError, match=r"folder=1/.* is listed as a file of the flush \[0, 10\), and belongs to .*\[0, 8\)"
    ):
        world.run(10, **BY_FOLDER)
    assert before == world.kafka.committed("group", TOPIC, 0)


@pytest.mark.parametrize("tombstones", [0, 1])
def test_a_corrupt_batch_in_what_was_taken_before_a_truncation_is_left_out(tombstones: int) -> None:
    """A corrupt batch is ignored if its offsets already have rows."""
    world = SinkWorld()
    world.append(*[b'{"text": "old"}'] * (28 - tombstones), *[None] * tombstones)
    consumer = FailingConsumer(world, 24, corrupt(24, 26))
    consumer.fails = False
    task = world.task(consumer=consumer, **TOLERANT)
    world.step_until(task, lambda: [engine.position for engine in task._partitions._engines.values()] == [28])
    world.kafka.truncate(TOPIC, 0, 22)
    world.append(*[b'{"text": "new"}'] * 38)
    consumer.fails = True
    world.step_until(task, lambda: (world.committed or 0) >= 50)
    task.close(flush=False)
    assert world.offsets("rejects", "offset") == {}
    assert set(world.offsets().values()) == {1}


@pytest.mark.parametrize("error", [corrupt(10, 13), lost(10, 13)], ids=["corrupt", "lost"])
def test_a_tolerated_failure_behind_a_flush_that_is_redone_ends_nothing(error: Kafka2ParquetError) -> None:
    """A tolerated failure occurs again when the partition restarts behind the repeated flush."""
    world = SinkWorld()
    world.append(*[b"{}"] * 43)
    world.run(10, die_at=lambda event: isinstance(event, IntentCommitted), **TOLERANT)
    world.run(30, consumer=FailingConsumer(world, 10, error, max_poll_records=10), **TOLERANT)
    assert set(world.offsets().values()) == {1}


def test_what_was_fetched_and_dropped_with_a_loss_is_reported_too() -> None:
    """Records [5, 8), fetched before the broker reported that the log begins at 20, are part of the loss."""
    world = SinkWorld()
    world.append(*[b"{}"] * 30)
    world.run(25, consumer=FailingConsumer(world, 5, lost(8, 20), max_poll_records=5), **TOLERANT)
    missing = {offset for event in world.events if isinstance(event, DataLost) for offset in range(event.start, event.end)}
    assert set(range(25)) - set(world.offsets()) == missing == set(range(5, 20))


class UnnamedConsumer(MemoryConsumer):
    """A consumer that doesn't know the name of its group."""

    def gain(self, assigned: Assigned) -> None:
        super().gain(attrs.evolve(assigned, group_id=""))


def test_an_unknown_group_is_not_another_one() -> None:
    """A group id that is unknown on either side is not compared."""
    world = SinkWorld()
    world.append(*[b"{}"] * 30)
    world.run(20)
    world.kafka.commit("group", TOPIC, 0, 0)
    world.run(30, consumer=UnnamedConsumer(world.kafka, group_id="group", topics=[TOPIC]))
    assert world.offsets() == dict.fromkeys(range(30), 1)


def test_an_end_that_the_log_does_not_have_is_not_adopted() -> None:
    """A boundary that another owner has published is checked like a discovered one."""
    world = SinkWorld()
    world.append(*[b"{}"] * 30)
    world.run(10)
    late = world.kafka.committed("group", TOPIC, 0)
    assert late is not None
    world.run(20)
    key = next(key for key in world.storage.objects if "0000000010" in key)
    stored = world.storage.objects[key]
    text = json.dumps({**json.loads(stored.metadata[METADATA_KEY]), "end": 10**6})
    world.storage.objects[key] = StoredObject(stored.content, {METADATA_KEY: text})
    world.kafka.commit("group", TOPIC, 0, late.offset, late.metadata, late.leader_epoch)
    with pytest.raises(DamagedFooterError, match="ends at offset 1000000, and the log ends at 30"):
        world.run(30)
