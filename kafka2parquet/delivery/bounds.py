"""The offsets of each topic-partition that a task may take: all of them, unless the task is limited."""

from __future__ import annotations

from typing import Protocol

import attrs

from kafka2parquet.consumers.base import Assigned


@attrs.frozen
class OffsetRange:
    """The offsets [start, end) of a topic-partition that a task may take.

    Attributes:
        start: where to begin if the group has not committed an offset; None if `DeliverySettings.first_start` decides.
        end: no record at this offset or a later one is taken; None without an end.
    """

    start: int | None = None
    end: int | None = None


class ReadLimits(Protocol):
    """Limits which offsets tasks take. Several tasks may share the limits, so calls come from any thread."""

    def range_of(self, assigned: Assigned) -> OffsetRange | None:
        """Return the offsets to take of a topic-partition that was assigned; None to take nothing of it. Must not block."""
