"""FollowerApp: answers HTTP requests about followers of tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kafka2parquet.http.base_app import HttpApp, judged
from kafka2parquet.http.follower_health import healthy, live, ready
from kafka2parquet.http.metrics_page import MetricsPage, MetricsRegistry
from kafka2parquet.metrics.reading import TableStatusSource
from kafka2parquet.status import TableStatus
from kafka2parquet.status.model import JSON_VERSION, as_json
from kafka2parquet.util.arguments import PositiveSeconds, checked
from kafka2parquet.util.secrets import without_credentials

if TYPE_CHECKING:
    from kafka2parquet.metrics.prometheus import FollowerCollector

#: How long a follower may end no step besides its pause between rounds, in seconds. Reading the footers of a large transaction
#: from a slow store takes minutes.
_LIVE_LIMIT_S = 1800.0


@checked
class FollowerApp(HttpApp):
    """Answers HTTP requests about one or several followers of tables: health, status and metrics.

    | path       | answer |
    | ---------- | ------ |
    | `/live`    | 200 while each follower ends steps and none has failed, else 503 |
    | `/ready`   | 200 once each follower has read its table's positions, else 503 |
    | `/healthy` | 200 while rounds are completed in time and no topic-partition stands still, else 503 |
    | `/status`  | the status of each follower as JSON |
    | `/metrics` | the metrics for Prometheus; 404 if `kafka2parquet[prometheus]` is not installed |

    Nothing can be changed through it. All methods may be called on any thread.
    """

    def __init__(
        self,
        *statuses: TableStatusSource,
        registry: MetricsRegistry | None = None,
        live_limit_s: PositiveSeconds = _LIVE_LIMIT_S,
        hide: Callable[[str], str] = without_credentials,
    ) -> None:
        """Set up the answers; nothing is started.

        Args:
            statuses: each returns the current status of one follower, on any thread; `CatalogFollower.status` does. No two
                followers may have the same table and topic.
            registry: what `/metrics` shows, mostly a `prometheus_client.CollectorRegistry` with a `FollowerCollector`; by
                default the metrics of these followers.
            live_limit_s: how long a follower may end no step and count as live, in seconds, besides its pause between rounds.
            hide: hides secrets in the texts of errors; by default the credentials that can be recognized.
        """
        super().__init__(MetricsPage(registry, lambda: _collector(statuses)), hide)
        self._statuses = statuses
        self._live_limit_s = live_limit_s

    def _document(self, path: Sequence[str], query: Mapping[str, Sequence[str]]) -> Callable[[], Any] | None:
        match path:
            case ["live"]:
                return lambda: judged("live", live(self._read(), self._live_limit_s))
            case ["ready"]:
                return lambda: judged("ready", ready(self._read()))
            case ["healthy"]:
                return lambda: judged("healthy", healthy(self._read()))
            case ["status"]:
                return lambda: {"version": JSON_VERSION, "tables": [as_json(status) for status in self._read()]}
        return None

    def _read(self) -> Sequence[TableStatus]:
        return [status() for status in self._statuses]


def _collector(statuses: Sequence[TableStatusSource]) -> FollowerCollector:
    from kafka2parquet.metrics.prometheus import FollowerCollector

    return FollowerCollector(*statuses)
