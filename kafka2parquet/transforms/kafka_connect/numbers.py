"""Converts values to numbers and booleans by Java's rules: integers wrap, fractions are cut off, doubles saturate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.transforms.columns.values import is_text
from kafka2parquet.util.arrays import numpy_type

_INT64_END = float(1 << 63)
_MOST_INT64, _LEAST_INT64 = "9223372036854775807", "9223372036854775808"
_INTEGER = r"^[+-]?[0-9]+$"
#: Texts that Java's parseDouble accepts, except hexadecimal numbers. Blanks and control characters may surround a number.
_FLOAT = r"^[\x00-\x20]*(?P<number>[+-]?(?:NaN|Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fFdD]?))[\x00-\x20]*$"


def to_integers(values: pa.Array, type_: pa.DataType, *, whole_wrap: bool) -> pa.Array:
    """Convert values to integers. Values for which Java throws become null.

    Args:
        values: booleans, numbers, texts or times.
        type_: int8 to int64.
        whole_wrap: whether a float without a fraction counts as a 64-bit integer, as in JSON without a schema.
    """
    if is_text(values.type):
        return _parsed_integers(values, type_)
    valid = pc.is_valid(values).to_numpy(zero_copy_only=False)
    if pa.types.is_floating(values.type):
        numbers = _of_floats(values, type_, whole_wrap)
    else:
        numbers = as_int64(values).astype(numpy_type(type_))
    return pa.array(numbers, type_, mask=~valid)


def to_floats(values: pa.Array, type_: pa.DataType) -> pa.Array:
    """Convert values to floats. Values for which Java throws become null, and values that are too large become infinite.

    Args:
        values: booleans, numbers, texts or times.
        type_: float32 or float64.
    """
    given = values.type
    if pa.types.is_decimal(given):
        # Through text, because Arrow's cast from decimal to float is inexact. Can be a single cast once it is exact.
        return values.cast(pa.string()).cast(type_)
    if is_text(given):
        texts = pc.struct_field(pc.extract_regex(values.cast(pa.string()), _FLOAT), "number")
        return pc.utf8_rtrim(texts, "fFdD").cast(type_)
    if pa.types.is_floating(given):
        return values.cast(type_)
    numbers = as_int64(values).astype(numpy_type(type_))
    return pa.array(numbers, type_, mask=~pc.is_valid(values).to_numpy(zero_copy_only=False))


def to_booleans(values: pa.Array) -> pa.Array:
    """Convert values to booleans. A text is true if it is `true` in any case, and a number if its integer part isn't 0."""
    if pa.types.is_boolean(values.type):
        return values
    if is_text(values.type):
        return pc.equal(pc.ascii_lower(values.cast(pa.string())), "true")
    return pc.not_equal(to_integers(values, pa.int64(), whole_wrap=False), 0)


def as_int64(values: pa.Array) -> npt.NDArray[np.int64]:
    """Convert booleans, integers, decimals and times to 64-bit integers: the lowest bits of larger numbers, and 0 for null.

    Times become the number of days or units since 1970 or midnight.
    """
    type_ = values.type
    if pa.types.is_decimal(type_):
        return _low_bits(values)
    if pa.types.is_date32(type_) or pa.types.is_time32(type_):
        values = values.cast(pa.int32())
    elif pa.types.is_temporal(type_):
        values = values.cast(pa.int64())
    filled = values.fill_null(False if pa.types.is_boolean(type_) else 0)
    numbers: npt.NDArray[np.int64] = filled.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


def is_whole(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Return a mask of the floats that are 64-bit integers."""
    numbers = values.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    whole: npt.NDArray[np.bool_] = (np.trunc(numbers) == numbers) & (numbers >= -_INT64_END) & (numbers < _INT64_END)
    return whole


def _low_bits(values: pa.Array) -> npt.NDArray[np.int64]:
    """Return the lowest 64 bits of the integer parts of decimals."""
    is_wide = pa.types.is_decimal256(values.type)
    whole_type = pa.decimal256(76, 0) if is_wide else pa.decimal128(38, 0)
    cut = pc.round(values, ndigits=0, round_mode="towards_zero") if values.type.scale > 0 else values
    whole = pa.concat_arrays([cut.cast(whole_type)])  # copied, so that its buffer begins at the first value
    words = 4 if is_wide else 2
    low = np.frombuffer(whole.buffers()[1], np.int64)[whole.offset * words :: words][: len(whole)]
    numbers: npt.NDArray[np.int64] = np.where(pc.is_valid(whole).to_numpy(zero_copy_only=False), low, 0)
    return numbers


def _of_floats(values: pa.Array, type_: pa.DataType, whole_wrap: bool) -> npt.NDArray[np.signedinteger]:
    numbers = values.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    target = numpy_type(type_)
    through = np.int64 if target == np.int64 else np.int32  # Java converts to bytes and shorts through int
    saturated = _saturated(numbers, np.dtype(through)).astype(target)
    if not whole_wrap:
        return saturated
    whole = is_whole(values)
    return np.where(whole, np.where(whole, numbers, 0.0).astype(np.int64).astype(target), saturated)


def _saturated(numbers: npt.NDArray[np.float64], type_: np.dtype[np.signedinteger]) -> npt.NDArray[np.signedinteger]:
    bounds = np.iinfo(type_)
    inside = (numbers > float(bounds.min)) & (numbers < float(bounds.max))
    cut = np.where(inside, numbers, 0.0).astype(type_)
    return np.select([inside, numbers >= float(bounds.max), numbers <= float(bounds.min)], [cut, bounds.max, bounds.min], 0)


def _parsed_integers(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    texts = texts.cast(pa.string())
    texts = pc.if_else(pc.match_substring_regex(texts, _INTEGER), texts, pa.scalar(None, pa.string()))
    is_negative = pc.starts_with(texts, "-")
    digits = pc.utf8_ltrim(pc.utf8_ltrim(texts, "+-"), "0")
    length = pc.utf8_length(digits)
    limit = pc.if_else(is_negative, _LEAST_INT64, _MOST_INT64)
    fits = pc.or_(pc.less(length, len(_MOST_INT64)), pc.and_(pc.equal(length, len(_MOST_INT64)), pc.less_equal(digits, limit)))
    signed = pc.binary_join_element_wise(pc.if_else(is_negative, "-", ""), pc.if_else(pc.equal(length, 0), "0", digits), "")
    numbers = pc.if_else(fits, signed, pa.scalar(None, pa.string())).cast(pa.int64())
    bounds = np.iinfo(numpy_type(type_))
    in_range = pc.and_(pc.greater_equal(numbers, int(bounds.min)), pc.less_equal(numbers, int(bounds.max)))
    return pc.if_else(in_range, numbers, pa.scalar(None, pa.int64())).cast(type_)
