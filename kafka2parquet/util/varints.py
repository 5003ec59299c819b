"""Decodes and encodes zigzag varints, Kafka's format for lengths and counts in records."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

#: Maximum length of a 64-bit number in bytes.
_MOST_BYTES = 10


def read_varint(data: bytes | memoryview, position: int) -> tuple[int, int]:
    """Decode the zigzag varint at a position. Returns the number and the position after it.

    Raises:
        IndexError: the data end within the number.
        ValueError: the number is longer than any number that Kafka writes.
    """
    byte = data[position]
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), position + 1
    number = 0
    for shift in range(0, 7 * _MOST_BYTES, 7):
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), position
    raise ValueError(f"a length or count of a record or its headers has more than {_MOST_BYTES} bytes")


def read_varints(content: Bytes, position: Int64s) -> tuple[Int64s, Int64s]:
    """Decode the zigzag varints at all positions. Returns the numbers and the positions after them.

    Raises:
        IndexError: the content ends within a number.
        ValueError: a number is longer than any number that Kafka writes.
    """
    byte = content[position]
    number = (byte & 0x7F).astype(np.int64)
    position = position + 1
    unfinished = byte > 0x7F
    shift = 7
    while unfinished.any():
        if shift > 63:
            raise ValueError("a number takes more than ten bytes")
        if unfinished.all():  # the usual case: all numbers have the same width
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


def varint(number: int) -> bytes:
    """Encode a 64-bit number as a zigzag varint."""
    number = (number << 1) ^ (number >> 63)
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])
