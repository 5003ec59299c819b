"""Decimals and bytes get an Arrow type whatever their parameters are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from kafka2parquet.schema.connect_schema import DECIMAL, ConnectSchema


def decimal_type(**parameters: str) -> pa.DataType:
    return ConnectSchema("bytes", name=DECIMAL, parameters=parameters).arrow_type


@pytest.mark.parametrize(
    ("precision", "scale", "expected"),
    [
        ("10", "2", pa.decimal128(10, 2)),
        (None, "2", pa.decimal128(38, 2)),
        ("0", "2", pa.decimal128(38, 2)),
        ("-1", "2", pa.decimal128(38, 2)),
        (None, "50", pa.decimal256(50, 50)),
        ("39", "0", pa.decimal256(39, 0)),
        ("100", "2", pa.decimal256(76, 2)),
        ("3", "5", pa.decimal128(5, 5)),
        ("5", "-2", pa.decimal128(7, 0)),
        ("1", "-40", pa.decimal256(41, 0)),
        (None, "-2", pa.decimal128(38, 0)),
        (None, "-50", pa.decimal256(51, 0)),
        ("64", "127", pa.string()),
        ("38", "-84", pa.string()),
    ],
)
def test_types_of_decimals(precision: str | None, scale: str, expected: pa.DataType) -> None:
    """Negative scales, scales beyond the precision, and the scale 127 of Oracle's NUMBER have types."""
    given = {} if precision is None else {"connect.decimal.precision": precision}
    assert expected == decimal_type(scale=scale, **given)


@pytest.mark.parametrize(
    "parameters", [{"scale": "x"}, {"scale": "1001"}, {"scale": "-1001"}, {"connect.decimal.precision": "2.0"}]
)
def test_parameters_that_no_decimal_has(parameters: dict[str, str]) -> None:
    """Scales that are out of range or not numbers are refused; a number's text could have millions of digits."""
    with pytest.raises(ValueError, match=r"scale|invalid literal"):
        decimal_type(**parameters)


@pytest.mark.parametrize(
    ("size", "expected"), [("16", pa.binary(16)), ("1024", pa.binary(1024)), ("1025", pa.binary()), ("2147483647", pa.binary())]
)
def test_large_fixed_is_bytes_of_any_length(size: str, expected: pa.DataType) -> None:
    """A large fixed becomes bytes of variable length, because Arrow and Parquet would store each null in full."""
    assert expected == ConnectSchema("bytes", parameters={"connect.fixed.size": size}).arrow_type
