"""Time as an argument: logic asks a `Clock`, never the system."""

from __future__ import annotations

import datetime
import time
from typing import Protocol

import attrs

from kafka2parquet.util.arguments import checked

#: The two times of a clock are read one after the other, and the wall clock may be slewed a little.
_LEAST_JUMP = datetime.timedelta(seconds=1)


class Clock(Protocol):
    """Tells the time. `kafka2parquet.testing.ManualClock` moves only when a test moves it."""

    def now(self) -> datetime.datetime:
        """The wall clock, in UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""


@attrs.frozen
class Instant:
    """A moment, by both times of a clock."""

    wall: datetime.datetime
    monotonic_s: float

    @classmethod
    def of(cls, clock: Clock) -> Instant:
        """The moment that a clock shows."""
        return cls(clock.now(), clock.monotonic())

    def as_seen_at(self, later: Instant) -> datetime.datetime:
        """Return what the wall clock would have shown if it had already been set as it is at a later moment.

        A wall clock may be set forward or back, by a correction or by a restored snapshot. A duration that is
        counted from the returned time keeps its length all the same.
        """
        jump = (later.wall - self.wall) - datetime.timedelta(seconds=later.monotonic_s - self.monotonic_s)
        return self.wall if abs(jump) < _LEAST_JUMP else self.wall + jump


@checked
class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime.datetime:
        """The wall clock, in UTC."""
        return datetime.datetime.now(datetime.timezone.utc)

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return time.monotonic()
