"""StatusApp: answers HTTP requests about a running sink.

It knows no server and no framework; `server.py`, `asgi.py` and `wsgi.py` do.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from kafka2parquet.http.connect_rest import ConnectorDescription, ConnectRest, Document, not_allowed
from kafka2parquet.http.health import Verdict, healthy, live, ready
from kafka2parquet.http.metrics_page import MetricsPage, MetricsRegistry
from kafka2parquet.http.responses import ConnectError, HttpError, Response
from kafka2parquet.metrics.reading import StatusSource
from kafka2parquet.status.model import RunnerStatus, as_json
from kafka2parquet.util.arguments import PositiveSeconds, checked
from kafka2parquet.util.secrets import without_credentials

#: How long a driver thread may end no step and count as live, in seconds: the default of Kafka's `max.poll.interval.ms`.
LIVE_LIMIT_S = 300.0
_LOG = logging.getLogger(__name__)
_METHODS = "HEAD, GET, OPTIONS"


@checked
class StatusApp:
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
        self._status = status
        self._live_limit_s = live_limit_s
        self._metrics = MetricsPage(status, registry)
        self._connect = ConnectRest(connector, live_limit_s) if connector is not None else None
        self._hide = connector.hide if connector is not None else without_credentials

    def respond(self, method: str, path: str, query: str = "", accept: str = "") -> Response:
        """Answer a request. Errors are answers, too; nothing is raised.

        Args:
            method: the request's method.
            path: the path without the query, percent-decoded; below the place where the app is mounted.
            query: the part of the URL after `?`.
            accept: the `Accept` header, from which the format of metrics follows.
        """
        try:
            response = self._response(method, path, query, accept)
        except HttpError as error:
            response = self.error(error)
        except Exception:
            _LOG.exception("%s %s can't be answered", method, path)
            response = self.error(ConnectError(500))
        return response.without_body() if method == "HEAD" else response

    def _response(self, method: str, path: str, query: str, accept: str) -> Response:
        parts = path.removeprefix("/").removesuffix("/").split("/")
        document = self._document(parts, parse_qs(query))
        if document is None and parts != ["metrics"]:
            raise ConnectError(404)
        if method == "OPTIONS":
            return Response.of(_METHODS.encode(), "text/plain", headers={"Allow": _METHODS})
        if method not in ("GET", "HEAD"):
            raise not_allowed()
        if document is None:
            return self._metrics.respond(accept)
        return Response.of_json(self._hidden(document(self._read())))

    def _read(self) -> RunnerStatus:
        """Return the current status; that of a task on its own as the status of a runner with one task."""
        found = self._status()
        return found if isinstance(found, RunnerStatus) else RunnerStatus(found.name, found.at, (found,), found.error)

    def error(self, error: HttpError) -> Response:
        """Return the response that reports an error."""
        return Response.of_json(self._hidden(error.document), status=error.code, headers=error.headers)

    def _document(self, path: Sequence[str], query: Mapping[str, Sequence[str]]) -> Document | None:
        match path:
            case ["live"]:
                return lambda status: _judged("live", live(status, self._live_limit_s))
            case ["ready"]:
                return lambda status: _judged("ready", ready(status))
            case ["healthy"]:
                return lambda status: _judged("healthy", healthy(status))
            case ["status"]:
                return as_json
        if self._connect is None:
            return None
        return self._connect.find(() if path == [""] else path, query)

    def _hidden(self, value: Any) -> Any:
        """Return a JSON value with secrets hidden in all its texts."""
        if isinstance(value, str):
            return self._hide(value)
        if isinstance(value, Mapping):
            return {key: self._hidden(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._hidden(each) for each in value]
        return value


def _judged(question: str, verdict: Verdict) -> dict[str, Any]:
    """Return the document of a question about health.

    Raises:
        HttpError: the answer is no; with the code 503.
    """
    document = {question: bool(verdict), "problems": list(verdict.problems)}
    if not verdict:
        raise HttpError(503, document)
    return document
