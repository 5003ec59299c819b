"""Parses ISO 8601 times a column at a time. This module alone decides which texts are times."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.util.bisection import bisect_failures

_DAY = r"(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_DATE = rf"\d{{4}}-{_DAY}"
_SECONDS = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_TIME = rf"(?:[01]\d|2[0-3])(?::[0-5]\d)?|{_SECONDS}(?:[.,]\d+)?"
_OFFSET = r"[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?"
_ANY_FORM = rf"^(?P<date>{_DATE})(?:[Tt ](?P<time>{_TIME})(?P<zone>[Zz]|{_OFFSET})?)?$"
#: Years that Arrow can represent in nanoseconds, except the first and the last one.
_NEAR_YEARS = r"^(?:1[7-9]|2[01])\d\d-"
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_HOUR_TO_SECOND = len("hh:mm:ss")


def times_of_texts(texts: pa.Array, unit: str, timezone: str = "UTC") -> pa.Array:
    """Parse texts to timestamps in UTC. A text that is not a time, or that the unit can't represent, becomes null.

    A text is a date, or a date and a time of day with `T` or a space between them. The time has hours, and may have minutes,
    seconds, and any number of digits after a dot or a comma. Digits beyond the unit's precision are cut off. An offset from UTC
    may follow, such as `Z`, `+02`, `+0200` or `+02:00`. `T` and `Z` may be lower case. Second 60 and hour 24 are invalid.

    Args:
        texts: an array of any of Arrow's text types.
        unit: unit of the timestamps: `s`, `ms`, `us` or `ns`.
        timezone: time zone of texts without an offset. A time that occurs twice, because clocks were set back, is the earlier
            moment. A time that clocks skipped is the first moment after the gap.
    """
    rest = texts.cast(pa.string())
    type_ = pa.timestamp(unit, "UTC")
    try:  # test the first text only, because Arrow takes fifty times as long to refuse a text as to parse one
        rest.slice(0, 1).cast(type_)
        return rest.cast(type_)
    except pa.ArrowInvalid:
        pass
    nothing = pa.scalar(None, pa.string())
    times = pa.nulls(len(rest), type_)
    for form, read_unit, zone in _forms_of_arrow(unit):
        taken = pc.if_else(pc.match_substring_regex(rest, form), rest, nothing)
        if taken.null_count == len(taken):
            continue
        read = cut_off(_parsed(taken, pa.timestamp(read_unit, zone)), unit)
        times = pc.coalesce(times, read if zone is not None else in_zone(read, timezone))
        rest = pc.if_else(pc.is_valid(read), nothing, rest)
        if rest.null_count == len(rest):
            return times
    return pc.coalesce(times, _taken_to_pieces(rest, unit, timezone))


def in_zone(local: pa.Array, timezone: str) -> pa.Array:
    """Convert local times to UTC. `times_of_texts` documents how times around clock changes are handled."""
    type_ = pa.timestamp(local.type.unit, "UTC")
    if timezone == "UTC":
        return local.cast(type_)
    return pc.assume_timezone(local, timezone, ambiguous="earliest", nonexistent="latest").cast(type_)


def cut_off(times: pa.Array | pa.ChunkedArray, unit: str) -> pa.Array | pa.ChunkedArray:
    """Convert timestamps to another unit. Digits beyond its precision are cut off, also for times before 1970.

    Raises:
        pyarrow.ArrowInvalid: the unit is finer, and can't represent a time.
    """
    type_ = pa.timestamp(unit, times.type.tz)
    lost = _DIGITS[times.type.unit] - _DIGITS[unit]
    if lost <= 0:
        return times.cast(type_)
    numbers = times.cast(pa.int64())
    cut = pc.divide(numbers, 10**lost)  # rounds toward zero, which is up before 1970
    is_above = pc.greater(pc.multiply(cut, 10**lost), numbers)
    return pc.subtract(cut, is_above.cast(pa.int64())).cast(type_)


def _forms_of_arrow(unit: str) -> tuple[tuple[str, str, str | None], ...]:
    """Return the forms that Arrow parses, each with a pattern of the texts, their unit and their time zone."""
    digits = _DIGITS[unit]
    forms: list[tuple[str, str, str | None]] = []
    for end, zone in ((rf"(?:Z|{_OFFSET})$", "UTC"), ("$", None)):
        fraction = rf"(?:\.\d{{1,{digits}}})?" if digits else ""
        forms.append((rf"^{_DATE}[T ]{_SECONDS}{fraction}{end}", unit, zone))
        forms.append((rf"{_NEAR_YEARS}{_DAY}[T ]{_SECONDS}\.\d{{1,9}}{end}", "ns", zone))
    return tuple(forms)


def _taken_to_pieces(texts: pa.Array, unit: str, timezone: str) -> pa.Array:
    """Parse texts of any form, by splitting them into date, time and offset."""
    parts = pc.extract_regex(texts, _ANY_FORM)
    date, time, zone = (pc.struct_field(parts, name) for name in ("date", "time", "zone"))
    nothing = pa.scalar(None, pa.string())
    text = pc.binary_join_element_wise(date, _to_seconds(time, _DIGITS[unit]), "T")
    is_local = pc.equal(zone, "")
    absolute = pc.binary_join_element_wise(text, pc.utf8_upper(zone), "")
    return pc.coalesce(
        _parsed(pc.if_else(is_local, nothing, absolute), pa.timestamp(unit, "UTC")),
        in_zone(_parsed(pc.if_else(is_local, text, nothing), pa.timestamp(unit)), timezone),
    )


def _to_seconds(time: pa.Array, digits: int) -> pa.Array:
    """Normalize an empty time, `hh`, `hh:mm` or `hh:mm:ss` with any fraction to `hh:mm:ss` with `digits` digits after it."""
    filled = pc.binary_join_element_wise(pc.if_else(pc.equal(time, ""), "00", time), ":00:00", "")
    whole = pc.utf8_slice_codeunits(filled, 0, _HOUR_TO_SECOND)
    if not digits:
        return whole
    fraction = pc.utf8_slice_codeunits(time, _HOUR_TO_SECOND + 1)
    padded = pc.utf8_slice_codeunits(pc.binary_join_element_wise(fraction, "0" * digits, ""), 0, digits)
    return pc.binary_join_element_wise(whole, padded, ".")


def _parsed(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    """Parse texts of the right form. The few that are not times, such as 30 February, become null."""
    try:
        return texts.cast(type_)
    except pa.ArrowInvalid:
        ranges = bisect_failures(len(texts), lambda start, length: texts.slice(start, length).cast(type_), pa.ArrowInvalid)
        parts = [pa.nulls(length, type_) if isinstance(times, pa.ArrowInvalid) else times for _, length, times in ranges]
        return pa.concat_arrays(parts)
