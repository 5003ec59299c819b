"""The result of a step of a task."""

from __future__ import annotations

import attrs

from kafka2parquet.status.model import Totals

#: The fields of a `StepResult` that count work. `Totals` has them, too.
_COUNTS = ("records", "rejected", "files", "file_bytes", "committed_rows")


@attrs.frozen
class StepResult:
    """The work of one step of a task, or of several steps, and the state of the task after them.

    Attributes:
        records: records that were polled.
        rejected: records that were left out.
        files: files that became visible.
        file_bytes: the size of the files that became visible.
        committed_rows: rows that became durable and committed.
        open_rows: rows that the task has taken and that are not durable yet.
        partitions: assigned topic-partitions.
        finished: those of them that have reached the end of the offsets that the task may take.
        lag: records that readers can see and that are not committed yet, over all partitions, as far as known.
        unread: records in `lag` that the task has not taken yet.
        next_deadline_s: seconds until the clock ends a flush; None when no flush waits for the clock.
    """

    records: int = 0
    rejected: int = 0
    files: int = 0
    file_bytes: int = 0
    committed_rows: int = 0
    open_rows: int = 0
    partitions: int = 0
    finished: int = 0
    lag: int = 0
    unread: int = 0
    next_deadline_s: float | None = None

    @classmethod
    def between(cls, before: Totals, after: Totals) -> StepResult:
        """Return the work that was done between two totals of a task, without the state of the task."""
        return cls(**{name: getattr(after, name) - getattr(before, name) for name in _COUNTS})

    def followed_by(self, later: StepResult) -> StepResult:
        """Add the work of a later step, and take over its state."""
        return attrs.evolve(later, **{name: getattr(self, name) + getattr(later, name) for name in _COUNTS})
