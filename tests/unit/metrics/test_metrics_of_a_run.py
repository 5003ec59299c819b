"""Metrics of a sink in memory: the counts of events agree with the sums of the status, and with what was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import prometheus_client
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from kafka2parquet.metrics.opentelemetry import OpenTelemetryHook, observe_status
from kafka2parquet.metrics.prometheus import PrometheusHook, StatusCollector
from kafka2parquet.metrics.table import SINK_INSTRUMENTS
from tests.support.sink_world import SinkWorld

ROWS, REJECTS = 95, 5


class MeasuredRun:
    """A run of a sink over good and bad records, with both hooks."""

    def __init__(self) -> None:
        self.world = SinkWorld()
        self.world.append(*[b'{"n":1}'] * ROWS, *[b"not JSON"] * REJECTS)
        reader = InMemoryMetricReader()
        provider = MeterProvider([reader])
        tracer_provider, self.spans = TracerProvider(), InMemorySpanExporter()
        tracer_provider.add_span_processor(SimpleSpanProcessor(self.spans))
        prometheus_hook = PrometheusHook()
        hooks = [prometheus_hook, OpenTelemetryHook(meter_provider=provider, tracer_provider=tracer_provider)]
        task = self.world.task(hooks=hooks, tolerance="skip", quarantine=True)
        observe_status(task.status, meter_provider=provider)
        self.world.step_until(task, lambda: self.world.committed == 90)
        task.close()
        self.counted = self._sums(StatusCollector(task.status, prometheus_hook))
        self.of_status = self._sums(StatusCollector(task.status))
        data: Any = reader.get_metrics_data()
        (scope,) = data.resource_metrics[0].scope_metrics
        self.exported = {metric.name: metric.data.data_points for metric in scope.metrics}

    @staticmethod
    def _sums(collector: StatusCollector) -> dict[str, float]:
        """Returns the sum of each metric over all series."""
        registry = prometheus_client.CollectorRegistry()
        registry.register(collector)
        sums: dict[str, float] = {}
        for family in registry.collect():
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0) + sample.value
        return sums


@pytest.fixture(scope="module")
def run() -> Iterator[MeasuredRun]:
    """Runs the sink once for all tests."""
    made = MeasuredRun()
    yield made
    made.world.close()


@pytest.mark.parametrize("name", [each.prometheus_name for each in SINK_INSTRUMENTS if each.from_status and each.from_events])
def test_counts_of_events_agree_with_the_status(run: MeasuredRun, name: str) -> None:
    """The hook's counts add up to the sum that the status has, so that applications without the hook see the same."""
    assert 0 < run.of_status[name] == run.counted[name]


def test_counts_agree_with_what_was_written(run: MeasuredRun) -> None:
    """Rows, files and bytes are those of the store."""
    objects = [stored for key, stored in run.world.storage.objects.items() if key.endswith(".parquet")]
    expected = {
        "kafka2parquet_records_read_total": ROWS + REJECTS,
        "kafka2parquet_rows_committed_total": ROWS + REJECTS,
        "kafka2parquet_records_rejected_total": REJECTS,
        "kafka2parquet_files_published_total": len(objects),
        "kafka2parquet_file_size_bytes_count": len(objects),
        "kafka2parquet_file_rows_sum": ROWS + REJECTS,
    }
    assert expected == {name: run.counted[name] for name in expected}
    assert run.counted["kafka2parquet_file_bytes_total"] == run.counted["kafka2parquet_file_size_bytes_sum"] > 0
    assert run.counted["kafka2parquet_flushes_total"] == run.counted["kafka2parquet_visibility_delay_seconds_count"]


def test_both_libraries_export_the_same(run: MeasuredRun) -> None:
    """Each counter and each histogram has the same sum in OpenTelemetry as in Prometheus."""
    compared = 0
    for instrument in SINK_INSTRUMENTS:
        if instrument.kind != "gauge":
            points = run.exported[instrument.opentelemetry_name]
            suffix = "" if instrument.kind == "counter" else "_sum"
            found = sum(point.value if instrument.kind == "counter" else point.sum for point in points)
            assert found == pytest.approx(run.counted[f"{instrument.prometheus_name}{suffix}"]), instrument.name
            compared += 1
    assert compared > 10


def test_each_flush_is_a_trace(run: MeasuredRun) -> None:
    """The traces cover the whole range of offsets, one flush after the other, and each flush has its four steps."""
    spans = run.spans.get_finished_spans()
    flushes = [dict(span.attributes or {}) for span in spans if span.parent is None]
    starts = [flush["messaging.kafka.offset"] for flush in flushes]
    ends = [flush["kafka2parquet.end_offset"] for flush in flushes]
    assert (0, ROWS + REJECTS) == (starts[0], ends[-1])
    assert starts[1:] == ends[:-1]
    assert run.counted["kafka2parquet_flushes_total"] == len(flushes)
    assert 5 * len(flushes) == len(spans)
