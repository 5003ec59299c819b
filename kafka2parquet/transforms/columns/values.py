"""Casts values to other types without loss, or not at all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.util.arrays import ARROW_DATA_ERRORS
from kafka2parquet.util.bisection import bisect_failures
from kafka2parquet.util.iso_times import cut_off, times_of_texts

Mask = npt.NDArray[np.bool_]

_INT64_END = float(1 << 63)
#: The largest exact whole number by the number of bits of a float.
_EXACT_FLOATS = {16: 1 << 11, 32: 1 << 24, 64: 1 << 53}
#: The relative error of a float that is written with all of its digits.
_FLOAT_ERROR = 2.0**-51
_INFINITY = "(?i)inf"


class TypeRefused(Exception):  # noqa: N818  # an answer, not a fault
    """No value of a type, except null, can be cast to the other type."""


def is_text(type_: pa.DataType) -> bool:
    """Return whether a type's values are texts."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def is_bytes(type_: pa.DataType) -> bool:
    """Return whether a type's values are bytes."""
    return any(
        is_kind(type_)
        for is_kind in (
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_fixed_size_binary,
            pa.types.is_binary_view,
        )
    )


def texts_of(values: pa.Array) -> pa.Array:
    """Convert values to text. A number without a fraction has the same text as an integer and as a float.

    Raises:
        TypeRefused: the type doesn't have texts, such as lists, structs and bytes.
    """
    type_ = values.type
    if pa.types.is_dictionary(type_):
        values, type_ = values.dictionary_decode(), type_.value_type
    if is_bytes(type_):
        raise TypeRefused
    try:
        texts = values.cast(pa.string())
        if not pa.types.is_floating(type_):
            return texts
        whole = _whole(values)
        return pc.if_else(pc.is_valid(whole), whole.cast(pa.string()), texts)
    except ARROW_DATA_ERRORS as error:
        raise TypeRefused from error


def cast_exactly(values: pa.Array, type_: pa.DataType) -> pa.Array:
    """Cast values to another type. Values that can't be cast without loss become null.

    The digits that a shorter float can't hold don't count as loss. Times lose the digits that the other type can't hold. Texts
    are parsed as numbers, `true` and `false`, ISO dates and times.

    Raises:
        TypeRefused: no value of the type can be cast to the other type.
    """
    given = values.type
    if pa.types.is_dictionary(given):
        values, given = values.dictionary_decode(), given.value_type
    if given.equals(type_):
        return values
    if pa.types.is_null(given):
        return pa.nulls(len(values), type_)
    if is_text(type_) and not is_bytes(given):
        return texts_of(values).cast(type_)
    if is_text(given):
        return _of_texts(values.cast(pa.string()), type_)
    if pa.types.is_floating(given):
        return _of_floats(values, type_)
    if pa.types.is_integer(given):
        return _of_integers(values, type_)
    if pa.types.is_timestamp(given) and pa.types.is_timestamp(type_):
        times = _by_halves(values, pa.timestamp(given.unit, type_.tz))
        return _within(times, lambda part: cut_off(part, type_.unit), type_)
    return _by_halves(values, type_)


