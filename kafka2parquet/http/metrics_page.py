"""The page that Prometheus scrapes, if prometheus-client is installed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from kafka2parquet.http.responses import ConnectError, Response

_NOT_INSTALLED = "HTTP 404 Not Found. Metrics need prometheus-client: pip install kafka2parquet[prometheus]"


class MetricsRegistry(Protocol):
    """A `prometheus_client.CollectorRegistry`, or anything else with metrics of that library."""

    def collect(self) -> Iterable[Any]:
        """Return the metrics, on any thread."""


class MetricsPage:
    """Writes the metrics of a registry in the format that the client accepts."""

    def __init__(self, registry: MetricsRegistry | None, make_collector: Callable[[], Any]) -> None:
        """Set up the page.

        Args:
            registry: the metrics to show; None shows those of the collector.
            make_collector: returns a collector of prometheus-client. Called only if that library is installed.
        """
        self._given = registry
        self._make_collector = make_collector

    @functools.cached_property
    def _registry(self) -> MetricsRegistry | None:
        """The metrics to show, made when they are first asked for; None if prometheus-client is not installed."""
        return self._given if self._given is not None else _registry_of(self._make_collector)

    def respond(self, accept: str) -> Response:
        """Return the page.

        Args:
            accept: the request's `Accept` header.

        Raises:
            ConnectError: prometheus-client is not installed; with the code 404.
        """
        if self._registry is None:
            raise ConnectError(404, _NOT_INSTALLED)
        from prometheus_client.exposition import choose_encoder

        encode, content_type = choose_encoder(accept)
        return Response.of(encode(self._registry), content_type)


def _registry_of(make_collector: Callable[[], Any]) -> MetricsRegistry | None:
    """Return a registry with the metrics of a collector; None if prometheus-client is not installed."""
    try:
        from prometheus_client import CollectorRegistry
    except ImportError:
        return None
    registry = CollectorRegistry()
    registry.register(make_collector())
    return registry
