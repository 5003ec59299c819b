"""LogWatch: looks up where logs start and end and how long topics keep records, while the poll thread goes on polling.

Only the status of a sink needs these facts. If a broker does not answer, or refuses, the status lacks news and nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from kafka.structs import TopicPartition as KafkaTopicPartition

from kafka2parquet.consumers.base import LogBounds
from kafka2parquet.consumers.retention import retention_request, retentions_ms
from kafka2parquet.records import TopicPartition

_LOG = logging.getLogger(__name__)

_INTERVAL_S = 5.0
_TIMEOUT_MS = 5_000
#: Retention changes rarely, and only by an administrator.
_RETENTION_INTERVAL_S = 300.0
_EARLIEST, _LATEST = -2, -1


class LogWatch:
    """Looks at the logs of assigned partitions every few seconds. All calls come from the poll thread, and none of them blocks.

    kafka-python's blocking methods would hold up polling, so the requests run as coroutines on kafka-python's own thread. Can
    use `beginning_offsets` and `end_offsets` once these have a form that doesn't block.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._look: Any = None
        self._looked_at = -_INTERVAL_S
        self._retention: dict[str, int | None] = {}
        self._retention_at = time.monotonic()
        self.reaches_kafka: bool | None = None
        """Whether the last look succeeded; None before the first one."""

    def news(self, partitions: Collection[TopicPartition]) -> Sequence[LogBounds]:
        """Return what a finished look has found, and start the next look when it is due."""
        now = time.monotonic()
        if self._look is not None:
            return self._take() if self._look.is_done else ()
        if partitions and now - self._looked_at >= _INTERVAL_S:
            self._looked_at = now
            if now - self._retention_at >= _RETENTION_INTERVAL_S:
                self._retention, self._retention_at = {}, now
            names = [KafkaTopicPartition(each.topic, each.partition) for each in partitions]
            try:
                self._look = self._client._net.call_soon_with_future(self._find, names)
            except Exception as error:  # a closing client, or another version of kafka-python
                _LOG.debug("Looking at the logs: %r", error)
        return ()

    def _take(self) -> Sequence[LogBounds]:
        look, self._look = self._look, None
        if look.exception is not None:
            _LOG.debug("Looking at the logs: %r", look.exception)
            self.reaches_kafka = False
            return ()
        self.reaches_kafka = True
        starts, ends = look.value
        return [
            LogBounds(TopicPartition(*name), starts[name].offset, ends[name].offset, self._retention.get(name.topic))
            for name in starts.keys() & ends.keys()
        ]

    # ---- on kafka-python's thread

    async def _find(self, names: Sequence[KafkaTopicPartition]) -> tuple[Mapping[Any, Any], Mapping[Any, Any]]:
        find: Callable[..., Any] = self._client._fetcher._fetch_offsets_by_times_async
        starts = await find(dict.fromkeys(names, _EARLIEST), _TIMEOUT_MS)
        ends = await find(dict.fromkeys(names, _LATEST), _TIMEOUT_MS)
        unknown = {name.topic for name in names} - self._retention.keys()
        if unknown:
            self._retention = {**self._retention, **await self._find_retention(sorted(unknown))}
        return starts, ends

    async def _find_retention(self, topics: Sequence[str]) -> Mapping[str, int | None]:
        """Return how long topics keep records, in milliseconds; None for ever, for compacted topics, and without the right."""
        try:
            response = await self._client._manager.send(retention_request(topics))
        except Exception as error:
            _LOG.debug("Asking for the retention of topics: %r", error)
            return {}
        return retentions_ms(response)
