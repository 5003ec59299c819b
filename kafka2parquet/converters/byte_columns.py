"""Reads the bytes of many records side by side: each record has a place, and all places advance together.

A place never moves beyond the end of its record. If a record ends inside the value that is read, its place becomes its limit,
one byte after its end, and stays there. So in the end, the places show which records ended too early.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bools = npt.NDArray[np.bool_]
Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]

#: Varints of up to this size are read in one step.
_WORD_BYTES = 8
_PADDING_BYTES = 16
_NUMBER_BYTES = 10


def _word(number: int) -> np.uint64:
    return np.uint64(number)


_FIRST_BITS = _word(0x8080_8080_8080_8080)
#: Masks and distances that close the gaps between the 7-bit groups of a varint, step by step.
_PUSHES = (
    (_word(0x007F_007F_007F_007F), _word(0x7F00_7F00_7F00_7F00), _word(1)),
    (_word(0x0000_3FFF_0000_3FFF), _word(0x3FFF_0000_3FFF_0000), _word(2)),
    (_word(0x0000_0000_0FFF_FFFF), _word(0x0FFF_FFFF_0000_0000), _word(4)),
)


class ByteColumns:
    """The concatenated bytes of some records.

    Attributes:
        starts: where each record begins.
        limits: one byte after the end of each record.
        content: all bytes, followed by some zeros.
    """

    def __init__(self, values: pa.Array) -> None:
        """Concatenate values (binary or binary_view without nulls).

        Raises:
            pyarrow.ArrowInvalid: the values have more bytes than an array can have.
        """
        joined = values.cast(pa.binary())
        _, offsets, content = joined.buffers()
        bounds = np.frombuffer(offsets, np.int32)[joined.offset : joined.offset + len(joined) + 1].astype(np.int64)
        size = int(bounds[-1] - bounds[0]) if len(bounds) else 0
        self.content = np.zeros(size + _PADDING_BYTES, np.uint8)
        if size:
            self.content[:size] = np.frombuffer(content, np.uint8)[bounds[0] : bounds[-1]]
        bounds -= bounds[:1]
        self.starts = bounds[:-1]
        self.limits = bounds[1:] + 1
        self._words = np.ndarray(size + _PADDING_BYTES - _WORD_BYTES + 1, "<u8", self.content, strides=(1,))

    def byte(self, at: Int64s) -> npt.NDArray[np.uint8]:
        """Return the byte at each place."""
        return self.content[at]

    def behind_numbers(self, at: Int64s, limits: Int64s) -> Int64s:
        """Return the place after each varint. For a varint of more than ten bytes, that is its limit."""
        if (self.content[at] < 0x80).all():
            return np.minimum(at + 1, limits)
        sizes, _, _ = self._sizes(at, limits)
        behind: Int64s = np.minimum(at + sizes, limits)
        return behind

    def numbers(self, at: Int64s, limits: Int64s) -> tuple[UInt64s, Int64s]:
        """Read the varints at these places, and return them and the places after them; 0 if the limit is reached."""
        first = self.content[at]
        if (first < 0x80).all():
            numbers, behind = first.astype(np.uint64), np.minimum(at + 1, limits)
        else:
            sizes, words, ends = self._sizes(at, limits)
            numbers = words & (ends | (ends - _word(1)))
            numbers &= ~_FIRST_BITS
            for low, high, distance in _PUSHES:
                numbers = (numbers & low) | ((numbers & high) >> distance)
            long = np.flatnonzero(ends == 0)
            if len(long):
                for place, shift in ((8, 56), (9, 63)):
                    here = long[sizes[long] > place]
                    numbers[here] |= (self.content[at[here] + place].astype(np.uint64) & _word(0x7F)) << _word(shift)
            behind = np.minimum(at + sizes, limits)
        numbers[behind == limits] = 0
        return numbers, behind

    def _sizes(self, at: Int64s, limits: Int64s) -> tuple[Int64s, UInt64s, UInt64s]:
        """Return each varint's size, its first eight bytes, and the top bit of its last byte; 0 if that byte comes later."""
        words = self._words[at]
        ends = ~words & _FIRST_BITS
        ends &= ~ends + _word(1)
        sizes = (np.frexp(ends.astype(np.float64))[1] >> 3).astype(np.int64)
        long = np.flatnonzero(ends == 0)
        if len(long):
            behind = at[long] + _WORD_BYTES
            sizes[long] = np.where(self.content[behind] < 0x80, _WORD_BYTES + 1, _NUMBER_BYTES)
            endless = (self.content[behind] >= 0x80) & (self.content[behind + 1] >= 0x80)
            sizes[long[endless]] = (limits - at)[long[endless]]
        return sizes, words, ends
