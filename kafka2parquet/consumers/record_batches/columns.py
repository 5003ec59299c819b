"""Converts Kafka record batches (format v2) to Arrow columns.

A Python loop with one short step for each record finds where the records begin. Everything else is numpy over all records of a
chunk. Keys, values and headers are views into the decompressed bytes: nothing is copied.

Format: Kafka protocol guide, "Record Batch" and "Record"; all lengths are zigzag varints.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.consumers.record_batches.decompression import CorruptDataError
from kafka2parquet.consumers.record_batches.headers import APPEND_TIME, Headers
from kafka2parquet.util.arrays import INLINE_BYTES, VIEW
from kafka2parquet.util.display import counted
from kafka2parquet.util.varints import read_varint, read_varints

Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]


@attrs.frozen(eq=False)
class Columns:
    """The columns of some batches' records. `ConsumedBatch` describes the columns."""

    offsets: pa.Array
    timestamps_ms: pa.Array
    timestamp_types: pa.Array
    keys: pa.Array
    values: pa.Array
    headers: pa.Array


def decode(data: bytes | memoryview, headers: Headers, starts: Int64s, ends: Int64s, first_offset: int) -> Columns:
    """Decode the records of some batches from `first_offset` on. data[start:end] holds a batch's uncompressed records.

    Raises:
        CorruptDataError: the bytes don't hold as many records as the headers say.
    """
    try:
        return _decode(data, headers, starts, ends, first_offset)
    except IndexError as error:
        raise CorruptDataError("a record reaches beyond its batch") from error
    except ValueError as error:
        raise error if isinstance(error, CorruptDataError) else CorruptDataError(str(error)) from error


def _decode(data: bytes | memoryview, headers: Headers, starts: Int64s, ends: Int64s, first_offset: int) -> Columns:
    counts = headers["records"]
    content: Bytes = np.frombuffer(data, np.uint8)
    length, start = read_varints(content, _places(data, content, starts, ends, counts))
    record_end = start + length
    _check_ends(record_end, starts, ends, counts)
    timestamp_delta, position = read_varints(content, start + 1)  # after the attributes
    offset_delta, position = read_varints(content, position)
    key_length, key_start = read_varints(content, position)
    value_length, value_start = read_varints(content, key_start + np.maximum(key_length, 0))
    headers_start = value_start + np.maximum(value_length, 0)
    header_count, position = read_varints(content, headers_start)
    without_headers = header_count == 0
    if (
        (position > record_end).any()
        or (header_count < 0).any()
        or (position[without_headers] != record_end[without_headers]).any()
    ):
        raise CorruptDataError("a record's fields don't fill it")
    append_time = np.repeat(headers["attributes"] & APPEND_TIME != 0, counts)
    timestamps = np.repeat(headers["base_timestamp_ms"], counts) + timestamp_delta
    if append_time.any():
        timestamps = np.where(append_time, np.repeat(headers["max_timestamp_ms"], counts), timestamps)
    offsets = np.repeat(headers["base_offset"], counts) + offset_delta
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


def _places(data: bytes | memoryview, content: Bytes, starts: Int64s, ends: Int64s, counts: Int64s) -> Int64s:
    """Return where the records of all batches begin."""
    total, most = int(counts.sum()), int(counts.max(initial=0))
    if total == len(counts) * most and most == 1:
        return starts
    if total >= most * _STEPS_TOGETHER:
        return _places_together(content, starts, counts, total)
    places: list[int] = []
    for start, end, count in zip(starts.tolist(), ends.tolist(), counts.tolist(), strict=True):
        _find_records(data, start, end, count, places)
    return np.array(places, np.int64)


def _places_together(content: Bytes, starts: Int64s, counts: Int64s, total: int) -> Int64s:
    """Find the records of many small batches together: all first records, then all second records, and so on."""
    places = np.empty(total, np.int64)
    indices = np.cumsum(counts) - counts
    batches = np.flatnonzero(counts)
    position, number = starts[batches], 0
    while len(batches):
        places[indices[batches] + number] = position
        number += 1
        going_on = counts[batches] > number
        batches, position = batches[going_on], position[going_on]
        length, position = read_varints(content, position)
        if (length < 0).any():
            raise CorruptDataError("a record has a negative length")
        position = position + length
    return places


