"""ManualClock moves only when a test moves it."""

from __future__ import annotations

import datetime
from typing import Annotated

from kafka2parquet.util.arguments import checked


class _HasTimeZone:
    def unmet(self, value: datetime.datetime) -> str | None:
        return None if value.tzinfo is not None else "a datetime.datetime with a time zone"


_Moment = Annotated[datetime.datetime, _HasTimeZone()]


@checked
class ManualClock:
    """A `Clock` for tests. Wall clock and monotonic time move only by `advance`; `set` moves the wall clock alone."""

    def __init__(self, now: _Moment = datetime.datetime(2026, 5, 17, 10, tzinfo=datetime.timezone.utc)) -> None:
        self._now = now
        self._monotonic_s = 0.0

    def now(self) -> datetime.datetime:
        """Return the wall clock time, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds that `advance` has added since the clock was made."""
        return self._monotonic_s

    def set(self, now: datetime.datetime) -> None:
        """Set the wall clock, as an administrator does. The monotonic time stays the same."""
        self._now = now

    def advance(self, seconds: float) -> None:
        """Move both times forward by `seconds`."""
        self._now += datetime.timedelta(seconds=seconds)
        self._monotonic_s += seconds
