"""Fetched batches: what is held of them, and which errors say that one is corrupt."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import lz4.frame
import pytest
import zstandard
from kafka import TopicPartition as KafkaTopicPartition
from kafka.codec import gzip_encode, snappy_encode
from kafka.protocol.consumer import IsolationLevel
from kafka.record.memory_records import MemoryRecords

from kafka2parquet.consumers import columns
from kafka2parquet.consumers.columns import CorruptDataError, Decompressor
from kafka2parquet.consumers.record_batches import ColumnarPartitionRecords, FetchedBatches
from tests.support.record_batches import produced_batch

CODECS = {1: gzip_encode, 2: snappy_encode, 3: lz4.frame.compress, 4: zstandard.ZstdCompressor().compress}


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


def test_nothing_is_held_of_an_aborted_transaction() -> None:
    """A queue that is bounded by bytes can hold any number of its batches."""
    taken = _taken(*[produced_batch(5, producer_id=7, transactional=True)] * 10, aborted=(7,))

    assert (50, 0, b"", 0) == (taken.next_offset, taken.records, taken.data, taken.size_bytes)
    assert (0, 50) == (len(taken.decode()), taken.decode().next_offset)


def test_little_is_held_of_a_fetch_that_is_mostly_aborted() -> None:
    """The batches between the aborted ones, and what they are counted as."""
    aborted = produced_batch(5, producer_id=7, transactional=True)
    good = produced_batch(5)
    taken = _taken(aborted, aborted, good, aborted, aborted, good, aborted, aborted=(7,))

    assert 2 * len(good) == taken.size_bytes == len(taken.data)
    assert [*range(10, 15), *range(25, 30)] == taken.decode().offsets.to_pylist()
    assert [10, 25] == [piece.decode().offsets[0].as_py() for piece in taken.split()]


def test_what_is_held_is_counted() -> None:
    """Also the batches that are skipped, while these are few: taking them out would copy the others."""
    aborted, good = produced_batch(5, producer_id=7, transactional=True), produced_batch(5)
    taken = _taken(good, aborted, good, aborted=(7,))

    assert len(taken.data) == taken.size_bytes == 2 * len(good) + len(aborted)
    assert 10 == len(taken.decode())


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    "damage",
    [lambda body: body[: len(body) // 2], lambda body: b"garbage" * 9, lambda body: body[:4] + b"garbage" + body[11:]],
)
def test_a_body_that_the_codec_refuses_is_corrupt(codec: int, damage: Callable[[bytes], bytes]) -> None:
    """Whatever its library raises."""
    body = CODECS[codec](bytes(range(256)) * 40)

    with pytest.raises(CorruptDataError, match=r"the body doesn't decompress: .+"):
        Decompressor().decompress(codec, memoryview(damage(body)))


_FUNCTIONS = {1: "gzip_decode", 2: "snappy_decode", 3: "lz4.frame.decompress", 4: "Decompressor._unzstd"}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("error", [MemoryError("no memory"), OSError("no such device"), AttributeError("a bug")])
def test_an_error_that_is_not_about_the_bytes_passes(codec: int, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Healthy records would be passed over as corrupt ones."""

    def fails(*_: object) -> bytes:
        raise error

    monkeypatch.setattr(f"{columns.__name__}.{_FUNCTIONS[codec]}", fails)
    with pytest.raises(type(error), match=str(error)):
        Decompressor().decompress(codec, memoryview(CODECS[codec](b"healthy")))


@pytest.mark.parametrize(
    ("codec", "error"),
    [
        (3, RuntimeError("LZ4F_decompress failed with code: ERROR_allocation_failed")),
        (4, zstandard.ZstdError("zstd decompress error: Allocation error : not enough memory")),
    ],
)
def test_a_codec_without_memory_is_a_memory_error(codec: int, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some libraries tell it in words only."""

    def fails(*_: object) -> bytes:
        raise error

    monkeypatch.setattr(f"{columns.__name__}.{_FUNCTIONS[codec]}", fails)
    with pytest.raises(MemoryError, match=str(error)):
        Decompressor().decompress(codec, memoryview(CODECS[codec](b"healthy")))
