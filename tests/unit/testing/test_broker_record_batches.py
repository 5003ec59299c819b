"""Building and reading Kafka record batches, compared with kafka-python's decoder."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.record import MemoryRecords

from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.record_batches import (
    Compression,
    build_batches,
    control_batch,
    find_timestamp,
    place,
    read_header,
    split_batches,
)


def decode(batch: bytes) -> list[Any]:
    reader: Any = MemoryRecords(batch).next_batch()
    assert reader.validate_crc()
    return list(reader)


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_another_decoder_reads_what_was_built(compression: Compression) -> None:
    """kafka-python decodes the same keys, values, timestamps and headers, with and without compression."""
    columns: dict[str, Any] = {
        "keys": [None, b"", b"k" * 200],
        "headers": [[], [("a", b"1"), ("a", None)], [("é", b"")]],
    }
    (batch,) = build_batches([b"v" * 300, None, b""], [1000, 999, 5000], compression=compression, **columns)

    records = decode(batch)

    assert [(0, 1000, b"v" * 300), (1, 999, None), (2, 5000, b"")] == [(r.offset, r.timestamp, r.value) for r in records]
    assert columns["keys"] == [record.key for record in records]
    assert columns["headers"] == [[tuple(header) for header in record.headers] for record in records]


def test_header_has_count_and_newest_timestamp() -> None:
    """The header has the number of records and the newest of their timestamps, in whatever order they are."""
    (batch,) = build_batches([b"1", b"2", b"3"], [10, 30, 20])

    header = read_header(batch)

    assert (3, 2, 10, 30, len(batch)) == (
        header.record_count,
        header.last_offset_delta,
        header.base_timestamp_ms,
        header.max_timestamp_ms,
        header.size_bytes,
    )


def test_batches_have_a_maximum_number_of_records() -> None:
    """Each batch has at most `records_per_batch` records; the last batch has the rest."""
    batches = list(build_batches([b"v"] * 7, [0] * 7, records_per_batch=3))

    assert [3, 3, 1] == [read_header(batch).record_count for batch in batches]


def test_no_values_make_no_batch() -> None:
    """The list of batches is empty if there aren't any values."""
    assert [] == list(build_batches([], []))


def test_columns_of_different_length_are_refused() -> None:
    """Columns of different lengths are an error; none is cut or padded."""
    with pytest.raises(ValueError, match="2 values but 1 keys"):
        list(build_batches([b"1", b"2"], [1, 2], keys=[b"k"]))


def test_splitting_gives_back_each_batch() -> None:
    """Splitting concatenated batches returns each batch unchanged."""
    batches = list(build_batches([b"v"] * 5, [0] * 5, records_per_batch=2))

    assert batches == [bytes(batch) for _, batch in split_batches(b"".join(batches))]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda batch: batch[:-1], ErrorCode.CORRUPT_MESSAGE),
        (lambda batch: batch[:20], ErrorCode.CORRUPT_MESSAGE),
        (lambda batch: batch[:-1] + b"x", ErrorCode.CORRUPT_MESSAGE),
        (lambda batch: batch[:16] + b"\1" + batch[17:], ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT),
    ],
    ids=["cut short", "cut in the header", "changed", "old format"],
)
def test_damaged_batches_are_refused(change: Any, code: ErrorCode) -> None:
    """A corrupt, truncated or old batch is an error."""
    (batch,) = build_batches([b"value"], [0])

    with pytest.raises(BrokerError) as caught:
        split_batches(change(batch))
    assert code == caught.value.code


def test_placing_a_batch_keeps_its_checksum() -> None:
    """Setting the base offset leaves the checksum valid."""
    ((_, batch),) = split_batches(next(build_batches([b"1", b"2"], [0, 0])))
    place(batch, 41)

    assert [41, 42] == [record.offset for record in decode(bytes(batch))]


def test_control_batch_is_a_marker() -> None:
    """A control batch has the type of the marker in its record's key, where readers expect it."""
    batch = control_batch(7, 3, 1000, commit=True)

    header = read_header(batch)
    (record,) = decode(batch)

    assert (True, True, 7, 3) == (header.is_control, header.is_transactional, header.producer_id, header.producer_epoch)
    assert b"\0\0\0\1" == record.key


@pytest.mark.parametrize(
    ("timestamp_ms", "start_offset", "expected"), [(0, 0, (0, 10)), (11, 0, (1, 20)), (0, 2, (2, 15)), (21, 0, None)]
)
def test_finding_a_timestamp(timestamp_ms: int, start_offset: int, expected: tuple[int, int] | None) -> None:
    """The search finds the first record, in offset order, that is not older."""
    (batch,) = build_batches([b"1", b"2", b"3"], [10, 20, 15])

    assert expected == find_timestamp(batch, timestamp_ms, start_offset)
