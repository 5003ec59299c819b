"""The metrics that are read from the status of a sink."""

from __future__ import annotations

import datetime
import platform
from collections import Counter
from collections.abc import Callable, Iterable
from typing import get_args

from kafka2parquet.metrics.instrument import Instrument, Sample, Unit
from kafka2parquet.metrics.reading import Reading
from kafka2parquet.status import PartitionStatus, TaskStatus
from kafka2parquet.status.model import TaskStateName, WaitReason
from kafka2parquet.version import VERSION

#: States of a topic-partition in which no records are taken.
_NOT_TAKING = ("full", "paused")


def _of_partitions(name: str, unit: Unit, meaning: str, value: Callable[[PartitionStatus], float | None]) -> Instrument:
    """Return a gauge that each topic-partition has, unless its value is None."""

    def read(reading: Reading) -> Iterable[Sample]:
        for labels, partition in reading.partitions:
            found = value(partition)
            if found is not None:
                yield labels, found

    return Instrument(name, "gauge", unit, meaning, ("topic", "partition"), from_status=read)


def _of_process(name: str, unit: Unit, meaning: str, value: Callable[[Reading], float | None]) -> Instrument:
    """Return a gauge that each sink of the process has once, unless its value is None."""

    def read(reading: Reading) -> Iterable[Sample]:
        found = value(reading)
        if found is not None:
            yield (), found

    return Instrument(name, "gauge", unit, meaning, from_status=read)


def _sum_of_tasks(name: str, unit: Unit, meaning: str, value: Callable[[TaskStatus], int]) -> Instrument:
    """Return a counter that is the sum over all tasks, those that have ended included."""

    def read(reading: Reading) -> Iterable[Sample]:
        yield (), sum(map(value, reading.counted))

    return Instrument(name, "counter", unit, meaning, from_status=read)


