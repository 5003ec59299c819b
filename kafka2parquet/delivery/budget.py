"""MemoryBudget: one limit in bytes for everything buffered, shared by all tasks of a process."""

from __future__ import annotations

import threading

from kafka2parquet.util.arguments import Count, checked


@checked
class MemoryBudget:
    """Counts what each task holds: buffered Arrow rows, records that wait, staged files in memory. Thread-safe.

    Nothing is taken away from a task: each looks at the budget after every step, spills its largest buffers to disk when the
    sum comes near the limit, and pauses its partitions when it is reached.
    """

    #: Share of the limit from which on buffers are spilled.
    SPILL_FROM = 0.75

    def __init__(self, limit_bytes: Count = 256 << 20) -> None:
        self.limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._used: dict[int, int] = {}

    def set_used(self, task: int, used_bytes: int) -> None:
        """Say what a task holds now; 0 when it is closed. `task` is any number that no other task uses, such as its `id`."""
        with self._lock:
            if used_bytes:
                self._used[task] = used_bytes
            else:
                self._used.pop(task, None)

    def used_by(self, task: int) -> int:
        """What a task holds, in bytes, as it said last."""
        with self._lock:
            return self._used.get(task, 0)

    @property
    def used_bytes(self) -> int:
        """What all tasks hold."""
        with self._lock:
            return sum(self._used.values())

    @property
    def share_bytes(self) -> int:
        """What one task may keep while the budget is tight."""
        with self._lock:
            return int(self.limit_bytes * self.SPILL_FROM / 2 / max(1, len(self._used)))

    @property
    def is_tight(self) -> bool:
        """Whether buffers should be spilled."""
        return self.used_bytes > self.limit_bytes * self.SPILL_FROM

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing more may be taken in."""
        return self.used_bytes > self.limit_bytes
