"""Record batches of all sizes and of transactions: the records that kafka-python itself reads."""

from __future__ import annotations

import random
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition as KafkaTopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.protocol.consumer import IsolationLevel
from kafka.record.memory_records import MemoryRecords
from kafka.record.util import calc_crc32c

from kafka2parquet.consumers.record_batches.decoding import DecodeLimits, decode_some
from kafka2parquet.consumers.record_batches.fetched_batches import ColumnarPartitionRecords, FetchedBatches
from kafka2parquet.errors import CorruptRecordBatchError
from kafka2parquet.records import ConsumedBatch, decode_headers
from kafka2parquet.testing.broker.record_batches import HEADER, build_batches, control_batch, read_header

_TOPIC_PARTITION = KafkaTopicPartition("topic", 0)
_TRANSACTIONAL = 0x10
_APPEND_TIME = 0x08


def _changed(batch: bytes, body: bytes | None = None, **fields: int) -> bytes:
    """A batch with other fields in its header, or another body, and the checksum of these."""
    content = batch[HEADER.size :] if body is None else body
    header = read_header(batch)._replace(length=HEADER.size - 12 + len(content), **fields)
    crc = calc_crc32c(HEADER.pack(*header)[21:] + content)
    return HEADER.pack(*header._replace(crc=crc)) + content


def _fetched(batches: list[bytes]) -> bytes:
    """The batches at offsets that follow each other."""
    content, offset = b"", 0
    for batch in batches:
        content += struct.pack(">q", offset) + batch[8:]
        offset += read_header(batch).last_offset_delta + 1
    return content


def _arguments(aborted: list[tuple[int, int]]) -> dict[str, Any]:
    return {
        "isolation_level": IsolationLevel.READ_COMMITTED,
        "aborted_transactions": [SimpleNamespace(producer_id=producer, first_offset=offset) for producer, offset in aborted],
    }


def _taken(fetched: bytes, aborted: list[tuple[int, int]], first_offset: int = 0) -> list[FetchedBatches]:
    records = ColumnarPartitionRecords(first_offset, _TOPIC_PARTITION, MemoryRecords(fetched), **_arguments(aborted))
    pieces = []
    while taken := records.take():
        pieces += taken
    return pieces


def _ours(fetched: bytes, aborted: list[tuple[int, int]], first_offset: int = 0) -> list[tuple[Any, ...]]:
    batches: list[ConsumedBatch] = []
    for piece in _taken(fetched, aborted, first_offset):
        left = [piece]
        while left:
            decoded = decode_some(left, DecodeLimits())
            batches += decoded.batches
            left = [*decoded.left]
    rows = []
    for batch in batches:
        columns = (batch.offsets, batch.timestamps_ms, batch.timestamp_types, batch.keys, batch.values, batch.headers)
        rows += [(*row[:5], decode_headers(row[5])) for row in zip(*(column.to_pylist() for column in columns), strict=True)]
    return rows


def _theirs(fetched: bytes, aborted: list[tuple[int, int]], first_offset: int = 0) -> list[tuple[Any, ...]]:
    records = Fetcher.PartitionRecords(
        first_offset, _TOPIC_PARTITION, MemoryRecords(fetched), None, None, True, **_arguments(aborted)
    )
    rows = []
    while records:
        rows += [
            (each.offset, each.timestamp, each.timestamp_type, each.key, each.value, tuple(each.headers))
            for each in records.take(1000)
        ]
    return rows


def _batch(source: random.Random, records: int) -> bytes:
    values = [source.choice([None, b"", b"short", b"x" * source.randrange(400)]) for _ in range(records)]
    (batch,) = build_batches(
        values,
        [1_700_000_000_000 + source.randrange(10_000) for _ in range(records)],
        keys=[source.choice([None, b"", b"key", b"a key that is longer"]) for _ in range(records)],
        headers=[source.choice([[], [("name", b"value"), ("other", None)]]) for _ in range(records)],
        compression=source.choice(["none", "none", "zstd", "lz4", "snappy", "gzip"]),
    )
    return batch


