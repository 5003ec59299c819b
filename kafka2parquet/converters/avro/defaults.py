"""Converts the defaults in Avro schemas from JSON to values of columns."""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa

from kafka2parquet.converters.avro.node import AvroNode, Kind
from kafka2parquet.schema.connect_schema import DECIMAL
from kafka2parquet.schema.decimal_values import decimal_of_bytes
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS


class NoDefault:
    """Marks a field without a default, since None is a valid default."""


def default_value(node: AvroNode, given: Any) -> Any:
    """Convert a default to a value of its column; return None without a default, or if the default doesn't fit the type."""
    if given is NoDefault or given is None:
        return None
    try:
        value = _value(node, given)
        pa.scalar(value, node.schema.arrow_type)
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, *ARROW_DATA_ERRORS):
        return None  # as Confluent's converter does
    return value


def _value(node: AvroNode, given: Any) -> Any:
    kind = node.kind
    if kind is Kind.RECORD:
        return {
            field.name: _field_value(child, given.get(field.name, field.schema.default))
            for field, child in zip(node.schema.fields, node.children, strict=True)
        }
    if kind is Kind.ARRAY:
        return [_field_value(node.children[0], item) for item in _typed(given, list)]
    if kind is Kind.MAP:
        return [(_typed(key, str), _field_value(node.children[0], item)) for key, item in given.items()]
    if kind is Kind.UNION:  # the default of a union belongs to its first type
        if node.null_branch == 0:
            return None
        values = {field.name: None for field in node.schema.fields}
        return {**values, node.schema.fields[0].name: _value(node.children[0], given)}
    if kind in (Kind.BYTES, Kind.FIXED):
        content = _typed(given, str).encode("latin-1")
        if kind is Kind.FIXED and len(content) != node.size:
            raise ValueError("a fixed of another size")
        return decimal_of_bytes(content, node.schema) if node.schema.name == DECIMAL else content
    if kind is Kind.ENUM and given not in node.symbols:
        raise ValueError("no symbol of the enum")
    if kind in (Kind.SINGLE, Kind.ENTRIES):
        raise ValueError("no default")
    if kind in (Kind.FLOAT, Kind.DOUBLE):
        number = float(given) if not isinstance(given, (str, bool)) else _typed(given, float)
        struct.pack("<f" if kind is Kind.FLOAT else "<d", number)  # OverflowError beyond its range
        return number
    return _typed(given, {Kind.BOOLEAN: bool, Kind.INT: int, Kind.LONG: int}.get(kind, str))


def _field_value(node: AvroNode, given: Any) -> Any:
    return None if given is None and node.schema.optional else _value(node, given)


def _typed(given: Any, expected: type) -> Any:
    if type(given) is not expected:
        raise TypeError(f"{given!r} is not of the type {expected.__name__}")
    return given