def _check_ends(record_ends: Int64s, starts: Int64s, ends: Int64s, counts: Int64s) -> None:
    """Check that the last record of each batch ends where the batch does."""
    found = starts.copy()
    filled = counts > 0
    found[filled] = record_ends[np.cumsum(counts)[filled] - 1]
    for batch in np.flatnonzero(found != ends)[:1].tolist():
        raise CorruptDataError(
            f"left over after {counted(counts[batch], 'record')}: {counted(ends[batch] - found[batch], 'byte')}"
        )


def _find_records(data: bytes | memoryview, position: int, end: int, count: int, places: list[int]) -> None:
    """Append where each of the records in data[position:end] begins."""
    add, steps = places.append, _STEPS
    for _ in range(count - 1):
        add(position)
        position += steps[data[position] | data[position + 1] << 8] or _long_step(data, position)
    if count:
        add(position)


def _long_step(data: bytes | memoryview, position: int) -> int:
    """Return bytes from the record at `position` to the next one."""
    try:
        length, after = read_varint(data, position)
    except ValueError as error:
        raise CorruptDataError(str(error)) from error
    if length < 0:
        raise CorruptDataError("a record has a negative length")
    return after - position + length


def _short_steps() -> list[int]:
    """Return the table from a record's first two bytes (little-endian) to its size in bytes; 0 if the length takes more."""
    first, second = np.meshgrid(np.arange(256), np.arange(256))
    number = np.where(first < 0x80, first, first & 0x7F | second << 7)
    width = np.where(first < 0x80, 1, 2)
    known = ((first < 0x80) | (second < 0x80)) & (number & 1 == 0)
    return [int(step) for step in np.where(known, width + (number >> 1), 0).ravel()]


#: Batches are walked through together if they hold at least this many times the records of the largest batch.
_STEPS_TOGETHER = 50
#: Finds most records. Decoding each length byte by byte would take twice as long.
_STEPS = _short_steps()


def _views(content: Bytes, memory: pa.Buffer, starts: Int64s, lengths: Int64s, null: Bools) -> pa.Array:
    """Return a binary_view array of content[start:start+length]. Long values point into `memory`; views hold short values."""
    count = len(starts)
    if null.all():
        return pa.nulls(count, pa.binary_view())
    any_null = bool(null.any())
    if any_null:
        lengths = np.where(null, 0, lengths)
    if int(lengths.min()) < 0 or int((starts + lengths).max()) > len(content):
        raise CorruptDataError("a record reaches beyond its batch")
    views = np.zeros(count, VIEW)
    views["length"] = lengths
    is_long = lengths > INLINE_BYTES
    if is_long.any():
        rows = slice(None) if is_long.all() else np.flatnonzero(is_long)
        views["offset"][rows] = starts[rows]
        views["prefix"][rows] = _words(content, np.uint32)[starts[rows]]
    if not is_long.all():
        _put_inline(views.view(_INLINE_VIEW), content, starts, np.flatnonzero(~is_long & (lengths > 0)))
    valid = pa.py_buffer(np.packbits(~null, bitorder="little")) if any_null else None
    return pa.Array.from_buffers(pa.binary_view(), count, [valid, pa.py_buffer(views), memory], int(null.sum()))


def _put_inline(views: npt.NDArray[Any], content: Bytes, starts: Int64s, rows: Int64s) -> None:
    """Copy the content of short values into their views."""
    if len(rows) and int(starts[rows].max()) + INLINE_BYTES > len(content):
        content = np.concatenate([content, np.zeros(INLINE_BYTES, np.uint8)])  # padding, because it is read in words
    if len(rows):
        lengths = views["length"][rows]
        views["prefix"][rows] = _words(content, np.uint32)[starts[rows]] & _PREFIX_MASKS[lengths]
        views["rest"][rows] = _words(content, np.uint64)[starts[rows] + 4] & _REST_MASKS[lengths]


def _words(content: Bytes, type_: type[np.uint32 | np.uint64]) -> npt.NDArray[Any]:
    """Return the little-endian words that begin at each byte."""
    word = np.dtype(type_).newbyteorder("<")
    return np.ndarray((len(content) - word.itemsize + 1,), word, buffer=content, strides=(1,))


#: A view that holds its content, followed by masks for the words of content of 0 to 12 bytes.
_INLINE_VIEW = np.dtype([("length", "<i4"), ("prefix", "<u4"), ("rest", "<u8")])
_PREFIX_MASKS = np.array([(1 << 8 * min(length, 4)) - 1 for length in range(INLINE_BYTES + 1)], np.uint32)
_REST_MASKS = np.array([(1 << 8 * max(length - 4, 0)) - 1 for length in range(INLINE_BYTES + 1)], np.uint64)
