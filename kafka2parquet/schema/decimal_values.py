"""Converts single decimals from the numbers in the formats to the values of columns."""

from __future__ import annotations

import decimal

import pyarrow as pa

from kafka2parquet.schema.connect_schema import ConnectSchema

#: More than any type of column has. A limit is needed, because the time to read a number grows with the square of its digits.
MAX_DIGITS = 1000
_MAX_BITS = (10**MAX_DIGITS).bit_length()
#: Holds any number of `MAX_DIGITS` digits, with any scale that a schema may have.
_EXACT = decimal.Context(prec=3 * MAX_DIGITS, traps=[decimal.Inexact, decimal.InvalidOperation])


def decimal_of_bytes(content: bytes, schema: ConnectSchema) -> decimal.Decimal | str:
    """Convert a decimal whose unscaled number is given in two's complement, big-endian.

    Raises:
        ValueError: the content is empty, or the number has more digits than the column.
    """
    return decimal_of(decimal.Decimal(unscaled_number(content)).scaleb(-schema.scale, _EXACT), schema)


def unscaled_number(content: bytes) -> int:
    """Read a number in two's complement, big-endian.

    Raises:
        ValueError: the content is empty, or the number has more than `MAX_DIGITS` digits.
    """
    if not content:
        raise ValueError("a decimal without digits")
    number = int.from_bytes(content, "big", signed=True)
    if number.bit_length() > _MAX_BITS:
        raise ValueError(f"a decimal of more than {MAX_DIGITS} digits")
    return number


def decimal_of(number: decimal.Decimal | int, schema: ConnectSchema) -> decimal.Decimal | str:
    """Convert a number to a decimal with the scale of its schema, or to text if the column is text.

    Raises:
        ValueError: the number's fraction has more digits than the scale, or the number has more digits than the column.
    """
    type_ = schema.arrow_type
    try:
        exact = decimal.Decimal(number).quantize(decimal.Decimal(1).scaleb(-schema.scale), context=_EXACT)
    except decimal.DecimalException:
        raise ValueError(f"a number that doesn't fit a decimal of scale {schema.scale}") from None
    if not pa.types.is_decimal(type_):
        return _plain_text(exact)
    if exact and exact.adjusted() >= type_.precision - type_.scale:
        raise ValueError(f"a decimal of more than {type_.precision} digits")
    return exact


def shifted(number: int, scale: int) -> decimal.Decimal:
    """Move the decimal point of a number to the left by `scale` digits.

    Raises:
        ValueError: the result is too large or too small.
    """
    try:
        return decimal.Decimal(number).scaleb(-scale, _EXACT)
    except decimal.DecimalException:
        raise ValueError(f"a decimal with the scale {scale}, which is out of range") from None


def _plain_text(number: decimal.Decimal) -> str:
    """Write a number without an exponent, and without zeros at the end of its fraction."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
