"""The status of a sink, prepared for metrics: each topic-partition once, and sums that never decrease."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable

import attrs

from kafka2parquet.status import PartitionStatus, RunnerStatus, TableStatus, TaskStatus

StatusSource = Callable[[], RunnerStatus | TaskStatus]
"""Returns the current status; `TaskRunner.status` and `SinkTask.status` do. Called on the thread that exports metrics."""


TableStatusSource = Callable[[], TableStatus]
"""Returns the status of a table's follower; `CatalogFollower.status` does. Called on the thread that exports metrics."""


@attrs.frozen
class Reading:
    """A status from which metrics are read.

    Attributes:
        sink: name of the sink, or of the only task.
        error: the text of the first error that ended a task, or kept one from being made; "" if none did.
        at: the time of the status.
        tasks: the tasks of the status.
        partitions: the topic-partitions that the tasks hold, each once, with the values of the labels topic and partition.
        counted: the tasks whose totals make up the sums of the process: `tasks`, and tasks that were replaced.
    """

    sink: str
    error: str
    at: datetime.datetime
    tasks: tuple[TaskStatus, ...]
    partitions: tuple[tuple[tuple[str, str], PartitionStatus], ...]
    counted: tuple[TaskStatus, ...]


class TaskHistory:
    """Remembers the last status of each task, so that sums don't decrease when a task is replaced by another one.

    May be used from several threads.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, datetime.datetime], TaskStatus] = {}
        self._lock = threading.Lock()

    def reading(self, status: RunnerStatus | TaskStatus) -> Reading:
        """Remember the tasks of a status, and return the status as a reading."""
        tasks = status.tasks if isinstance(status, RunnerStatus) else (status,)
        with self._lock:
            for task in tasks:
                self._last[task.name, task.started_at] = attrs.evolve(task, partitions=())
            counted = tuple(self._last.values())
        return Reading(status.name, status.error, status.at, tasks, _held(tasks), counted)


def _held(tasks: tuple[TaskStatus, ...]) -> tuple[tuple[tuple[str, str], PartitionStatus], ...]:
    """Return the topic-partitions that the tasks hold.

    A task that has ended still shows its last positions, but another process may hold the topic-partitions now. And two series
    with the same labels would make Prometheus refuse all metrics.
    """
    held = [each for task in tasks for each in task.partitions if each.state not in ("stopped", "failed")]
    found = {partition.topic_partition: partition for partition in held}
    return tuple(((place.topic, str(place.partition)), partition) for place, partition in found.items())
