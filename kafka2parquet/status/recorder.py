"""Recorders: collect on the driver thread what a status shows, and make the status on any thread.

The driver thread replaces whole values: a number, a frozen object, a dictionary that is not changed afterwards. Other threads
read each of them once. So no lock is needed, and a status that is taken while a step runs may be a moment older in one place
than in another.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable

import attrs

from kafka2parquet.clock import Clock
from kafka2parquet.consumers.base import Assigned, GroupMember, LogBounds
from kafka2parquet.errors import StorageUnavailableError
from kafka2parquet.events import (
    ConverterRetried,
    DataLost,
    Event,
    FilePublished,
    FlushDelivered,
    IntentCommitted,
    OffsetCommitted,
    PartitionPaused,
    PartitionResumed,
    PartitionStarted,
    PartitionStopped,
    RecordRejected,
    StorageRetried,
)
from kafka2parquet.records import TopicPartition
from kafka2parquet.status.model import (
    HeldRecords,
    KafkaStatus,
    LastCommit,
    LastFile,
    PartitionStateName,
    PartitionStatus,
    StorageStatus,
    TaskStateName,
    TaskStatus,
    Totals,
    Waiting,
    WaitReason,
)


def reason_of(event: StorageRetried | ConverterRetried) -> WaitReason:
    """Return what a topic-partition waits for. Converters read contracts of schemas from the store."""
    from_registry = isinstance(event, ConverterRetried) and not isinstance(event.error, StorageUnavailableError)
    return "registry" if from_registry else "storage"


class _Tally:
    """The counts of `Totals`, which the driver thread increases."""

    def __init__(self) -> None:
        self._counts = {field.name: 0 for field in attrs.fields(Totals)}  # all names, because any thread may copy the counts

    def add_records(self, records: int) -> None:
        """Count records that were polled."""
        self._counts["records"] += records

    def add_event(self, event: Event) -> None:
        """Count what an event stands for."""
        counts = self._counts
        if isinstance(event, RecordRejected):
            counts["rejected"] += 1
        elif isinstance(event, FilePublished):
            if event.created:
                counts["files"] += 1
                counts["file_bytes"] += event.size_bytes
        elif isinstance(event, OffsetCommitted):
            counts["committed_rows"] += event.rows
        elif isinstance(event, FlushDelivered):
            counts["flushes"] += 1
        elif isinstance(event, DataLost):
            counts["lost"] += event.end - event.start
        elif isinstance(event, StorageRetried):
            counts["retries"] += 1

    def totals(self) -> Totals:
        """Return the counts now. Called on any thread."""
        return Totals(**self._counts)


class PartitionRecorder:
    """Records one topic-partition during one assignment."""

    def __init__(self, assigned: Assigned, clock: Clock) -> None:
        self._topic_partition = assigned.assignment.topic_partition
        self._clock = clock
        self._bounds = LogBounds(self._topic_partition, assigned.log_start, assigned.log_end)
        self._committed = assigned.committed.offset if assigned.committed is not None else None
        self._start: int | None = None
        self._held = HeldRecords()
        self._caught_up_at: datetime.datetime | None = None
        self._last_file: LastFile | None = None
        self._last_commit: LastCommit | None = None
        self._waiting: Waiting | None = None
        self._paused: PartitionPaused | None = None
        self.tally = _Tally()

    # ---- on the driver thread

    def look(self, held: HeldRecords) -> None:
        """Record what the engine holds after a step."""
        if held.position != self._held.position and self._waiting is not None and self._waiting.reason == "registry":
            self._waiting = None
        self._held = held
        self._note_end()

    def learn(self, bounds: LogBounds) -> None:
        """Record news about the log."""
        self._bounds = bounds
        self._note_end()

    def learn_end(self, log_end: int) -> None:
        """Record the end of the log that came with a batch."""
        self._bounds = attrs.evolve(self._bounds, log_end=log_end)

    def _note_end(self) -> None:
        if self._held.position is not None and self._held.position >= self._bounds.log_end:
            self._caught_up_at = self._clock.now()

    def apply(self, event: Event) -> None:
        """Record an event of the topic-partition."""
        self.tally.add_event(event)
        if isinstance(event, RecordRejected):
            return
        if isinstance(event, StorageRetried | ConverterRetried):
            reason = reason_of(event)
            since = self._waiting.since if self._waiting is not None and self._waiting.reason == reason else event.at
            retry_at = event.at + datetime.timedelta(seconds=event.retry_in_s)
            self._waiting = Waiting(reason, str(event.error), event.attempt, retry_at, since)
        elif isinstance(event, PartitionPaused):
            self._paused = event
        elif isinstance(event, PartitionResumed):
            self._paused = None
        elif isinstance(event, FilePublished):
            self._waiting = None
            if event.created:
                self._last_file = LastFile(event.key, event.rows, event.size_bytes, event.at)
        elif isinstance(event, IntentCommitted | FlushDelivered):
            self._waiting = None
        elif isinstance(event, OffsetCommitted):
            self._waiting = None
            self._committed = event.offset
            self._last_commit = LastCommit(event.offset, event.at)
        elif isinstance(event, PartitionStopped):  # a task that has ended shows its last positions and lags
            self._held = attrs.evolve(
                self._held, open_rows=0, open_bytes=0, open_files=0, next_flush_at=None, next_flush_reason=""
            )
        elif isinstance(event, PartitionStarted):
            self._waiting = None
            self._start = event.offset

    @property
    def waits_for(self) -> WaitReason | None:
        """What the topic-partition waits for: a store or a registry that doesn't answer."""
        return None if self._waiting is None else self._waiting.reason

    # ---- on any thread

    def status(self, now: datetime.datetime, ended: TaskStateName | None = None) -> PartitionStatus:
        """Return the status at a time; `ended` is the state of a task that has ended."""
        held, bounds, paused, waiting = self._held, self._bounds, self._paused, self._waiting
        committed, start = self._committed, self._start
        durable = committed if committed is not None else start if start is not None else bounds.log_start
        position = held.position if held.position is not None else durable
        log_end = max(bounds.log_end, position)
        read_lag_records = max(0, log_end - max(position, bounds.log_start))
        read_lag_s = self._read_lag_s(now, held, read_lag_records)
        durable_lag_records = max(0, log_end - durable)
        if held.first_open_ms is not None:
            durable_lag_s: float | None = _age_s(now, held.first_open_ms)
        else:
            durable_lag_s = read_lag_s if read_lag_records else 0.0
        retention_s = bounds.retention_ms / 1000 if bounds.retention_ms is not None else None
        margin_s = retention_s - durable_lag_s if retention_s is not None and durable_lag_s is not None else None
        state: PartitionStateName = held.state
        if paused is not None and paused.cause in ("memory", "converter"):
            state = "paused"
        if paused is not None and paused.cause == "memory" and waiting is None:
            waiting = Waiting("memory", "", 0, None, paused.at)
        if ended in ("failed", "stopped"):
            state = "failed" if ended == "failed" else "stopped"
        return PartitionStatus(
            topic_partition=self._topic_partition,
            state=state,
            log_start=bounds.log_start,
            log_end=log_end,
            committed=committed,
            position=held.position,
            read_lag_records=read_lag_records,
            read_lag_s=read_lag_s,
            durable_lag_records=durable_lag_records,
            durable_lag_s=durable_lag_s,
            retention_margin_s=margin_s,
            retention_s=retention_s,
            open_rows=held.open_rows,
            open_bytes=held.open_bytes,
            open_files=held.open_files,
            oldest_open_at=_time_of(held.first_open_ms),
            next_flush_at=held.next_flush_at,
            next_flush_reason=held.next_flush_reason,
            last_file=self._last_file,
            last_commit=self._last_commit,
            waits_for=waiting,
            totals=self.tally.totals(),
        )

    def _read_lag_s(self, now: datetime.datetime, held: HeldRecords, read_lag_records: int) -> float | None:
        """The age of the first record that was not taken.

        Before that record is fetched, the last taken record and the last moment without unread records bound its age.
        """
        if held.first_waiting_ms is not None:
            return _age_s(now, held.first_waiting_ms)
        if not read_lag_records:
            return 0.0
        known = [] if held.last_taken_ms is None else [_age_s(now, held.last_taken_ms)]
        if self._caught_up_at is not None:
            known.append(max(0.0, (now - self._caught_up_at).total_seconds()))
        return min(known, default=None)


