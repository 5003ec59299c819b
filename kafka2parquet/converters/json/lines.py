"""Joins JSON objects into lines, each followed by a newline, as pyarrow's parser reads them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.util.arrays import INLINE_BYTES, VIEW

_BYTE_ORDER_MARK = "\ufeff"
_WHITE_SPACE = " \t\r\n"
_NEWLINE = ord("\n")
#: Size of the pieces in which bytes are counted; a piece stays in the processor's cache.
_PIECE_BYTES = 1 << 17

_Bytes = npt.NDArray[np.uint8]
_Int32s = npt.NDArray[np.int32]


def json_lines(values: pa.Array) -> pa.BinaryArray | None:
    """Strip white space and a byte order mark from each value, and append a newline.

    Returns None if some stripped value doesn't begin with `{` and end with `}`.

    Args:
        values: binary_view without nulls, at least one.

    Raises:
        pyarrow.ArrowInvalid: there are too many bytes.
    """
    longer = _one_byte_longer(values)
    if longer is not None:
        lines = longer.cast(pa.binary())  # copies, so the byte after each value is ours
        offsets, characters = content_of(lines)
        if characters.flags.writeable and _are_in_braces(characters, offsets[:-1], offsets[1:] - 1).all():
            characters[offsets[1:] - 1] = _NEWLINE
            return lines
    text, found = in_braces(values.cast(pa.binary()))
    return pc.binary_join_element_wise(text, b"", b"\n") if found.all() else None


def in_braces(text: pa.BinaryArray) -> tuple[pa.BinaryArray, npt.NDArray[np.bool_]]:
    """Strip the white space around values, and find the values that are in braces.

    Returns:
        The stripped values, and whether each begins with `{` and ends with `}`. If stripping brings no further value into
        braces, the values are returned as they are.
    """
    found = _begin_and_end(text)
    if found.all() or not _begin_and_end(_stripped(text.filter(pa.array(~found)))).any():
        return text, found
    text = _stripped(text)
    return text, _begin_and_end(text)


def content_of(text: pa.BinaryArray) -> tuple[_Int32s, _Bytes]:
    """Return the offsets of the values, one more than there are values, and the bytes that the offsets point into."""
    _, offsets, characters = text.buffers()
    return (
        np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1],
        np.frombuffer(characters if characters is not None else b"", np.uint8),
    )


def has_only_newlines(characters: _Bytes, count: int) -> bool:
    """Whether the text has exactly `count` control characters, which are then the newlines after the lines."""
    pieces = (characters[start : start + _PIECE_BYTES] for start in range(0, len(characters), _PIECE_BYTES))
    return sum(int(np.count_nonzero(piece < ord(" "))) for piece in pieces) == count


def _one_byte_longer(values: pa.Array) -> pa.Array | None:
    """Extend each value by the byte that follows it in memory; return None if some value has no such byte.

    The values of Kafka's records always have one: at least the number of the record's headers follows each value.
    """
    buffers = values.buffers()
    if values.type != pa.binary_view() or len(buffers) != 3:
        return None
    views = np.frombuffer(buffers[1], VIEW)[values.offset : values.offset + len(values)]
    ends = views["offset"].astype(np.int64) + views["length"]
    if int(views["length"].min()) <= INLINE_BYTES or int(ends.max()) >= buffers[2].size:
        return None
    longer = views.copy()
    longer["length"] += 1
    return pa.Array.from_buffers(pa.binary_view(), len(values), [None, pa.py_buffer(longer), buffers[2]])


def _are_in_braces(characters: _Bytes, begins: _Int32s, ends: _Int32s) -> npt.NDArray[np.bool_]:
    """Whether each run of characters [begin, end) begins with `{` and ends with `}`."""
    padded = characters if len(characters) else np.zeros(1, np.uint8)
    first, last = padded[np.minimum(begins, len(padded) - 1)], padded[ends - 1]
    found: npt.NDArray[np.bool_] = (first == ord("{")) & (last == ord("}")) & (ends - begins > 1)
    return found


def _stripped(text: pa.BinaryArray) -> pa.BinaryArray:
    """Strip a byte order mark and white space from each text, whether or not its bytes are valid UTF-8."""
    if pc.any(pc.starts_with(text, _BYTE_ORDER_MARK.encode())).as_py():
        # not binary_slice, which fails for some values with its default `stop`: apache/arrow#51222
        text = pc.replace_substring_regex(text, f"^{_BYTE_ORDER_MARK}", "")
    _, offsets, characters = text.buffers()
    as_string = pa.Array.from_buffers(pa.string(), len(text), [None, offsets, characters], offset=text.offset)
    trimmed = pc.ascii_trim(as_string, _WHITE_SPACE)
    return pa.Array.from_buffers(pa.binary(), len(trimmed), trimmed.buffers(), offset=trimmed.offset)


def _begin_and_end(text: pa.BinaryArray) -> npt.NDArray[np.bool_]:
    offsets, characters = content_of(text)
    return _are_in_braces(characters, offsets[:-1], offsets[1:])
