"""SharedState: what the driver's thread and the poll thread pass to each other."""

from __future__ import annotations

from kafka2parquet.consumers.base import Assignment, PartitionFailed, Revoked
from kafka2parquet.consumers.kafka_python.fetched_queue import FetchedQueues, PartitionQueue
from kafka2parquet.consumers.kafka_python.shared_state import Pause, SharedState
from kafka2parquet.errors import DataLossError
from kafka2parquet.records import TopicPartition

OLD, NEW = Assignment(TopicPartition("t", 0), 1), Assignment(TopicPartition("t", 0), 2)
ERROR = DataLossError("gone", topic="t", partition=0, missing_start=0, missing_end=1)


def shared_state() -> SharedState:
    """Return a state in which the newer assignment has a queue."""
    shared = SharedState(FetchedQueues(100, 10, 1.0))
    shared.queues.partitions[NEW.topic_partition] = PartitionQueue(NEW, accepting=True)
    return shared


def test_only_the_current_assignment_has_a_queue() -> None:
    """The token of an ended assignment doesn't find the queue of its successor."""
    shared = shared_state()

    assert shared.queue_of(OLD) is None
    assert shared.queue_of(NEW) is shared.queues.partitions[NEW.topic_partition]


def test_a_failed_partition_is_reported_and_stops_accepting() -> None:
    """The driver gets the error, and fetched pieces are ignored until the next start."""
    shared = shared_state()
    shared.fail_partition(OLD, ERROR)
    assert [] == list(shared.events)

    shared.fail_partition(NEW, ERROR)
    queue = shared.queue_of(NEW)
    assert [PartitionFailed(NEW, ERROR)] == list(shared.events)
    assert queue is not None
    assert not queue.accepting


def test_commands_are_taken_once() -> None:
    """Taking commands empties the list."""
    shared = shared_state()
    shared.commands.append(Pause(NEW, True))

    assert [Pause(NEW, True)] == shared.take_commands()
    assert [] == shared.take_commands()


def test_a_wait_ends_with_its_condition_or_its_timeout() -> None:
    """A wait returns at once if the condition holds, and otherwise when the time is over."""
    shared = shared_state()
    with shared.lock:
        shared.wait_until(lambda: True, 60.0)
        shared.wait_until(lambda: False, 0.0)
    shared.emit(Revoked(OLD))
    with shared.lock:
        shared.wait_until(lambda: bool(shared.events), 60.0)
    assert [Revoked(OLD)] == list(shared.events)
