"""drain runs a task or a runner up to an end, and says what it did."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from kafka2parquet import JsonConverter, RecordCountRotation, SinkTask, TaskRunner
from kafka2parquet.bounded import Drain, Ranges, TopicRange, drain
from kafka2parquet.errors import RejectedRecordError, UsageError
from kafka2parquet.events import Event
from kafka2parquet.partitioners.default import DefaultPartitioner
from kafka2parquet.records import TopicPartition
from kafka2parquet.testing import MemoryConsumer, MemoryKafka, MemoryRecord, MemoryStorage
from tests.support.tasks import make_task

FIRST, SECOND = TopicPartition("events", 0), TopicPartition("events", 1)


def a_task(kafka: MemoryKafka, storage: MemoryStorage, **parts: Any) -> SinkTask:
    return make_task(
        **{
            "consumer": MemoryConsumer(kafka, group_id="group", topics="events", max_poll_records=3),
            "converter": JsonConverter(),
            "partitioner": DefaultPartitioner(),
            "rotation": RecordCountRotation(4),
            "storage": storage,
            **parts,
        }
    )


def a_runner(kafka: MemoryKafka, storage: MemoryStorage, tasks: int, **parts: Any) -> TaskRunner:
    def make() -> SinkTask:
        return a_task(kafka, storage, **parts)

    return TaskRunner([make] * tasks)


@pytest.fixture
def kafka() -> MemoryKafka:
    kafka = MemoryKafka()
    kafka.create_topic("events", partitions=2)
    kafka.append("events", 0, [MemoryRecord(b'{"a":%d}' % number) for number in range(10)])
    return kafka


def test_everything_is_written_and_committed(kafka: MemoryKafka) -> None:
    """drain writes full files and the rest that is open, also if a partition has no records."""
    storage = MemoryStorage()
    result = drain(a_task(kafka, storage))
    assert (True, 10, 3, 0) == (result.is_complete, result.committed_rows, result.files, result.rejected)
    assert sum(len(stored.content) for stored in storage.objects.values()) == result.file_bytes
    assert [4, 4, 2] == [len(storage.rows(key)) for key in storage.published]
    assert [(FIRST, 0, 10, 10), (SECOND, 0, 0, 0)] == [
        (each.topic_partition, each.start, each.end, each.position) for each in result.partitions
    ]


def test_a_second_run_writes_nothing(kafka: MemoryKafka) -> None:
    """A run over what is written already is complete, and says that it wrote nothing."""
    storage = MemoryStorage()
    drain(a_task(kafka, storage))
    result = drain(a_task(kafka, storage))
    assert (True, 0, 0, 0) == (result.is_complete, result.committed_rows, result.files, result.file_bytes)


def test_records_that_are_not_rows(kafka: MemoryKafka) -> None:
    """drain also reads and commits rejects and tombstones at the end of a log."""
    kafka.append("events", 1, [MemoryRecord(b"{"), MemoryRecord(None)])
    result = drain(a_task(kafka, MemoryStorage(), tolerance="skip", tombstones="ignore"))
    assert (True, 10, 1) == (result.is_complete, result.committed_rows, result.rejected)
    assert [0, 1] == [each.rejected for each in result.partitions]
    assert [10, 2] == [each.position for each in result.partitions]


def test_rejects_in_the_quarantine_are_rows_too(kafka: MemoryKafka) -> None:
    """A quarantined reject is a row of a file, and a reject."""
    kafka.append("events", 1, [MemoryRecord(b"{")])
    result = drain(a_task(kafka, MemoryStorage(), tolerance="skip", quarantine=True))
    assert (True, 11, 1, 4) == (result.is_complete, result.committed_rows, result.rejected, result.files)


def test_records_that_arrive_meanwhile_are_left_for_the_next_run(kafka: MemoryKafka) -> None:
    """The end is where the log ended at the start, even if producers are as fast as the sink."""
    storage = MemoryStorage()

    def produce(event: Event) -> None:
        kafka.append("events", 0, [b'{"a":0}'] * 5)

    result = drain(a_task(kafka, storage, hooks=[produce]))
    assert (True, 10) == (result.is_complete, result.committed_rows)
    committed = kafka.committed("group", "events", 0)
    assert committed is not None
    assert 10 == committed.offset


def test_ends_of_the_topic_partitions(kafka: MemoryKafka) -> None:
    """`until` may be offsets; a topic-partition that isn't named is left alone."""
    kafka.append("events", 1, [b'{"a":1}'])
    result = drain(a_task(kafka, MemoryStorage()), until={FIRST: 7})
    assert [(FIRST, 0, 7, 7, 7)] == [
        (each.topic_partition, each.start, each.end, each.position, each.committed_rows) for each in result.partitions
    ]
    assert kafka.committed("group", "events", 1) is None


