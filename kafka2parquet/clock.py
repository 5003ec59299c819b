"""Time as an argument: logic asks a `Clock`, never the system."""

from __future__ import annotations

import datetime
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time. `kafka2parquet.testing.ManualClock` moves only when told to."""

    def now(self) -> datetime.datetime:
        """The wall clock, in UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime.datetime:
        """The wall clock, in UTC."""
        return datetime.datetime.now(datetime.timezone.utc)

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return time.monotonic()
