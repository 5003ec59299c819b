"""Fetched pieces to columns: how much of them at a time, and which batch an error is about."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Sequence

import pytest
from kafka import TopicPartition as KafkaTopicPartition
from kafka.record.legacy_records import LegacyRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords
from kafka.record.util import calc_crc32c

from kafka2parquet.consumers.record_batches.decoding import DecodeLimits, decode_some
from kafka2parquet.consumers.record_batches.fetched_batches import ColumnarPartitionRecords, FetchedBatches
from kafka2parquet.errors import CorruptRecordBatchError
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.testing.broker.record_batches import build_batches
from tests.support.record_batches import produced_batch

KIB = 1 << 10


def _zstd(*values: bytes) -> bytes:
    (batch,) = build_batches(values, [0] * len(values), compression="zstd")
    return batch


def _pieces(*fetches: Sequence[bytes], records_each: int = 1) -> list[FetchedBatches]:
    """Return fetched batches with the given numbers of records."""
    pieces, offset = [], 0
    for batches in fetches:
        first_offset, fetched = offset, b""
        for batch in batches:
            fetched += struct.pack(">q", offset) + batch[8:]
            offset += records_each
        pieces += ColumnarPartitionRecords(first_offset, KafkaTopicPartition("topic", 0), MemoryRecords(fetched)).take()
    return pieces


def _all(pieces: Sequence[FetchedBatches], limits: DecodeLimits) -> list[list[ConsumedBatch]]:
    """The batches of each step, until nothing is left."""
    steps = []
    while pieces:
        decoded = decode_some(pieces, limits)
        steps.append([*decoded.batches])
        pieces = decoded.left
    return steps


def test_no_more_is_decompressed_than_a_step_takes() -> None:
    """Steps are bounded in decompressed bytes, and their batches follow each other without a gap."""
    pieces = _pieces([_zstd(b"x" * 10 * KIB)] * 7, [_zstd(b"x" * 10 * KIB)] * 3)
    steps = _all(pieces, DecodeLimits(step_bytes=32 * KIB))

    assert [4, 4, 2] == [sum(len(batch) for batch in step) for step in steps]
    batches = [batch for step in steps for batch in step]
    assert [(batch.first_offset, batch.next_offset) for batch in batches] == [(0, 3), (3, 4), (4, 7), (7, 8), (8, 10)]
    assert all(batch.size_bytes <= 32 * KIB for batch in batches)


def test_a_step_takes_a_number_of_records() -> None:
    """Steps are bounded in records too, even if the records are small."""
    steps = _all(_pieces([produced_batch(5)] * 4, records_each=5), DecodeLimits(step_records=8))

    assert [[10], [10]] == [[len(batch) for batch in step] for step in steps]


def test_a_large_batch_is_taken_alone() -> None:
    """A large batch is not copied to join the batches before it."""
    pieces = _pieces([_zstd(b"small")] * 3 + [_zstd(b"x" * 100 * KIB)] + [_zstd(b"small")] * 3)
    steps = _all(pieces, DecodeLimits(step_bytes=32 * KIB))

    assert [[3, 1], [3]] == [[len(batch) for batch in step] for step in steps]


def test_all_of_a_fetch_are_decoded_together() -> None:
    """Small batches within the limits are decoded together, because many small columns cost more than a large one."""
    (step,) = _all(_pieces([_zstd(b"1"), produced_batch(1)], [_zstd(b"2")]), DecodeLimits())

    assert [[b"1", b"value", b"2"]] == [batch.values.to_pylist() for batch in step]


def test_a_batch_that_is_too_large_is_corrupt() -> None:
    """Batches before one that is too large are delivered first. Its own header says where it ends."""
    decoded = decode_some(_pieces([_zstd(b"good"), _zstd(b"x" * 100 * KIB)]), DecodeLimits(batch_bytes=50 * KIB))

    assert [[b"good"]] == [batch.values.to_pylist() for batch in decoded.batches]
    with pytest.raises(CorruptRecordBatchError, match=r"offset 1 is corrupt: .*more than 51200 bytes") as raised:
        decode_some(decoded.left, DecodeLimits(batch_bytes=50 * KIB))
    assert (1, 2) == (raised.value.offset, raised.value.next_offset)


def test_a_batch_of_too_many_records_is_corrupt() -> None:
    """Each record counts towards the memory limit, however small it is."""
    with pytest.raises(CorruptRecordBatchError, match=r"says that it holds 5 records"):
        decode_some(_pieces([produced_batch(5)]), DecodeLimits(batch_bytes=5 * 64 - 1))


def _lying(batch: bytes) -> bytes:
    """The batch, whose body doesn't hold as many records as it says, under a right checksum."""
    broken = batch[:57] + struct.pack(">i", 2) + batch[61:]
    return broken[:17] + struct.pack(">I", calc_crc32c(broken[21:])) + broken[21:]


@pytest.mark.parametrize("before", [0, 3])
def test_a_batch_that_does_not_hold_its_records_is_found_among_others(before: int) -> None:
    """A batch with a wrong record count is found among batches that are decoded together with it."""
    pieces = _pieces([_zstd(b"good")] * before + [_lying(produced_batch(1))] + [_zstd(b"good")])
    if before:
        decoded = decode_some(pieces, DecodeLimits())
        assert before == sum(len(batch) for batch in decoded.batches)
        pieces = [*decoded.left]
    with pytest.raises(CorruptRecordBatchError, match=f"offset {before} is corrupt") as raised:
        decode_some(pieces, DecodeLimits())
    assert (before, before + 1) == (raised.value.offset, raised.value.next_offset)


def _legacy(value: bytes, *, compressed: bool = True, magic: int = 1) -> bytes:
    """A batch of a format before Kafka 0.11."""
    builder = LegacyRecordBatchBuilder(magic=magic, compression_type=compressed, batch_size=1 << 30)
    builder.append(0, 0, None, value)
    return bytes(builder.build())


@pytest.mark.parametrize("magic", [0, 1])
def test_old_batches_are_decompressed_up_to_the_limit(magic: int) -> None:
    """Batches of old formats are taken alone, are bounded, and report where they end."""
    pieces = _pieces([_legacy(b"x" * 1000, magic=magic)])
    (batch,) = decode_some(pieces, DecodeLimits()).batches

    assert [b"x" * 1000] == batch.values.to_pylist()
    with pytest.raises(CorruptRecordBatchError, match="more than 1000 bytes") as raised:
        decode_some(pieces, DecodeLimits(batch_bytes=1000))
    assert (0, 1) == (raised.value.offset, raised.value.next_offset)


def test_an_old_batch_in_a_batch_is_corrupt() -> None:
    """A nested batch of an old format is corrupt; kafka-python asserts that this can't happen."""
    inner = _legacy(b"x" * 100)
    outer = bytearray(_legacy(b"y" * 100))
    body = gzip.compress(inner)
    message = outer[16:26] + struct.pack(">ii", -1, len(body)) + body
    batch = struct.pack(">qiI", 0, len(message) + 4, zlib.crc32(message)) + message
    with pytest.raises(CorruptRecordBatchError, match=r"can't be read: .*double-compressed"):
        decode_some(_pieces([batch]), DecodeLimits())