@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_ranges_with_a_runner(kafka: MemoryKafka, tasks: int) -> None:
    """A runner drains ranges, however the group distributes them, also if some tasks have nothing to do."""
    kafka.append("events", 1, [b'{"a":1}'] * 9)
    storage = MemoryStorage()
    ranges = Ranges({FIRST: TopicRange(2, 8), SECOND: TopicRange(0, 5)})
    result = drain(a_runner(kafka, storage, tasks), until=ranges, timeout_s=60)
    assert (True, 11) == (result.is_complete, result.committed_rows)
    rows = [row for key in storage.published for row in storage.rows(key)]
    offsets = sorted((row["_kafka_partition"], row["_kafka_offset"]) for row in rows)
    assert [*((0, offset) for offset in range(2, 8)), *((1, offset) for offset in range(5))] == offsets
    assert len(storage.published) == result.files


def test_nothing_to_do(kafka: MemoryKafka) -> None:
    """Empty ranges are complete at once."""
    result = drain(a_runner(kafka, MemoryStorage(), 2), until=Ranges({}), timeout_s=60)
    assert (True, ()) == (result.is_complete, result.partitions)


def test_several_tasks_need_an_end(kafka: MemoryKafka) -> None:
    """Several tasks can't know whether they have seen all topic-partitions."""
    with pytest.raises(UsageError, match="needs `until`"):
        drain(a_runner(kafka, MemoryStorage(), 2))
    assert drain(a_runner(kafka, MemoryStorage(), 1)).is_complete


def test_topic_that_is_missing() -> None:
    """drain gives up on a topic that doesn't exist, asks whether it does, and closes the task."""
    task = a_task(MemoryKafka(), MemoryStorage())
    with pytest.raises(TimeoutError, match=r"no topic-partition was assigned\. Do the topics exist"):
        drain(task, timeout_s=0.05)
    with pytest.raises(UsageError, match="closed SinkTask"):
        task.step()


@pytest.mark.parametrize("as_runner", [False, True])
def test_store_that_does_not_answer(kafka: MemoryKafka, as_runner: bool) -> None:
    """drain raises TimeoutError if rows don't become durable in time, and names what is missing."""
    storage = MemoryStorage()
    fault = storage.block("publish")
    sink = a_runner(kafka, storage, 1) if as_runner else a_task(kafka, storage, rotation=RecordCountRotation(100))
    with pytest.raises(TimeoutError, match=r"not at their end: events-0\. .* does the store respond\?"):
        drain(sink, timeout_s=0.5)
    fault.release()


def test_a_run_that_is_stopped(kafka: MemoryKafka) -> None:
    """A run that is stopped flushes what it has taken, and is not complete."""
    storage = MemoryStorage()
    task = a_task(kafka, storage)

    result = Drain(task).run(watch=functools.partial(stop_at_the_first_file, task, storage))
    assert not result.is_complete
    assert result.committed_rows == sum(len(storage.rows(key)) for key in storage.published)
    assert drain(a_task(kafka, storage)).is_complete
    assert 10 == sum(len(storage.rows(key)) for key in storage.published)


def stop_at_the_first_file(task: SinkTask, storage: MemoryStorage) -> None:
    if storage.published:
        task.stop()


@pytest.mark.parametrize("as_runner", [False, True])
def test_a_run_that_fails(kafka: MemoryKafka, as_runner: bool) -> None:
    """The error is raised, and the result says what was done before."""
    kafka.append("events", 0, [b"not JSON"])
    storage = MemoryStorage()
    run = Drain(a_runner(kafka, storage, 1) if as_runner else a_task(kafka, storage))
    with pytest.raises(RejectedRecordError):
        run.run()
    result = run.course.result
    committed = kafka.committed("group", "events", 0)
    assert committed is not None
    assert (False, committed.offset, committed.offset) == (
        result.is_complete,
        result.committed_rows,
        result.partitions[0].position,
    )
    assert 0 < len(storage.published) == result.files


def test_a_sink_that_has_begun(kafka: MemoryKafka) -> None:
    """A task that has made a step, and a runner that was started, can't be drained."""
    task = a_task(kafka, MemoryStorage())
    task.step(0)
    with pytest.raises(UsageError, match="has made a step"):
        drain(task)
    task.close(flush=False)
    runner = a_runner(kafka, MemoryStorage(), 1)
    runner.start()
    with pytest.raises(UsageError, match="was started before"):
        drain(runner)
    runner.stop()
    assert runner.join(30)


def test_partitions_that_others_finish(kafka: MemoryKafka) -> None:
    """A run ends when the rest of its ranges was finished by other members of the group, as their commits show."""
    kafka.append("events", 1, [b'{"a":1}'] * 9)
    other = MemoryConsumer(kafka, group_id="group", topics="events")
    kafka.join(other)  # half of the partitions stay with a member that does nothing
    task = a_task(kafka, MemoryStorage())
    run = Drain(task, Ranges({FIRST: TopicRange(0, 10), SECOND: TopicRange(0, 9)}))

    def look() -> None:
        if run.progress.durable in (9, 10):
            (left,) = run.course.unfinished
            run.course.finished_elsewhere({left: 10 - left.partition - 1})
            assert [left] == list(run.course.unfinished)
            run.course.finished_elsewhere({left: 10 - left.partition})

    result = run.run(watch=look, timeout_s=60)
    assert result.is_complete
    assert result.committed_rows in (9, 10)