def _of_texts(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(type_):
        return times_of_texts(texts, type_.unit).cast(pa.int64()).cast(type_)
    form = _form(type_)
    if form is not None:
        texts = _only(texts, pc.match_substring_regex(texts, form))
    values = _by_halves(texts, type_)
    if pa.types.is_floating(type_):
        too_large = pc.and_not(pc.is_inf(values.cast(pa.float64())), pc.match_substring_regex(texts, _INFINITY))
        return _only(values, pc.invert(too_large))
    return values


def _form(type_: pa.DataType) -> str | None:
    """Return a regular expression for texts that may be values of a type; None if Arrow alone decides."""
    if pa.types.is_integer(type_):
        return r"^-?(?:\d+|0[xX][0-9a-fA-F]+)$"
    if pa.types.is_floating(type_):
        return r"(?i)^[-+]?(?:\.?\d[\d.]*(?:e[-+]?\d+)?|inf(?:inity)?|nan.*)$"
    if pa.types.is_boolean(type_):
        return "(?i)^(?:true|false|[01])$"
    if pa.types.is_decimal(type_):
        return r"(?i)^[-+]?\.?\d[\d.]*(?:e[-+]?\d+)?$"
    return r"^\d{4}-\d\d-\d\d$" if pa.types.is_date(type_) else None


def _of_floats(values: pa.Array, type_: pa.DataType) -> pa.Array:
    if pa.types.is_floating(type_):
        cast = values.cast(type_)
        became_infinite = pc.and_not(pc.is_inf(cast.cast(pa.float64())), pc.is_inf(values.cast(pa.float64())))
        return _only(cast, pc.invert(became_infinite))
    if pa.types.is_decimal(type_):
        values = values.cast(pa.float64())
        decimals = _by_halves(_only(values, pc.is_finite(values)), type_)
        error = pc.abs(pc.subtract(decimals.cast(pa.float64()), values))
        return _only(decimals, pc.less_equal(error, pc.multiply(pc.abs(values), _FLOAT_ERROR)))
    if pa.types.is_boolean(type_):
        return values.cast(type_)
    return _of_integers(_whole(values), type_)


def _of_integers(values: pa.Array, type_: pa.DataType) -> pa.Array:
    if values.type.equals(type_):
        return values
    if pa.types.is_integer(type_):
        return _only(values, _in_range(values, type_)).cast(type_)
    if pa.types.is_floating(type_):
        most = _EXACT_FLOATS[type_.bit_width]
        is_exact = pc.and_(pc.less_equal(values, most), pc.greater_equal(values, -most))
        return _only(values, is_exact).cast(type_)
    if pa.types.is_decimal(type_):
        # For a cast to decimal, Arrow requires room for all values of the integer's type, not just for the actual values. Can
        # be one cast once Arrow checks the values.
        return _by_halves(_by_halves(values, pa.decimal256(76, type_.scale)), type_)
    if pa.types.is_date32(type_) or pa.types.is_time32(type_):
        return _by_halves(_only(values, _in_range(values, pa.int32())).cast(pa.int32()), type_)
    if pa.types.is_temporal(type_):
        return _by_halves(_by_halves(values, pa.int64()), type_)
    return _by_halves(values, type_)


def _in_range(values: pa.Array, type_: pa.DataType) -> pa.Array:
    """Return a mask of the integers that fit into another integer type."""
    bounds, own = np.iinfo(str(type_)), np.iinfo(str(values.type))  # Arrow's names of integers are NumPy's
    least, most = max(int(bounds.min), int(own.min)), min(int(bounds.max), int(own.max))
    return pc.and_(pc.greater_equal(values, pa.scalar(least, values.type)), pc.less_equal(values, pa.scalar(most, values.type)))


def _whole(values: pa.Array) -> pa.Array:
    """Convert floats to 64-bit integers. A float with a fraction, or one that is too large, becomes null."""
    values = values.cast(pa.float64())
    is_whole = pc.equal(pc.trunc(values), values)
    fits = pc.and_(pc.greater_equal(values, -_INT64_END), pc.less(values, _INT64_END))
    return _only(values, pc.and_(is_whole, fits)).cast(pa.int64())


def _only(values: pa.Array, mask: pa.Array) -> pa.Array:
    """Replace the values for which `mask` is false with null."""
    return pc.if_else(pc.fill_null(mask, False), values, pa.scalar(None, values.type))


def _by_halves(values: pa.Array, type_: pa.DataType) -> pa.Array:
    return _within(values, lambda part: part.cast(type_), type_)


def _within(values: pa.Array, cast: Callable[[pa.Array], pa.Array], type_: pa.DataType) -> pa.Array:
    """Cast values by bisection. Values that Arrow refuses become null."""
    try:
        cast(values.slice(0, 0))
        return cast(values)
    except pa.ArrowInvalid:
        pass
    except ARROW_DATA_ERRORS as error:
        raise TypeRefused from error
    ranges = bisect_failures(len(values), lambda start, length: cast(values.slice(start, length)), pa.ArrowInvalid)
    return pa.concat_arrays([pa.nulls(length, type_) if isinstance(part, Exception) else part for _, length, part in ranges])
