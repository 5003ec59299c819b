"""Integers in JSON whose columns are floats: each has to be what the float is, or is written as."""

from __future__ import annotations

import decimal
import re
from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

FloatType = Literal["float", "double"]

#: All integers up to these are exact.
_EXACT_UP_TO: dict[FloatType, int] = {"float": 1 << 24, "double": 1 << 53}
#: Digits that an integer beyond them has, at least.
_LONG = re.compile(rb"(?<![\d.eE+])(?<![eE]-)-?\d{8,}(?![\d.eE])")


def is_inexact(number: int, type_: FloatType) -> bool:
    """Whether the nearest float is another number, and is written as another one.

    Serializers write large floats with the fewest digits that tell them apart, and zeros up to the point: 2**60 may be
    written as 1152921504606847000.
    """
    if abs(number) <= _EXACT_UP_TO[type_]:
        return False
    nearest = np.float32(number) if type_ == "float" else np.float64(number)
    return int(nearest) != number and decimal.Decimal(str(nearest)) != number


def suspects(numbers: npt.NDArray[np.float64], type_: FloatType) -> set[float]:
    """Those of the numbers, as parsed, that may have been written as an integer that the float type doesn't have."""
    large = numbers[np.abs(numbers) >= _EXACT_UP_TO[type_]]
    return set(large[np.trunc(large) == large].tolist())


def any_inexact(texts: pa.Array, suspected: Iterable[tuple[float, FloatType]]) -> bool:
    """Whether an integer that is one of the suspects stands in one of the JSON texts, and is inexact.

    Args:
        texts: binary_view.
        suspected: numbers as parsed, each with the type of its column.
    """
    types: dict[float, set[FloatType]] = {}
    for number, type_ in suspected:
        types.setdefault(number, set()).add(type_)
    whole = b"\n".join(texts.to_pylist())
    for digits in set(_LONG.findall(whole)):
        written = types.get(float(digits), ())
        if any(is_inexact(int(digits), type_) for type_ in written):
            return True
    return False
