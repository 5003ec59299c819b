"""What OpenTelemetry exports: the same instruments as Prometheus, and the names of the semantic conventions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from kafka2parquet.events import FilePublished, RecordRejected
from kafka2parquet.metrics.opentelemetry import OpenTelemetryHook, observe_status
from kafka2parquet.metrics.table import INSTRUMENTS
from kafka2parquet.records import Reject, Stage, TopicPartition
from kafka2parquet.status import KafkaStatus, RunnerStatus, Totals
from kafka2parquet.testing import ManualClock
from tests.support.statuses import NOW, flush_delivered, partition_status, runner_status, task_status

ZERO = TopicPartition("events", 0)
PLACE = {"messaging.destination.name": "events", "messaging.destination.partition.id": "0"}
SINK = {"kafka2parquet.sink": "sink"}


class Exported:
    """A meter provider, and what it exports."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader])

    def metrics(self) -> dict[str, Any]:
        """Exports once, and returns the metrics by name."""
        data: Any = self._reader.get_metrics_data()
        if data is None:
            return {}
        return {metric.name: metric for r in data.resource_metrics for s in r.scope_metrics for metric in s.metrics}

    def value(self, name: str, attributes: dict[str, str]) -> Any:
        """Exports once, and returns the value of a series."""
        points = self.metrics()[name].data.data_points
        (found,) = [point for point in points if dict(point.attributes) == attributes]
        return found.value if hasattr(found, "value") else (found.count, found.sum)


@pytest.fixture
def exported() -> Exported:
    """A meter provider without instruments."""
    return Exported()


def observed(exported: Exported, status: Callable[[], RunnerStatus]) -> ManualClock:
    """Observes a status, and returns the clock that decides when it is read again."""
    clock = ManualClock()
    observe_status(status, meter_provider=exported.provider, clock=clock)
    return clock


def test_values_of_the_status(exported: Exported) -> None:
    """Gauges have the topic-partition as attributes of the semantic conventions."""
    observed(exported, lambda: runner_status(task_status(partition_status(durable_lag_s=7.5, open_rows=3))))
    assert 7.5 == exported.value("kafka2parquet.durable_lag", {**SINK, **PLACE})
    assert 3 == exported.value("kafka2parquet.open_rows", {**SINK, **PLACE})
    assert 1 == exported.value("kafka2parquet.tasks", {**SINK, "kafka2parquet.state": "running"})


def test_consumed_messages_have_the_name_of_the_conventions(exported: Exported) -> None:
    """Records that were read are the conventions' consumed messages, by consumer group."""
    totals = Totals(records=12)
    observed(exported, lambda: runner_status(task_status(totals=totals, name="a"), task_status(totals=totals, name="b")))
    expected = {
        "messaging.system": "kafka",
        "messaging.operation.name": "poll",
        "messaging.consumer.group.name": "connect-sink",
    }
    assert 24 == exported.value("messaging.client.consumed.messages", expected)


def test_the_status_is_read_once_for_an_export(exported: Exported) -> None:
    """All instruments of an export see the same status, and the next export sees a new one."""
    read: list[int] = []

    def status() -> RunnerStatus:
        read.append(1)
        return runner_status(task_status(partition_status(open_rows=len(read))))

    clock = observed(exported, status)
    assert 1 == exported.value("kafka2parquet.open_rows", {**SINK, **PLACE})
    assert 1 == len(read)
    clock.advance(1.0)
    assert 2 == exported.value("kafka2parquet.open_rows", {**SINK, **PLACE})


def test_counters_never_decrease(exported: Exported) -> None:
    """If a task is replaced, its counts stay in the sum."""
    first = task_status(totals=Totals(files=1, records=10), kafka=KafkaStatus(rebalances=3))
    statuses = [first, attrs.evolve(first, started_at=NOW, totals=Totals(records=1), kafka=KafkaStatus(rebalances=1))]
    clock = observed(exported, lambda: runner_status(statuses[0]))
    assert 10 == exported.value("kafka2parquet.records_read", SINK)
    del statuses[0]
    clock.advance(1.0)
    assert 11 == exported.value("kafka2parquet.records_read", SINK)