@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from([1, 1, 1, 2, 5, 70]), min_size=1, max_size=120),
    st.floats(0, 1),
    st.booleans(),
)
def test_batches_of_all_sizes_hold_the_records_that_kafka_python_reads(
    seed: int, sizes: list[int], start: float, appended: bool
) -> None:
    """Columns have the records that kafka-python reads, from any offset on."""
    source = random.Random(seed)
    batches = [_batch(source, size) for size in sizes]
    if appended:
        batches = [_changed(batch, attributes=read_header(batch).attributes | _APPEND_TIME) for batch in batches]
    fetched = _fetched(batches)
    first_offset = int(start * (sum(sizes) - 1))

    assert _theirs(fetched, [], first_offset) == _ours(fetched, [], first_offset)


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_of_transactions_those_are_read_that_kafka_python_reads(seed: int, steps: int) -> None:
    """The records that kafka-python reads are read from interleaved transactions, some of them aborted."""
    source = random.Random(seed)
    batches: list[bytes] = []
    open_since: dict[int, int] = {}
    aborted: list[tuple[int, int]] = []
    offset = 0
    for _ in range(steps):
        producer = source.randrange(4)
        if producer in open_since and source.random() < 0.4:
            commit = source.random() < 0.5
            if not commit:
                aborted.append((producer, open_since[producer]))
            del open_since[producer]
            batches.append(control_batch(producer, 0, 1_700_000_000_000, commit=commit))
        else:
            attributes = 0 if producer == 0 else _TRANSACTIONAL
            records = source.choice([1, 3])
            (plain,) = build_batches([b"value"] * records, [1_700_000_000_000] * records)
            batches.append(_changed(plain, producer_id=producer, attributes=attributes))
            if producer:
                open_since.setdefault(producer, offset)
        offset += read_header(batches[-1]).last_offset_delta + 1

    assert _theirs(_fetched(batches), aborted) == _ours(_fetched(batches), aborted)


def test_each_piece_has_one_leader_epoch() -> None:
    """A walk ends where the leader epoch changes, and the next walk continues there."""
    (plain,) = build_batches([b"value"], [1_700_000_000_000])
    fetched = _fetched([_changed(plain, partition_leader_epoch=epoch) for epoch in (3, 3, 4, 6, 6, 6)])

    pieces = _taken(fetched, [])

    assert [(3, 0, 2), (4, 2, 3), (6, 3, 6)] == [
        (piece.leader_epoch, piece.first_offset, piece.next_offset) for piece in pieces
    ]


@pytest.mark.parametrize("others", [1, 3, 100])
@pytest.mark.parametrize("records", [1, 2])
@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body + b"\0",
        lambda body: body[:-1],
        lambda body: b"\x01" + body[1:],
        lambda body: b"\xfe\x7f" + body[2:],
        lambda body: b"",
    ],
)
def test_a_small_batch_that_does_not_hold_its_record_is_found_among_others(damage: Any, records: int, others: int) -> None:
    """The ones before it are taken, and the error names it and the batch behind it."""
    (good,) = build_batches([b"v" * 90] * records, [1_700_000_000_000] * records)
    (piece,) = _taken(_fetched([good] * others + [_changed(good, damage(good[HEADER.size :]))] + [good] * others), [])

    decoded = decode_some([piece], DecodeLimits())

    assert others * records == sum(len(batch) for batch in decoded.batches)
    with pytest.raises(CorruptRecordBatchError) as caught:
        decode_some(decoded.left, DecodeLimits())
    assert (others * records, (others + 1) * records) == (caught.value.offset, caught.value.next_offset)


def test_a_batch_that_says_it_has_no_records_has_none() -> None:
    """A batch without records, as compaction leaves them, is empty; a batch with bytes but no records is corrupt."""
    (good,) = build_batches([b"value"], [1_700_000_000_000])
    fetched = _fetched([good, _changed(good, b"", record_count=0), good])
    (broken,) = _taken(_fetched([_changed(good, record_count=0)]), [])

    assert [0, 2] == [row[0] for row in _ours(fetched, [])]
    with pytest.raises(CorruptRecordBatchError):
        decode_some([broken], DecodeLimits())
