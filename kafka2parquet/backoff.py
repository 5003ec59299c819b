"""How long to wait before something that failed is tried again: two policies, and the state of one series of attempts."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

import attrs

from kafka2parquet.clock import Clock
from kafka2parquet.errors import TransientError
from kafka2parquet.util.arguments import PositiveSeconds, Seconds, checked

_FIRST_CONVERTER_PAUSE_S = 0.3
#: Doublings after which any pause is longer than the longest one that can be set.
_MOST_DOUBLINGS = 62


class Backoff(Protocol):
    """Decides how long to wait before an operation that failed is tried again, and when to give up."""

    def pause_s(self, attempt: int, elapsed_s: float) -> float | None:
        """How long to wait after a failed attempt.

        Args:
            attempt: number of the failed attempt, counted from 1.
            elapsed_s: seconds since the first attempt began.

        Returns:
            Seconds until the next attempt; None to give up.
        """


@checked
@attrs.frozen
class RetryPolicy:
    """How often a call is repeated while the store is down: exponential back-off with full jitter.

    Attributes:
        first_s: upper bound of the first pause, in seconds; it doubles with each attempt.
        longest_s: upper bound of any pause.
        limit_s: when to give up, in seconds; None for never.
    """

    first_s: PositiveSeconds = 0.5
    longest_s: PositiveSeconds = 30.0
    limit_s: Seconds | None = None

    def pause_s(self, attempt: int, elapsed_s: float) -> float | None:
        """See `Backoff.pause_s`."""
        if self.limit_s is not None and elapsed_s >= self.limit_s:
            return None
        bound = min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, 30))
        return random.uniform(bound / 4, bound)  # noqa: S311  # spreads load, no secret


def _below(limit_s: float) -> float:
    return random.uniform(0, limit_s)  # noqa: S311  # spreads load, no secret


@checked
@attrs.frozen
class ConverterRetry:
    """Kafka Connect's pauses for errors that pass, such as a schema registry that is down (`errors.retry.*`).

    The first pause is 300 ms, and each one is twice as long as the one before it. Instead of a pause longer than `longest_s`,
    a random one below that is taken, so that many tasks don't ask at the same moment (`RetryWithToleranceOperator.backoff`).

    When the time is over, Connect drops the record, whatever `errors.tolerance` says. This class never rejects a record because
    a service was down: with a limit, the task ends with the error, and nothing is committed.

    Attributes:
        timeout_s: when to give up, in seconds; None for never.
        longest_s: the longest pause, in seconds.
        random_below: returns a random number of seconds in [0, n); for tests.
    """

    timeout_s: Seconds | None = None
    longest_s: PositiveSeconds = 60.0
    random_below: Callable[[float], float] = attrs.field(default=_below, repr=False, eq=False)

    def pause_s(self, attempt: int, elapsed_s: float) -> float | None:
        """See `Backoff.pause_s`. A pause ends at the latest when the time is over."""
        left_s = self.timeout_s - elapsed_s if self.timeout_s is not None else None
        if left_s is not None and left_s <= 0:
            return None
        pause_s = _FIRST_CONVERTER_PAUSE_S * 2.0 ** min(attempt - 1, _MOST_DOUBLINGS)
        if pause_s > self.longest_s:
            pause_s = self.random_below(self.longest_s)
        return pause_s if left_s is None else min(pause_s, left_s)


class Retrying:
    """Counts the attempts of one operation that is repeated after TransientErrors, and decides when the next one is due."""

    def __init__(self, policy: Backoff, clock: Clock) -> None:
        """Begin before the first attempt.

        Args:
            policy: decides about pauses.
            clock: its monotonic time counts.
        """
        self.attempt = 0
        """Failed attempts since the last success."""
        self._policy = policy
        self._clock = clock
        self._began_s: float | None = None
        self._resume_at_s = 0.0

    @property
    def is_due(self) -> bool:
        """Whether the pause is over, or nothing has failed."""
        return not self.attempt or self._clock.monotonic() >= self._resume_at_s

    def begin(self) -> None:
        """Counts the policy's time from now on. Without this call, the time counts from the first failure."""
        self._began_s = self._clock.monotonic()

    def succeeded(self) -> None:
        """Forgets the failed attempts."""
        self.attempt = 0
        self._began_s = None

    def failed(self, error: TransientError) -> float:
        """Counts a failed attempt. Returns the pause before the next one, in seconds: at least as long as the error asks for.

        Raises:
            TransientError: `error`, when the policy gives up.
        """
        now_s = self._clock.monotonic()
        if self._began_s is None:
            self._began_s = now_s
        self.attempt += 1
        pause_s = self._policy.pause_s(self.attempt, now_s - self._began_s)
        if pause_s is None:
            raise error
        pause_s = max(pause_s, error.retry_after_s or 0.0)
        self._resume_at_s = now_s + pause_s
        return pause_s
