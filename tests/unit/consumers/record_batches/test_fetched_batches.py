"""Fetched batches: what is held of them, and which errors say that one is corrupt."""

from __future__ import annotations

from types import SimpleNamespace

from kafka import TopicPartition as KafkaTopicPartition
from kafka.protocol.consumer import IsolationLevel
from kafka.record.memory_records import MemoryRecords

from kafka2parquet.consumers.record_batches.decoding import DecodeLimits, decode_some
from kafka2parquet.consumers.record_batches.fetched_batches import ColumnarPartitionRecords, FetchedBatches
from kafka2parquet.records import ConsumedBatch
from tests.support.record_batches import produced_batch


def _taken(*batches: bytes, aborted: tuple[int, ...] = ()) -> FetchedBatches:
    """The batches as the fetcher takes them; producers whose transactions were aborted, from the first offset on."""
    position, fetched = 0, b""
    for batch in batches:
        fetched += position.to_bytes(8, "big") + batch[8:]
        position += 5
    (taken,) = ColumnarPartitionRecords(
        0,
        KafkaTopicPartition("topic", 0),
        MemoryRecords(fetched),
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=[SimpleNamespace(producer_id=producer_id, first_offset=0) for producer_id in aborted],
    ).take()
    return taken


def _decoded(taken: FetchedBatches) -> ConsumedBatch:
    (batch,) = decode_some([taken], DecodeLimits()).batches
    return batch


def test_nothing_is_held_of_an_aborted_transaction() -> None:
    """Aborted batches take no memory, so a queue that is bounded by bytes can hold any number of them."""
    taken = _taken(*[produced_batch(5, producer_id=7, transactional=True)] * 10, aborted=(7,))

    assert (50, 0, b"", 0) == (taken.next_offset, taken.records, taken.data, taken.size_bytes)
    assert (0, 50) == (len(_decoded(taken)), _decoded(taken).next_offset)


def test_little_is_held_of_a_fetch_that_is_mostly_aborted() -> None:
    """Only the batches between aborted ones are held and counted."""
    aborted = produced_batch(5, producer_id=7, transactional=True)
    good = produced_batch(5)
    taken = _taken(aborted, aborted, good, aborted, aborted, good, aborted, aborted=(7,))

    assert 2 * len(good) == taken.size_bytes == len(taken.data)
    assert [*range(10, 15), *range(25, 30)] == _decoded(taken).offsets.to_pylist()


def test_what_is_held_is_counted() -> None:
    """A few skipped batches are kept and counted, because removing them would copy the others."""
    aborted, good = produced_batch(5, producer_id=7, transactional=True), produced_batch(5)
    taken = _taken(good, aborted, good, aborted=(7,))

    assert len(taken.data) == taken.size_bytes == 2 * len(good) + len(aborted)
    assert 10 == len(_decoded(taken))
