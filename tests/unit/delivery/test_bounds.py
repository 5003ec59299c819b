"""Tasks that may take only some offsets of a topic-partition: they end exactly there, and nothing is lost or repeated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pytest

from kafka2parquet import DefaultPartitioner, FsspecStorage, JsonConverter, KafkaPythonConsumer, RecordCountRotation, SinkTask
from kafka2parquet.consumers.base import Assigned, Polled
from kafka2parquet.delivery.bounds import OffsetRange
from kafka2parquet.errors import ConflictingSinkError, DataLossError, UsageError
from kafka2parquet.events import (
    DataLost,
    Event,
    FilePublished,
    FlushCut,
    IntentCommitted,
    OffsetCommitted,
    PartitionFinished,
    PartitionStarted,
)
from kafka2parquet.testing import EmbeddedBroker, MemoryConsumer
from kafka2parquet.testing.broker.record_batches import build_batches
from tests.support.kafka_clients import wait_until
from tests.support.sink_world import TOPIC, Died, SinkWorld
from tests.support.tasks import make_task


class Limits:
    """Ranges by partition; nothing of other partitions is taken."""

    def __init__(self, ranges: Mapping[int, OffsetRange]) -> None:
        self._ranges = ranges

    def range_of(self, assigned: Assigned) -> OffsetRange | None:
        return self._ranges.get(assigned.assignment.topic_partition.partition)


def limited(task: SinkTask, start: int | None, end: int | None) -> SinkTask:
    task.limit_to(Limits({0: OffsetRange(start, end)}))
    return task


def a_world(records: int = 50) -> SinkWorld:
    world = SinkWorld()
    world.append(*[b'{"a":%d}' % number for number in range(records)])
    return world


def member(world: SinkWorld, group: str = "group", **settings: Any) -> dict[str, Any]:
    return {"consumer": MemoryConsumer(world.kafka, group_id=group, topics=[TOPIC], **settings)}


def finish(world: SinkWorld, task: SinkTask) -> None:
    """Steps until the task has finished its partition, and closes the task, which has nothing to flush."""
    try:
        world.step_until(task, lambda: _is_finished(world, task))
    except Died:
        return
    finally:
        task.close(flush=False)


def _is_finished(world: SinkWorld, task: SinkTask) -> bool:
    done = task.step(0)
    return bool(done.partitions) and done.finished == done.partitions


def of_type(world: SinkWorld, kind: type[Event]) -> list[Any]:
    return [event for event in world.events if type(event) is kind]


@pytest.mark.parametrize("poll_records", [1, 7, 1000])
@pytest.mark.parametrize("flush_rows", [10, 1000])
def test_flushes_end_exactly_at_the_end(poll_records: int, flush_rows: int) -> None:
    """However the records are polled and flushes are cut, no record at the end or later is taken."""
    world = a_world()
    finish(
        world,
        limited(world.task(**member(world, max_poll_records=poll_records), rotation=RecordCountRotation(flush_rows)), 5, 33),
    )
    assert dict.fromkeys(range(5, 33), 1) == world.offsets()
    assert 33 == world.committed
    assert [33] == [event.offset for event in of_type(world, PartitionFinished)]
    assert "range" == of_type(world, FlushCut)[-1].reason


def test_records_behind_the_end_are_not_even_converted() -> None:
    """A record behind the end that can't be converted doesn't end a task that tolerates no rejects."""
    world = a_world(10)
    world.append(b"not JSON")
    finish(world, limited(world.task(), 0, 10))
    assert dict.fromkeys(range(10), 1) == world.offsets()
    assert 10 == world.committed


def test_the_next_flush_is_filled_while_one_is_delivered() -> None:
    """A limit doesn't slow the task down: the last flush is cut while the flush before it is still being published."""
    world = a_world(20)
    fault = world.storage.block("publish")
    task = limited(world.task(), 0, 20)
    world.step_until(task, lambda: len(of_type(world, FlushCut)) == 2)
    assert [] == of_type(world, FilePublished)
    fault.release()
    finish(world, task)
    assert dict.fromkeys(range(20), 1) == world.offsets()
    assert [0] == [event.offset for event in of_type(world, PartitionStarted)]  # the last flush was not read again


def test_the_committed_offset_counts_more_than_the_start() -> None:
    """A run that is continued starts where the run before it has stopped."""
    world = a_world()
    finish(world, limited(world.task(), 5, 15))
    finish(world, limited(world.task(), 0, 25))
    assert dict.fromkeys(range(5, 25), 1) == world.offsets()


