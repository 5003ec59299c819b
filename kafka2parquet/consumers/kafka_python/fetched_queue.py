"""What the poll thread has fetched and the driver has not yet taken, by partition, within a budget of bytes."""

from __future__ import annotations

import collections
from collections.abc import Sequence

import attrs

from kafka2parquet.consumers.base import Assignment
from kafka2parquet.consumers.record_batches.fetched_batches import FetchedBatches
from kafka2parquet.records import TopicPartition


@attrs.define(eq=False)
class PartitionQueue:
    """One assigned partition.

    Attributes:
        assignment: the token.
        pieces: fetched, in order.
        records: in `pieces`, as their headers say.
        since: clock when the first piece of `pieces` was queued.
        begun: whether the first pieces were taken and put back: they waited before.
        starts: how many times `start` was called.
        accepting: whether fetched pieces are wanted: not before `start`, nor between `start` and the seek that it asks for.
        paused: by the application.
        high_watermark: as of the last fetch.
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
        """Put back what is left of the pieces that were taken last. Ignored where these are no longer wanted."""
        if not self.accepting:
            return
        for piece in reversed(pieces):
            self.pieces.appendleft(piece)
            self.records += piece.records
            self.size_bytes += piece.size_bytes
        self.begun = bool(pieces)

    def clear(self) -> None:
        """Forget all pieces."""
        self.begun = False
        self.pieces.clear()
        self.records = self.size_bytes = 0

    def take(self, most_records: int, now: float) -> list[FetchedBatches]:
        """Take the first pieces: at least one, and no more once `most_records` records would be exceeded.

        Pieces of old formats come alone, and pieces of different leader epochs never together: each batch has one.
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
    """All assigned partitions. Not thread-safe: its user holds a lock."""

    def __init__(self, limit_bytes: int, gather_records: int, gather_max_wait_s: float) -> None:
        self._limit_bytes = limit_bytes
        self._gather_records = gather_records
        self._gather_max_wait_s = gather_max_wait_s
        self.partitions: dict[TopicPartition, PartitionQueue] = {}

    @property
    def size_bytes(self) -> int:
        """Fetched bytes that wait."""
        return sum(queue.size_bytes for queue in self.partitions.values())

    @property
    def is_full(self) -> bool:
        """Whether fetching should pause."""
        return self.size_bytes >= self._limit_bytes

    @property
    def is_drained(self) -> bool:
        """Whether fetching should go on."""
        return self.size_bytes <= self._limit_bytes // 2

    def ready(self, now: float) -> list[PartitionQueue]:
        """Partitions with enough records to be worth decoding, or with some that have waited long enough; longest first."""
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
        """Return seconds until some partition will have waited long enough; None when nothing waits."""
        waiting = [queue.since for queue in self.partitions.values() if queue.pieces and not queue.paused]
        return max(0.0, min(waiting) + self._gather_max_wait_s - now) if waiting else None
