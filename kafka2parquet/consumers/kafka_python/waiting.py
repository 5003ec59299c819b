"""Waiting: logs what the consumer waits for while Kafka keeps a request waiting."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_LOG = logging.getLogger(__name__)
_FIRST_AFTER_S = 5.0
_AGAIN_AFTER_S = 60.0

#: What keeps a group's requests waiting, for messages.
COORDINATOR_ADVICE = (
    "Is the group's coordinator up, and does the topic __consumer_offsets have as many replicas in sync as its"
    " min.insync.replicas asks for?"
)


class Waiting:
    """One thing that is tried again and again until it works."""

    def __init__(self, what: str, advice: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing to wait for.

        Args:
            what: what is waited for, as the object of a sentence.
            advice: where to look for the reason.
            clock: seconds.
        """
        self._what = what
        self._advice = advice
        self._clock = clock
        self._since: float | None = None
        self._warned_at: float | None = None

    def begin(self) -> None:
        """Note that an attempt begins; the first of several attempts counts."""
        if self._since is None:
            self._since = self._clock()

    def failed(self, error: Exception) -> None:
        """Note that an attempt has failed; warns after five seconds, and then once a minute."""
        self.begin()
        now = self._clock()
        waited_s = now - (self._since or now)
        if waited_s < _FIRST_AFTER_S or (self._warned_at is not None and now - self._warned_at < _AGAIN_AFTER_S):
            return
        self._warned_at = now
        _LOG.warning(
            "Waiting for Kafka to %s, for %.0f s so far; still trying, and nothing gets lost or written twice. The last attempt"
            " ended with %r. %s",
            self._what,
            waited_s,
            error,
            self._advice,
        )

    def succeeded(self) -> None:
        """Note that the attempt has succeeded; logs so after a warning."""
        if self._warned_at is not None:
            _LOG.info("Kafka did %s after %.0f s.", self._what, self._clock() - (self._since or 0.0))
        self._since = self._warned_at = None
