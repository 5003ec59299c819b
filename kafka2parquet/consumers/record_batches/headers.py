"""Reads the headers of all batches of a fetch at once, because they are most of the work for small batches.

Format: Kafka protocol guide, "Record Batch".
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from kafka2parquet.consumers.record_batches.decompression import CorruptDataError

#: The layout on the wire. The names of unused fields begin with an underscore.
_WIRE = np.dtype(
    [
        ("base_offset", ">i8"),
        ("_length", ">i4"),
        ("leader_epoch", ">i4"),
        ("_magic", "i1"),
        ("crc", ">u4"),
        ("attributes", ">i2"),
        ("last_offset_delta", ">i4"),
        ("base_timestamp_ms", ">i8"),
        ("max_timestamp_ms", ">i8"),
        ("producer_id", ">i8"),
        ("_producer_epoch", ">i2"),
        ("_base_sequence", ">i4"),
        ("records", ">i4"),
    ]
)
_NUMBERS = (
    "base_offset",
    "leader_epoch",
    "crc",
    "attributes",
    "base_timestamp_ms",
    "max_timestamp_ms",
    "producer_id",
    "records",
)
#: One row for each batch: fields of its header, and its bounds `start` and `end` in the fetched bytes.
_HEADERS = np.dtype([(name, np.int64) for name in (*_NUMBERS, "last_offset", "start", "end")])

HEADER_BYTES = _WIRE.itemsize
#: Offset in the header from which on the CRC covers the batch: the attributes field.
CRC_FROM = 21

CODEC = 0x07
APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20

MAGIC_AT = 16
_LENGTH_AT = 8
_BEFORE_LENGTH = 12
_LENGTH = struct.Struct(">i")

#: An array of `_HEADERS`.
Headers = npt.NDArray[Any]

NO_HEADERS: Headers = np.empty(0, _HEADERS)


def whole_batches(data: bytes, position: int) -> tuple[list[int], int]:
    """Return the starts of the consecutive complete batches from a position on, and the end of the last one.

    Stops at a batch in an old format, and at a batch that the fetch has cut off.

    Raises:
        CorruptDataError: a batch has no length.
    """
    starts: list[int] = []
    length_at, size = _LENGTH.unpack_from, len(data)
    while size - position > MAGIC_AT:
        end = position + _BEFORE_LENGTH + length_at(data, position + _LENGTH_AT)[0]
        if end > size:
            break
        if end <= position + MAGIC_AT:
            raise CorruptDataError("a batch has no length")
        if data[position + MAGIC_AT] < 2:
            break
        starts.append(position)
        position = end
    return starts, position


def legacy_end(data: bytes, position: int) -> int | None:
    """Return the end of the complete old-format batch that begins at a position; None if there isn't one.

    Raises:
        CorruptDataError: the batch has no length.
    """
    if len(data) - position <= MAGIC_AT or data[position + MAGIC_AT] >= 2:
        return None
    end = position + _BEFORE_LENGTH + int(_LENGTH.unpack_from(data, position + _LENGTH_AT)[0])
    if end <= position + MAGIC_AT:
        raise CorruptDataError("a batch has no length")
    return end if end <= len(data) else None


def read_headers(data: bytes, starts: list[int], end: int) -> Headers:
    """Return the headers of the batches at `starts`. The last batch ends at `end`.

    Raises:
        CorruptDataError: the bytes end within a header.
    """
    headers = np.empty(len(starts), _HEADERS)
    headers["start"] = starts
    headers["end"] = [*starts[1:], end]
    if starts[-1] + HEADER_BYTES > len(data):
        raise CorruptDataError("a batch is shorter than its header")
    wire = np.frombuffer(data, np.uint8)[headers["start"][:, None] + np.arange(HEADER_BYTES)].view(_WIRE)[:, 0]
    for name in _NUMBERS:
        headers[name] = wire[name]
    headers["last_offset"] = headers["base_offset"] + wire["last_offset_delta"]
    return headers


def moved_together(headers: Headers) -> Headers:
    """Return the headers with new positions for bytes in which the batches directly follow each other."""
    moved = headers.copy()
    ends = np.cumsum(headers["end"] - headers["start"])
    moved["start"], moved["end"] = ends - (headers["end"] - headers["start"]), ends
    return moved
