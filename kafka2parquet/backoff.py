"""ConverterRetry: how long to wait before a converter is asked again that could not reach what it needs."""

from __future__ import annotations

import random
from collections.abc import Callable

import attrs

from kafka2parquet.util.arguments import Count, checked

_FIRST_PAUSE_MS = 300
#: Doublings after which any pause is longer than the longest one that can be set.
_MOST_DOUBLINGS = 62


def _below(limit_ms: int) -> int:
    return random.randrange(limit_ms)  # noqa: S311  # spreads load, no secret


@checked
@attrs.frozen
class ConverterRetry:
    """Kafka Connect's pauses for errors that pass, such as a schema registry that is down (`errors.retry.*`).

    300 ms, doubled with each attempt; beyond the longest pause a random one below it, so that many tasks don't ask at the
    same moment (`RetryWithToleranceOperator.backoff`).

    What Connect does when the time is over is not done here: it drops the record, whatever `errors.tolerance` says. A record
    is never rejected because something was down; whoever sets a limit gets the error, and nothing is committed.

    Attributes:
        timeout_ms: when to give up, in milliseconds; negative for never.
        longest_ms: the longest pause, in milliseconds.
        random_below: a random number of [0, n); for tests.
    """

    timeout_ms: int = -1
    longest_ms: Count = 60_000
    random_below: Callable[[int], int] = attrs.field(default=_below, repr=False, eq=False)

    def pause_ms(self, attempt: int, elapsed_ms: int) -> int | None:
        """How long to wait after a failed attempt.

        Args:
            attempt: its number, counted from 1.
            elapsed_ms: since the first attempt began, in milliseconds.

        Returns:
            Milliseconds until the next attempt, clipped to the time that is left; None when none is left.
        """
        left_ms = self.timeout_ms - elapsed_ms if self.timeout_ms >= 0 else None
        if left_ms is not None and left_ms <= 0:
            return None
        pause_ms = _FIRST_PAUSE_MS << min(attempt - 1, _MOST_DOUBLINGS)
        if pause_ms > self.longest_ms:
            pause_ms = self.random_below(self.longest_ms)
        return pause_ms if left_ms is None else min(pause_ms, left_ms)
