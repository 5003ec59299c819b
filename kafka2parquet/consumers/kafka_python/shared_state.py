"""The state that the driver's thread and the poll thread share, under one lock."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import attrs

from kafka2parquet.consumers.base import Assignment, ConsumerEvent, GroupMember, LogBounds, PartitionFailed
from kafka2parquet.consumers.kafka_python.fetched_queue import FetchedQueues, PartitionQueue
from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.records import TopicPartition


@attrs.frozen
class Start:
    """Command to fetch the partition from `offset` on, after a record of `leader_epoch`.

    `number` is the number of this start in the partition's queue, to recognize a start that a later start replaces.
    """

    assignment: Assignment
    offset: int
    leader_epoch: int
    number: int


@attrs.frozen
class Pause:
    """Command to pause or resume fetching the partition."""

    assignment: Assignment
    paused: bool


@attrs.frozen
class Commit:
    """Command to commit an offset, with the leader epoch of the record before it."""

    assignment: Assignment
    offset: int
    metadata: str
    leader_epoch: int


Command = Start | Pause | Commit


class SharedState:
    """Passes commands to the poll thread; passes events, fetched batches and a fatal error to the driver.

    Use the attributes only under `lock`. `changed` is notified after each change that the driver may wait for.
    """

    def __init__(self, queues: FetchedQueues) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.queues = queues
        self.events: deque[ConsumerEvent] = deque()
        self.commands: deque[Command] = deque()
        self.error: BaseException | None = None
        self.bounds: dict[TopicPartition, LogBounds] = {}
        self.member: GroupMember | None = None
        self.closing = False
        self.driver_polled_at = time.monotonic()

    def emit(self, event: ConsumerEvent) -> None:
        """Pass an event to the driver."""
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def learn(self, bounds: Sequence[LogBounds], member: GroupMember) -> None:
        """Keep news for the driver's next poll. The driver is not woken for that."""
        with self.lock:
            self.bounds.update((each.topic_partition, each) for each in bounds)
            self.member = member

    def take_bounds(self) -> Sequence[LogBounds]:
        """Remove and return the news about logs. The caller holds the lock."""
        bounds = list(self.bounds.values())
        self.bounds.clear()
        return bounds

    def fail_partition(self, assignment: Assignment, error: Kafka2ParquetError) -> None:
        """Report to the driver that the partition can't be read any further, and drop its fetched batches."""
        with self.changed:
            queue = self.queue_of(assignment)
            if queue is not None:
                queue.clear()
                queue.accepting = False
                self.events.append(PartitionFailed(assignment, error))
                self.changed.notify_all()

    def end(self, error: BaseException) -> None:
        """Make the driver's next poll raise the error."""
        with self.changed:
            self.error = error
            self.changed.notify_all()

    def take_commands(self) -> list[Command]:
        """Remove and return all pending commands."""
        with self.lock:
            commands = list(self.commands)
            self.commands.clear()
            return commands

    def queue_of(self, assignment: Assignment) -> PartitionQueue | None:
        """Return the queue of an assignment, or None if the assignment has ended. The caller holds the lock."""
        queue = self.queues.partitions.get(assignment.topic_partition)
        return queue if queue is not None and queue.assignment == assignment else None

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        """Wait until the condition holds, a batch is ready, or the timeout expires. The caller holds the lock."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            now = time.monotonic()
            ready_in_s = self.queues.ready_in_s(now)
            left_s = deadline - now if ready_in_s is None else min(deadline - now, max(ready_in_s, 0.001))
            if now >= deadline:
                return
            self.changed.wait(left_s)
