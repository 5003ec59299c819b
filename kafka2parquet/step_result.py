"""The result of a step of a task, and the counter that makes one of the task's events."""

from __future__ import annotations

import collections

import attrs

from kafka2parquet.events import Event, FilePublished, OffsetCommitted, RecordRejected


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

    def followed_by(self, later: StepResult) -> StepResult:
        """Add the work of a later step, and take over its state."""
        counts = ("records", "rejected", "files", "file_bytes", "committed_rows")
        return attrs.evolve(later, **{name: getattr(self, name) + getattr(later, name) for name in counts})


class StepCounter:
    """Counts the work of one step from its polled records and its events."""

    def __init__(self) -> None:
        self._counts: collections.Counter[str] = collections.Counter()

    def reset(self) -> None:
        """Start a new step."""
        self._counts.clear()

    def add_records(self, records: int) -> None:
        """Count polled records."""
        self._counts["records"] += records

    def add_event(self, event: Event) -> None:
        """Count the work that an event stands for. This is a hook of the task."""
        if isinstance(event, FilePublished) and event.created:
            self._counts.update(files=1, file_bytes=event.size_bytes)
        elif isinstance(event, OffsetCommitted):
            self._counts["committed_rows"] += event.rows
        elif isinstance(event, RecordRejected):
            self._counts["rejected"] += 1

    def result(self) -> StepResult:
        """Return the counts of the step, without the state of the task."""
        return StepResult(**self._counts)
