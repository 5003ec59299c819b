"""Clocks. All logic takes the time from a `Clock`, never from the system."""

from __future__ import annotations

import datetime
import time
from typing import Protocol

import attrs

from kafka2parquet.util.arguments import checked

__all__ = [
    "Clock",
    "SystemClock",
]

#: The two times of a clock are read one after the other, and the wall clock may be slewed a little.
_LEAST_JUMP = datetime.timedelta(seconds=1)


def utc_text(moment: datetime.datetime) -> str:
    """Return a moment as an ISO 8601 text in UTC with milliseconds, such as `2026-05-17T10:00:00.000Z`."""
    return moment.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock(Protocol):
    """A source of time. `kafka2parquet.testing.ManualClock` only moves when a test moves it."""

    def now(self) -> datetime.datetime:
        """Return the wall clock, in UTC."""

    def monotonic(self) -> float:
        """Return the seconds since some fixed moment. The result never decreases."""


@attrs.frozen
class Instant:
    """A moment, by both the wall clock and the monotonic clock."""

    wall: datetime.datetime
    monotonic_s: float

    @classmethod
    def of(cls, clock: Clock) -> Instant:
        """Read a clock and return the current moment."""
        return cls(clock.now(), clock.monotonic())

    def as_seen_at(self, later: Instant) -> datetime.datetime:
        """Return the wall-clock time of this moment, corrected by any jump of the wall clock until `later`.

        A correction or a restored snapshot may set a wall clock forward or back. A duration counted from the returned time
        keeps its length.
        """
        jump = (later.wall - self.wall) - datetime.timedelta(seconds=later.monotonic_s - self.monotonic_s)
        return self.wall if abs(jump) < _LEAST_JUMP else self.wall + jump


@checked
class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime.datetime:
        """Return the wall clock, in UTC."""
        return datetime.datetime.now(datetime.timezone.utc)

    def monotonic(self) -> float:
        """Return the seconds since some fixed moment. The result never decreases."""
        return time.monotonic()
