"""Metrics of followers of tables: what Prometheus scrapes, and what OpenTelemetry exports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import prometheus_client
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from kafka2parquet.metrics.from_tables import TABLE_INSTRUMENTS
from kafka2parquet.metrics.opentelemetry import observe_follower, observe_status
from kafka2parquet.metrics.prometheus import FollowerCollector, StatusCollector
from kafka2parquet.status import TableStatus
from kafka2parquet.testing import ManualClock
from tests.support.statuses import ago, partition_status, runner_status, table_partition, table_status, task_status

LABELS = {"table": "Iceberg table raw.events", "topic": "events"}
BUSY = table_status(
    table_partition(0, position=80, committed=100, lag_offsets=20),
    table_partition(3, position=50, committed=90, lag_offsets=40, problem="gap: [50, 60) is in no file"),
    files=7,
    rows=1300,
)


def registry_of(*statuses: Callable[[], TableStatus]) -> Any:
    """Returns a registry with a collector of these statuses."""
    registry = prometheus_client.CollectorRegistry()
    registry.register(FollowerCollector(*statuses))
    return registry


def value(registry: Any, name: str, **labels: str) -> float | None:
    """Returns the value of a series of the table; None if there is no such series."""
    found: float | None = registry.get_sample_value(f"kafka2parquet_table_{name}", {**LABELS, **labels})
    return found


def test_values_of_a_topic_partition() -> None:
    """Lag, position and whether it stands still are series of each topic-partition."""
    registry = registry_of(lambda: BUSY)
    names = ("lag_offsets", "position_offset", "partition_blocked")
    assert [20, 80, 0] == [value(registry, name, partition="0") for name in names]
    assert [40, 50, 1] == [value(registry, name, partition="3") for name in names]


def test_values_of_a_table() -> None:
    """The end of the last round, the last transaction, the pause between rounds, answers and sums are series of each table."""
    registry = registry_of(lambda: BUSY)
    expected = {
        "last_round_timestamp_seconds": ago(60).timestamp(),
        "last_transaction_timestamp_seconds": ago(600).timestamp(),
        "interval_seconds": 300.0,
        "up": 1,
        "files_registered_total": 7,
        "rows_registered_total": 1300,
    }
    assert expected == {name: value(registry, name) for name in expected}


def test_unknown_values_have_no_series() -> None:
    """A new follower has only sums, which are 0. A topic-partition without a flush has no lag and no position."""
    new = table_status(
        table_partition(position=None, lag_offsets=None),
        state="starting",
        interval_s=None,
        last_round_at=None,
        last_transaction_at=None,
        up=None,
    )
    registry = registry_of(lambda: new)
    names = ("last_round_timestamp_seconds", "last_transaction_timestamp_seconds", "interval_seconds", "up")
    assert [None] * 4 == [value(registry, name) for name in names]
    assert [None] * 2 == [value(registry, name, partition="0") for name in ("lag_offsets", "position_offset")]
    assert 0 == value(registry, "partition_blocked", partition="0")
    assert [0, 0] == [value(registry, f"{name}_registered_total") for name in ("files", "rows")]


@pytest.mark.parametrize(("up", "expected"), [(True, 1), (False, 0)])
def test_an_outage(up: bool, expected: float) -> None:
    """The table counts as down while a round can't get an answer."""
    assert expected == value(registry_of(lambda: attrs.evolve(BUSY, up=up)), "up")


def test_several_followers_of_a_process() -> None:
    """Followers share a collector, and their series differ in table and topic."""
    registry = registry_of(lambda: BUSY, lambda: attrs.evolve(BUSY, table="Glue table raw.events", rows=5))
    assert 1300 == value(registry, "rows_registered_total")
    assert 5 == value(registry, "rows_registered_total", table="Glue table raw.events")


def test_a_follower_beside_its_sink() -> None:
    """A registry takes the collector of a sink and that of a follower, and registering reads no status."""

    def unread() -> Any:
        raise AssertionError

    registry = prometheus_client.CollectorRegistry(auto_describe=True)
    registry.register(StatusCollector(unread))
    registry.register(FollowerCollector(unread))
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(FollowerCollector(unread))


def test_opentelemetry_has_the_same_values() -> None:
    """Each metric has the same values in OpenTelemetry, with the attributes of the semantic conventions."""
    read: list[int] = []

    def status() -> TableStatus:
        read.append(1)
        return BUSY

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    observe_follower(status, meter_provider=provider, clock=ManualClock())
    observe_status(lambda: runner_status(task_status(partition_status())), meter_provider=provider)
    data: Any = reader.get_metrics_data()
    exported = {metric.name: metric for found in data.resource_metrics for s in found.scope_metrics for metric in s.metrics}
    assert 1 == len(read)
    registry = registry_of(lambda: BUSY)
    attributes = {
        "kafka2parquet.table": "table",
        "messaging.destination.name": "topic",
        "messaging.destination.partition.id": "partition",
    }
    compared = 0
    for instrument in TABLE_INSTRUMENTS:
        for point in exported[instrument.opentelemetry_name].data.data_points:
            labels = {attributes[name]: found for name, found in point.attributes.items()}
            assert registry.get_sample_value(instrument.prometheus_name, labels) == point.value
            compared += 1
    assert 3 * 2 + 6 == compared
