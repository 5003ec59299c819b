"""How far a run that ends has come, and how long it will still take."""

from __future__ import annotations

import attrs

from kafka2parquet.util.display import counted, duration


@attrs.frozen
class DrainProgress:
    """How far a run has come. Offsets are counted, whether they have a record or not.

    Attributes:
        offsets: the offsets in all ranges.
        durable: those before which everything is published and committed.
        taken: those that were read, durable or not.
        durable_at_start: those that earlier runs had made durable.
        elapsed_s: seconds since this run started.
    """

    offsets: int
    durable: int
    taken: int
    durable_at_start: int
    elapsed_s: float

    @property
    def share(self) -> float:
        """The durable share of the ranges, from 0 to 1."""
        return self.durable / self.offsets if self.offsets else 1.0

    @property
    def offsets_per_s(self) -> float:
        """Offsets that this run has read in a second, on average."""
        return (self.taken - self.durable_at_start) / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """An estimate of the seconds until everything is read; None before anything was."""
        return (self.offsets - self.taken) / self.offsets_per_s if self.offsets_per_s > 0 else None

    def __str__(self) -> str:
        """One line for people, such as `62 % of 2,000,000 offsets are durable, 71 % are read; 31,250/s, about 19s left`."""
        are = "is" if self.offsets == 1 else "are"
        if self.durable >= self.offsets:
            return f"100 % of {counted(self.offsets, 'offset')} {are} durable"
        read = self.taken / self.offsets
        left = "" if self.left_s is None else f"; {self.offsets_per_s:,.0f}/s, about {duration(self.left_s)} left"
        return f"{_percent(self.share)} of {counted(self.offsets, 'offset')} {are} durable, {_percent(read)} {are} read{left}"


def _percent(share: float) -> str:
    return f"{min(99, int(share * 100))} %" if share < 1 else "100 %"
