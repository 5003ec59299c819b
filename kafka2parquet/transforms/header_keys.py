"""Finds records with a header of some name: reads the headers of all records together, header by header."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.records import decode_headers
from kafka2parquet.util.varints import read_varints, varint

Mask = npt.NDArray[np.bool_]
_Int64s = npt.NDArray[np.int64]

#: Few records have more headers than this; they are checked one by one.
_MOST_TOGETHER = 100


def have_header(sections: pa.Array, name: str) -> Mask:
    """Return a mask of the header sections with a header called `name`.

    Args:
        sections: large_binary; each record's header section as sent, null for a record without headers.
        name: key of the header.

    Raises:
        ValueError: a section that may contain the name is malformed.
    """
    key = name.encode()
    may_be = pc.fill_null(pc.match_substring(sections, varint(len(key)) + key), False)
    found: Mask = np.array(may_be.to_numpy(zero_copy_only=False), np.bool_)
    if found.any():
        found[found] = _found(sections.filter(may_be), key)
    return found


def _found(sections: pa.LargeBinaryArray, key: bytes) -> Mask:
    _, bounds, memory = sections.buffers()
    ends = np.frombuffer(bounds, np.int64)[sections.offset : sections.offset + len(sections) + 1]
    content = np.frombuffer(memory, np.uint8)
    wanted = np.frombuffer(key, np.uint8)
    found = np.zeros(len(sections), np.bool_)
    try:
        left, position = read_varints(content, ends[:-1])
        rows = np.arange(len(sections))
        for _ in range(_MOST_TOGETHER):
            key_bytes, key_start = read_varints(content, position)
            value_start = key_start + key_bytes
            _check(key_bytes >= 0, value_start <= ends[1:][rows])
            is_key = key_bytes == len(key)
            is_key[is_key] = (content[key_start[is_key, None] + np.arange(len(key))] == wanted).all(axis=1)
            found[rows[is_key]] = True
            value_bytes, position = read_varints(content, value_start)
            position = position + np.maximum(value_bytes, 0)
            left = left - 1
            goes_on = ~is_key & (left > 0)
            rows, left, position = rows[goes_on], left[goes_on], position[goes_on]
            if not len(rows):
                return found
            _check(position < ends[1:][rows])
    except IndexError:
        raise ValueError("the header section ends too early") from None
    for row in rows.tolist():
        found[row] = any(each.encode() == key for each, _ in decode_headers(sections[row].as_py()))
    return found


def _check(*conditions: Mask) -> None:
    if not all(condition.all() for condition in conditions):
        raise ValueError("a header reaches beyond its section")
