"""What Prometheus scrapes: values of the status, counts of events, and nothing that its tools complain of."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import attrs
import prometheus_client
import pytest

from kafka2parquet.events import BoundaryAdopted, ConverterRetried, FilePublished, RecordRejected
from kafka2parquet.metrics.prometheus import FollowerCollector, PrometheusHook, StatusCollector
from kafka2parquet.metrics.table import INSTRUMENTS
from kafka2parquet.records import Reject, Stage, TopicPartition
from kafka2parquet.status import KafkaStatus, LastCommit, RunnerStatus, StorageStatus, TaskStatus, Totals, Waiting
from tests.stack.prometheus import promtool
from tests.support.statuses import (
    NOW,
    ago,
    flush_delivered,
    partition_status,
    runner_status,
    table_partition,
    table_status,
    task_status,
)

ZERO = TopicPartition("events", 0)


def registry_of(status: Callable[[], RunnerStatus | TaskStatus], hook: PrometheusHook | None = None) -> Any:
    """Returns a registry with a collector of this status."""
    registry = prometheus_client.CollectorRegistry(auto_describe=True)
    registry.register(StatusCollector(status, hook))
    return registry


def value(registry: Any, name: str, **labels: str) -> float | None:
    """Returns the value of a series of the sink `sink`; None if there is no such series."""
    found: float | None = registry.get_sample_value(f"kafka2parquet_{name}", {"sink": "sink", **labels})
    return found


def busy_partition(**changes: Any) -> Any:
    """Returns a topic-partition in which every value is set."""
    values = {
        "log_end": 1000,
        "committed": 100,
        "position": 900,
        "read_lag_records": 100,
        "read_lag_s": 2.5,
        "durable_lag_records": 900,
        "durable_lag_s": 1800.0,
        "retention_margin_s": 3600.0,
        "retention_s": 36_000.0,
        "open_rows": 800,
        "open_bytes": 5000,
        "open_files": 3,
        "oldest_open_at": ago(1800),
        "next_flush_at": NOW + datetime.timedelta(seconds=90),
        "last_commit": LastCommit(100, ago(1900)),
        **changes,
    }
    return partition_status(**values)


def test_values_of_a_topic_partition() -> None:
    """Each number of a topic-partition's status is a series with topic and partition as labels."""
    registry = registry_of(lambda: runner_status(task_status(busy_partition())))
    expected = {
        "durable_lag_records": 900,
        "durable_lag_seconds": 1800,
        "read_lag_records": 100,
        "read_lag_seconds": 2.5,
        "retention_margin_seconds": 3600,
        "retention_margin_ratio": 0.1,
        "retention_seconds": 36_000,
        "committed_offset": 100,
        "read_offset": 900,
        "open_rows": 800,
        "open_files": 3,
        "oldest_open_record_timestamp_seconds": ago(1800).timestamp(),
        "last_commit_timestamp_seconds": ago(1900).timestamp(),
        "next_flush_deadline_seconds": 90,
        "partition_paused": 0,
    }
    assert expected == {name: value(registry, name, topic="events", partition="0") for name in expected}


def test_unknown_values_have_no_series() -> None:
    """A value that is not known is left out, instead of being 0."""
    partition = partition_status(committed=None, position=None, retention_s=None)
    registry = registry_of(
        lambda: runner_status(task_status(partition, expected_freshness_s=None, storage=StorageStatus("s3://bucket")))
    )
    names = ("committed_offset", "read_offset", "retention_seconds", "retention_margin_seconds", "retention_margin_ratio")
    assert [None] * 5 == [value(registry, name, topic="events", partition="0") for name in names]
    assert None is value(registry, "expected_freshness_seconds")
    assert None is value(registry, "storage_up", storage="s3://bucket")


@pytest.mark.parametrize(("state", "expected"), [("filling", 0), ("delivering", 0), ("full", 1), ("paused", 1)])
def test_paused_partitions(state: str, expected: float) -> None:
    """A topic-partition that takes no records counts as paused, whatever the cause."""
    registry = registry_of(lambda: runner_status(task_status(partition_status(state=state))))
    assert expected == value(registry, "partition_paused", topic="events", partition="0")


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_partition_that_is_not_held_has_no_series(state: str) -> None:
    """A topic-partition of a task that has ended is left to its new owner, which may be in another process."""
    old, new = partition_status(state=state, open_rows=1), partition_status(open_rows=2)
    labels = {"topic": "events", "partition": "0"}
    assert None is value(registry_of(lambda: runner_status(task_status(old))), "open_rows", **labels)
    for tasks in ((old, new), (new, old)):
        registry = registry_of(lambda tasks=tasks: runner_status(*map(task_status, tasks)))  # type: ignore[misc]
        assert 2 == value(registry, "open_rows", **labels)


