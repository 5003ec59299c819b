"""StepResult: what one step of a task did."""

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
    next_deadline_s: float | None = None
