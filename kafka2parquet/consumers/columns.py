"""Kafka record batches (format v2) to Arrow columns.

One turn of a Python loop for each record finds where it begins; everything else is numpy over all records of a chunk. Keys,
values and headers are views into the decompressed bytes: nothing is copied.

Format: Kafka protocol guide, "Record Batch" and "Record"; all lengths are zigzag varints.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.consumers.decompression import CorruptDataError

#: base offset, length, leader epoch, magic, CRC, attributes, last offset delta, base and max timestamp, producer id, producer
#: epoch, base sequence, records.
HEADER = struct.Struct(">qiibIhiqqqhii")
#: The CRC covers everything from the attributes on.
CRC_FROM = 21

_VIEW = np.dtype([("length", "<i4"), ("prefix", "<u4"), ("buffer", "<i4"), ("offset", "<i4")])
_INLINE_BYTES = 12

Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]


@attrs.frozen(eq=False)
class Columns:
    """The records of some batches: see `ConsumedBatch` for the columns."""

    offsets: pa.Array
    timestamps_ms: pa.Array
    timestamp_types: pa.Array
    keys: pa.Array
    values: pa.Array
    headers: pa.Array


@attrs.frozen(eq=False)
class Batch:
    """One batch: its header's fields, and its records uncompressed in `data[start:end]`."""

    base_offset: int
    base_timestamp_ms: int
    max_timestamp_ms: int
    append_time: bool
    records: int
    start: int
    end: int


def decode(data: bytes | memoryview, batches: Sequence[Batch], first_offset: int) -> Columns:
    """The records of the batches from `first_offset` on; batches whose records all lie in `data`.

    Raises:
        CorruptDataError: the bytes don't hold that many records.
    """
    try:
        return _decode(data, batches, first_offset)
    except IndexError as error:
        raise CorruptDataError("a record reaches beyond its batch") from error


def _decode(data: bytes | memoryview, batches: Sequence[Batch], first_offset: int) -> Columns:
    places: list[int] = []
    for batch in batches:
        _find_records(data, batch.start, batch.end, batch.records, places)
    counts = [batch.records for batch in batches]
    content: Bytes = np.frombuffer(data, np.uint8)
    length, start = _varints(content, np.array(places, np.int64))
    record_end = start + length
    timestamp_delta, position = _varints(content, start + 1)  # behind the attributes
    offset_delta, position = _varints(content, position)
    key_length, key_start = _varints(content, position)
    value_length, value_start = _varints(content, key_start + np.maximum(key_length, 0))
    headers_start = value_start + np.maximum(value_length, 0)
    header_count, position = _varints(content, headers_start)
    without_headers = header_count == 0
    if (
        (position > record_end).any()
        or (header_count < 0).any()
        or (position[without_headers] != record_end[without_headers]).any()
    ):
        raise CorruptDataError("a record's fields don't fill it")
    append_time = np.repeat(np.array([batch.append_time for batch in batches], bool), counts)
    timestamps = np.repeat(np.array([batch.base_timestamp_ms for batch in batches], np.int64), counts) + timestamp_delta
    if append_time.any():
        maxima = np.repeat(np.array([batch.max_timestamp_ms for batch in batches], np.int64), counts)
        timestamps = np.where(append_time, maxima, timestamps)
    offsets = np.repeat(np.array([batch.base_offset for batch in batches], np.int64), counts) + offset_delta
    skip = int(np.searchsorted(offsets, first_offset)) if len(offsets) and offsets[0] < first_offset else 0
    kept = slice(skip, None)
    memory = pa.py_buffer(data)
    return Columns(
        offsets=pa.array(offsets[kept]),
        timestamps_ms=pa.array(timestamps[kept], mask=timestamps[kept] < 0 if (timestamps < 0).any() else None),
        timestamp_types=pa.array(append_time[kept].astype(np.int8)),
        keys=_views(content, memory, key_start[kept], key_length[kept], key_length[kept] < 0),
        values=_views(content, memory, value_start[kept], value_length[kept], value_length[kept] < 0),
        headers=_views(content, memory, headers_start[kept], (record_end - headers_start)[kept], without_headers[kept]),
    )


