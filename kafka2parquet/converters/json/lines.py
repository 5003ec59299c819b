"""JSON objects one behind the other, each with a newline behind it, as pyarrow's parser reads them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.util.arrays import INLINE_BYTES, VIEW

_BYTE_ORDER_MARK = "\ufeff"
_WHITE_SPACE = " \t\r\n"
_NEWLINE = ord("\n")
#: Bytes are counted in pieces of this size, which stay in the processor's cache.
_PIECE_BYTES = 1 << 17

_Bytes = npt.NDArray[np.uint8]
_Int32s = npt.NDArray[np.int32]


def json_lines(values: pa.Array) -> pa.BinaryArray | None:
    """Each value without white space around it and a byte order mark before it, with a newline behind it.

    None where some value doesn't begin with `{` and end with `}` then.

    Args:
        values: binary_view without nulls, at least one.

    Raises:
        pyarrow.ArrowInvalid: values with white space or a byte order mark that are not UTF-8, or too many bytes.
    """
    longer = _one_byte_longer(values)
    if longer is not None:
        lines = longer.cast(pa.binary())  # copies, so the byte behind each value is ours
        offsets, characters = content_of(lines)
        if characters.flags.writeable and _are_in_braces(characters, offsets[:-1], offsets[1:] - 1):
            characters[offsets[1:] - 1] = _NEWLINE
            return lines
    text, found = in_braces(values.cast(pa.binary()))
    return pc.binary_join_element_wise(text, b"", b"\n") if found.all() else None


def in_braces(text: pa.BinaryArray) -> tuple[pa.BinaryArray, npt.NDArray[np.bool_]]:
    """The values without white space around those that are in braces, and which are: they begin with `{` and end with `}`."""
    found = _begin_and_end(text)
    if found.all() or not _begin_and_end(_stripped(text.filter(pa.array(~found)))).any():
        return text, found
    text = _stripped(text)
    return text, _begin_and_end(text)


def content_of(text: pa.BinaryArray) -> tuple[_Int32s, _Bytes]:
    """Where each value begins, and the last one ends, among the characters; and the characters."""
    _, offsets, characters = text.buffers()
    return (
        np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1],
        np.frombuffer(characters if characters is not None else b"", np.uint8),
    )


def has_only_newlines(characters: _Bytes, count: int) -> bool:
    """Whether there are exactly `count` control characters, the newlines behind the lines."""
    pieces = (characters[start : start + _PIECE_BYTES] for start in range(0, len(characters), _PIECE_BYTES))
    return sum(int(np.count_nonzero(piece < ord(" "))) for piece in pieces) == count


def _one_byte_longer(values: pa.Array) -> pa.Array | None:
    """The values with the byte that lies behind each of them; None where one doesn't lie in memory like that.

    Values of records do: at least the number of the record's headers lies behind each.
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


def _are_in_braces(characters: _Bytes, begins: _Int32s, ends: _Int32s) -> bool:
    if (ends - begins < 2).any():
        return False
    return bool((characters[begins] == ord("{")).all() and (characters[ends - 1] == ord("}")).all())


def _stripped(text: pa.BinaryArray) -> pa.BinaryArray:
    """The text without a byte order mark before it and white space around it, whatever its bytes are."""
    if pc.any(pc.starts_with(text, _BYTE_ORDER_MARK.encode())).as_py():
        text = pc.replace_substring_regex(text, f"^{_BYTE_ORDER_MARK}", "")  # binary_slice fails for short values
    _, offsets, characters = text.buffers()
    as_string = pa.Array.from_buffers(pa.string(), len(text), [None, offsets, characters], offset=text.offset)
    trimmed = pc.ascii_trim(as_string, _WHITE_SPACE)
    return pa.Array.from_buffers(pa.binary(), len(trimmed), trimmed.buffers(), offset=trimmed.offset)


def _begin_and_end(text: pa.BinaryArray) -> npt.NDArray[np.bool_]:
    offsets, characters = content_of(text)
    padded = characters if len(characters) else np.zeros(1, np.uint8)
    first, last = padded[np.minimum(offsets[:-1], len(padded) - 1)], padded[offsets[1:] - 1]
    found: npt.NDArray[np.bool_] = (first == ord("{")) & (last == ord("}")) & (np.diff(offsets) > 1)
    return found