def _timestamp(moment: datetime.datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _retention_margin_ratio(partition: PartitionStatus) -> float | None:
    margin_s, retention_s = partition.retention_margin_s, partition.retention_s
    return margin_s / retention_s if margin_s is not None and retention_s else None


def _next_flush_s(reading: Reading) -> Iterable[Sample]:
    for labels, partition in reading.partitions:
        if partition.next_flush_at is not None:
            yield labels, (partition.next_flush_at - reading.at).total_seconds()


def _expected_freshness_s(reading: Reading) -> float | None:
    promised = [task.expected_freshness_s for task in reading.tasks]
    found = [each for each in promised if each is not None]
    return max(found) if found and len(found) == len(promised) else None


def _buffered(reading: Reading) -> Iterable[Sample]:
    rows = sum(partition.open_bytes for _, partition in reading.partitions)
    yield ("rows",), rows
    yield ("other",), max(0, sum(task.memory_used_bytes for task in reading.tasks) - rows)


def _storage_up(reading: Reading) -> Iterable[Sample]:
    up: dict[str, bool] = {}
    for task in reading.tasks:
        if task.storage.up is not None:
            up[task.storage.url] = up.get(task.storage.url, True) and task.storage.up
    return [((url,), float(is_up)) for url, is_up in sorted(up.items())]


def _kafka_up(reading: Reading) -> float | None:
    known = [task.kafka.up for task in reading.tasks if task.kafka.up is not None]
    return float(all(known)) if known else None


def _states(reading: Reading) -> Iterable[Sample]:
    counts = Counter(task.state for task in reading.tasks)
    if reading.error and not counts["failed"]:  # the task could not even be made
        counts["failed"] = 1
    return [((state,), counts[state]) for state in get_args(TaskStateName)]


def _waiting(reading: Reading) -> Iterable[Sample]:
    counts = Counter(partition.waits_for.reason for _, partition in reading.partitions if partition.waits_for is not None)
    return [((reason,), counts[reason]) for reason in get_args(WaitReason)]


def _last_steps(reading: Reading) -> Iterable[Sample]:
    """Yield the last step of each task that is still driven."""
    for task in reading.tasks:
        if task.last_step_at is not None and task.state not in ("stopped", "failed"):
            yield (task.name,), task.last_step_at.timestamp()


def _build(_: Reading) -> Iterable[Sample]:
    yield (VERSION, platform.python_version()), 1


PARTITION_INSTRUMENTS: tuple[Instrument, ...] = (
    _of_partitions(
        "durable_lag_records",
        "{record}",
        "Records that are not in a published and committed file.",
        lambda each: each.durable_lag_records,
    ),
    _of_partitions(
        "durable_lag_seconds",
        "s",
        "Age of the oldest record that is not in a published and committed file; 0 if there is no such record. No series before"
        " anything was read.",
        lambda each: each.durable_lag_s,
    ),
    _of_partitions(
        "read_lag_records",
        "{record}",
        "Records that readers can see and that the sink has not read yet. Scale on this metric.",
        lambda each: each.read_lag_records,
    ),
    _of_partitions(
        "read_lag_seconds",
        "s",
        "Age of the oldest record that the sink has not read yet; 0 if there is no such record. No series before anything was"
        " read.",
        lambda each: each.read_lag_s,
    ),
    _of_partitions(
        "retention_margin_seconds",
        "s",
        "Time until Kafka may delete a record that is not durable. No series if the topic keeps records for ever.",
        lambda each: each.retention_margin_s,
    ),
    _of_partitions(
        "retention_margin_ratio",
        "1",
        "The retention margin as a share of the topic's retention: 1 if every record is durable, 0 when Kafka may delete one"
        " that is not.",
        _retention_margin_ratio,
    ),
    _of_partitions(
        "retention_seconds",
        "s",
        "How long the topic keeps records. No series if for ever.",
        lambda each: each.retention_s,
    ),
    _of_partitions(
        "committed_offset",
        "{offset}",
        "The group's committed offset. All earlier records are durable.",
        lambda each: each.committed,
    ),
    _of_partitions(
        "read_offset",
        "{offset}",
        "The next offset that the sink reads.",
        lambda each: each.position,
    ),
    _of_partitions(
        "open_rows",
        "{row}",
        "Rows that were read and are not durable yet.",
        lambda each: each.open_rows,
    ),
    _of_partitions(
        "open_files",
        "{file}",
        "Files that are open for these rows.",
        lambda each: each.open_files,
    ),
    _of_partitions(
        "oldest_open_record_timestamp_seconds",
        "s",
        "Timestamp of the oldest record that was read and is not durable yet.",
        lambda each: _timestamp(each.oldest_open_at),
    ),
    _of_partitions(
        "last_commit_timestamp_seconds",
        "s",
        "Time of the last commit by this process.",
        lambda each: None if each.last_commit is None else each.last_commit.at.timestamp(),
    ),
    Instrument(
        "next_flush_deadline_seconds",
        "gauge",
        "s",
        "Time until the clock ends the open flush; negative if that is overdue. No series while only records can end it.",
        ("topic", "partition"),
        from_status=_next_flush_s,
    ),
    _of_partitions(
        "partition_paused",
        "1",
        "1 while the sink takes no records of the topic-partition, because of a full flush, an outage or the memory limit;"
        " else 0.",
        lambda each: float(each.state in _NOT_TAKING),
    ),
)

PROCESS_INSTRUMENTS: tuple[Instrument, ...] = (
    _of_process(
        "expected_freshness_seconds",
        "s",
        "How old a record may become before it is durable, as far as the rotation settings promise that. No series if they"
        " promise nothing.",
        _expected_freshness_s,
    ),
    Instrument(
        "buffered_bytes",
        "gauge",
        "By",
        "Memory that records and rows hold. The kind is `rows` for open flushes, or `other`, such as records that wait for"
        " conversion.",
        ("kind",),
        from_status=_buffered,
    ),
    _of_process(
        "memory_budget_bytes",
        "By",
        "Limit of the memory for records and rows; tasks of one process share it.",
        lambda reading: max((task.memory_budget_bytes for task in reading.tasks), default=None),
    ),
    _of_process(
        "staging_bytes",
        "By",
        "Size of the staging files on local disk.",
        lambda reading: sum(task.staging_bytes for task in reading.tasks),
    ),
    Instrument(
        "storage_up",
        "gauge",
        "1",
        "1 if the store answered the last call of each task, 0 if it failed. No series before the first call.",
        ("storage",),
        from_status=_storage_up,
    ),
    _of_process(
        "kafka_up",
        "1",
        "1 if each task has reached a broker lately, else 0. No series while that is unknown.",
        _kafka_up,
    ),
    Instrument("tasks", "gauge", "{task}", "Tasks in each state.", ("state",), from_status=_states),
    Instrument(
        "last_step_timestamp_seconds",
        "gauge",
        "s",
        "Time at which the last step of a task ended. A task that makes no steps hangs, or isn't driven.",
        ("task",),
        from_status=_last_steps,
    ),
    Instrument(
        "partitions_waiting",
        "gauge",
        "{partition}",
        "Topic-partitions that wait for the store, the schema registry or memory.",
        ("reason",),
        from_status=_waiting,
    ),
    Instrument(
        "build_info",
        "gauge",
        "1",
        "Always 1. The labels are the versions of kafka2parquet and Python.",
        ("version", "python_version"),
        from_status=_build,
    ),
    _sum_of_tasks(
        "records_read_total",
        "{record}",
        "Records that were read. A record that is read again counts again.",
        lambda task: task.totals.records,
    ),
    _sum_of_tasks(
        "rows_committed_total",
        "{row}",
        "Rows that became durable and committed.",
        lambda task: task.totals.committed_rows,
    ),
    _sum_of_tasks(
        "records_lost_total",
        "{record}",
        "Records that disappeared from the log before they were written.",
        lambda task: task.totals.lost,
    ),
    _sum_of_tasks(
        "file_bytes_total",
        "By",
        "Size of the files that this process made visible.",
        lambda task: task.totals.file_bytes,
    ),
    _sum_of_tasks(
        "storage_retries_total",
        "{event}",
        "Calls to the store that failed and were tried again.",
        lambda task: task.totals.retries,
    ),
    _sum_of_tasks(
        "rebalances_total",
        "{event}",
        "Changes of the assignment of topic-partitions to tasks.",
        lambda task: task.kafka.rebalances,
    ),
)
