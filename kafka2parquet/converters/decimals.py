"""Converts whole columns of decimals from their unscaled numbers, in two's complement, big-endian.

This can go once Arrow has a kernel that makes decimals of bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.schema.decimal_values import decimal_of_bytes

_Bools = npt.NDArray[np.bool_]
_Bytes = npt.NDArray[np.uint8]
_Int64s = npt.NDArray[np.int64]

_WHOLE = pa.decimal256(76, 0)
_LIMB_BITS = 64


def decimals_of(
    array: pa.BinaryArray, schema: ConnectSchema, valid: _Bools | None, most_digits: _Int64s | None = None
) -> tuple[pa.Array, _Bools]:
    """Convert unscaled numbers to a column of decimals, and return it with whether each number fits the type.

    Args:
        array: the numbers, each of any length.
        schema: the schema of the decimals.
        valid: which numbers count; all by default. The others fit, and may become anything.
        most_digits: the most digits of each number, or 0 for no limit. A number that is longer than any decimal may be reported
            as not fitting.
    """
    _, offsets, content = array.buffers()
    bounds = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    data = np.frombuffer(content, np.uint8) if content is not None and content.size else np.zeros(1, np.uint8)
    counts = np.ones(len(array), np.bool_) if valid is None else valid
    lengths = np.where(counts, np.diff(bounds), 0)
    width = max(min(int(lengths.max(initial=0)), _layout(schema).byte_width), 1)
    places = bounds[1:, None] - np.arange(width, 0, -1)
    firsts = data[np.where(lengths > 0, bounds[:-1], 0)]
    signs = np.where((firsts >= 0x80) & (lengths > 0), 0xFF, 0).astype(np.uint8)
    found = np.where(places >= bounds[:-1, None], data[np.maximum(places, 0)], signs[:, None])
    fits = lengths > 0
    long = np.flatnonzero(lengths > width)
    if len(long):
        more = lengths[long] - width
        before = np.repeat(bounds[long] + more - np.cumsum(more), more) + np.arange(more.sum())
        differ = data[before] != np.repeat(np.where(found[long, 0] >= 0x80, 0xFF, 0), more)
        fits[long] = ~np.logical_or.reduceat(differ, np.cumsum(more) - more)
    column, made = _column(found, schema, counts, fits, lambda rows: array.take(pa.array(rows)).to_pylist())
    if most_digits is not None:
        layout = _layout(schema)
        fits &= _is_below(found, layout, layout.precision)
        for digits in np.unique(most_digits[fits & (most_digits < layout.precision)]).tolist():
            if digits > 0:
                fits &= (most_digits != digits) | _is_below(found, layout, digits)
        made = made & (fits | ~counts | (most_digits == 0))
    return column, made


def decimals_of_matrix(found: _Bytes, schema: ConnectSchema, valid: _Bools | None) -> tuple[pa.Array, _Bools]:
    """Convert numbers of equal length (at least 1 byte) as `decimals_of` does. Each row of the matrix is a number."""
    more = max(found.shape[1] - _layout(schema).byte_width, 0)
    signs = np.where(found[:, more] >= 0x80, 0xFF, 0)
    fits = (found[:, :more] == signs[:, None]).all(axis=1)
    counts = np.ones(len(found), np.bool_) if valid is None else valid
    return _column(found[:, more:], schema, counts, fits, lambda rows: [found[row].tobytes() for row in rows])


def _layout(schema: ConnectSchema) -> pa.DataType:
    """Return a type that holds the unscaled numbers of the column, or most of them."""
    return schema.arrow_type if _is_plain(schema) else _WHOLE


def _is_plain(schema: ConnectSchema) -> bool:
    """Whether the column has decimals with the scale of the schema."""
    return bool(pa.types.is_decimal(schema.arrow_type) and schema.arrow_type.scale == schema.scale)


def _column(
    found: _Bytes, schema: ConnectSchema, counts: _Bools, fits: _Bools, contents: Callable[[_Int64s], list[bytes]]
) -> tuple[pa.Array, _Bools]:
    """Make the column of decimals, and return it with whether each number fits the type.

    Args:
        found: the numbers, one per row.
        schema: the schema of the decimals.
        counts: which numbers count.
        fits: which numbers are completely in their row.
        contents: returns the bytes of the numbers at some indices.
    """
    type_, layout = schema.arrow_type, _layout(schema)
    if _is_plain(schema):
        fits = fits & _is_below(found, layout, type_.precision)
        return _decimals(found, layout, counts & fits), fits | ~counts
    if pa.types.is_decimal(type_):  # of a negative scale
        fits = fits & _is_below(found, layout, type_.precision + schema.scale)
        digits = _decimals(found, layout, counts & fits).cast(pa.string())
        return _joined(digits, "0" * -schema.scale).cast(type_), fits | ~counts
    fits = fits & _is_below(found, layout, layout.precision)
    texts = _plain_texts(_decimals(found, layout, counts & fits).cast(pa.string()), schema.scale)
    long = np.flatnonzero(counts & ~fits)
    if not len(long):
        return texts, np.ones(len(counts), np.bool_)
    values: list[str | None] = []
    for content in contents(long):
        try:
            values.append(str(decimal_of_bytes(content, schema)))
        except ValueError:
            values.append(None)
    others = pa.array(values, pa.string())
    fits = np.ones(len(counts), np.bool_)
    fits[long] = others.is_valid().to_numpy(zero_copy_only=False)
    mask = np.zeros(len(counts), np.bool_)
    mask[long] = True
    return pc.replace_with_mask(texts, pa.array(mask), others), fits


def _decimals(found: _Bytes, type_: pa.DataType, wanted: _Bools) -> pa.Array:
    """Convert numbers, one per row, to decimals; unwanted numbers become 0."""
    numbers = _little_endian(found, type_.byte_width)
    numbers[~wanted] = 0
    return pa.Array.from_buffers(type_, len(found), [None, pa.py_buffer(numbers)])


def _little_endian(found: _Bytes, width: int) -> _Bytes:
    """Extend numbers to `width` bytes each, with the lowest byte first."""
    count, size = found.shape
    numbers = np.empty((count, width), np.uint8)
    numbers[:, :size] = found[:, ::-1]
    numbers[:, size:] = np.where(found[:, :1] >= 0x80, 0xFF, 0)
    return numbers


def _is_below(found: _Bytes, type_: pa.DataType, digits: int) -> _Bools:
    """Whether each number has at most `digits` digits."""
    limit = 10 ** max(digits, 0)
    if limit > 1 << (8 * found.shape[1] - 1):
        return np.ones(len(found), np.bool_)
    limbs = _little_endian(found, type_.byte_width).view("<u8")
    limbs[:, -1] ^= np.uint64(1 << (_LIMB_BITS - 1))  # so that negative numbers come before the others
    return ~_is_at_least(limbs, limit) & _is_at_least(limbs, 1 - limit)


def _is_at_least(limbs: npt.NDArray[np.uint64], number: int) -> _Bools:
    """Whether each number is at least `number`. Its 64-bit limbs have the lowest limb first and the sign bit inverted."""
    bits = limbs.shape[1] * _LIMB_BITS
    turned = number + (1 << (bits - 1))
    found = np.ones(len(limbs), np.bool_)
    for index in range(limbs.shape[1]):
        limb = np.uint64(turned >> (index * _LIMB_BITS) & ((1 << _LIMB_BITS) - 1))
        found = (limbs[:, index] > limb) | (limbs[:, index] == limb) & found
    return found


def _plain_texts(digits: pa.StringArray, scale: int) -> pa.StringArray:
    """Write whole numbers as decimals of the scale, without exponents and without zeros at the end of the fraction."""
    if scale <= 0:
        return pc.if_else(pc.equal(digits, "0"), digits, _joined(digits, "0" * -scale))
    padded = pc.utf8_lpad(pc.utf8_ltrim(digits, "-"), scale + 1, "0")
    fraction = pc.utf8_rtrim(pc.utf8_slice_codeunits(padded, -scale, None), "0")
    whole = _joined(pc.if_else(pc.starts_with(digits, "-"), "-", ""), pc.utf8_slice_codeunits(padded, 0, -scale))
    return _joined(whole, pc.if_else(pc.equal(fraction, ""), "", _joined(".", fraction)))


def _joined(left: pa.StringArray | str, right: pa.StringArray | str) -> pa.StringArray:
    return pc.binary_join_element_wise(left, right, "")
