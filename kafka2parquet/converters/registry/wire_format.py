"""Splits values in Confluent's wire format: a zero byte, a schema id (4 bytes, big-endian), and a payload.

Values are binary_view arrays, as consumers deliver them: a view of 16 bytes per value with its length and its place in memory,
or with the value itself if that is short. So a prefix is cut off by changing the views, without copying the values. This can go
once Arrow has a kernel that slices binary_view arrays without copying.

Plain kernels (`cast`, `binary_slice`, `starts_with`) copy all values twice. With them the Avro and Protobuf converters took
0.80 and 0.71 of the time for values of 60 bytes, 0.90 and 0.97 for 250 bytes, but 1.15 and 1.12 for 1,000 bytes (8,192 values,
medians of CPU time in one run). The work on views stays because large values cost most.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.util.arrays import ARROW_DATA_ERRORS, INLINE_BYTES, VIEW

HEADER_BYTES = 5

#: How many first bytes of a value its view always has.
_PREFIX_BYTES = 4

#: Stands for a missing id; sorts after all ids of 4 bytes.
_NO_ID = 1 << 32
#: Values in more buffers than this are first copied to one, because going through the buffers one by one takes longer.
_MANY_BUFFERS = 16

_Bools = npt.NDArray[np.bool_]
_Bytes = npt.NDArray[np.uint8]
_Int64s = npt.NDArray[np.int64]
_Views = npt.NDArray[np.void]


def split(values: pa.Array) -> Iterator[tuple[int | None, _Int64s, pa.Array]]:
    """Group values by schema id, and cut off the magic byte and the id. Only short values are copied.

    Args:
        values: binary_view without nulls.

    Yields:
        The schema's id, the indices of its values in ascending order, and their payloads as binary_view. Values without the
        magic byte, or too short for an id, come last and unchanged, with None for the id.
    """
    views, buffers = _views(values)
    raw = _raw(views)
    headed = (views["length"] >= HEADER_BYTES) & (raw[:, 4] == 0)
    ids = raw[:, 5].astype(np.int64) << 24 | raw[:, 6].astype(np.int64) << 16 | raw[:, 7].astype(np.int64) << 8
    ids |= _fifth_bytes(views, headed, buffers)
    ids[~headed] = -1
    payloads = _cut(views, headed, buffers, HEADER_BYTES)
    if len(ids) and ids[0] >= 0 and (ids == ids[0]).all():
        yield int(ids[0]), np.arange(len(ids)), _array(payloads, buffers)
        return
    ids[ids < 0] = _NO_ID
    for rows in rows_of_each(ids):
        schema_id = int(ids[rows[0]])
        if schema_id != _NO_ID:
            yield schema_id, rows, _array(payloads[rows], buffers)
        else:
            yield None, rows, _array(views[rows], buffers)


def rows_of_each(numbers: _Int64s) -> list[_Int64s]:
    """Return the indices of each number in ascending order, starting with the smallest number."""
    order = np.argsort(numbers, kind="stable")
    bounds = np.flatnonzero(np.diff(numbers[order])) + 1
    return np.split(order, bounds) if len(numbers) else []


def begins_with(values: pa.Array, prefix: bytes) -> _Bools:
    """Whether each value (binary_view without nulls) begins with `prefix`."""
    if len(prefix) > _PREFIX_BYTES:
        found = pc.starts_with(values.cast(pa.large_binary()), prefix)
        return found.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]  # pyarrow has no types
    views, _ = _views(values)
    begins = _raw(views)[:, 4 : 4 + len(prefix)] == np.frombuffer(prefix, np.uint8)
    return begins.all(axis=1) & (views["length"] >= len(prefix))  # type: ignore[no-any-return]


def ends_early(values: pa.Array) -> _Bools:
    """Whether each value (binary_view without nulls) is empty, or has the magic byte but ends before the payload."""
    views, _ = _views(values)
    return (views["length"] < HEADER_BYTES) & ((views["length"] == 0) | (_raw(views)[:, 4] == 0))  # type: ignore[no-any-return]


def without_prefix(values: pa.Array, rows: _Int64s, prefix_bytes: int) -> pa.Array:
    """Cut the first `prefix_bytes` bytes off the values at these indices, which must not be shorter than that."""
    views, buffers = _views(values)
    views = views[rows]
    return _array(_cut(views, np.ones(len(views), np.bool_), buffers, prefix_bytes), buffers)


def _views(values: pa.Array) -> tuple[_Views, list[pa.Buffer]]:
    if not values.type.equals(pa.binary_view()):
        values = values.cast(pa.binary_view())
    _, views, *buffers = values.buffers()
    if len(buffers) > _MANY_BUFFERS:
        with contextlib.suppress(*ARROW_DATA_ERRORS):  # more bytes than one buffer can hold
            values = values.cast(pa.binary()).cast(pa.binary_view())
            _, views, *buffers = values.buffers()
    if views is None:  # no values
        return np.zeros(0, VIEW), []
    return np.frombuffer(views, VIEW)[values.offset : values.offset + len(values)], buffers


def _raw(views: _Views) -> _Bytes:
    return views.view(np.uint8).reshape(-1, VIEW.itemsize)


def _array(views: _Views, buffers: list[pa.Buffer]) -> pa.Array:
    return pa.Array.from_buffers(pa.binary_view(), len(views), [None, pa.py_buffer(np.ascontiguousarray(views)), *buffers], 0)


def _fifth_bytes(views: _Views, chosen: _Bools, buffers: list[pa.Buffer]) -> _Bytes:
    """Return the fifth byte of each chosen value, and any byte for others. Views of long values don't have the fifth byte."""
    fifth_bytes = _raw(views)[:, 4 + _PREFIX_BYTES].copy()
    for number, rows in _by_buffer(views, chosen & (views["length"] > INLINE_BYTES)):
        fifth_bytes[rows] = np.frombuffer(buffers[number], np.uint8)[views["offset"][rows].astype(np.int64) + _PREFIX_BYTES]
    return fifth_bytes


