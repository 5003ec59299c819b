"""StatusApp: answers HTTP requests about a running sink.

It knows no server and no framework; `server.py`, `asgi.py` and `wsgi.py` do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kafka2parquet.http.base_app import HttpApp, judged
from kafka2parquet.http.connect_rest import ConnectorDescription, ConnectRest, Document
from kafka2parquet.http.health import healthy, live, ready
from kafka2parquet.http.metrics_page import MetricsPage, MetricsRegistry
from kafka2parquet.metrics.reading import StatusSource
from kafka2parquet.status.model import RunnerStatus, as_json
from kafka2parquet.util.arguments import PositiveSeconds, checked
from kafka2parquet.util.secrets import without_credentials

if TYPE_CHECKING:
    from kafka2parquet.metrics.prometheus import StatusCollector

#: How long a driver thread may end no step and count as live, in seconds: the default of Kafka's `max.poll.interval.ms`.
LIVE_LIMIT_S = 300.0


@checked
class StatusApp(HttpApp):
    """Answers HTTP requests about a sink: health, status, metrics, and Kafka Connect's REST API for reading.

    | path       | answer |
    | ---------- | ------ |
    | `/live`    | 200 while each driver thread makes steps, else 503 |
    | `/ready`   | 200 once each task has passed its checks and joined the group, else 503 |
    | `/healthy` | 200 while records become durable in time and no task has failed, else 503 |
    | `/status`  | the status as JSON |
    | `/metrics` | the metrics for Prometheus; 404 if `kafka2parquet[prometheus]` is not installed |

    With a connector's description, it also answers what a Kafka Connect worker answers at `/`, `/connectors` and below,
    `/connector-plugins` and `/health`. Nothing can be changed through it. All methods may be called on any thread.
    """

    def __init__(
        self,
        status: StatusSource,
        *,
        connector: ConnectorDescription | None = None,
        registry: MetricsRegistry | None = None,
        live_limit_s: PositiveSeconds = LIVE_LIMIT_S,
    ) -> None:
        """Set up the answers; nothing is started.

        Args:
            status: returns the current status, on any thread; `TaskRunner.status` and `SinkTask.status` do.
            connector: what Kafka Connect's REST API says about the connector; without it those paths don't exist.
            registry: what `/metrics` shows, mostly a `prometheus_client.CollectorRegistry` with a `StatusCollector`; by default
                the metrics of this sink that its status has.
            live_limit_s: how long a driver thread may end no step and count as live, in seconds. The default is that of
                `max.poll.interval.ms`.
        """
        hide = connector.hide if connector is not None else without_credentials
        super().__init__(MetricsPage(registry, lambda: _collector(status)), hide)
        self._status = status
        self._live_limit_s = live_limit_s
        self._connect = ConnectRest(connector, live_limit_s) if connector is not None else None

    def _document(self, path: Sequence[str], query: Mapping[str, Sequence[str]]) -> Callable[[], Any] | None:
        document = self._of_status(path, query)
        return None if document is None else lambda: document(self._read())

    def _read(self) -> RunnerStatus:
        """Return the current status; that of a task on its own as the status of a runner with one task."""
        found = self._status()
        return found if isinstance(found, RunnerStatus) else RunnerStatus(found.name, found.at, (found,), found.error)

    def _of_status(self, path: Sequence[str], query: Mapping[str, Sequence[str]]) -> Document | None:
        match path:
            case ["live"]:
                return lambda status: judged("live", live(status, self._live_limit_s))
            case ["ready"]:
                return lambda status: judged("ready", ready(status))
            case ["healthy"]:
                return lambda status: judged("healthy", healthy(status))
            case ["status"]:
                return as_json
        if self._connect is None:
            return None
        return self._connect.find(() if path == [""] else path, query)


def _collector(status: StatusSource) -> StatusCollector:
    from kafka2parquet.metrics.prometheus import StatusCollector

    return StatusCollector(status)
