"""InlineExecutor and MemoryKafka run a whole sink in a test of a few lines."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kafka2parquet import JsonConverter, RecordCountRotation, SinkTask
from kafka2parquet.bounded import drain
from kafka2parquet.errors import UsageError
from kafka2parquet.partitioners.default import DefaultPartitioner
from kafka2parquet.testing import InlineExecutor, MemoryConsumer, MemoryKafka, MemoryRecord, MemoryStorage
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


def test_records_of_values_alone(kafka: MemoryKafka) -> None:
    """`MemoryKafka.append` takes bytes and None as the values of records."""
    kafka.append("events", 1, [b'{"a":7}', None])
    assert 11 == drain(a_task(kafka, MemoryStorage(), tombstones="ignore")).committed_rows


def test_appending_to_a_topic_that_is_missing() -> None:
    """Appending to a topic that doesn't exist names the method that creates it."""
    with pytest.raises(UsageError, match="'events' has no partition 0: call create_topic"):
        MemoryKafka().append("events", 0, [b"x"])


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
