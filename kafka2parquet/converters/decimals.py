"""Decimals as columns, and as bytes: their unscaled numbers, in two's complement, big-endian."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.schema.decimal_values import decimal_of_bytes

_Bools = npt.NDArray[np.bool_]
_Bytes = npt.NDArray[np.uint8]


def decimal_column(array: pa.BinaryArray, schema: ConnectSchema, valid: _Bools | None) -> pa.Array:
    """The column of decimals whose unscaled numbers the array has; `valid` says which count, all by default.

    Raises:
        ValueError: one has no bytes, or more digits than its type.
        pyarrow.ArrowInvalid: one has more digits than its type.
    """
    type_ = schema.arrow_type
    if pa.types.is_decimal(type_) and type_.scale == schema.scale:
        return _decimals_of_bytes(array, type_, valid)
    counts = np.ones(len(array), np.bool_) if valid is None else valid
    made = [
        decimal_of_bytes(content, schema) if here else None for content, here in zip(array.to_pylist(), counts, strict=True)
    ]
    return pa.array(made, type_)


def decimal_matrix(found: _Bytes, schema: ConnectSchema, valid: _Bools | None) -> pa.Array:
    """As `decimal_column`, of numbers of one length, one in each line."""
    type_ = schema.arrow_type
    if pa.types.is_decimal(type_) and type_.scale == schema.scale:
        return _decimals_of_matrix(found, type_, valid)
    return decimal_column(pa.array([line.tobytes() for line in found], pa.binary()), schema, valid)


def _decimals_of_bytes(array: pa.BinaryArray, type_: pa.DataType, valid: _Bools | None) -> pa.Array:
    """Numbers of any length each; `valid` says which count, all by default.

    Raises:
        ValueError: one has no bytes, or more than its type has.
        pyarrow.ArrowInvalid: one has more digits than its type.
    """
    _, offsets, content = array.buffers()
    starts = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    lengths = np.diff(starts)
    if ((lengths == 0) if valid is None else (lengths == 0) & valid).any():
        raise ValueError("a decimal without digits")
    longest = int(lengths.max(initial=1))
    if longest > type_.byte_width:
        raise ValueError(f"a decimal of {longest} bytes")
    data = np.frombuffer(content, np.uint8) if content is not None else np.zeros(0, np.uint8)
    places = np.arange(longest) - (longest - lengths)[:, None]
    inside = places >= 0
    found = np.zeros((len(array), longest), np.uint8)
    found[inside] = data[(starts[:-1, None] + places)[inside]]
    if len(array):
        firsts = np.where(lengths > 0, found[np.arange(len(array)), np.minimum(longest - lengths, longest - 1)], 0)
        found[~inside] = np.repeat(np.where(firsts >= 0x80, 0xFF, 0).astype(np.uint8), (~inside).sum(axis=1))
    return _decimals_of_matrix(found, type_, valid)


def _decimals_of_matrix(found: _Bytes, type_: pa.DataType, valid: _Bools | None) -> pa.Array:
    """Numbers of one length, one in each line; `valid` says which count, all by default.

    Raises:
        ValueError: they have more bytes than their type.
        pyarrow.ArrowInvalid: one has more digits than its type.
    """
    count, size = found.shape
    width = type_.byte_width
    if size > width:
        raise ValueError(f"a decimal of {size} bytes")
    numbers = np.empty((count, width), np.uint8)
    numbers[:, :size] = found[:, ::-1]
    numbers[:, size:] = np.where(found[:, :1] >= 0x80, 0xFF, 0)
    if valid is not None:
        numbers[~valid] = 0
    array = pa.Array.from_buffers(type_, count, [None, pa.py_buffer(numbers)])
    array.validate(full=True)
    return array
