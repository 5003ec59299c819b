"""drain and InlineExecutor run a whole sink in a test of a few lines."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kafka2parquet import JsonConverter, RecordCountRotation, SinkTask
from kafka2parquet.errors import UsageError
from kafka2parquet.partitioners.default import DefaultPartitioner
from kafka2parquet.testing import InlineExecutor, MemoryConsumer, MemoryKafka, MemoryRecord, MemoryStorage, drain
from tests.support.tasks import make_task


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
    assert (10, 10, 3, 2, 0, 0) == (
        result.records,
        result.committed_rows,
        result.files,
        result.partitions,
        result.lag,
        result.unread,
    )
    assert [4, 4, 2] == [len(storage.rows(key)) for key in storage.published]


def test_records_that_are_not_rows(kafka: MemoryKafka) -> None:
    """drain also reads and commits rejects and tombstones at the end of a log."""
    kafka.append("events", 1, [MemoryRecord(b"{"), MemoryRecord(None)])
    result = drain(a_task(kafka, MemoryStorage(), tolerance="skip", tombstones="ignore"))
    assert (12, 1, 0) == (result.records, result.rejected, result.lag)


def test_records_of_values_alone(kafka: MemoryKafka) -> None:
    """`MemoryKafka.append` takes bytes and None as the values of records."""
    kafka.append("events", 1, [b'{"a":7}', None])
    assert 11 == drain(a_task(kafka, MemoryStorage(), tombstones="ignore")).committed_rows


def test_appending_to_a_topic_that_is_missing() -> None:
    """Appending to a topic that doesn't exist names the method that creates it."""
    with pytest.raises(UsageError, match="'events' has no partition 0: call create_topic"):
        MemoryKafka().append("events", 0, [b"x"])


def test_topic_that_is_missing() -> None:
    """drain gives up on a topic that doesn't exist, asks whether it does, and closes the task."""
    task = a_task(MemoryKafka(), MemoryStorage())
    with pytest.raises(TimeoutError, match="0 partitions with 0 unread records"):
        drain(task, timeout_s=0.05)
    with pytest.raises(Exception, match="closed SinkTask"):
        task.step()


def test_store_that_does_not_answer(kafka: MemoryKafka) -> None:
    """drain raises TimeoutError if rows don't become durable."""
    storage = MemoryStorage()
    fault = storage.block("publish")
    with pytest.raises(TimeoutError, match=r"Does the store respond\?"):
        drain(a_task(kafka, storage, rotation=RecordCountRotation(100)), timeout_s=0.5)
    fault.release()


def test_inline_executor_stays_on_the_thread(kafka: MemoryKafka) -> None:
    """InlineExecutor makes all calls to the store on the calling thread, and returns their errors as outcomes."""
    threads = set()

    class Watched(MemoryStorage):
        def publish(self, *arguments: Any) -> Any:
            threads.add(threading.current_thread())
            return super().publish(*arguments)

    storage = Watched()
    storage.fail("publish")
    assert 10 == drain(a_task(kafka, storage, executor=InlineExecutor())).committed_rows
    assert {threading.current_thread()} == threads


def test_inline_executor_raises_interrupts_at_once() -> None:
    """InlineExecutor raises interrupts in the caller instead of keeping them in the future."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        InlineExecutor().submit(interrupt)
