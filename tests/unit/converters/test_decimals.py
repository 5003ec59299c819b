"""Decimals have the same values as columns and one by one, whatever their bytes, precision and scale."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.decimals import decimals_of, decimals_of_matrix
from kafka2parquet.schema.connect_schema import DECIMAL, DECIMAL_PRECISION, ConnectSchema
from kafka2parquet.schema.decimal_values import decimal_of_bytes

_SCALES = [0, 2, 5, 10, 38, 76, 77, 127, -1, -2, -5, -75, -76, -127]
_PRECISIONS = [0, 1, 5, 9, 18, 37, 38, 39, 60, 76, 100]


def _schema(precision: int, scale: int) -> ConnectSchema:
    return ConnectSchema("bytes", name=DECIMAL, parameters={"scale": str(scale), DECIMAL_PRECISION: str(precision)})


def _bytes_of(number: int, more: int = 0) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1 + more, "big", signed=True)


_SCHEMAS = st.builds(_schema, st.sampled_from(_PRECISIONS), st.sampled_from(_SCALES))
_POWERS = st.builds(
    lambda digits, sign, more: sign * 10**digits + more,
    st.sampled_from([*_PRECISIONS, 4, 75, 127, 1000]),
    st.sampled_from([1, -1]),
    st.integers(-1, 1),
)
_CONTENTS = st.one_of(
    st.binary(max_size=5), st.binary(max_size=40), st.builds(_bytes_of, _POWERS, st.sampled_from([0, 0, 3, 40]))
)


def _expected(schema: ConnectSchema, content: bytes) -> Any:
    """Returns the value; None if it doesn't fit."""
    try:
        return pa.scalar(decimal_of_bytes(content, schema), schema.arrow_type).as_py()
    except ValueError:
        return None


def _found(column: pa.Array, fits: Any) -> list[Any]:
    column.validate(full=True)
    return [value if fit else None for value, fit in zip(column.to_pylist(), fits.tolist(), strict=True)]


@given(schema=_SCHEMAS, contents=st.lists(_CONTENTS, max_size=6), skipped=st.integers(0, 2), data=st.data())
def test_columns_have_the_same_values(schema: ConnectSchema, contents: list[bytes], skipped: int, data: st.DataObject) -> None:
    """Columns have the same values as single decimals, and numbers that don't count always fit."""
    expected = [_expected(schema, content) for content in contents[skipped:]]
    array = pa.array(contents, pa.binary()).slice(skipped)
    column, fits = decimals_of(array, schema, None)
    assert schema.arrow_type.equals(column.type)
    assert expected == _found(column, fits)
    valid = np.array([data.draw(st.booleans()) for _ in expected], np.bool_)
    column, fits_or_not = decimals_of(array, schema, valid)
    assert (fits | ~valid).tolist() == fits_or_not.tolist()
    counted = [value if counts else None for value, counts in zip(_found(column, fits_or_not), valid, strict=True)]
    assert [value if counts else None for value, counts in zip(expected, valid, strict=True)] == counted


@given(schema=_SCHEMAS, contents=st.lists(_CONTENTS, max_size=6), size=st.sampled_from([1, 3, 12, 16, 17, 32, 33, 48]))
def test_matrices_have_the_same_values(schema: ConnectSchema, contents: list[bytes], size: int) -> None:
    """A matrix of numbers of the same length gives the same values."""
    lines = [content[:size].rjust(size, b"\xff" if content[:1] >= b"\x80" else b"\0") for content in contents]
    matrix = np.frombuffer(b"".join(lines), np.uint8).reshape(len(lines), size)
    assert [_expected(schema, line) for line in lines] == _found(*decimals_of_matrix(matrix, schema, None))


def test_numbers_that_do_not_fit() -> None:
    """Numbers that don't fit are only reported where they count."""
    array = pa.array([_bytes_of(9999), _bytes_of(10_000)], pa.binary())
    assert [Decimal("99.99")] == decimals_of(array.slice(0, 1), _schema(4, 2), None)[0].to_pylist()
    assert [True, False] == decimals_of(array, _schema(4, 2), None)[1].tolist()
    assert [True, True] == decimals_of(array, _schema(4, 2), np.array([True, False]))[1].tolist()


@pytest.mark.parametrize("scale", [127, 77, -76])
def test_text(scale: int) -> None:
    """Decimals that no type holds, such as those with Oracle's scale of 127, become text."""
    numbers = [0, 1, -1, 15 * 10 ** max(scale - 1, 0), -(10**150), 123 * 10**30]
    column, fits = decimals_of(pa.array(map(_bytes_of, numbers), pa.binary()), _schema(64, scale), None)
    assert fits.all()
    assert [decimal_of_bytes(_bytes_of(number), _schema(64, scale)) for number in numbers] == column.to_pylist()
