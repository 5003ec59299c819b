"""MemoryKafka has topics and consumer groups in memory; MemoryConsumer reads them, for tests without a network."""

from __future__ import annotations

import collections
import itertools
import threading
import time
from collections.abc import Sequence

import attrs
import pyarrow as pa

from kafka2parquet.consumers.base import (
    Assigned,
    Assignment,
    CommitRefused,
    CommitSucceeded,
    CommittedOffset,
    ConsumerEvent,
    LogBounds,
    PartitionFailed,
    Polled,
    Revoked,
)
from kafka2parquet.errors import DataLossError, LogTruncatedError, TopicRecreatedError, UsageError
from kafka2parquet.records import ConsumedBatch, TopicPartition
from kafka2parquet.testing.leader_epochs import LeaderEpochs
from kafka2parquet.util.arguments import Count, Name, Names, checked

_WAIT_S = 0.005
_MAX_METADATA_CHARACTERS = 300


@checked
@attrs.frozen
class MemoryRecord:
    """A record of a `MemoryKafka`.

    Attributes:
        value: None for a tombstone.
        key: None for a record without a key.
        timestamp_ms: milliseconds since the epoch. None or a number below 0 for a record without a timestamp.
        headers: the header section as Kafka sends it; None for a record without headers.
    """

    value: bytes | None
    key: bytes | None = None
    timestamp_ms: int | None = 0
    headers: bytes | None = None


@attrs.define(eq=False)
class _Log:
    start: int = 0
    records: list[MemoryRecord] = attrs.Factory(list)
    epochs: LeaderEpochs = attrs.Factory(LeaderEpochs)
    retention_ms: int | None = None

    @property
    def end(self) -> int:
        return self.start + len(self.records)


@checked
class MemoryKafka:
    """Topics, consumer groups and committed offsets in memory. Thread-safe.

    Whenever a consumer joins or leaves its group, the partitions are assigned round-robin to the members, immediately.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._logs: dict[TopicPartition, _Log] = {}
        self._committed: dict[tuple[str, TopicPartition], CommittedOffset] = {}
        self._members: dict[str, list[MemoryConsumer]] = collections.defaultdict(list)
        self._epochs = itertools.count(1)

    def create_topic(self, name: str, partitions: int = 1, *, retention_ms: Count | None = None) -> None:
        """Create a topic without records. `retention_ms` is only reported to consumers; `delete_records` deletes records."""
        with self.lock:
            for partition in range(partitions):
                self._logs[TopicPartition(name, partition)] = _Log(retention_ms=retention_ms)

    def append(self, topic: str, partition: int, records: Sequence[MemoryRecord | bytes | None]) -> None:
        """Append records to a log. Bytes are a record with that value, None is a tombstone.

        Raises:
            UsageError: the partition does not exist.
        """
        made = [record if isinstance(record, MemoryRecord) else MemoryRecord(record) for record in records]
        with self.lock:
            if TopicPartition(topic, partition) not in self._logs:
                raise UsageError(f"{topic!r} has no partition {partition}: call create_topic() with enough partitions.")
            self._logs[TopicPartition(topic, partition)].records.extend(made)

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        """Delete all records before `before_offset`, as retention does."""
        with self.lock:
            log = self._logs[TopicPartition(topic, partition)]
            del log.records[: before_offset - log.start]
            log.start = before_offset

    def truncate(self, topic: str, partition: int, end_offset: int) -> None:
        """Cut the log off at `end_offset`, as an unclean leader election does. Later records have a later leader epoch."""
        with self.lock:
            log = self._logs[TopicPartition(topic, partition)]
            del log.records[max(0, end_offset - log.start) :]
            log.epochs.begin(end_offset)

    def committed(self, group_id: str, topic: str, partition: int) -> CommittedOffset | None:
        """Return the committed offset of the group; None if the group has not committed one."""
        with self.lock:
            return self._committed.get((group_id, TopicPartition(topic, partition)))

    def commit(
        self, group_id: str, topic: str, partition: int, offset: int, metadata: str = "", leader_epoch: int = -1
    ) -> None:
        """Set the committed offset of the group, as an administrator's tool does."""
        with self.lock:
            self._committed[group_id, TopicPartition(topic, partition)] = CommittedOffset(offset, metadata, leader_epoch)

    def log(self, topic_partition: TopicPartition) -> _Log:
        """Return the log of a partition. The caller holds the lock."""
        return self._logs[topic_partition]

    def join(self, consumer: MemoryConsumer) -> None:
        """Add a consumer to its group."""
        with self.lock:
            self._members[consumer.group_id].append(consumer)
            self._rebalance(consumer.group_id)

    def leave(self, consumer: MemoryConsumer) -> None:
        """Remove a consumer from its group."""
        with self.lock:
            if consumer in self._members[consumer.group_id]:
                self._members[consumer.group_id].remove(consumer)
                self._rebalance(consumer.group_id)

    def _rebalance(self, group_id: str) -> None:
        members = self._members[group_id]
        wanted = sorted({tp for member in members for tp in self._logs if tp.topic in member.topics})
        owners = {tp: members[number % len(members)] for number, tp in enumerate(wanted)}
        for member in members:
            member.follow({tp for tp, owner in owners.items() if owner is member})
        for tp, owner in owners.items():
            if tp not in owner.owned:
                log = self._logs[tp]
                committed = self._committed.get((group_id, tp))
                assignment = Assignment(tp, next(self._epochs))
                owner.gain(Assigned(assignment, committed, log.start, log.end, "memory", f"id-of-{tp.topic}", group_id))


