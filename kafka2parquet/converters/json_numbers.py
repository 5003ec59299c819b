"""Integers in JSON and columns of floating-point numbers: which integers stay what they are there.

A double holds every integer up to 2**53, and beyond only those that end in enough zero bits (`is_exact`). Others would be
rounded, and are refused, with one exception. JavaScript writes a large double with the fewest digits that tell it apart, and
zeros up to the point, such as 1152921504606847000 for 2**60. Such a text denotes the double (`is_float`). In a column of
integers the same text is the integer that it says.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.arrays import numpy_type

#: Bits of an integer that each type holds.
_BITS = {pa.float16(): 11, pa.float32(): 24, pa.float64(): 53}
_MOST_BITS = 1024
_MOST_TEXT = 40
#: Integers of more digits are beyond a double. Python reads no text of thousands of digits.
_MOST_DIGITS = 310
_INTEGRAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE]\+?[0-9]{1,2})?")


def is_exact(value: int, type_: pa.DataType | None = None) -> bool:
    """Whether a floating-point type, by default double, holds an integer as it is."""
    bits = _BITS[type_] if type_ is not None else 53
    size = value.bit_length()
    return size <= bits or (size <= _MOST_BITS and value & ((1 << (size - bits)) - 1) == 0)


def is_float(value: int, type_: pa.DataType | None = None) -> bool:
    """Whether an integer is a number of a floating-point type, by default double, or the shortest text of one."""
    if is_exact(value, type_):
        return True
    try:
        with np.errstate(over="ignore"):
            nearest = numpy_type(type_ if type_ is not None else pa.float64()).type(value)
    except OverflowError:
        return False
    return bool(np.isfinite(nearest)) and decimal.Decimal(str(nearest)) == value


def whole_number(text: str) -> int | None:
    """The integer that a JSON number with a fraction or an exponent is, such as `1.0` or `1e3`; None where it isn't one."""
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
    """Whether a column may have, at any depth, floating-point numbers; True for some that only have a field of such a name."""
    if not pa.types.is_nested(type_):
        return type_ in _BITS
    text = str(type_)  # which costs less than asking for each field
    return "double" in text or "float" in text


def rounds_integers(values: Callable[[], pa.Array], table: pa.Table) -> bool:
    """Whether an integer in JSON was rounded on its way to a column of floating-point numbers, by `is_float`.

    Only columns with numbers so large that it can be are looked at more closely.

    Args:
        values: gives the JSON objects, as binary or binary_view. Called only where it has to be.
        table: what they were parsed to.
    """
    patterns = {
        pattern
        for field, column in zip(table.schema, table.columns, strict=True)
        if has_floats(column.type)
        for pattern in _suspicions(field, column, in_list=False)
    }
    if not patterns:
        return False
    text = values().cast(pa.binary())
    if pc.any(pc.match_substring(text, b"\\")).as_py():  # names may be written in another way
        patterns = {(digits, bits, None) for digits, bits, _ in patterns}
    return any(_rounds(text, *pattern) for pattern in sorted(patterns, key=str))


_Suspicion = tuple[int, pa.DataType, str | None]


def _suspicions(field: pa.Field, array: pa.Array | pa.ChunkedArray, *, in_list: bool) -> Iterator[_Suspicion]:
    """Digits that an integer has at least that may have been rounded, the type, and the name that it follows, if any."""
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


def _rounds(text: pa.BinaryArray, digits: int, type_: pa.DataType, name: str | None) -> bool:
    before = rf'"{re.escape(name)}"\s*:' if name is not None else r"[:\[,]"
    pattern = rf"{before}\s*(-?[0-9]{{{digits},}})\s*[,\]}}]"
    found = text.filter(pc.match_substring_regex(text, pattern.encode()))
    compiled = re.compile(pattern.encode().replace(rb"\s*[,\]}]", rb"\s*(?=[,\]}])"))
    written = set(compiled.findall(b"\n".join(found.to_pylist())))
    return not all(len(digits) <= _MOST_DIGITS and is_float(int(digits), type_) for digits in written)
