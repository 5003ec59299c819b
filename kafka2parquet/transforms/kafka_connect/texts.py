"""Converts values to texts as Java does."""

from __future__ import annotations

import base64

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.transforms.kafka_connect.dates.pattern import parts_of
from kafka2parquet.transforms.kafka_connect.dates.texts import date_texts
from kafka2parquet.transforms.kafka_connect.numbers import as_int64, is_whole
from kafka2parquet.util.arrays import one_array

_DAY_MS = 86_400_000
_UNITS_OF_A_MILLISECOND = {"us": 1000, "ns": 1_000_000}
#: Sign, digits before and after the point, exponent.
_PARTS = r"^(?P<sign>-?)(?P<whole>[0-9]+)(?:\.(?P<rest>[0-9]+))?(?:e(?P<exponent>[+-]?[0-9]+))?$"
#: Connect's formats for dates, times of a day and timestamps.
_DATE, _TIME, _MOMENT = map(parts_of, ("yyyy-MM-dd", "HH:mm:ss.SSS'Z'", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"))


def float_texts(values: pa.Array, *, whole_as_integers: bool) -> pa.Array:
    """Format floats as Java does since version 19, with the fewest digits that identify a float: `1.0`, `1.5E10`, `NaN`.

    Args:
        values: floats.
        whole_as_integers: whether a float without a fraction is formatted as an integer, as for JSON without a schema.
    """
    texts = _java_floats(values)
    if not whole_as_integers:
        return texts
    whole = pa.array(is_whole(values))
    integers = pc.if_else(whole, values.cast(pa.float64()), pa.scalar(None, pa.float64())).cast(pa.int64()).cast(pa.string())
    return pc.if_else(whole, integers, texts)


def _java_floats(values: pa.Array) -> pa.Array:
    parts = pc.extract_regex(values.cast(pa.string()), _PARTS)
    sign, whole, rest, exponent = (
        pc.coalesce(pc.struct_field(parts, name), "") for name in ("sign", "whole", "rest", "exponent")
    )
    digits = pc.binary_join_element_wise(whole, rest, "")
    significant = pc.utf8_ltrim(digits, "0")
    skipped = pc.subtract(pc.utf8_length(digits), pc.utf8_length(significant))
    written = pc.if_else(pc.equal(exponent, ""), "0", pc.utf8_ltrim(exponent, "+")).cast(pa.int32())
    power = pc.add(pc.subtract(pc.subtract(pc.utf8_length(whole), 1), skipped), written)
    plain = pc.binary_join_element_wise(sign, whole, ".", _or_zero(rest), "")
    fraction = _or_zero(pc.utf8_rtrim(pc.utf8_slice_codeunits(significant, 1), "0"))
    first = pc.utf8_slice_codeunits(significant, 0, 1)
    scientific = pc.binary_join_element_wise(sign, first, ".", fraction, "E", power.cast(pa.string()), "")
    is_plain = pc.or_(pc.equal(significant, ""), pc.and_(pc.greater_equal(power, -3), pc.less(power, 7)))
    named = pc.if_else(pc.is_nan(values), "NaN", pc.if_else(pc.greater(values, 0), "Infinity", "-Infinity"))
    return pc.if_else(pc.is_finite(values), pc.if_else(is_plain, plain, scientific), named)


def _or_zero(digits: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(digits, ""), "0", digits)


def time_texts(values: pa.Array) -> pa.Array:
    """Format dates and times as Connect does in UTC: midnights as dates, times before 2 January 1970 as times of the day.

    Timestamps finer than milliseconds, which Connect doesn't support, are formatted with all digits.
    """
    if pa.types.is_timestamp(values.type) and values.type.unit in ("us", "ns"):
        return pc.strftime(values.cast(pa.timestamp(values.type.unit)), format="%Y-%m-%dT%H:%M:%SZ")
    times = milliseconds(values)
    is_midnight = pa.array(times.fill_null(0).to_numpy(zero_copy_only=False) % _DAY_MS == 0)
    later = pc.if_else(is_midnight, date_texts(times, _DATE), date_texts(times, _MOMENT))
    return pc.if_else(pc.less(times, _DAY_MS), date_texts(times, _TIME), later)


def milliseconds(values: pa.Array) -> pa.Array:
    """Convert dates and times to milliseconds since 1970 or midnight. Finer times are rounded down."""
    type_ = values.type
    numbers = as_int64(values)
    if pa.types.is_date32(type_):
        numbers = numbers * _DAY_MS
    elif not pa.types.is_date64(type_) and type_.unit != "ms":
        numbers = numbers * 1000 if type_.unit == "s" else numbers // _UNITS_OF_A_MILLISECOND[type_.unit]
    return pa.array(numbers, pa.int64(), mask=~pc.is_valid(values).to_numpy(zero_copy_only=False))


def base64_texts(values: pa.Array) -> pa.Array:
    """Encode bytes as Base64 (RFC 4648, with padding)."""
    values = one_array(pa.chunked_array([values.cast(pa.binary())]))
    _, offsets, content = values.buffers()
    if not len(values) or content is None or not content.size:
        return values.cast(pa.string())
    bounds = np.frombuffer(offsets, np.int32)[: len(values) + 1].astype(np.int64)
    lengths = np.diff(bounds)
    groups = (lengths + 2) // 3
    starts = np.concatenate([[0], np.cumsum(groups)])
    padded = np.zeros(3 * starts[-1], np.uint8)
    shift = np.repeat(3 * starts[:-1] - bounds[:-1], lengths)
    padded[np.arange(bounds[0], bounds[-1]) + shift] = np.frombuffer(content, np.uint8)[bounds[0] : bounds[-1]]
    text = np.frombuffer(base64.b64encode(padded.tobytes()), np.uint8).copy()
    ends = 4 * starts[1:]
    missing = 3 * groups - lengths
    text[ends[missing > 0] - 1] = ord("=")
    text[ends[missing > 1] - 2] = ord("=")
    new_offsets = pa.py_buffer((4 * starts).astype(np.int32))
    return pa.Array.from_buffers(pa.string(), len(values), [values.buffers()[0], new_offsets, pa.py_buffer(text.tobytes())])