def test_partition_that_two_tasks_report_has_one_series() -> None:
    """While a topic-partition moves from one task to another, both may report it. Prometheus refuses doubled series."""
    tasks = [task_status(partition_status(), name=name) for name in ("a", "b")]
    samples = [sample for family in registry_of(lambda: runner_status(*tasks)).collect() for sample in family.samples]
    keys = [(sample.name, *sorted(sample.labels.items())) for sample in samples]
    assert len(set(keys)) == len(keys)


def test_task_that_could_not_be_made_counts_as_failed() -> None:
    """A runner whose task can't even be made has a failed task, although no status of the task exists."""
    failing = attrs.evolve(runner_status(), error="ConfigurationError: no")
    assert 1 == value(registry_of(lambda: failing), "tasks", state="failed")
    failed = attrs.evolve(runner_status(task_status(state="failed")), error="ConfigurationError: no")
    assert 1 == value(registry_of(lambda: failed), "tasks", state="failed")


def test_values_of_a_process() -> None:
    """Values of tasks are added up, or the worst of them counts."""
    waiting = Waiting("storage", "503", 2, None, ago(5))
    tasks = (
        task_status(
            busy_partition(waits_for=waiting),
            name="a",
            memory_used_bytes=7000,
            memory_budget_bytes=10_000,
            staging_bytes=5,
            expected_freshness_s=60.0,
            storage=StorageStatus("s3://bucket", up=True),
            last_step_at=ago(3),
        ),
        task_status(
            name="b",
            state="failed",
            memory_budget_bytes=10_000,
            staging_bytes=6,
            expected_freshness_s=90.0,
            storage=StorageStatus("s3://bucket", up=False),
            kafka=KafkaStatus(up=False),
        ),
    )
    registry = registry_of(lambda: runner_status(*tasks))
    assert 90.0 == value(registry, "expected_freshness_seconds")
    assert (5000, 2000) == (value(registry, "buffered_bytes", kind="rows"), value(registry, "buffered_bytes", kind="other"))
    assert 10_000 == value(registry, "memory_budget_bytes")
    assert 11 == value(registry, "staging_bytes")
    assert 0 == value(registry, "storage_up", storage="s3://bucket")
    assert 0 == value(registry, "kafka_up")
    assert [1, 1, 0] == [value(registry, "tasks", state=state) for state in ("running", "failed", "stopped")]
    assert ago(3).timestamp() == value(registry, "last_step_timestamp_seconds", task="a")
    assert None is value(registry, "last_step_timestamp_seconds", task="b")
    assert [1, 0] == [value(registry, "partitions_waiting", reason=reason) for reason in ("storage", "memory")]


def test_counters_are_sums_of_all_tasks() -> None:
    """Counters of the status are sums over the tasks of the process."""
    totals = Totals(records=10, committed_rows=8, rejected=1, lost=1, flushes=2, files=3, file_bytes=400, retries=5)
    registry = registry_of(lambda: runner_status(task_status(totals=totals, name="a"), task_status(totals=totals, name="b")))
    names = ("records_read", "rows_committed", "records_lost", "file_bytes", "storage_retries", "rebalances")
    assert [20, 16, 2, 800, 10, 2] == [value(registry, f"{name}_total") for name in names]


def test_without_the_hook_counters_of_events_have_no_labels() -> None:
    """An application that doesn't install the hook still gets the sums, so that alerts work."""
    registry = registry_of(lambda: runner_status(task_status(totals=Totals(rejected=1, flushes=2, files=3))))
    assert 1 == value(registry, "records_rejected_total", stage="")
    assert 2 == value(registry, "flushes_total", reason="")
    assert 3 == value(registry, "files_published_total", created="true")
    assert None is value(registry, "file_rows_count")


def test_counters_never_decrease() -> None:
    """If a task is replaced, or disappears from the status, its counts stay in the sums of the process."""
    first = task_status(totals=Totals(records=10), kafka=KafkaStatus(rebalances=3))
    second = attrs.evolve(first, started_at=NOW, totals=Totals(records=1), kafka=KafkaStatus(rebalances=1))
    statuses = [runner_status(first), runner_status(second), runner_status()]
    registry = registry_of(lambda: statuses[0])
    seen = []
    while statuses:
        seen.append((value(registry, "records_read_total"), value(registry, "rebalances_total")))
        del statuses[0]
    assert [(10, 3), (11, 4), (11, 4)] == seen


