"""The time of a run: a clock that stands still until a step moves it."""

from __future__ import annotations

import datetime

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class StepClock:
    """A `Clock` whose times are set by the steps of a case, and take effect at the next poll."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._next_ms = now_ms
        self._monotonic_ms = 0.0
        self.tick_ms = 0.0
        """How far the monotonic time moves by itself when it is read."""

    @property
    def now_ms(self) -> int:
        """The wall clock in milliseconds since the epoch."""
        return self._now_ms

    def now(self) -> datetime.datetime:
        """See `Clock.now`."""
        return _EPOCH + datetime.timedelta(milliseconds=self._now_ms)

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        self._monotonic_ms += self.tick_ms
        return self._monotonic_ms / 1000

    def set(self, now_ms: int) -> None:
        """Sets the time for the next poll."""
        self._next_ms = now_ms

    def advance(self, milliseconds: int) -> None:
        """Lets the time pass at the next poll."""
        self._next_ms += milliseconds

    def apply(self) -> None:
        """Applies the changes of the steps, as a poll does."""
        self._monotonic_ms += max(0, self._next_ms - self._now_ms)
        self._now_ms = self._next_ms
