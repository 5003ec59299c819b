"""Decodes base64 in a whole column (RFC 4648, with padding). This can go once Arrow has a kernel for it."""

from __future__ import annotations

import base64
import string

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_ALPHABET = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/").encode()
_WRONG, _PADDING = 255, 64
_VALUE_OF = np.full(256, _WRONG, np.uint8)
_VALUE_OF[np.frombuffer(_ALPHABET, np.uint8)] = np.arange(64)
_VALUE_OF[ord("=")] = _PADDING

_Bools = npt.NDArray[np.bool_]


def decode_base64(array: pa.StringArray) -> tuple[pa.BinaryArray, _Bools]:
    """Decode texts, and return the bytes and whether each text is base64. Nulls stay, and other texts become empty."""
    fits = np.ones(len(array), np.bool_)
    _, offsets, content = array.buffers()
    bounds = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    if not len(array) or bounds[0] == bounds[-1]:
        return array.view(pa.binary()), fits
    text = np.frombuffer(content, np.uint8)[bounds[0] : bounds[-1]]
    is_whole = np.diff(bounds) % 4 == 0
    ends = bounds[1:][is_whole & (np.diff(bounds) > 0)] - bounds[0]
    is_padding = text == ord("=")
    at_end = np.zeros(len(text), np.bool_)
    at_end[ends - 1] = is_padding[ends - 1]
    at_end[ends - 2] = is_padding[ends - 2] & is_padding[ends - 1]
    is_wrong = (_VALUE_OF[text] == _WRONG) | (is_padding != at_end)
    if is_wrong.any() or not is_whole.all():
        fits &= is_whole
        fits[np.searchsorted(bounds - bounds[0], np.flatnonzero(is_wrong), "right") - 1] = False
        return decode_base64(pc.if_else(pa.array(fits), array, ""))[0], fits
    # Decode all texts as one long text, with zeros in the place of padding.
    zeros = np.where(is_padding, ord("A"), text).astype(np.uint8)
    decoded = np.frombuffer(base64.b64decode(zeros.tobytes()), np.uint8)
    missing = is_padding.reshape(-1, 4).sum(axis=1)
    kept = np.arange(3) < (3 - missing)[:, None]
    lengths = np.concatenate([[0], np.cumsum(3 - missing)])[(bounds - bounds[0]) // 4]
    buffers = [array.buffers()[0], pa.py_buffer(lengths.astype(np.int32)), pa.py_buffer(decoded[kept.ravel()])]
    if array.offset:
        raise ValueError("a sliced array")
    return pa.Array.from_buffers(pa.binary(), len(array), buffers), fits
