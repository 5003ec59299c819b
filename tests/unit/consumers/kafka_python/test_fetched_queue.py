"""Queues of fetched batches: what a take returns, and when a queue is ready."""

from __future__ import annotations

import pytest

from kafka2parquet.consumers.base import Assignment
from kafka2parquet.consumers.kafka_python.fetched_queue import FetchedQueues, PartitionQueue
from kafka2parquet.consumers.record_batches.fetched_batches import FetchedBatches
from kafka2parquet.consumers.record_batches.headers import NO_HEADERS
from kafka2parquet.records import TopicPartition


def piece(
    records: int, *, leader_epoch: int = 1, legacy: tuple[int, int] | None = None, size_bytes: int = 10
) -> FetchedBatches:
    """Return a piece that claims to hold this number of records."""
    return FetchedBatches(TopicPartition("t", 0), bytes(size_bytes), NO_HEADERS, legacy, 0, records, leader_epoch, records)


def queue_of(*pieces: FetchedBatches, partition: int = 0, now: float = 0.0) -> PartitionQueue:
    """Return a queue that accepts pieces and holds these."""
    queue = PartitionQueue(Assignment(TopicPartition("t", partition), 1), accepting=True)
    for each in pieces:
        queue.put(each, now)
    return queue


def queues_of(*queues: PartitionQueue) -> FetchedQueues:
    """Return queues of at most 100 bytes that gather 50 records for at most 1 second."""
    fetched = FetchedQueues(100, 50, 1.0)
    fetched.partitions = {queue.assignment.topic_partition: queue for queue in queues}
    return fetched


def test_a_take_is_limited_in_records() -> None:
    """A take returns pieces within the limit, and at least one piece, and the counts follow."""
    queue = queue_of(piece(30), piece(30), piece(30))

    assert [30, 30] == [each.records for each in queue.take(60, 1.0)]
    assert (30, 10) == (queue.records, queue.size_bytes)
    assert [30] == [each.records for each in queue.take(1, 1.0)]
    assert [] == queue.take(60, 1.0)


@pytest.mark.parametrize(
    "other", [piece(1, leader_epoch=2), piece(1, legacy=(0, 10))], ids=["another leader epoch", "an old format"]
)
def test_a_take_ends_before_a_piece_of_another_kind(other: FetchedBatches) -> None:
    """All pieces of a take have one leader epoch, and a piece in an old format is taken alone."""
    queue = queue_of(piece(1), other, piece(1))

    assert [1, 1, 1] == [len(queue.take(10, 1.0)) for _ in range(3)]


def test_what_is_put_back_is_ready_and_comes_first() -> None:
    """The rest of a partial decode has waited already, so it is ready at once."""
    queue = queue_of(piece(1), piece(2))
    (first,) = queue.take(1, 5.0)
    queue.put_back([first])

    assert [queue] == queues_of(queue).ready(5.0)
    assert [1, 2] == [each.records for each in queue.take(10, 5.0)]


def test_nothing_is_put_back_into_a_queue_that_was_restarted() -> None:
    """A queue that no longer accepts pieces ignores those of before."""
    queue = queue_of(piece(1))
    taken = queue.take(1, 1.0)
    queue.accepting = False
    queue.put_back(taken)

    assert [] == list(queue.pieces)


def test_a_queue_is_ready_when_it_is_large_enough_or_old_enough() -> None:
    """Few records wait for the gathering time, many records are ready at once, and the longest wait comes first."""
    few, many = queue_of(piece(1), partition=0), queue_of(piece(50), partition=1, now=0.5)
    queues = queues_of(few, many)

    assert [many] == queues.ready(0.9)
    assert pytest.approx(0.1) == queues.ready_in_s(0.9)
    assert [few, many] == queues.ready(1.0)


def test_a_paused_queue_is_never_ready() -> None:
    """The application has paused the partition, so there is nothing to wait for."""
    queue = queue_of(piece(50))
    queue.paused = True

    assert [] == queues_of(queue).ready(9.0)
    assert queues_of(queue).ready_in_s(9.0) is None


def test_fetching_pauses_at_the_limit_and_continues_at_half_of_it() -> None:
    """More than half of the budget makes all queues ready, and the whole budget pauses fetching."""
    queue = queue_of(piece(1, size_bytes=60))
    queues = queues_of(queue)

    assert (False, False) == (queues.is_full, queues.is_drained)
    assert [queue] == queues.ready(0.0)
    queue.put(piece(1, size_bytes=40), 0.0)
    assert queues.is_full
    queue.take(1, 0.0)
    assert (False, True) == (queues.is_full, queues.is_drained)
