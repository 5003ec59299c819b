"""Statuses made by hand, for tests of their views."""

from __future__ import annotations

import datetime
from typing import Any

from kafka2parquet.events import FlushDelivered
from kafka2parquet.records import TopicPartition
from kafka2parquet.status import (
    KafkaStatus,
    PartitionStatus,
    RunnerStatus,
    StorageStatus,
    TablePartitionStatus,
    TableStatus,
    TaskStatus,
    Totals,
)

NOW = datetime.datetime(2026, 5, 17, 10, 0, tzinfo=datetime.timezone.utc)


def ago(seconds: float) -> datetime.datetime:
    """Returns the time that many seconds before NOW."""
    return NOW - datetime.timedelta(seconds=seconds)


def partition_status(topic: str = "events", partition: int = 0, **changes: Any) -> PartitionStatus:
    """Returns a topic-partition that has read and committed all of 100 records, with these changes."""
    values: dict[str, Any] = {
        "state": "filling",
        "log_start": 0,
        "log_end": 100,
        "committed": 100,
        "position": 100,
        "read_lag_records": 0,
        "read_lag_s": 0.0,
        "durable_lag_records": 0,
        "durable_lag_s": 0.0,
        **changes,
    }
    return PartitionStatus(TopicPartition(topic, partition), **values)


def task_status(*partitions: PartitionStatus, **changes: Any) -> TaskStatus:
    """Returns a running task in good order with these topic-partitions, with these changes."""
    values: dict[str, Any] = {
        "name": "kafka2parquet-task-0",
        "at": NOW,
        "state": "running",
        "error": "",
        "started_at": ago(3600),
        "last_step_at": NOW,
        "partitions": partitions,
        "totals": sum((each.totals for each in partitions), Totals()),
        "kafka": KafkaStatus(group_id="connect-sink", cluster_id="cluster", generation=1, rebalances=1, joined=True, up=True),
        "storage": StorageStatus("s3://bucket", up=True, since=ago(3600)),
        "memory_used_bytes": 0,
        "memory_budget_bytes": 256 << 20,
        "staging_bytes": 0,
        "expected_freshness_s": 3600.0,
        **changes,
    }
    return TaskStatus(**values)


def runner_status(*tasks: TaskStatus, name: str = "sink", error: str = "") -> RunnerStatus:
    """Returns the status of a runner of these tasks."""
    return RunnerStatus(name, NOW, tasks, error)


def table_partition(partition: int = 0, topic: str = "events", **changes: Any) -> TablePartitionStatus:
    """Returns a topic-partition whose 100 committed offsets are in the table, with these changes."""
    values: dict[str, Any] = {"position": 100, "committed": 100, "lag_offsets": 0, **changes}
    return TablePartitionStatus(TopicPartition(topic, partition), **values)


def table_status(*partitions: TablePartitionStatus, **changes: Any) -> TableStatus:
    """Returns the status of a follower in good order whose last round ended a minute ago, with these changes."""
    values: dict[str, Any] = {
        "table": "Iceberg table raw.events",
        "topic": "events",
        "at": NOW,
        "state": "running",
        "started_at": ago(3600),
        "interval_s": 300.0,
        "last_step_at": ago(60),
        "last_round_at": ago(60),
        "last_transaction_at": ago(600),
        "up": True,
        "partitions": partitions,
        **changes,
    }
    return TableStatus(**values)


def flush_delivered(**changes: Any) -> FlushDelivered:
    """Returns the event of a flush of ten records that became durable now, with these changes."""
    values: dict[str, Any] = {
        "start": 0,
        "end": 10,
        "rows": 10,
        "files": 1,
        "file_bytes": 3000,
        "reason": "rows",
        "opened_at": ago(60),
        "first_record_ms": round(ago(60).timestamp() * 1000),
        "stage_s": 0.1,
        "intent_s": 0.01,
        "publish_s": 0.2,
        "commit_s": 0.01,
        "at": NOW,
        **changes,
    }
    return FlushDelivered(TopicPartition("events", 0), **values)