def _find_records(data: bytes | memoryview, position: int, end: int, count: int, places: list[int]) -> None:
    """Append where each of the records in data[position:end] begins."""
    add, steps = places.append, _STEPS
    for _ in range(count - 1):
        add(position)
        position += steps[data[position] | data[position + 1] << 8] or _long_step(data, position)
    if count:
        add(position)
        position += _long_step(data, position)
    if position != end:
        raise CorruptDataError(f"{end - position} bytes are left over after {count} records")


def _long_step(data: bytes | memoryview, position: int) -> int:
    """Bytes from the record at `position` to the next one."""
    number = shift = 0
    begin = position
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    if number & 1:
        raise CorruptDataError("a record has a negative length")
    return position - begin + (number >> 1)


def _short_steps() -> list[int]:
    """For the first two bytes of a record, first one lowest: how far it is to the next one; 0 where its length takes more."""
    first, second = np.meshgrid(np.arange(256), np.arange(256))
    number = np.where(first < 0x80, first, first & 0x7F | second << 7)
    width = np.where(first < 0x80, 1, 2)
    known = ((first < 0x80) | (second < 0x80)) & (number & 1 == 0)
    return [int(step) for step in np.where(known, width + (number >> 1), 0).ravel()]


#: Most records are found by this table: looking at each byte of each length would take twice as long.
_STEPS = _short_steps()


def _varints(content: Bytes, position: Int64s) -> tuple[Int64s, Int64s]:
    """The zigzag varints at all positions, and the positions after them."""
    byte = content[position]
    number = (byte & 0x7F).astype(np.int64)
    position = position + 1
    unfinished = byte > 0x7F
    shift = 7
    while unfinished.any():
        if shift > 63:
            raise CorruptDataError("a number takes more than ten bytes")
        if unfinished.all():  # the usual case: all have the same width
            byte = content[position]
            number |= (byte & 0x7F).astype(np.int64) << shift
            position += 1
            unfinished = byte > 0x7F
        else:
            rows = np.flatnonzero(unfinished)
            byte = content[position[rows]]
            number[rows] |= (byte & 0x7F).astype(np.int64) << shift
            position[rows] += 1
            unfinished = np.zeros(len(number), bool)
            unfinished[rows] = byte > 0x7F
        shift += 7
    return ((number >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(number & 1), position


def _views(content: Bytes, memory: pa.Buffer, starts: Int64s, lengths: Int64s, null: Bools) -> pa.Array:
    """binary_view array of content[start:start+length]; long values point into `memory`, short ones stand in the view."""
    count = len(starts)
    any_null = bool(null.any())
    if any_null:
        lengths = np.where(null, 0, lengths)
    if count and (int(lengths.min()) < 0 or int((starts + lengths).max()) > len(content)):
        raise CorruptDataError("a record reaches beyond its batch")
    views = np.zeros(count, _VIEW)
    views["length"] = lengths
    raw = views.view(np.uint8).reshape(count, _VIEW.itemsize)
    long = np.flatnonzero(lengths > _INLINE_BYTES)
    if len(long):
        rows = slice(None) if len(long) == count else long
        long_starts = starts[rows]
        views["offset"][rows] = long_starts
        for byte in range(4):
            raw[rows, 4 + byte] = content[long_starts + byte]
    if len(long) != count:
        rows_left = np.flatnonzero((lengths <= _INLINE_BYTES) & (lengths > 0))
        for byte in range(_INLINE_BYTES):
            rows_left = rows_left[lengths[rows_left] > byte]
            if not len(rows_left):
                break
            raw[rows_left, 4 + byte] = content[starts[rows_left] + byte]
    valid = pa.py_buffer(np.packbits(~null, bitorder="little")) if any_null else None
    return pa.Array.from_buffers(pa.binary_view(), count, [valid, pa.py_buffer(views), memory], int(null.sum()))
