"""WaitLog: warns while a request to Kafka fails again and again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_LOG = logging.getLogger(__name__)
_FIRST_AFTER_S = 5.0
_AGAIN_AFTER_S = 60.0

#: Advice for messages: what may delay a group's requests.
COORDINATOR_ADVICE = (
    "Is the group's coordinator up, and does the topic __consumer_offsets have as many replicas in sync as its"
    " min.insync.replicas requires?"
)


class WaitLog:
    """Logs the attempts of one action that is repeated until it succeeds."""

    def __init__(self, what: str, advice: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without an attempt.

        Args:
            what: what Kafka has to do, as a verb phrase for the message.
            advice: where to look for the cause.
            clock: returns monotonic seconds.
        """
        self._what = what
        self._advice = advice
        self._clock = clock
        self._since: float | None = None
        self._warned_at: float | None = None

    def begin(self) -> None:
        """Record that an attempt begins. The first of several attempts counts as the start of the wait."""
        if self._since is None:
            self._since = self._clock()

    def failed(self, error: Exception) -> None:
        """Record that an attempt failed. Warns after five seconds, and then once a minute."""
        self.begin()
        now = self._clock()
        waited_s = now - (self._since or now)
        if waited_s < _FIRST_AFTER_S or (self._warned_at is not None and now - self._warned_at < _AGAIN_AFTER_S):
            return
        self._warned_at = now
        _LOG.warning(
            "Waiting for Kafka to %s, for %.0f s so far; still trying, and nothing is lost or written twice. The last attempt"
            " failed with %r. %s",
            self._what,
            waited_s,
            error,
            self._advice,
        )

    def succeeded(self) -> None:
        """Record that the attempt succeeded. Logs the success if there was a warning before."""
        if self._warned_at is not None:
            _LOG.info("No longer waiting for Kafka to %s; that took %.0f s.", self._what, self._clock() - (self._since or 0.0))
        self._since = self._warned_at = None
