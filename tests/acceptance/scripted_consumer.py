"""A consumer that delivers what the steps of a case put into its log, from where the task asks for it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import attrs
import pyarrow as pa

from kafka2parquet.consumers.base import (
    Assigned,
    Assignment,
    CommitRefused,
    CommitSucceeded,
    CommittedOffset,
    ConsumerEvent,
    Polled,
    Revoked,
)
from kafka2parquet.delivery.commit_metadata import Breadcrumb, parse
from kafka2parquet.records import ConsumedBatch, TopicPartition
from tests.acceptance.messages import Message

CLUSTER = "acceptance"
#: No log of a case ends here.
_LOG_END = 1 << 60


@attrs.define(eq=False)
class Log:
    """All records that were put for a topic-partition, and the end of those that may be read."""

    records: dict[int, Message] = attrs.Factory(dict)
    readable_end: int = 0

    @property
    def end(self) -> int:
        """The position after the last record that was put."""
        return max(self.readable_end, max(self.records, default=-1) + 1)


@attrs.define(eq=False)
class Broker:
    """State that outlives a task: the logs, and the offsets of its group."""

    logs: dict[TopicPartition, Log] = attrs.Factory(dict)
    committed: dict[TopicPartition, CommittedOffset] = attrs.Factory(dict)

    def log(self, topic_partition: TopicPartition) -> Log:
        """Returns the log of a topic-partition, and makes it if it is missing."""
        return self.logs.setdefault(topic_partition, Log())

    def durable(self, topic_partition: TopicPartition) -> int:
        """Returns the committed offset if all before it is durable, and 0 if that is unknown or the next flush has begun."""
        found = self.committed.get(topic_partition)
        if found is None:
            return 0
        metadata = parse(found.metadata, topic_partition, CLUSTER)
        return found.offset if isinstance(metadata, Breadcrumb) or metadata is None else 0


@attrs.define(eq=False)
class _Owned:
    assignment: Assignment
    position: int | None = None
    paused: bool = False


class ScriptedConsumer:
    """A `Consumer` of a `Broker`; the assignment changes only by `assign` and `revoke`.

    Attributes:
        delivered: offsets handed out since the task last asked for its beginning, by topic-partition.
        rewinds: where the task asked to read again, as far back as it did.
        activity: grows with each call and each answer, so that it can be seen when all is quiet.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._owned: dict[TopicPartition, _Owned] = {}
        self._events: list[ConsumerEvent] = []
        self._epochs = itertools.count(1)
        self.delivered: dict[TopicPartition, list[int]] = {}
        self.rewinds: dict[TopicPartition, int] = {}
        self.activity = 0

    # ---- what the steps of a case do

    @property
    def assigned(self) -> tuple[TopicPartition, ...]:
        """The topic-partitions of the assignment."""
        return tuple(self._owned)

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Replaces the assignment."""
        self.revoke()
        for tp in partitions:
            assignment = Assignment(tp, next(self._epochs))
            self._owned[tp] = _Owned(assignment)
            self._events.append(Assigned(assignment, self._broker.committed.get(tp), 0, _LOG_END, CLUSTER, f"id-of-{tp.topic}"))

    def revoke(self) -> None:
        """Ends the assignment."""
        self._events += [Revoked(owned.assignment) for owned in self._owned.values()]
        self._owned.clear()
        self.delivered.clear()

    # ---- the Consumer protocol

    def poll(self, timeout_s: float) -> Polled:
        """See `Consumer.poll`."""
        events, self._events = self._events, []
        batches = [batch for tp, owned in self._owned.items() if (batch := self._fetch(tp, owned)) is not None]
        self.activity += len(events) + len(batches)
        return Polled(events, batches)

    def start(self, assignment: Assignment, offset: int, leader_epoch: int = -1) -> None:
        """See `Consumer.start`."""
        owned = self._current(assignment)
        if owned is None:
            return
        self.activity += 1
        tp = assignment.topic_partition
        if owned.position is not None and offset < owned.position:
            self.rewinds[tp] = min(offset, self.rewinds.get(tp, offset))
        self.delivered[tp] = [known for known in self.delivered.get(tp, ()) if known < offset]
        owned.position = offset

    def commit(self, assignment: Assignment, offset: int, metadata: str, leader_epoch: int = -1) -> None:
        """See `Consumer.commit`."""
        self.activity += 1
        if self._current(assignment) is None:
            self._events.append(CommitRefused(assignment, offset, metadata, "the assignment is over"))
            return
        self._broker.committed[assignment.topic_partition] = CommittedOffset(offset, metadata)
        self._events.append(CommitSucceeded(assignment, offset, metadata))

    def pause(self, assignment: Assignment) -> None:
        """See `Consumer.pause`."""
        self._set_paused(assignment, True)

    def resume(self, assignment: Assignment) -> None:
        """See `Consumer.resume`."""
        self._set_paused(assignment, False)

    def close(self, timeout_s: float) -> None:
        """See `Consumer.close`."""
        self._owned.clear()

    # ---- private

    def _current(self, assignment: Assignment) -> _Owned | None:
        owned = self._owned.get(assignment.topic_partition)
        return owned if owned is not None and owned.assignment == assignment else None

    def _set_paused(self, assignment: Assignment, paused: bool) -> None:
        owned = self._current(assignment)
        if owned is not None:
            self.activity += 1
            owned.paused = paused

    def _fetch(self, tp: TopicPartition, owned: _Owned) -> ConsumedBatch | None:
        log = self._broker.log(tp)
        first, end = owned.position, log.readable_end
        if first is None or owned.paused or first >= end:
            return None
        records = [log.records[offset] for offset in sorted(log.records) if first <= offset < end]
        owned.position = end
        self.delivered.setdefault(tp, []).extend(record.offset for record in records)
        return batch_of(tp, records, first, end)


def batch_of(tp: TopicPartition, records: Sequence[Message], first_offset: int, next_offset: int) -> ConsumedBatch:
    """Makes a batch of records of a topic-partition as the consumer delivers it."""

    def column(values: Sequence[bytes | None]) -> pa.Array:
        return pa.array(values, pa.binary_view())

    return ConsumedBatch(
        topic_partition=tp,
        offsets=pa.array([record.offset for record in records], pa.int64()),
        timestamps_ms=pa.array([record.timestamp_ms for record in records], pa.int64()),
        timestamp_types=pa.array([0] * len(records), pa.int8()),
        keys=column([record.key for record in records]),
        values=column([record.value for record in records]),
        headers=column([record.headers for record in records]),
        first_offset=first_offset,
        next_offset=next_offset,
    )


def named(positions: Mapping[TopicPartition, int], default_topic: str) -> dict[str, int]:
    """Returns positions by the names that cases give to topic-partitions."""
    return {name_of(tp, default_topic): position for tp, position in positions.items()}


def name_of(tp: TopicPartition, default_topic: str) -> str:
    """Returns `12` for a partition of the usual topic, and `<topic>-<partition>` for any other."""
    return str(tp.partition) if tp.topic == default_topic else str(tp)


def partition_of(name: str, default_topic: str) -> TopicPartition:
    """Returns the topic-partition with the name."""
    topic, _, partition = name.rpartition("-")
    return TopicPartition(topic or default_topic, int(partition))
