"""The leader epochs of a log: which leader appended which records, and where each leader's records end."""

from __future__ import annotations

import bisect

import attrs


@attrs.define(eq=False)
class LeaderEpochs:
    """The leader epochs of a log.

    Attributes:
        starts: the offset at which each epoch starts. Epoch 0 starts at offset 0.
    """

    starts: list[int] = attrs.Factory(lambda: [0])

    def of(self, offset: int) -> int:
        """Return the leader epoch of the record at an offset."""
        return bisect.bisect_right(self.starts, offset) - 1

    def end(self, epoch: int, log_end: int) -> int:
        """Return the offset after the last record of an epoch, or of an earlier epoch, in a log that ends at `log_end`."""
        return self.starts[epoch + 1] if epoch + 1 < len(self.starts) else log_end

    def begin(self, offset: int) -> None:
        """Start another epoch at an offset, at which a truncated log now ends. Later epochs become empty."""
        self.starts = [*(min(start, offset) for start in self.starts), offset]