@pytest.mark.parametrize("point", [IntentCommitted, FilePublished, OffsetCommitted])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_run_that_dies_is_finished_by_the_next(point: type[Event], nth: int) -> None:
    """Wherever a run dies, the next run over the same range leaves every record in one file."""
    world = a_world()
    seen = []

    def is_the_point(event: Event) -> bool:
        seen.append(type(event))
        return type(event) is point and seen.count(point) == nth

    finish(world, limited(world.task(die_at=is_the_point), 5, 33))
    assert nth == seen.count(point)
    finish(world, limited(world.task(), 5, 33))
    assert dict.fromkeys(range(5, 33), 1) == world.offsets()
    assert 33 == world.committed


@pytest.mark.parametrize("deleted", [0, 40])
def test_a_second_run_writes_nothing(deleted: int) -> None:
    """A range that is done stays done, also after retention has deleted its records; nothing counts as lost."""
    world = a_world()
    finish(world, limited(world.task(), 5, 33))
    before, published = dict(world.storage.objects), len(world.storage.publish_calls)
    world.kafka.delete_records(TOPIC, 0, deleted)
    world.events.clear()
    finish(world, limited(world.task(), 5, 33))
    assert before == world.storage.objects
    assert published == len(world.storage.publish_calls)
    assert [33] == [event.offset for event in of_type(world, PartitionFinished)]
    assert [] == of_type(world, DataLost)


def test_a_second_run_without_its_offsets_writes_nothing() -> None:
    """If Kafka has forgotten the group's offsets, the published files show that the range is done."""
    world = a_world()
    finish(world, limited(world.task(), 5, 33))
    before = dict(world.storage.objects)
    world.kafka.commit("group", TOPIC, 0, 5)
    finish(world, limited(world.task(), 5, 33))
    assert before == world.storage.objects
    assert 33 == world.committed


@pytest.mark.parametrize("deleted", [20, 40])
def test_lost_records_do_not_keep_a_run_from_ending(deleted: int) -> None:
    """A range whose records disappear before they are read ends, also if the log has no later record."""
    world = a_world(40)
    task = limited(world.task(on_data_loss="continue", **member(world, max_poll_records=10)), 0, 40)
    world.step_until(task, lambda: len(of_type(world, FlushCut)) == 1)
    world.kafka.delete_records(TOPIC, 0, deleted)
    finish(world, task)
    assert 40 == world.committed
    lost = {offset for event in of_type(world, DataLost) for offset in range(event.start, event.end)}
    assert dict.fromkeys(set(range(40)) - lost, 1) == world.offsets()


def test_lost_records_of_a_range_are_an_error() -> None:
    """Records of the range that are gone end the task, and records behind the range don't count as lost."""
    world = a_world(40)
    world.kafka.delete_records(TOPIC, 0, 30)
    with pytest.raises(DataLossError, match=r"records at offsets \[5, 20\) were deleted"):
        finish(world, limited(world.task(), 5, 20))


class WithHoles(MemoryConsumer):
    """Delivers no record of some offsets, as if they were compacted, aborted, or markers of transactions."""

    holes = frozenset({0, 1, 9, *range(17, 24), 30, 31, 32})

    def poll(self, timeout_s: float) -> Polled:
        polled = super().poll(timeout_s)
        batches = [
            batch.filter(pa.array([offset not in self.holes for offset in batch.offsets.to_pylist()], pa.bool_()))
            for batch in polled.batches
        ]
        return Polled(polled.events, batches)


@pytest.mark.parametrize(("start", "end"), [(0, 2), (0, 20), (5, 24), (5, 33), (17, 24), (3, 10), (18, 19)])
@pytest.mark.parametrize("poll_records", [1, 4, 1000])
def test_holes_do_not_keep_a_run_from_ending(start: int, end: int, poll_records: int) -> None:
    """A run ends if the offsets around its end have no records."""
    world = a_world()
    consumer = WithHoles(world.kafka, group_id="group", topics=[TOPIC], max_poll_records=poll_records)
    finish(world, limited(world.task(consumer=consumer), start, end))
    assert dict.fromkeys(sorted(set(range(start, end)) - WithHoles.holes), 1) == world.offsets()
    assert end == world.committed


@pytest.mark.parametrize("end", [0, 7])
def test_an_empty_range(end: int) -> None:
    """A run over nothing ends at once, writes nothing, and commits its position."""
    world = a_world()
    finish(world, limited(world.task(), end, end))
    assert {} == world.storage.objects
    assert end == world.committed


def test_a_partition_without_a_range_is_left_alone() -> None:
    """Nothing is read or committed of a partition that has no range."""
    world = a_world()
    task = world.task()
    task.limit_to(Limits({}))
    finish(world, task)
    assert {} == world.storage.objects
    assert world.committed is None


