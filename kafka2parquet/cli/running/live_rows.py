"""Which rows the live view shows: topic-partitions, the worst first, or topics where there are too many topic-partitions."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterable, Sequence

import attrs

from kafka2parquet.status import LastFile, PartitionStatus, RunnerStatus, Waiting
from kafka2parquet.util.display import counted, duration

#: Share of a topic's retention below which data loss is near.
_NEAR_LOSS = 0.2
#: A topic-partition is late if its durable lag is longer than this many times the expected freshness.
_LATE = 2
#: Reading is behind if the next record to read is older than this.
_BEHIND_S = 10
#: Share of the rows that the worst topic-partitions get if topics are shown.
_WORST_SHARE = 0.5


class Severity(enum.IntEnum):
    """How bad the state of a topic-partition is; the lowest number is the worst."""

    FAILED = 0
    NEAR_LOSS = 1
    WAITING = 2
    HELD = 3
    LATE = 4
    BEHIND = 5
    FINE = 6


#: What a number of topic-partitions of a topic are.
_WORDS = {
    Severity.FAILED: "failed",
    Severity.NEAR_LOSS: "near data loss",
    Severity.WAITING: "waiting",
    Severity.HELD: "held up",
    Severity.LATE: "late",
    Severity.BEHIND: "behind",
}


@attrs.frozen
class Row:
    """A topic-partition, or all topic-partitions of a topic.

    Attributes:
        name: of the topic-partition, or of the topic with the number of its topic-partitions.
        severity: how bad its state is; that of the worst topic-partition.
        read_lag_records: records that were not taken yet; all together.
        read_lag_s: age of the oldest of them; None if unknown.
        durable_lag_s: age of the oldest record that is not durable; None if unknown.
        retention_margin_s: seconds until Kafka may delete something that is not durable; None if unknown or never.
        open_rows: rows that are not durable; all together.
        open_bytes: memory that these rows hold; all together.
        note: the next flush, or what keeps the topic-partition from the next flush.
        last_file: the file that was published last.
    """

    name: str
    severity: Severity
    read_lag_records: int
    read_lag_s: float | None
    durable_lag_s: float | None
    retention_margin_s: float | None
    open_rows: int
    open_bytes: int
    note: str
    last_file: LastFile | None


@attrs.frozen
class Rows:
    """The rows of a view.

    Attributes:
        partitions: topic-partitions; all, or only the worst if topics are shown.
        topics: topics; empty if all topic-partitions are shown.
        left_out: number of topics for which there is no room.
    """

    partitions: tuple[Row, ...]
    topics: tuple[Row, ...] = ()
    left_out: int = 0


def rows_of(status: RunnerStatus, most: int) -> Rows:
    """Return at most `most` rows, the worst first. Topic-partitions that are fine are sorted by name, so that they stay put."""
    expected_s = status.expected_freshness_s
    found = [(_severity(partition, expected_s), partition) for task in status.tasks for partition in task.partitions]
    ordered = sorted(found, key=lambda each: _order(*each))
    if len(ordered) <= most:
        return Rows(tuple(_partition_row(severity, partition, status) for severity, partition in ordered))
    topics = _topics(ordered, status)
    most_worst = max(1, most - len(topics), round(most * _WORST_SHARE))
    worst = [each for each in ordered if each[0] is not Severity.FINE][:most_worst]
    shown = topics[: max(1, most - len(worst))]
    return Rows(
        tuple(_partition_row(severity, partition, status) for severity, partition in worst),
        tuple(shown),
        len(topics) - len(shown),
    )


def _severity(partition: PartitionStatus, expected_s: float | None) -> Severity:
    margin_s, retention_s = partition.retention_margin_s, partition.retention_s
    if partition.state == "failed":
        return Severity.FAILED
    if margin_s is not None and retention_s is not None and margin_s < _NEAR_LOSS * retention_s:
        return Severity.NEAR_LOSS
    if partition.waits_for is not None:
        return Severity.WAITING
    if partition.state in ("full", "paused"):
        return Severity.HELD
    if expected_s is not None and (partition.durable_lag_s or 0.0) > _LATE * expected_s:
        return Severity.LATE
    return Severity.BEHIND if (partition.read_lag_s or 0.0) > _BEHIND_S else Severity.FINE


def _order(severity: Severity, partition: PartitionStatus) -> tuple[object, ...]:
    """Return the sort key of a topic-partition: its severity, then the figure that makes the state that bad."""
    if severity is Severity.NEAR_LOSS:
        figure = partition.retention_margin_s or 0.0
    elif severity is Severity.BEHIND:
        figure = -(partition.read_lag_s or 0.0)
    elif severity is Severity.FINE:
        figure = 0.0
    else:
        figure = -(partition.durable_lag_s or 0.0)
    return (severity, figure, partition.topic_partition.topic, partition.topic_partition.partition)


def _topics(ordered: Sequence[tuple[Severity, PartitionStatus]], status: RunnerStatus) -> list[Row]:
    """Return a row for each topic, the worst first."""
    by_topic = sorted(ordered, key=lambda each: each[1].topic_partition.topic)
    rows = [
        _topic_row(topic, list(group), status)
        for topic, group in itertools.groupby(by_topic, key=lambda each: each[1].topic_partition.topic)
    ]
    return sorted(rows, key=lambda row: (row.severity, row.name))


def _partition_row(severity: Severity, partition: PartitionStatus, status: RunnerStatus) -> Row:
    return Row(
        name=str(partition.topic_partition),
        severity=severity,
        read_lag_records=partition.read_lag_records,
        read_lag_s=partition.read_lag_s,
        durable_lag_s=partition.durable_lag_s,
        retention_margin_s=partition.retention_margin_s,
        open_rows=partition.open_rows,
        open_bytes=partition.open_bytes,
        note=_note(severity, partition, status),
        last_file=partition.last_file,
    )


def _topic_row(topic: str, group: list[tuple[Severity, PartitionStatus]], status: RunnerStatus) -> Row:
    partitions = [partition for _, partition in group]
    margins = [each.retention_margin_s for each in partitions if each.retention_margin_s is not None]
    files = [each.last_file for each in partitions if each.last_file is not None]
    severity = min(severity for severity, _ in group)
    as_bad = sum(each is severity for each, _ in group)
    return Row(
        name=f"{topic} ({len(partitions)})",
        severity=severity,
        read_lag_records=sum(each.read_lag_records for each in partitions),
        read_lag_s=_longest(each.read_lag_s for each in partitions),
        durable_lag_s=_longest(each.durable_lag_s for each in partitions),
        retention_margin_s=min(margins, default=None),
        open_rows=sum(each.open_rows for each in partitions),
        open_bytes=sum(each.open_bytes for each in partitions),
        note=_topic_note(partitions, status) if severity is Severity.FINE else f"{as_bad} {_WORDS[severity]}",
        last_file=max(files, key=lambda file: file.at, default=None),
    )


def _topic_note(partitions: Sequence[PartitionStatus], status: RunnerStatus) -> str:
    """Return the state that all topic-partitions share, or the first of their next flushes."""
    states = {each.state for each in partitions}
    if len(states) == 1 and states != {"filling"}:
        return states.pop()
    due = [(each.next_flush_at, number) for number, each in enumerate(partitions) if each.next_flush_at is not None]
    return _next_flush(partitions[min(due)[1] if due else 0], status)


def _longest(lags_s: Iterable[float | None]) -> float | None:
    """Return the longest of the known lags; None if none is known."""
    return max((lag_s for lag_s in lags_s if lag_s is not None), default=None)


def _note(severity: Severity, partition: PartitionStatus, status: RunnerStatus) -> str:
    if severity is Severity.NEAR_LOSS:
        return f"loss in {duration(partition.retention_margin_s or 0)}"
    if partition.waits_for is not None:
        return _waiting(partition.waits_for, status)
    if partition.state == "full":
        return "waits for delivery"
    return partition.state if partition.state != "filling" else _next_flush(partition, status)


def _waiting(waiting: Waiting, status: RunnerStatus) -> str:
    if waiting.reason == "memory":
        return "waits for memory"
    where = "registry: " if waiting.reason == "registry" else ""
    if waiting.retry_at is None:
        return f"{where}{counted(waiting.attempt, 'failed attempt')}"
    in_s = (waiting.retry_at - status.at).total_seconds()
    return f"{where}retry {waiting.attempt} in {duration(in_s)}"


def _next_flush(partition: PartitionStatus, status: RunnerStatus) -> str:
    """Return when the open flush is cut and why; without a time, only records cut the flush."""
    if not partition.open_rows:
        return ""
    if partition.next_flush_at is None:
        return "by records"
    in_s = (partition.next_flush_at - status.at).total_seconds()
    return f"{duration(in_s)} {partition.next_flush_reason}".rstrip()
