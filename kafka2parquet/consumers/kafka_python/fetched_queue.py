"""Queues of fetched batches between the poll thread and the driver, one for each partition, within a budget of bytes."""

from __future__ import annotations

import collections
from collections.abc import Sequence

import attrs

from kafka2parquet.consumers.base import Assignment
from kafka2parquet.consumers.record_batches.fetched_batches import FetchedBatches
from kafka2parquet.records import TopicPartition


@attrs.define(eq=False)
class PartitionQueue:
    """The fetched batches of one assigned partition.

    Attributes:
        assignment: token of the assignment.
        pieces: the fetched pieces, in order.
        records: number of records in `pieces`, from the batch headers.
        size_bytes: fetched bytes of `pieces`.
        since: monotonic time in seconds at which the first piece of `pieces` was queued.
        begun: whether the first pieces were put back after a partial decode. They have waited before, so they are ready.
        starts: number of calls of `start`.
        accepting: whether fetched pieces are accepted. False before `start`, and between `start` and the seek that follows.
        paused: whether the application has paused the partition.
        high_watermark: the high watermark of the last fetch, None if unknown.
    """

    assignment: Assignment
    pieces: collections.deque[FetchedBatches] = attrs.Factory(collections.deque)
    records: int = 0
    size_bytes: int = 0
    since: float = 0.0
    begun: bool = False
    starts: int = 0
    accepting: bool = False
    paused: bool = False
    high_watermark: int | None = None

    def put(self, piece: FetchedBatches, now: float) -> None:
        """Add a piece."""
        if not self.pieces:
            self.since = now
        self.pieces.append(piece)
        self.records += piece.records
        self.size_bytes += piece.size_bytes

    def put_back(self, pieces: Sequence[FetchedBatches]) -> None:
        """Put back the rest of the pieces that were taken last. Does nothing if the queue no longer accepts pieces."""
        if not self.accepting:
            return
        for piece in reversed(pieces):
            self.pieces.appendleft(piece)
            self.records += piece.records
            self.size_bytes += piece.size_bytes
        self.begun = bool(pieces)

    def clear(self) -> None:
        """Drop all pieces."""
        self.begun = False
        self.pieces.clear()
        self.records = self.size_bytes = 0

    def take(self, most_records: int, now: float) -> list[FetchedBatches]:
        """Take the first piece, and further pieces as long as they hold at most `most_records` records together.

        A piece in an old format is taken alone. All taken pieces have the same leader epoch, because a batch has only one.
        """
        taken: list[FetchedBatches] = []
        records = 0
        while self.pieces and (not taken or records + self.pieces[0].records <= most_records):
            if taken and (self.pieces[0].legacy or taken[-1].legacy or self.pieces[0].leader_epoch != taken[-1].leader_epoch):
                break
            piece = self.pieces.popleft()
            taken.append(piece)
            records += piece.records
            self.size_bytes -= piece.size_bytes
        self.records -= records
        self.since = now
        self.begun = False
        return taken


class FetchedQueues:
    """The queues of all assigned partitions. Not thread-safe: the caller has to hold a lock."""

    def __init__(self, limit_bytes: int, gather_records: int, gather_max_wait_s: float) -> None:
        self._limit_bytes = limit_bytes
        self._gather_records = gather_records
        self._gather_max_wait_s = gather_max_wait_s
        self.partitions: dict[TopicPartition, PartitionQueue] = {}

    @property
    def size_bytes(self) -> int:
        """Fetched bytes in all queues."""
        return sum(queue.size_bytes for queue in self.partitions.values())

    @property
    def is_full(self) -> bool:
        """Whether fetching should pause."""
        return self.size_bytes >= self._limit_bytes

    @property
    def is_drained(self) -> bool:
        """Whether fetching should continue after a pause."""
        return self.size_bytes <= self._limit_bytes // 2

    def ready(self, now: float) -> list[PartitionQueue]:
        """Return the queues that are worth decoding: large enough, or waiting long enough. The longest wait comes first."""
        hurry = self.size_bytes > self._limit_bytes // 2
        queues = [
            queue
            for queue in self.partitions.values()
            if queue.pieces
            and not queue.paused
            and (hurry or queue.begun or queue.records >= self._gather_records or now - queue.since >= self._gather_max_wait_s)
        ]
        return sorted(queues, key=lambda queue: queue.since)

    def ready_in_s(self, now: float) -> float | None:
        """Return the seconds until a queue will have waited long enough; None if all queues are empty or paused."""
        waiting = [queue.since for queue in self.partitions.values() if queue.pieces and not queue.paused]
        return max(0.0, min(waiting) + self._gather_max_wait_s - now) if waiting else None