@attrs.define(eq=False)
class _Owned:
    assignment: Assignment
    position: int | None = None
    leader_epoch: int = -1
    paused: bool = False


@checked
class MemoryConsumer:
    """A `Consumer` of a `MemoryKafka`. It joins the group at its first `poll`."""

    def __init__(self, kafka: MemoryKafka, *, group_id: Name, topics: Names, max_poll_records: Count = 1000) -> None:
        self.group_id = group_id
        self.topics = frozenset(topics)
        self.owned: dict[TopicPartition, _Owned] = {}
        self._kafka = kafka
        self._max_poll_records = max_poll_records
        self._events: list[ConsumerEvent] = []
        self._committing: set[Assignment] = set()
        self._joined = False
        self._closed = False

    # ---- the Consumer protocol

    def poll(self, timeout_s: float) -> Polled:
        """See `Consumer.poll`.

        Raises:
            UsageError: the consumer is closed.
        """
        if self._closed:
            raise UsageError("poll() on a closed MemoryConsumer. Make a new consumer.")
        if not self._joined:
            self._joined = True
            self._kafka.join(self)
        deadline = time.monotonic() + timeout_s
        while True:
            with self._kafka.lock:
                batches = self._fetch()
                events, self._events = self._events, []
                bounds = [self._bounds(topic_partition) for topic_partition in self.owned]
            if events or batches or time.monotonic() >= deadline:
                break
            time.sleep(_WAIT_S)
        for event in events:
            if isinstance(event, CommitSucceeded | CommitRefused | Revoked):
                self._committing.discard(event.assignment)
        return Polled(events, batches, bounds)

    def start(self, assignment: Assignment, offset: int, leader_epoch: int = -1) -> None:
        """See `Consumer.start`."""
        with self._kafka.lock:
            owned = self._owned(assignment)
            if owned is not None:
                owned.position, owned.leader_epoch = offset, leader_epoch

    def commit(self, assignment: Assignment, offset: int, metadata: str, leader_epoch: int = -1) -> None:
        """See `Consumer.commit`.

        Raises:
            UsageError: a commit of this assignment is under way, or the metadata is too long or not ASCII.
        """
        if assignment in self._committing:
            raise UsageError(f"{assignment.topic_partition}: a commit is under way. Wait for its outcome.")
        if not metadata.isascii() or len(metadata) > _MAX_METADATA_CHARACTERS:
            raise UsageError(f"Commit metadata has to be ASCII, at most {_MAX_METADATA_CHARACTERS} characters: {metadata!r}")
        self._committing.add(assignment)
        with self._kafka.lock:
            topic_partition = assignment.topic_partition
            if self._owned(assignment) is None:
                self._events.append(CommitRefused(assignment, offset, metadata, "the partition is not ours"))
                return
            topic, partition = attrs.astuple(topic_partition)
            self._kafka.commit(self.group_id, topic, partition, offset, metadata, leader_epoch)
            self._events.append(CommitSucceeded(assignment, offset, metadata))

    def pause(self, assignment: Assignment) -> None:
        """See `Consumer.pause`."""
        self._set_paused(assignment, True)

    def resume(self, assignment: Assignment) -> None:
        """See `Consumer.resume`."""
        self._set_paused(assignment, False)

    def close(self, timeout_s: float) -> None:
        """See `Consumer.close`."""
        self._closed = True
        self._kafka.leave(self)

    # ---- what MemoryKafka calls, under its lock

    def follow(self, partitions: set[TopicPartition]) -> None:
        """Give up all partitions that are not in `partitions`."""
        for topic_partition in set(self.owned) - partitions:
            self._events.append(Revoked(self.owned.pop(topic_partition).assignment))

    def gain(self, assigned: Assigned) -> None:
        """Take over a partition."""
        self.owned[assigned.assignment.topic_partition] = _Owned(assigned.assignment)
        self._events.append(assigned)

    # ---- private

    def _bounds(self, topic_partition: TopicPartition) -> LogBounds:
        log = self._kafka.log(topic_partition)
        return LogBounds(topic_partition, log.start, log.end, log.retention_ms)

    def _owned(self, assignment: Assignment) -> _Owned | None:
        owned = self.owned.get(assignment.topic_partition)
        return owned if owned is not None and owned.assignment == assignment else None

    def _set_paused(self, assignment: Assignment, paused: bool) -> None:
        with self._kafka.lock:
            owned = self._owned(assignment)
            if owned is not None:
                owned.paused = paused

    def _fetch(self) -> list[ConsumedBatch]:
        batches = []
        for topic_partition, owned in self.owned.items():
            position = owned.position
            log = self._kafka.log(topic_partition)
            known_end = log.epochs.end(owned.leader_epoch, log.end)
            if position is not None and owned.leader_epoch >= 0 and known_end < position:
                owned.position = None
                self._events.append(PartitionFailed(owned.assignment, _truncated(topic_partition, log.epochs, known_end)))
                continue
            if position is None or owned.paused or position == log.end:
                continue
            if log.start <= position < log.end:
                first, owned.leader_epoch = position - log.start, log.epochs.of(position)
                end = min(position + self._max_poll_records, log.epochs.end(owned.leader_epoch, log.end))
                records = log.records[first : end - log.start]
                batches.append(_batch(topic_partition, position, owned.leader_epoch, records, log.end))
                owned.position = position + len(records)
                continue
            owned.position = None
            self._events.append(PartitionFailed(owned.assignment, _lost(topic_partition, position, log.start)))
        return batches