def test_hook_counts_events(exported: Exported) -> None:
    """The hook adds to counters and histograms, with labels as attributes."""
    hook = OpenTelemetryHook(meter_provider=exported.provider, sink="sink")
    hook(flush_delivered())
    hook(FilePublished(ZERO, "a.parquet", 10, 3000, True, True))
    hook(RecordRejected(ZERO, Reject(ZERO, 3, Stage.DECODE, "not JSON")))
    assert 1 == exported.value("kafka2parquet.flushes", {**SINK, "kafka2parquet.reason": "rows"})
    assert (1, 3000) == exported.value("kafka2parquet.file_size", SINK)
    assert 1 == exported.value("kafka2parquet.records_rejected", {**SINK, "kafka2parquet.stage": "decode"})
    assert 0 == exported.value("kafka2parquet.records_rejected", {**SINK, "kafka2parquet.stage": "write"})


def test_durations_have_the_names_of_the_conventions(exported: Exported) -> None:
    """Both commits of a flush are operations of the client, and the flush itself is processing."""
    hook = OpenTelemetryHook(meter_provider=exported.provider)
    hook(flush_delivered(stage_s=1.0, intent_s=0.5, publish_s=3.0, commit_s=0.25))
    kafka = {"messaging.system": "kafka", **PLACE}
    assert (2, 0.75) == exported.value("messaging.client.operation.duration", {**kafka, "messaging.operation.name": "commit"})
    assert (1, 4.75) == exported.value("messaging.process.duration", {**kafka, "messaging.operation.name": "flush"})


def test_span_of_a_flush() -> None:
    """A flush is a separate trace: a span of the delivery, which ends with the commit, and a child for each step in order."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    hook = OpenTelemetryHook(tracer_provider=provider)
    with provider.get_tracer("application").start_as_current_span("startup"):
        hook(flush_delivered(stage_s=1.0, intent_s=0.5, publish_s=3.0, commit_s=0.25))
    *steps, flush, _ = exporter.get_finished_spans()
    assert ["stage", "intent", "publish", "commit"] == [step.name for step in steps]
    assert [1.0, 0.5, 3.0, 0.25] == [((step.end_time or 0) - (step.start_time or 0)) / 1e9 for step in steps]
    assert [step.start_time for step in [*steps[1:], flush]] == [*(step.end_time for step in steps[:-1]), steps[0].start_time]
    assert (flush.end_time or 0) == steps[-1].end_time == round(NOW.timestamp() * 1e9)
    assert ("flush events", None) == (flush.name, flush.parent)
    assert {flush.context.span_id} == {step.parent.span_id for step in steps if step.parent is not None}
    expected = {"messaging.kafka.offset": 0, "kafka2parquet.end_offset": 10, "kafka2parquet.reason": "rows"}
    assert expected == {name: (flush.attributes or {})[name] for name in expected}


def test_buckets_are_those_of_the_table(exported: Exported) -> None:
    """A histogram has the bounds of the table, unless a view of the application changes them."""
    hook = OpenTelemetryHook(meter_provider=exported.provider)
    hook(FilePublished(ZERO, "a.parquet", 10, 3000, True, True))
    (expected,) = [instrument.buckets for instrument in INSTRUMENTS if instrument.name == "file_rows"]
    (point,) = exported.metrics()["kafka2parquet.file_rows"].data.data_points
    assert expected == tuple(point.explicit_bounds)


def test_names_differ_and_have_no_unit() -> None:
    """No two instruments share a name in either system, and OpenTelemetry's names end in neither `seconds` nor `total`."""
    for names in (
        [instrument.prometheus_name for instrument in INSTRUMENTS],
        [instrument.opentelemetry_name for instrument in INSTRUMENTS],
    ):
        assert len(set(names)) == len(names)
    assert [] == [each.opentelemetry_name for each in INSTRUMENTS if each.opentelemetry_name.endswith(("_seconds", "_total"))]


def test_without_an_sdk_nothing_happens() -> None:
    """With the API alone, instruments can be created and do nothing."""
    observe_status(lambda: runner_status())
    OpenTelemetryHook()(flush_delivered())
