"""Decides which JSON integers a column of floating-point numbers holds without rounding.

A double holds every integer up to 2**53, and beyond that only integers that end in enough zero bits (`is_exact`). Other
integers would be rounded and are refused, with one exception: JavaScript writes a large double with the fewest digits that
identify it, and fills up with zeros, such as 1152921504606847000 for 2**60. Such a text denotes the double (`is_float`). In a
column of integers the same text denotes the integer itself.
"""

from __future__ import annotations

import decimal
import functools
import re
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.util.arrays import numpy_type

#: How many bits of an integer each type holds exactly.
_BITS = {pa.float16(): 11, pa.float32(): 24, pa.float64(): 53}
_MOST_BITS = 1024
_MOST_TEXT = 40
#: Integers with more digits are beyond a double's range, and Python refuses to parse texts of thousands of digits.
_MOST_DIGITS = 310
_INTEGRAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE]\+?[0-9]{1,2})?")


def is_exact(value: int, type_: pa.DataType | None = None) -> bool:
    """Whether a floating-point type, double by default, holds an integer exactly."""
    bits = _BITS[type_] if type_ is not None else 53
    size = value.bit_length()
    return size <= bits or (size <= _MOST_BITS and value & ((1 << (size - bits)) - 1) == 0)


def is_float(value: int, type_: pa.DataType | None = None) -> bool:
    """Whether an integer is a number of a floating-point type, double by default, or the shortest text of such a number."""
    if is_exact(value, type_):
        return True
    try:
        with np.errstate(over="ignore"):
            nearest = numpy_type(type_ if type_ is not None else pa.float64()).type(value)
    except OverflowError:
        return False
    return bool(np.isfinite(nearest)) and decimal.Decimal(str(nearest)) == value


def whole_number(text: str) -> int | None:
    """Return the integer that a JSON number such as `1.0` or `1e3` denotes; None if the number is not an integer."""
    if len(text) > _MOST_TEXT or not _INTEGRAL.fullmatch(text):
        return None
    number = decimal.Decimal(text)
    return int(number) if number == number.to_integral_value() else None


def has_inexact(array: pa.Array | pa.ChunkedArray) -> bool:
    """Whether a column of 64-bit integers has some that a double doesn't hold."""
    bounds = pc.min_max(array)
    lowest, highest = bounds["min"].as_py(), bounds["max"].as_py()
    if lowest is None or (lowest >= -(2**53) and highest <= 2**53):
        return False
    values = array.drop_null().to_numpy()
    with np.errstate(invalid="ignore"):  # the largest becomes 2**63, which is not an int64
        return bool((values.astype(np.float64).astype(np.int64) != values).any())


def has_floats(type_: pa.DataType) -> bool:
    """Whether a column may have floating-point numbers at any depth. Also True for some columns with a field of such a name."""
    if not pa.types.is_nested(type_):
        return type_ in _BITS
    text = str(type_)  # costs less than asking for each field
    return "double" in text or "float" in text


def rounds_integers(values: Callable[[], pa.Array], table: pa.Table) -> bool:
    """Whether an integer in JSON was rounded, in the sense of `is_float`, on its way to a column of floating-point numbers.

    Only columns with numbers that are large enough to be rounded are looked at more closely.

    Args:
        values: returns the JSON objects, as binary or binary_view. Called only if they are needed.
        table: the result of parsing the objects.
    """
    text, patterns = _suspected(values, table)
    return any(_rounded(text, *pattern)[1] for pattern in patterns)


def rounded_rows(values: Callable[[], pa.Array], table: pa.Table) -> Iterator[int]:
    """Yield the rows, in ascending order, for which `rounds_integers` is true when it gets only this row.

    Args:
        values: see `rounds_integers`.
        table: see `rounds_integers`.
    """
    text, patterns = _suspected(values, table)
    rows: set[int] = set()
    for pattern in patterns:
        found, rounded = _rounded(text, *pattern)
        if rounded:
            numbers = _numbers_behind(*pattern)
            rows.update(row for row in found.tolist() if not rounded.isdisjoint(numbers.findall(text[row].as_py())))
    return (row for row in sorted(rows) if rounds_integers(functools.partial(text.slice, row, 1), table.slice(row, 1)))


def _suspected(values: Callable[[], pa.Array], table: pa.Table) -> tuple[pa.BinaryArray, list[_Suspicion]]:
    """Return the JSON objects, and where integers may have been rounded in them; no objects if no integer was rounded."""
    patterns = {
        pattern
        for field, column in zip(table.schema, table.columns, strict=True)
        if has_floats(column.type)
        for pattern in _suspicions(field, column, in_list=False)
    }
    if not patterns:
        return pa.array([], pa.binary()), []
    text = values().cast(pa.binary())
    if pc.any(pc.match_substring(text, b"\\")).as_py():  # names may be written with escapes
        patterns = {(digits, bits, None) for digits, bits, _ in patterns}
    return text, sorted(patterns, key=str)


_Suspicion = tuple[int, pa.DataType, str | None]
_Int64s = npt.NDArray[np.int64]


def _suspicions(field: pa.Field, array: pa.Array | pa.ChunkedArray, *, in_list: bool) -> Iterator[_Suspicion]:
    """Yield the integers' least number of digits, type and member name for each place that has rounded integers."""
    type_ = field.type
    if type_ in _BITS:
        bounds = pc.min_max(array)
        lowest, highest = bounds["min"].as_py(), bounds["max"].as_py()
        if lowest is not None and max(-lowest, highest) >= 2 ** _BITS[type_]:
            yield len(str(2 ** _BITS[type_])), type_, None if in_list else field.name
    elif pa.types.is_struct(type_):
        chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
        for chunk in chunks:
            for child, values in zip(type_, chunk.flatten(), strict=True):
                yield from _suspicions(child, values, in_list=False)
    elif pa.types.is_list(type_):
        chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
        for chunk in chunks:
            yield from _suspicions(type_.value_field, chunk.flatten(), in_list=True)


def _rounded(text: pa.BinaryArray, digits: int, type_: pa.DataType, name: str | None) -> tuple[_Int64s, set[bytes]]:
    """Return the indices of the objects with large integers, and the texts of the integers that were rounded."""
    matches = pc.match_substring_regex(text, _pattern(digits, name) + rb"\s*[,\]}]")
    written = set(_numbers_behind(digits, type_, name).findall(b"\n".join(text.filter(matches).to_pylist())))
    rounded = {digits for digits in written if len(digits) > _MOST_DIGITS or not is_float(int(digits), type_)}
    return np.flatnonzero(matches.to_numpy(zero_copy_only=False)), rounded


def _numbers_behind(digits: int, _: pa.DataType, name: str | None) -> re.Pattern[bytes]:
    """Compile the pattern that finds large integers in objects."""
    return re.compile(_pattern(digits, name) + rb"\s*(?=[,\]}])")


def _pattern(digits: int, name: str | None) -> bytes:
    before = rf'"{re.escape(name)}"\s*:' if name is not None else r"[:\[,]"
    return rf"{before}\s*(-?[0-9]{{{digits},}})".encode()