def test_hook_counts_events() -> None:
    """The hook counts events by their labels, and observes sizes and rows of created files."""
    hook = PrometheusHook()
    registry = registry_of(lambda: runner_status(task_status(totals=Totals(rejected=7))), hook)
    reject = Reject(ZERO, 3, Stage.DECODE, "not JSON")
    for event in (
        RecordRejected(ZERO, reject),
        RecordRejected(ZERO, reject),
        flush_delivered(),
        FilePublished(ZERO, "a.parquet", 10, 3000, True, True),
        FilePublished(ZERO, "b.parquet", 20, 5000, False, False),
        BoundaryAdopted(ZERO, 0, 5),
        ConverterRetried(ZERO, OSError(), 1, 0.5),
    ):
        hook(event)
    assert 2 == value(registry, "records_rejected_total", stage="decode")
    assert 1 == value(registry, "flushes_total", reason="rows")
    assert [1, 1] == [value(registry, "files_published_total", created=created) for created in ("true", "false")]
    assert [1, 3000] == [value(registry, f"file_size_bytes_{part}") for part in ("count", "sum")]
    assert [1, 10] == [value(registry, f"file_rows_{part}") for part in ("count", "sum")]
    assert 1 == value(registry, "boundaries_adopted_total")
    assert 1 == value(registry, "converter_retries_total")


def test_durations_of_a_flush() -> None:
    """The hook observes each step of a flush, and the time from its first record to the visibility of its files."""
    hook = PrometheusHook()
    registry = registry_of(lambda: runner_status(task_status()), hook)
    first_ms = round(ago(100).timestamp() * 1000)
    hook(flush_delivered(first_record_ms=first_ms, stage_s=1.0, intent_s=0.5, publish_s=3.0, commit_s=0.25))
    steps = {"stage": 1.0, "intent": 0.5, "publish": 3.0, "commit": 0.25}
    assert steps == {step: value(registry, "flush_duration_seconds_sum", step=step) for step in steps}
    assert 99.75 == value(registry, "visibility_delay_seconds_sum")
    assert [0, 1] == [value(registry, "visibility_delay_seconds_bucket", le=bound) for bound in ("60.0", "300.0")]


def test_known_labels_have_a_series_from_the_start() -> None:
    """A counter of rejects exists before the first reject: `increase` over its first value would be 0."""
    registry = registry_of(lambda: runner_status(task_status()), PrometheusHook())
    assert [0] * len(Stage) == [value(registry, "records_rejected_total", stage=stage.value) for stage in Stage]
    assert [0, 0] == [value(registry, "files_published_total", created=created) for created in ("true", "false")]
    assert 0 == value(registry, "file_rows_count")


def test_several_sinks_of_a_process() -> None:
    """Sinks share a collector, and their series differ in the label `sink`."""
    hooks = PrometheusHook(), PrometheusHook()
    collector = StatusCollector(lambda: runner_status(task_status(partition_status()), name="one"), hooks[0])
    collector.add(lambda: task_status(partition_status()), hooks[1], sink="two")
    registry = prometheus_client.CollectorRegistry(auto_describe=True)
    registry.register(collector)
    hooks[1](flush_delivered())
    values = [registry.get_sample_value("kafka2parquet_tasks", {"sink": sink, "state": "running"}) for sink in ("one", "two")]
    assert [1, 1] == values
    flushes = [
        registry.get_sample_value("kafka2parquet_flushes_total", {"sink": sink, "reason": "rows"}) for sink in ("one", "two")
    ]
    assert [None, 1] == flushes


def test_a_task_alone_can_be_collected() -> None:
    """The status of a single task, without a runner, is enough; the sink is then called like the task."""
    registry = registry_of(lambda: task_status(partition_status(), name="sink"))
    assert 0 == value(registry, "open_rows", topic="events", partition="0")


def test_registering_reads_no_status() -> None:
    """A collector can be registered before the sink has a status, and twice only in different registries."""

    def status() -> RunnerStatus:
        raise AssertionError

    registry = registry_of(status)
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(StatusCollector(status))


def test_promtool_has_no_complaint() -> None:
    """Prometheus's own linter accepts all names, units and help texts, each metric included."""
    hook = PrometheusHook()
    registry = registry_of(lambda: runner_status(task_status(busy_partition())), hook)
    registry.register(FollowerCollector(lambda: table_status(table_partition())))
    hook(flush_delivered())
    text = prometheus_client.generate_latest(registry).decode()
    named = [instrument for instrument in INSTRUMENTS if f"# TYPE {instrument.prometheus_name} {instrument.kind}\n" in text]
    assert list(INSTRUMENTS) == named
    assert "_created" not in text
    checked = promtool("check", "metrics", given=text)
    assert (0, "", "") == (checked.returncode, checked.stdout, checked.stderr)
