"""The leader epochs of a log: which leader appended what, and where a truncated log differs from what was read before."""

from __future__ import annotations

import bisect

import attrs


@attrs.define(eq=False)
class LeaderEpochs:
    """Where each leader epoch of a log begins; the first one is 0 and begins at offset 0."""

    starts: list[int] = attrs.Factory(lambda: [0])

    def of(self, offset: int) -> int:
        """Leader epoch of the record at an offset."""
        return bisect.bisect_right(self.starts, offset) - 1

    def end(self, epoch: int, log_end: int) -> int:
        """Where the records of an epoch, and of those before it, end in a log that ends at `log_end`."""
        return self.starts[epoch + 1] if epoch + 1 < len(self.starts) else log_end

    def begin(self, offset: int) -> None:
        """Begin another epoch at an offset: what lay behind it belongs to no epoch any more."""
        self.starts = [*(min(start, offset) for start in self.starts), offset]
