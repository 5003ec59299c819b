"""Kafka record batches of format v2: reads headers, builds batches from columns, and finds records by timestamp.

See https://kafka.apache.org/documentation/#recordbatch for the layout. Only the builder and the search for a timestamp look at
records; the broker itself stores and returns batches unchanged.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from kafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from kafka.record import MemoryRecords
from kafka.record.util import calc_crc32c

from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.util.display import counted

Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]
Headers = Sequence[tuple[str, bytes | None]]

HEADER = struct.Struct(">qiibIhiqqqhii")
_MAGIC = 2
_BEFORE_LENGTH_ENDS = 12  # the bytes of the header that the length field doesn't count
_BASE_OFFSET_AT = 0
_PARTITION_LEADER_EPOCH_AT = 12
_CRC_AT = 17
_CHECKED_FROM = 21  # the checksum covers everything from the attributes to the end

_TRANSACTIONAL = 0x10
_CONTROL = 0x20
_CODECS: dict[Compression, tuple[int, Any]] = {
    "none": (0, bytes),
    "gzip": (1, gzip_encode),
    "snappy": (2, snappy_encode),
    "lz4": (3, lz4_encode),
    "zstd": (4, zstd_encode),
}


class BatchHeader(NamedTuple):
    """The header of a record batch, with the fields of the wire format."""

    base_offset: int
    length: int
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp_ms: int
    max_timestamp_ms: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size_bytes(self) -> int:
        """The size in bytes of the whole batch."""
        return _BEFORE_LENGTH_ENDS + self.length

    @property
    def is_transactional(self) -> bool:
        """Whether the batch is part of a transaction."""
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        """Whether the batch is a transaction marker."""
        return bool(self.attributes & _CONTROL)


def split_batches(data: bytes, *, check_crc: bool = True) -> list[tuple[BatchHeader, bytearray]]:
    """Split the content of a produce request into record batches. Each batch is a mutable copy.

    Args:
        data: concatenated record batches.
        check_crc: whether to refuse batches with a wrong checksum, as a broker does.

    Raises:
        BrokerError: a batch has an older format, is truncated or is corrupt.
    """
    batches = []
    position = 0
    while position < len(data):
        header = read_header(data, position)
        batch = bytearray(data[position : position + header.size_bytes])
        if len(batch) != header.size_bytes or (check_crc and calc_crc32c(memoryview(batch)[_CHECKED_FROM:]) != header.crc):
            raise BrokerError(ErrorCode.CORRUPT_MESSAGE)
        batches.append((header, batch))
        position += header.size_bytes
    return batches


def read_header(data: bytes, position: int = 0) -> BatchHeader:
    """Read the header of the record batch that starts at `position`.

    Raises:
        BrokerError: the batch has an older format, or the header is truncated.
    """
    if len(data) - position < HEADER.size:
        raise BrokerError(ErrorCode.CORRUPT_MESSAGE)
    header = BatchHeader(*HEADER.unpack_from(data, position))
    if header.magic != _MAGIC:
        raise BrokerError(ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT)
    return header


def place(batch: bytearray, base_offset: int) -> None:
    """Set base offset and leader epoch of a batch. The checksum doesn't cover these fields."""
    struct.pack_into(">q", batch, _BASE_OFFSET_AT, base_offset)
    struct.pack_into(">i", batch, _PARTITION_LEADER_EPOCH_AT, 0)


def find_timestamp(batch: bytes, timestamp_ms: int, start_offset: int) -> tuple[int, int] | None:
    """Return offset and timestamp of the first record from `start_offset` on that is not older than `timestamp_ms`."""
    reader: Any = MemoryRecords(batch).next_batch()
    for record in reader:
        if record.timestamp >= timestamp_ms and record.offset >= start_offset:
            return record.offset, record.timestamp
    return None


class _VarintTable(dict[int, bytes]):
    """Caches zigzag varints by number, because the same few lengths and deltas occur again and again."""

    def __missing__(self, number: int) -> bytes:
        rest = (number << 1) ^ (number >> 63)
        out = bytearray()
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
        self[number] = encoded = bytes(out)
        return encoded


