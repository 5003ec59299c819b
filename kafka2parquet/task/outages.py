"""Logs of outages: failed calls of the store and of a schema registry, and when it answers again."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping

import attrs

from kafka2parquet.events import ConverterRetried, StorageRetried
from kafka2parquet.records import TopicPartition
from kafka2parquet.status.recorder import reason_of

_LOG = logging.getLogger(__name__)
_SHORTEST_PAUSE = datetime.timedelta(minutes=1)
_LONGEST_PAUSE = datetime.timedelta(minutes=10)
_NAMES = {"storage": "The store", "registry": "The schema registry"}


class OutageLog:
    """Logs the outages that one task waits for. Belongs to the thread that drives the task.

    Many topic-partitions wait for one store, and each of them tries again. The first failed attempt of an outage is logged as a
    warning, and so is one after each pause. Pauses grow from one minute to ten. All others are logged at level DEBUG.
    """

    def __init__(self) -> None:
        self._outages: dict[str, _Outage] = {}

    def failed(self, event: StorageRetried | ConverterRetried) -> None:
        """Log a failed attempt. The log record carries the event, so that a log in JSON has its fields."""
        outage = self._outages.setdefault(reason_of(event), _Outage(event.at))
        outage.waiting.add(event.topic_partition)
        _LOG.log(
            logging.WARNING if outage.is_due(event.at) else logging.DEBUG,
            "%s: attempt %d failed, next in %.1f s: %s",
            event.topic_partition,
            event.attempt,
            event.retry_in_s,
            event.error,
            extra={"event": event},
        )

    def look(self, reasons: Mapping[TopicPartition, str | None], now: datetime.datetime) -> None:
        """Log the end of each outage whose topic-partitions wait for nothing any more.

        Args:
            reasons: what each assigned topic-partition waits for: of two outages, the one whose attempt failed last.
            now: the time.
        """
        for reason, outage in [*self._outages.items()]:
            if not any(reasons.get(topic_partition) for topic_partition in outage.waiting):
                del self._outages[reason]
                if outage.waiting & reasons.keys():  # otherwise all of them have gone to other tasks
                    lasted_s = (now - outage.began_at).total_seconds()
                    _LOG.info("%s answers again, after %.1f s.", _NAMES[reason], lasted_s)

    @property
    def is_quiet(self) -> bool:
        """Whether there is no outage."""
        return not self._outages


@attrs.define
class _Outage:
    """An outage: when it began, and who has waited for its end."""

    began_at: datetime.datetime
    waiting: set[TopicPartition] = attrs.Factory(set)
    _next_line_at: datetime.datetime | None = None
    _pause: datetime.timedelta = _SHORTEST_PAUSE

    def is_due(self, now: datetime.datetime) -> bool:
        """Return whether a line is due; the next one is due after the pause."""
        if self._next_line_at is not None:
            if now < self._next_line_at:
                return False
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._next_line_at = now + self._pause
        return True