def _cut(views: _Views, chosen: _Bools, buffers: list[pa.Buffer], size: int) -> _Views:
    """Cut the first `size` bytes off the views of the chosen values, which must be that long. Other views may be anything."""
    lengths = views["length"]
    cut = views.copy()
    cut["length"] -= size
    cut_raw = _raw(cut)
    inline = lengths <= INLINE_BYTES
    left = max(INLINE_BYTES - size, 0)
    cut_raw[inline, 4:] = 0
    cut_raw[inline, 4 : 4 + left] = _raw(views)[inline, 4 + INLINE_BYTES - left :]
    for number, rows in _by_buffer(views, chosen & ~inline):
        content = np.frombuffer(buffers[number], np.uint8)
        starts = views["offset"][rows].astype(np.int64) + size
        stays = lengths[rows] > INLINE_BYTES + size
        staying = rows[stays]
        prefixes = np.ndarray(max(len(content) - _PREFIX_BYTES + 1, 0), "<u4", content, strides=(1,))
        cut["prefix"][staying] = prefixes[starts[stays]]
        cut["offset"][staying] += size
        if not stays.all():
            moving = rows[~stays]
            places = np.arange(INLINE_BYTES)
            inside = places < cut["length"][moving][:, None]
            copied = content[np.where(inside, starts[~stays][:, None] + places, 0)]
            cut_raw[moving, 4:] = np.where(inside, copied, 0)
    return cut


def _by_buffer(views: _Views, chosen: _Bools) -> Iterator[tuple[int, _Int64s]]:
    """Yield each buffer's number and the chosen rows whose values are in it."""
    rows = np.flatnonzero(chosen)
    numbers = views["buffer"][rows]
    if len(numbers) and (np.diff(numbers) < 0).any():
        order = np.argsort(numbers, kind="stable")
        rows, numbers = rows[order], numbers[order]
    bounds = [*np.flatnonzero(np.diff(numbers, prepend=-1)).tolist(), len(rows)]
    for start, end in itertools.pairwise(bounds):
        yield int(numbers[start]), rows[start:end]