class TaskRecorder:
    """Records one task."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._started_at = clock.now()
        self._partitions: dict[TopicPartition, PartitionRecorder] = {}
        self._kafka = KafkaStatus()
        self._tally = _Tally()
        self.last_step_at: datetime.datetime | None = None
        """When the last step ended."""
        self.error = ""
        """The text of the error that ended the task."""

    # ---- on the driver thread

    def assigned(self, assigned: Assigned) -> None:
        """Record a new assignment."""
        recorder = PartitionRecorder(assigned, self._clock)
        self._partitions = {**self._partitions, assigned.assignment.topic_partition: recorder}
        self._kafka = attrs.evolve(self._kafka, group_id=assigned.group_id, cluster_id=assigned.cluster_id, joined=True)

    def revoked(self, topic_partition: TopicPartition) -> None:
        """Record the end of an assignment."""
        self._partitions = {name: each for name, each in self._partitions.items() if name != topic_partition}

    def rebalanced(self) -> None:
        """Count a change of the assignment."""
        self._kafka = attrs.evolve(self._kafka, rebalances=self._kafka.rebalances + 1)

    def learn(self, bounds: Iterable[LogBounds], member: GroupMember | None) -> None:
        """Record news of the consumer."""
        for each in bounds:
            if each.topic_partition in self._partitions:
                self._partitions[each.topic_partition].learn(each)
        if member is not None:
            self._kafka = attrs.evolve(
                self._kafka,
                member_id=member.member_id,
                generation=member.generation,
                joined=self._kafka.joined or member.generation >= 0,
                up=member.reaches_kafka,
            )

    def add_records(self, topic_partition: TopicPartition, records: int, log_end: int | None) -> None:
        """Count records that were polled, and record the end of the log that came with them."""
        self._tally.add_records(records)
        if (recorder := self._partitions.get(topic_partition)) is not None:
            recorder.tally.add_records(records)
            if log_end is not None:
                recorder.learn_end(log_end)

    def look(self, topic_partition: TopicPartition, held: HeldRecords) -> None:
        """Record what an engine holds after a step."""
        if topic_partition in self._partitions:
            self._partitions[topic_partition].look(held)

    def waiting(self) -> dict[TopicPartition, WaitReason | None]:
        """Return what each assigned topic-partition waits for."""
        return {topic_partition: each.waits_for for topic_partition, each in self._partitions.items()}

    def add_event(self, event: Event) -> None:
        """Record an event."""
        self._tally.add_event(event)
        if (recorder := self._partitions.get(event.topic_partition)) is not None:
            recorder.apply(event)

    # ---- on any thread

    def totals(self) -> Totals:
        """Return what the task did so far."""
        return self._tally.totals()

    def status(
        self,
        state: TaskStateName,
        storage: StorageStatus,
        *,
        memory_used_bytes: int,
        memory_budget_bytes: int,
        staging_bytes: int,
        expected_freshness_s: float | None,
    ) -> TaskStatus:
        """Return the status now."""
        now = self._clock.now()
        partitions = (each.status(now, state) for each in self._partitions.values())
        return TaskStatus(
            name=self._name,
            at=now,
            state=state,
            error=self.error,
            started_at=self._started_at,
            last_step_at=self.last_step_at,
            partitions=tuple(sorted(partitions, key=lambda each: each.topic_partition)),
            totals=self.totals(),
            kafka=self._kafka,
            storage=storage,
            memory_used_bytes=memory_used_bytes,
            memory_budget_bytes=memory_budget_bytes,
            staging_bytes=staging_bytes,
            expected_freshness_s=expected_freshness_s,
        )


def _age_s(now: datetime.datetime, time_ms: int) -> float:
    """The seconds since a time in milliseconds; 0 for a time in the future."""
    return max(0.0, now.timestamp() - time_ms / 1000)


def _time_of(time_ms: int | None) -> datetime.datetime | None:
    """The time as a `datetime`; None if there is none, or beyond the years that `datetime` has."""
    if time_ms is None:
        return None
    try:
        return datetime.datetime.fromtimestamp(time_ms / 1000, datetime.timezone.utc)
    except (OverflowError, ValueError, OSError):
        return None
