"""StepResult: what one step of a task did, or several together."""

from __future__ import annotations

import attrs


@attrs.frozen
class StepResult:
    """What one step did.

    Attributes:
        records: records that were polled.
        rejected: records that were left out.
        files: files that became visible.
        file_bytes: their size.
        committed_rows: rows that became durable and committed.
        open_rows: rows taken that are not durable yet.
        partitions: topic-partitions assigned.
        lag: records that readers can see and that are not committed yet, as far as known; over all partitions.
        unread: those of them that the task has not taken yet.
        next_deadline_s: seconds until the clock ends a flush; None when none waits for it.
    """

    records: int = 0
    rejected: int = 0
    files: int = 0
    file_bytes: int = 0
    committed_rows: int = 0
    open_rows: int = 0
    partitions: int = 0
    lag: int = 0
    unread: int = 0
    next_deadline_s: float | None = None

    def followed_by(self, later: StepResult) -> StepResult:
        """What both have done together, and where things stand after the later one."""
        counts = ("records", "rejected", "files", "file_bytes", "committed_rows")
        return attrs.evolve(later, **{name: getattr(self, name) + getattr(later, name) for name in counts})