def test_a_published_flush_across_the_end() -> None:
    """A flush that was published before and reaches beyond the end is left as it is, and the run ends behind it."""
    world = a_world()
    world.run(10, rotation=RecordCountRotation(10))
    world.kafka.commit("group", TOPIC, 0, 3)
    before = dict(world.storage.objects)
    finish(world, limited(world.task(), 3, 7))
    assert before == world.storage.objects
    assert 10 == world.committed


def test_an_intent_across_the_end_is_delivered_whole() -> None:
    """A flush that an earlier run of the group has begun is finished up to its own end, because parts may be visible."""
    world = a_world()
    world.run(50, rotation=RecordCountRotation(30), die_at=lambda event: isinstance(event, IntentCommitted))
    finish(world, limited(world.task(), None, 12))
    assert dict.fromkeys(range(30), 1) == world.offsets()
    assert 30 == world.committed


def test_a_run_before_the_first_file_of_another_group() -> None:
    """A hole before the files of another group, and behind them, is filled without conflict."""
    world = a_world(60)
    finish(world, limited(world.task(**member(world, "sink")), 20, 40))
    finish(world, limited(world.task(**member(world, "earlier")), 0, 20))
    finish(world, limited(world.task(**member(world, "later")), 40, 60))
    assert dict.fromkeys(range(60), 1) == world.offsets()


@pytest.mark.parametrize(("start", "end"), [(0, 21), (0, 60), (25, 30), (39, 60)])
def test_a_range_that_another_group_has_written(start: int, end: int) -> None:
    """The error names the offsets that overlap and what to do; with take_over, the run writes only what is missing."""
    world = a_world(60)
    finish(world, limited(world.task(**member(world, "sink")), 20, 40))
    with pytest.raises(ConflictingSinkError, match=rf"takes the offsets \[{start}, {end}\), and the offsets \[\d+, \d+\)"):
        finish(world, limited(world.task(**member(world, "run")), start, end))
    finish(world, limited(world.task(take_over=True, **member(world, "run")), start, end))
    assert dict.fromkeys({*range(20, 40), *range(start, end)}, 1) == world.offsets()


def test_files_before_the_start_matter_to_a_group_that_reads_them() -> None:
    """If the group has committed an earlier offset than the start, another group's files from there on are a conflict."""
    world = a_world(40)
    finish(world, limited(world.task(**member(world, "other")), 10, 20))
    world.kafka.commit("group", TOPIC, 0, 5)
    with pytest.raises(ConflictingSinkError):
        finish(world, limited(world.task(), 20, 40))


def test_a_sink_that_continues_after_a_limited_run_knows_the_files_ahead() -> None:
    """A limited run reads no footers behind its end, so the next run looks for them, and no flush crosses theirs."""
    world = a_world(60)
    finish(world, limited(world.task(), 20, 30))
    world.kafka.commit("group", TOPIC, 0, 0)
    finish(world, limited(world.task(), None, 15))
    world.run(56, rotation=RecordCountRotation(13))
    assert dict.fromkeys(range(56), 1) == world.offsets()


def test_a_corrupt_batch_behind_the_end_does_not_matter(tmp_path: Path) -> None:
    """A batch that can't be decoded doesn't end the task if its records are not wanted."""
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        broker.append_values(TOPIC, 0, [b'{"a":1}'] * 10, [0] * 10)
        batch = b"".join(build_batches([b"broken"] * 3, [0] * 3))
        broker.append(TOPIC, 0, batch[:-1] + bytes([batch[-1] ^ 1]), check_crc=False)
        task = make_task(
            consumer=KafkaPythonConsumer(bootstrap_servers=broker.bootstrap, group_id="group", topics=[TOPIC]),
            converter=JsonConverter(),
            partitioner=DefaultPartitioner(),
            rotation=RecordCountRotation(20),
            storage=FsspecStorage(tmp_path.as_uri()),
        )
        with limited(task, 0, 10):
            wait_until(lambda: task.step().finished == 1, "the end of the range")
    offsets = pyarrow.dataset.dataset(tmp_path / "topics" / TOPIC).to_table()["_kafka_offset"].to_pylist()
    assert list(range(10)) == sorted(offsets)


def test_a_task_that_has_made_a_step_can_not_be_limited() -> None:
    """The error says why: the task may have read further already."""
    world = a_world()
    task = world.task()
    task.step(0)
    with pytest.raises(UsageError, match="has made a step"):
        limited(task, 0, 10)
    task.close(flush=False)


def test_schemas_are_not_learned_behind_the_end() -> None:
    """Files of a range have no columns that only later records have."""
    world = a_world(10)
    world.append(b'{"b":1}')
    finish(world, limited(world.task(converter=JsonConverter()), 0, 10))
    (table,) = world.tables().values()
    assert "b" not in table.column_names
