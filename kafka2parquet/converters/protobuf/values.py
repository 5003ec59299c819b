"""Converts single Protobuf messages, which the columnar decoder can't decode, to Python values for pyarrow."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Mapping
from typing import Any

from kafka2parquet.converters.protobuf.schema import Kind, ProtobufNode
from kafka2parquet.schema.connect_schema import DATE, DECIMAL, TIME, ConnectSchema
from kafka2parquet.schema.decimal_values import MAX_DIGITS, decimal_of, shifted, unscaled_number

_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
#: The range of Protobuf's timestamps: 0001-01-01 to 9999-12-31T23:59:59, in seconds since 1970.
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
NANOSECONDS = 1_000_000_000


def message_value(root: ProtobufNode, message: Any) -> Any:
    """Convert a message to a value that `pyarrow.array` accepts.

    Raises:
        ValueError: a value is not valid in its type, such as the 31st of June.
    """
    return _value(root, message)


def _value(node: ProtobufNode, value: Any) -> Any:
    if node.kind is Kind.STRUCT:
        names = (field.name for field in node.schema.fields)
        return {name: _member(child, value) for name, child in zip(names, node.children, strict=True)}
    if node.kind is Kind.LIST:
        return [_value(node.children[0], item) for item in value]
    if node.kind is Kind.MAP:
        key, item = node.children
        return [(_value(key, name), _value(item, value[name])) for name in value]
    if node.kind is Kind.ENUM:
        return value if node.schema.type == "int32" else node.enum_name(value)
    if node.kind is Kind.LOGICAL:
        return logical_value(node.schema, {field.name: getattr(value, field.name) for field in value.DESCRIPTOR.fields})
    if node.kind is Kind.WRAPPER:
        return _value(node.children[0], value.value)
    if node.kind is Kind.UNSIGNED64:
        return value - (1 << 64) if value >> 63 else value
    return value


def _member(node: ProtobufNode, message: Any) -> Any:
    if node.kind is Kind.UNION:
        chosen = message.WhichOneof(node.name)
        return (
            None
            if chosen is None
            else {case.name: _value(case, getattr(message, chosen)) for case in node.children if case.name == chosen}
        )
    if node.nullable and not message.HasField(node.name):
        return None
    return _value(node, getattr(message, node.name))


def logical_value(schema: ConnectSchema, fields: Mapping[str, Any]) -> Any:
    """Convert a message with a logical type to days, milliseconds or a decimal.

    Args:
        schema: the schema with the logical type.
        fields: the fields of the message, by name.

    Raises:
        ValueError: the message is not a valid value of the type.
    """
    if schema.name == DECIMAL:
        return _decimal(schema, fields["value"], fields["precision"], fields["scale"])
    if schema.name == DATE:
        return datetime.date(fields["year"], fields["month"], fields["day"]).toordinal() - _EPOCH_DAY
    if schema.name == TIME:
        return _time_ms(fields["hours"], fields["minutes"], fields["seconds"], fields["nanos"])
    if not (FIRST_SECOND <= fields["seconds"] <= LAST_SECOND and 0 <= fields["nanos"] < NANOSECONDS):
        raise ValueError("a timestamp outside the years 1 to 9999, or with nanoseconds beyond a second")
    return fields["seconds"] * 1000 + fields["nanos"] // 1_000_000


def _time_ms(hours: int, minutes: int, seconds: int, nanos: int) -> int:
    if not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 60 and 0 <= nanos < NANOSECONDS):
        raise ValueError("not a time of day")
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + nanos // 1_000_000


def _decimal(schema: ConnectSchema, content: bytes, precision: int, scale: int) -> decimal.Decimal | str:
    unscaled = unscaled_number(content)
    if precision and abs(unscaled) >= 10 ** min(precision, MAX_DIGITS):
        raise ValueError(f"a decimal with more digits than its precision of {precision}")
    return decimal_of(shifted(unscaled, scale), schema)
