"""Course: follows the events of a run that ends, and knows what each topic-partition has reached."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import attrs

from kafka2parquet.bounded.progress import DrainProgress
from kafka2parquet.bounded.result import DrainResult, PartitionResult
from kafka2parquet.consumers.base import Assigned
from kafka2parquet.delivery.bounds import OffsetRange
from kafka2parquet.events import (
    Event,
    FilePublished,
    OffsetCommitted,
    PartitionFinished,
    PartitionStarted,
    PartitionStopped,
    RecordRejected,
)
from kafka2parquet.records import TopicPartition


@attrs.define
class _Partition:
    """The counts of a topic-partition. `first_position` is the position at which the run found it."""

    start: int | None = None
    end: int | None = None
    position: int | None = None
    first_position: int | None = None
    is_finished: bool = False
    is_lost: bool = False
    committed_rows: int = 0
    files: int = 0
    file_bytes: int = 0
    rejected: int = 0

    def found_at(self, offset: int) -> None:
        self.position = offset
        if self.first_position is None:
            self.first_position = offset

    def done(self, position: int | None) -> int:
        """Count the offsets of the range before a position."""
        if position is None or self.end is None or self.start is None:
            return 0
        return max(0, min(position, self.end) - self.start)


class Course:
    """Limits tasks to ranges, and follows their events. Thread-safe, because several tasks may share it.

    Without ranges, each topic-partition ends where its log ended when the partition was assigned first.
    """

    def __init__(self, ranges: Mapping[TopicPartition, OffsetRange] | None = None) -> None:
        self._ranges = ranges
        self._lock = threading.Lock()
        self._partitions: dict[TopicPartition, _Partition] = {}
        for topic_partition, range_ in (ranges or {}).items():
            self._partitions[topic_partition] = _Partition(range_.start, range_.end)

    # ---- ReadLimits

    def range_of(self, assigned: Assigned) -> OffsetRange | None:
        """See `ReadLimits.range_of`."""
        topic_partition = assigned.assignment.topic_partition
        if self._ranges is not None:
            return self._ranges.get(topic_partition)
        with self._lock:
            found = self._partitions.setdefault(topic_partition, _Partition(end=assigned.log_end))
            return OffsetRange(None, found.end)

    # ---- a hook

    def __call__(self, event: Event) -> None:
        """Follow an event. Never blocks."""
        with self._lock:
            partition = self._partitions.get(event.topic_partition)
            if partition is None:
                return
            if isinstance(event, FilePublished) and event.created:
                partition.files += 1
                partition.file_bytes += event.size_bytes
            elif isinstance(event, OffsetCommitted):
                partition.committed_rows += event.rows
                partition.position = event.offset
            elif isinstance(event, RecordRejected):
                partition.rejected += 1
            elif isinstance(event, PartitionStarted):
                partition.start = event.offset if partition.start is None else partition.start
                partition.found_at(event.offset)
                partition.is_lost = False
            elif isinstance(event, PartitionFinished):
                self._finish(partition, event.offset)
            elif isinstance(event, PartitionStopped):
                partition.is_lost = True

    # ---- what is reached

    def finished_elsewhere(self, committed: Mapping[TopicPartition, int]) -> None:
        """Count topic-partitions as finished that other members of the group have brought to their end.

        Args:
            committed: the group's committed offsets.
        """
        with self._lock:
            for topic_partition, partition in self._partitions.items():
                offset = committed.get(topic_partition)
                if offset is not None and partition.end is not None and offset >= partition.end and not partition.is_finished:
                    self._finish(partition, offset)

    def _finish(self, partition: _Partition, offset: int) -> None:
        partition.is_finished = True
        partition.found_at(offset)
        if partition.start is None:
            partition.start = min(offset, partition.end) if partition.end is not None else offset

    @property
    def is_done(self) -> bool:
        """Whether all topic-partitions are at their end.

        Without ranges: of those that the group has not given to another member, and false while none is at its end.
        """
        with self._lock:
            found = self._partitions.values()
            if self._ranges is not None:
                return all(each.is_finished for each in found)
            return any(each.is_finished for each in found) and all(each.is_finished or each.is_lost for each in found)

    @property
    def unfinished(self) -> Sequence[TopicPartition]:
        """The topic-partitions that are not at their end."""
        with self._lock:
            return sorted(topic_partition for topic_partition, each in self._partitions.items() if not each.is_finished)

    @property
    def result(self) -> DrainResult:
        """What was done so far."""
        with self._lock:
            partitions = tuple(
                PartitionResult(
                    topic_partition,
                    each.start,
                    each.end,
                    each.position,
                    each.is_finished,
                    each.committed_rows,
                    each.files,
                    each.file_bytes,
                    each.rejected,
                )
                for topic_partition, each in sorted(self._partitions.items())
            )
        return DrainResult(partitions)

    def progress(self, elapsed_s: float, positions: Mapping[TopicPartition, int]) -> DrainProgress:
        """Return how far the run has come.

        Args:
            elapsed_s: seconds since the start.
            positions: the offsets after the last records that were taken, as far as known.
        """
        with self._lock:
            found = self._partitions.values()
            offsets = sum(each.done(each.end) for each in found)
            durable = sum(each.done(each.position) for each in found)
            taken = sum(
                each.done(max(each.position or 0, positions.get(topic_partition, 0)))
                for topic_partition, each in self._partitions.items()
            )
            at_start = sum(each.done(each.first_position) for each in found)
        return DrainProgress(offsets, durable, taken, at_start, elapsed_s)