def _lost(topic_partition: TopicPartition, position: int, log_start: int) -> DataLossError | TopicRecreatedError:
    topic, partition = topic_partition.topic, topic_partition.partition
    if position > log_start:
        return TopicRecreatedError(f"{topic_partition}: offset {position} is beyond the log", topic=topic, partition=partition)
    return DataLossError(
        f"{topic_partition}: offsets [{position}, {log_start}) are gone from the log",
        topic=topic,
        partition=partition,
        missing_start=position,
        missing_end=log_start,
    )


def _truncated(topic_partition: TopicPartition, epochs: LeaderEpochs, offset: int) -> LogTruncatedError:
    return LogTruncatedError(
        f"{topic_partition}: the log was truncated at offset {offset}",
        topic=topic_partition.topic,
        partition=topic_partition.partition,
        offset=offset,
        leader_epoch=epochs.of(offset - 1),
    )


def _batch(
    tp: TopicPartition, first_offset: int, leader_epoch: int, records: Sequence[MemoryRecord], log_end: int
) -> ConsumedBatch:
    next_offset = first_offset + len(records)
    return ConsumedBatch(
        topic_partition=tp,
        offsets=pa.array(range(first_offset, next_offset), pa.int64()),
        timestamps_ms=pa.array(map(_time_ms, records), pa.int64()),
        timestamp_types=pa.array([0] * len(records), pa.int8()),
        keys=pa.array([record.key for record in records], pa.binary_view()),
        values=pa.array([record.value for record in records], pa.binary_view()),
        headers=pa.array([record.headers for record in records], pa.binary_view()),
        first_offset=first_offset,
        next_offset=next_offset,
        leader_epoch=leader_epoch,
        high_watermark=log_end,
        size_bytes=sum(len(record.value or b"") + len(record.key or b"") for record in records),
    )


def _time_ms(record: MemoryRecord) -> int | None:
    return None if record.timestamp_ms is None or record.timestamp_ms < 0 else record.timestamp_ms