def build_batches(
    values: Sequence[bytes | None],
    timestamps_ms: Sequence[int] | npt.NDArray[np.int64],
    *,
    keys: Sequence[bytes | None] | None = None,
    headers: Sequence[Headers] | None = None,
    compression: Compression = "none",
    records_per_batch: int = 2000,
) -> Iterator[bytes]:
    """Encode columns as record batches with base offset 0 and without a producer id.

    Args:
        values: the value of each record; None for a tombstone.
        timestamps_ms: the timestamp of each record, in milliseconds since the epoch, in any order.
        keys: the key of each record; None if no record has a key.
        headers: the headers of each record; None if no record has headers.
        compression: the compression of each batch.
        records_per_batch: maximum number of records in one batch.

    Raises:
        ValueError: the columns differ in length.
    """
    count = len(values)
    for name, column in (("timestamps_ms", timestamps_ms), ("keys", keys), ("headers", headers)):
        if column is not None and len(column) != count:
            raise ValueError(f"{counted(count, 'value')} but {len(column)} {name}")
    times_ms: list[int] = np.asarray(timestamps_ms, np.int64).tolist()
    varints = _VarintTable()
    codec, compress = _CODECS[compression]
    for start in range(0, count, records_per_batch):
        rows = slice(start, start + records_per_batch)
        times = times_ms[rows]
        records = _encode_records(
            varints, values[rows], times, None if keys is None else keys[rows], None if headers is None else headers[rows]
        )
        yield _seal(compress(records), codec, len(times), times[0], max(times))


def control_batch(producer_id: int, producer_epoch: int, timestamp_ms: int, *, commit: bool) -> bytes:
    """Return the marker that ends a transaction: a batch with one control record, which has an offset like any record."""
    key = struct.pack(">hh", 0, int(commit))
    value = struct.pack(">hi", 0, 0)
    record = _encode_records(_VarintTable(), [value], [timestamp_ms], [key], None)
    return _seal(record, _TRANSACTIONAL | _CONTROL, 1, timestamp_ms, timestamp_ms, producer_id, producer_epoch)


def _encode_records(
    varints: _VarintTable,
    values: Sequence[bytes | None],
    times: Sequence[int],
    keys: Sequence[bytes | None] | None,
    headers: Sequence[Headers] | None,
) -> bytes:
    first = times[0]
    no_key, no_headers = varints[-1], varints[0]
    parts: list[bytes] = []
    for row, value in enumerate(values):
        # attributes, timestamp delta, offset delta
        body = b"\0" + varints[times[row] - first] + varints[row]
        body += no_key if keys is None else _encode_bytes(varints, keys[row])
        tail = no_headers if headers is None else _encode_headers(varints, headers[row])
        if value is None:
            parts += (varints[len(body) + 1 + len(tail)], body, varints[-1], tail)
        else:
            length = varints[len(value)]
            parts += (varints[len(body) + len(length) + len(value) + len(tail)], body, length, value, tail)
    return b"".join(parts)


def _encode_bytes(varints: _VarintTable, data: bytes | None) -> bytes:
    return varints[-1] if data is None else varints[len(data)] + data


def _encode_headers(varints: _VarintTable, headers: Headers) -> bytes:
    return varints[len(headers)] + b"".join(
        _encode_bytes(varints, name.encode()) + _encode_bytes(varints, value) for name, value in headers
    )


def _seal(
    records: bytes,
    attributes: int,
    count: int,
    first_timestamp_ms: int,
    max_timestamp_ms: int,
    producer_id: int = -1,
    producer_epoch: int = -1,
) -> bytes:
    """Return a batch of encoded records with its header and checksum."""
    header = BatchHeader(
        base_offset=0,
        length=HEADER.size - _BEFORE_LENGTH_ENDS + len(records),
        partition_leader_epoch=0,
        magic=_MAGIC,
        crc=0,
        attributes=attributes,
        last_offset_delta=count - 1,
        base_timestamp_ms=first_timestamp_ms,
        max_timestamp_ms=max_timestamp_ms,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=-1,
        record_count=count,
    )
    batch = bytearray(HEADER.pack(*header) + records)
    struct.pack_into(">I", batch, _CRC_AT, calc_crc32c(memoryview(batch)[_CHECKED_FROM:]))
    return bytes(batch)
