"""The values of a status. Each is frozen, and can be read from any thread."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any, Literal

import attrs

from kafka2parquet.clock import utc_text
from kafka2parquet.records import TopicPartition
from kafka2parquet.status.table import TableStatus

#: The version of the form that `as_json` writes. A change that a reader could trip over gets another number.
JSON_VERSION = 1

PartitionStateName = Literal["starting", "filling", "delivering", "full", "paused", "finished", "failed", "stopped"]
"""What a topic-partition is doing.

| word         | meaning |
| ------------ | ------- |
| `starting`   | finds out from the committed offset and the published files where to begin |
| `filling`    | takes records into the open flush |
| `delivering` | publishes or commits a flush; takes records into the next flush meanwhile |
| `full`       | a cut flush waits for the delivery of the flush before it; no records are taken |
| `paused`     | no records are taken: `waits_for` says why |
| `finished`   | at the end of the offsets that its task may take; all of them are durable |
| `failed`     | the task has ended because of this topic-partition |
| `stopped`    | no longer assigned to this task |
"""

TaskStateName = Literal["starting", "running", "stopping", "stopped", "failed"]
"""What a task is doing: checks before the first poll, steps, the flush at the end; or it has ended, in order or by an error."""

WaitReason = Literal["storage", "registry", "memory"]
"""What a topic-partition waits for."""


@attrs.frozen
class HeldRecords:
    """What a topic-partition holds, as its engine sees it. The recorder makes a `PartitionStatus` of it.

    Attributes:
        state: what the topic-partition is doing.
        position: the offset after the last record that was taken; None while the start is not known.
        open_rows: rows that were taken and are not durable.
        open_bytes: memory that they hold, in bytes.
        open_files: files that are open for them.
        first_open_ms: Kafka timestamp of the first record that was taken and is not durable; None if there is none.
        first_waiting_ms: Kafka timestamp of the first record that was fetched and not taken; None if there is none.
        last_taken_ms: Kafka timestamp of the last record that was taken; None before the first one.
        next_flush_at: when the clock cuts the open flush; None if only records do.
        next_flush_reason: why the clock cuts it then; "" if only records do.
    """

    state: PartitionStateName = "starting"
    position: int | None = None
    open_rows: int = 0
    open_bytes: int = 0
    open_files: int = 0
    first_open_ms: int | None = None
    first_waiting_ms: int | None = None
    last_taken_ms: int | None = None
    next_flush_at: datetime.datetime | None = None
    next_flush_reason: str = ""


@attrs.frozen
class Waiting:
    """What a topic-partition waits for.

    Attributes:
        reason: `storage` or `registry` that doesn't answer, or `memory` of the task's budget.
        cause: the last error's text; "" for memory.
        attempt: number of failed attempts in a row; 0 for memory.
        retry_at: when the next attempt follows; None for memory.
        since: when waiting began.
    """

    reason: WaitReason
    cause: str
    attempt: int
    retry_at: datetime.datetime | None
    since: datetime.datetime


@attrs.frozen
class LastFile:
    """The file that was published last.

    Attributes:
        key: the object's key.
        rows: its rows.
        size_bytes: its size.
        at: when it became visible.
    """

    key: str
    rows: int
    size_bytes: int
    at: datetime.datetime


@attrs.frozen
class LastCommit:
    """The offset that was committed last by this task.

    Attributes:
        offset: the next offset that the group would read.
        at: when the commit was confirmed.
    """

    offset: int
    at: datetime.datetime


@attrs.frozen
class Totals:
    """What was done since the start. Totals of a topic-partition begin anew with each assignment.

    Attributes:
        records: records that were taken from the consumer; a record that is read again counts again.
        committed_rows: rows that became durable and committed.
        rejected: records that were left out.
        lost: records that disappeared from the log before they were written.
        flushes: flushes that were delivered.
        files: files that were made visible.
        file_bytes: size of these files.
        retries: calls to the store that failed and were tried again.
    """

    records: int = 0
    committed_rows: int = 0
    rejected: int = 0
    lost: int = 0
    flushes: int = 0
    files: int = 0
    file_bytes: int = 0
    retries: int = 0

    def __add__(self, other: Totals) -> Totals:
        counts = zip(attrs.astuple(self, recurse=False), attrs.astuple(other, recurse=False), strict=True)
        return Totals(*(mine + theirs for mine, theirs in counts))


@attrs.frozen
class PartitionStatus:
    """One assigned topic-partition.

    Attributes:
        topic_partition: the topic-partition.
        state: what it is doing.
        log_start: first offset of the log, as far as known.
        log_end: the offset after the last record that readers can see, as far as known.
        committed: the group's committed offset; None if the group has not committed one.
        position: the offset after the last record that was taken; None while the start is not known.
        read_lag_records: records that readers can see and that were not taken yet.
        read_lag_s: age of the oldest of them, in seconds; 0 if there is none. An upper bound if that record is not fetched yet,
            and None if nothing was read yet.
        durable_lag_records: records that are not in a published and committed file.
        durable_lag_s: age of the first of them, in seconds; 0 if there is none, and None if nothing was read yet. Age is the
            time since the record's timestamp.
        retention_margin_s: seconds until Kafka may delete the first record that is not durable; None if the topic keeps records
            for ever, or if its retention is unknown. Kafka deletes whole segments, so it may keep a record longer.
        retention_s: how long the topic keeps records, in seconds; None if for ever or unknown.
        open_rows: rows that were taken and are not durable.
        open_bytes: memory that these rows hold, in bytes.
        open_files: files that are open for these rows.
        oldest_open_at: timestamp of the first record that was taken and is not durable; None if there is none.
        next_flush_at: when the clock cuts the open flush; None if only records do.
        next_flush_reason: why the clock cuts it then; "" if only records do.
        last_file: the file that was published last; None before the first one.
        last_commit: the last commit; None before the first one.
        waits_for: what the topic-partition waits for; None if for nothing.
        totals: what was done since the assignment.
    """

    topic_partition: TopicPartition
    state: PartitionStateName
    log_start: int
    log_end: int
    committed: int | None
    position: int | None
    read_lag_records: int
    read_lag_s: float | None
    durable_lag_records: int
    durable_lag_s: float | None
    retention_margin_s: float | None = None
    retention_s: float | None = None
    open_rows: int = 0
    open_bytes: int = 0
    open_files: int = 0
    oldest_open_at: datetime.datetime | None = None
    next_flush_at: datetime.datetime | None = None
    next_flush_reason: str = ""
    last_file: LastFile | None = None
    last_commit: LastCommit | None = None
    waits_for: Waiting | None = None
    totals: Totals = attrs.field(factory=Totals)


@attrs.frozen
class StorageStatus:
    """The store of a task.

    Attributes:
        url: where files go.
        up: whether the last call was answered; None before the first call.
        cause: the last error's text while `up` is false; "" otherwise.
        since: when `up` changed last; None before the first call.
    """

    url: str
    up: bool | None = None
    cause: str = ""
    since: datetime.datetime | None = None


@attrs.frozen
class KafkaStatus:
    """A task's connection to Kafka and its place in the consumer group.

    Attributes:
        group_id: the consumer group; "" before the first assignment.
        cluster_id: the cluster; "" if unknown.
        member_id: the id that the group's coordinator gave this member; "" if unknown.
        generation: the group's generation; -1 if unknown. Each rebalance raises it.
        rebalances: changes of this task's assignment so far.
        joined: whether the task has ever had an assignment from the group, be it an empty one.
        up: whether a broker answered lately; None if unknown.
    """

    group_id: str = ""
    cluster_id: str = ""
    member_id: str = ""
    generation: int = -1
    rebalances: int = 0
    joined: bool = False
    up: bool | None = None


@attrs.frozen
class TaskStatus:
    """One task.

    Attributes:
        name: the task's name, for people.
        at: the time of this status.
        state: what the task is doing.
        error: the text of the error that ended the task; "" if none did.
        started_at: when the task was made.
        last_step_at: when the task's last step ended; None before the first one. A driver thread that hangs makes no steps.
        partitions: the assigned topic-partitions, sorted by topic and partition.
        totals: what the task did since it was made.
        kafka: the connection to Kafka and the group.
        storage: the store.
        memory_used_bytes: memory that the task's records and rows hold.
        memory_budget_bytes: limit for all tasks that share the budget.
        staging_bytes: size of the task's files on local disk.
        expected_freshness_s: how old, in seconds, a record may become before it is durable, as far as the rotation settings
            promise that; None if they promise nothing, for instance because only a number of rows ends a flush.
    """

    name: str
    at: datetime.datetime
    state: TaskStateName
    error: str
    started_at: datetime.datetime
    last_step_at: datetime.datetime | None
    partitions: tuple[PartitionStatus, ...]
    totals: Totals
    kafka: KafkaStatus
    storage: StorageStatus
    memory_used_bytes: int
    memory_budget_bytes: int
    staging_bytes: int
    expected_freshness_s: float | None

    @property
    def is_idle(self) -> bool:
        """Whether all records that readers can see are durable, as far as known."""
        return all(not each.durable_lag_records and not each.open_rows for each in self.partitions)


@attrs.frozen
class RunnerStatus:
    """All tasks of a runner.

    Attributes:
        name: of the sink, for people; a connector's name if there is one.
        at: the time of this status.
        tasks: in the order of the runner's factories. A task that is not made yet is left out.
        error: the text of the first error that ended a task, or kept one from being made; "" if none did.
    """

    name: str
    at: datetime.datetime
    tasks: tuple[TaskStatus, ...]
    error: str = ""

    @property
    def partitions(self) -> tuple[PartitionStatus, ...]:
        """The topic-partitions of all tasks, sorted by topic and partition."""
        found = (partition for task in self.tasks for partition in task.partitions)
        return tuple(sorted(found, key=lambda each: each.topic_partition))

    @property
    def totals(self) -> Totals:
        """What all tasks did."""
        return sum((task.totals for task in self.tasks), Totals())

    @property
    def expected_freshness_s(self) -> float | None:
        """The longest `expected_freshness_s` of the tasks; None if one of them promises nothing."""
        return _longest(task.expected_freshness_s for task in self.tasks)


def _longest(durations_s: Iterable[float | None]) -> float | None:
    longest_s: float | None = None
    for duration_s in durations_s:
        if duration_s is None:
            return None
        longest_s = duration_s if longest_s is None else max(longest_s, duration_s)
    return longest_s


def as_json(status: RunnerStatus | TaskStatus | PartitionStatus | TableStatus) -> dict[str, Any]:
    """Return a status as values that `json.dumps` takes.

    Times are ISO 8601 texts in UTC. A topic-partition is two members, `topic` and `partition`. Statuses of tasks and runners
    begin with `version`, the number of this form.
    """
    found: dict[str, Any] = _plain(status)
    return found if isinstance(status, PartitionStatus | TableStatus) else {"version": JSON_VERSION, **found}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return utc_text(value)
    if isinstance(value, tuple) and not isinstance(value, TopicPartition):
        return [_plain(each) for each in value]
    if not attrs.has(type(value)):
        return value
    found: dict[str, Any] = {}
    for field in attrs.fields(type(value)):
        each = getattr(value, field.name)
        if isinstance(each, TopicPartition):
            found |= {"topic": each.topic, "partition": each.partition}
        else:
            found[field.name] = _plain(each)
    return found
