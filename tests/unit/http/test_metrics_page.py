"""The page of metrics: any registry, in the format that the client asks for."""

from __future__ import annotations

import json
import sys

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from kafka2parquet.http import StatusApp
from kafka2parquet.status import RunnerStatus
from tests.support.statuses import partition_status, runner_status, task_status

STATUS = runner_status(task_status(partition_status()), name="orders-to-s3")


def test_a_registry_of_the_application() -> None:
    """The page shows the metrics of the given registry, and reads the status only if a collector in it does."""
    registry = CollectorRegistry()
    Gauge("answers", "Answers.", registry=registry).set(42)
    response = StatusApp(_unread, registry=registry).respond("GET", "/metrics")
    (family,) = text_string_to_metric_families(response.body.decode())
    assert (200, "answers", 42.0) == (response.status, family.name, family.samples[0].value)
    assert response.headers["Content-Type"].startswith("text/plain; version=")


def _unread() -> RunnerStatus:
    raise AssertionError("the status was read")


def test_the_client_chooses_the_format() -> None:
    """A client that prefers OpenMetrics gets OpenMetrics; the content type says so."""
    registry = CollectorRegistry()
    Gauge("answers", "Answers.", registry=registry).set(42)
    app = StatusApp(lambda: STATUS, registry=registry)
    response = app.respond("GET", "/metrics", accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    (family,) = parse_openmetrics(response.body.decode())
    assert ("answers", 42.0) == (family.name, family.samples[0].value)
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")


def test_the_metrics_of_the_sink() -> None:
    """Without a registry, the page shows the metrics of the sink's status."""
    response = StatusApp(lambda: STATUS).respond("GET", "/metrics")
    families = {family.name: family for family in text_string_to_metric_families(response.body.decode())}
    (sample,) = families["kafka2parquet_committed_offset"].samples
    assert (100.0, "orders-to-s3", "events", "0") == (
        sample.value,
        sample.labels["sink"],
        sample.labels["topic"],
        sample.labels["partition"],
    )


def test_without_prometheus_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the page doesn't exist, and says what to install; everything else works."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    app = StatusApp(lambda: STATUS)
    response = app.respond("GET", "/metrics")
    message = "HTTP 404 Not Found. Metrics need prometheus-client: pip install kafka2parquet[prometheus]"
    assert (404, {"error_code": 404, "message": message}) == (response.status, json.loads(response.body))
    assert 200 == app.respond("GET", "/status").status


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("OPTIONS", 200), ("POST", 405)])
def test_methods(method: str, status: int) -> None:
    """Other methods are answered as for the other paths."""
    app = StatusApp(lambda: STATUS, registry=CollectorRegistry())
    assert status == app.respond(method, "/metrics").status
