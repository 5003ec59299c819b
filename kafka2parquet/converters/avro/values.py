"""Decodes Avro values one by one, with fastavro.

Used for schemas and payloads that `columns.py` can't decode, and for all payloads if pyruhvro isn't installed.

fastavro gets a schema whose values are almost what `pyarrow.array` accepts. Each type of a union is wrapped in a record of one
field, which is named like the type's field in the union's struct; Arrow fills the struct's other fields with null. If fastavro
would accept damaged values of a type, the schema has a lower-level type: a boolean becomes a fixed, and an enum a number.
fastavro counts negative type numbers from the end of a union, so types without values are appended there. These types can go
once fastavro refuses such values. (fastavro still accepts numbers of more than ten bytes, and reads blocks whose count is the
smallest long as empty.) Bytes after a value are ignored, as in Avro's own decoders.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import fastavro

from kafka2parquet.converters.avro.node import AvroNode, Kind
from kafka2parquet.converters.avro.wire_schema import WireSchemas, day_limit
from kafka2parquet.converters.map_entries import unique_entries
from kafka2parquet.converters.payload_decoder import PayloadsRefused
from kafka2parquet.schema.connect_schema import DECIMAL, ConnectSchema
from kafka2parquet.schema.decimal_values import decimal_of_bytes

#: Converts fastavro's value to the column's value; None if both are the same. Records and unions are changed in place.
_Change = Callable[[Any], Any]

_BOOLEANS = {b"\0": False, b"\1": True}
_NO_TYPE = {"type": "enum", "name": "NoType", "symbols": []}
#: Enough for -1 to -8. Smaller numbers are out of range, or are control characters of a text in the place of a number.
_NO_TYPES = ["NoType"] * 8
#: Appended to each payload, so that truncated numbers, and strings that are one byte too long, end there and are noticed.
_END = b"\0"


def value_reader(node: AvroNode, *, null_becomes_default: bool) -> Callable[[bytes], Any]:
    """Return a function that decodes a payload to a value that `pyarrow.array` accepts, or raises PayloadsRefused."""
    names: dict[str, Any] = {}
    fastavro.parse_schema(_NO_TYPE, names)
    wire = WireSchemas(_scalar, own_names=True, union_end=_NO_TYPES).schema_of(node)
    schema = fastavro.parse_schema(wire, names)
    change = _nullable(node, null_becomes_default)

    def read_payload(payload: bytes) -> Any:
        file = io.BytesIO(payload + _END)
        try:
            value = fastavro.schemaless_reader(file, schema, None)["value"]  # type: ignore[index,call-overload]  # a record
        except IndexError:
            raise PayloadsRefused("a union has no type of that number") from None
        except UnicodeDecodeError as error:
            raise PayloadsRefused(f"text that is not UTF-8: {error.reason}") from None
        except (EOFError, OverflowError):  # OverflowError for lengths, if fastavro isn't compiled
            raise PayloadsRefused("the value ends too early") from None
        if file.tell() > len(payload):
            raise PayloadsRefused("the value ends too early")
        return value if change is None else change(value)

    return read_payload


def _scalar(node: AvroNode, name: str) -> Any:
    if node.kind in (Kind.FIXED, Kind.BOOLEAN):
        return {"type": "fixed", "name": name, "size": node.size or 1}
    return "long" if node.kind in (Kind.INT, Kind.ENUM) else node.kind.value


def _nullable(node: AvroNode, null_becomes_default: bool) -> _Change | None:
    change = _plain(node, null_becomes_default)
    null = node.schema.default if null_becomes_default and node.schema.optional else None
    if node.null_branch is None or (change is None and null is None):
        return change
    return lambda value: null if value is None else value if change is None else change(value)


def _plain(node: AvroNode, null_becomes_default: bool) -> _Change | None:
    if node.kind in (Kind.BOOLEAN, Kind.ENUM):
        return _choice(node)
    if node.kind in (Kind.BYTES, Kind.FIXED):
        return _decimal(node.schema) if node.schema.name == DECIMAL else None
    if node.kind in (Kind.INT, Kind.LONG):
        limit = day_limit(node.schema.arrow_type)
        return None if limit is None else _time_below(limit)
    changes = [_nullable(child, null_becomes_default) for child in node.children]
    if node.kind is Kind.SINGLE:
        return _single(changes[0])
    if node.kind is Kind.ENTRIES:
        return _entries(_fields(_named(["key", "value"], changes)))
    change = next(filter(None, changes), None)
    if change is None:
        return None
    if node.kind is Kind.ARRAY:
        return lambda items: [change(value) for value in items]
    if node.kind is Kind.MAP:
        return lambda items: {key: change(value) for key, value in items.items()}
    named = _named([field.name for field in node.schema.fields], changes)
    return _fields(named) if node.kind is Kind.RECORD else _chosen(named)


def _named(names: list[str], changes: list[_Change | None]) -> dict[str, _Change]:
    return {name: change for name, change in zip(names, changes, strict=True) if change is not None}


def _choice(node: AvroNode) -> _Change:
    values: Mapping[Any, Any] = _BOOLEANS if node.kind is Kind.BOOLEAN else dict(enumerate(node.symbols))

    def change(value: Any) -> Any:
        try:
            return values[value]
        except KeyError:
            what = f"a boolean is {value[0]}" if node.kind is Kind.BOOLEAN else f"{node.full_name} has no symbol {value}"
            raise PayloadsRefused(what) from None

    return change


def _time_below(limit: int) -> _Change:
    def change(number: Any) -> Any:
        if not 0 <= number < limit:
            raise PayloadsRefused(f"{number} is not a time of day")
        return number

    return change


def _decimal(schema: ConnectSchema) -> _Change:
    def change(content: Any) -> Any:
        try:
            return decimal_of_bytes(content, schema)
        except ValueError as error:
            raise PayloadsRefused(str(error)) from None

    return change


def _fields(changes: Mapping[str, _Change]) -> _Change:
    def change(value: Any) -> Any:
        for name, change_field in changes.items():
            value[name] = change_field(value[name])
        return value

    return change


def _chosen(changes: Mapping[str, _Change]) -> _Change:
    def change(value: Any) -> Any:
        ((name, chosen),) = value.items()
        return {name: changes[name](chosen)} if name in changes else value

    return change


def _single(change_value: _Change | None) -> _Change:
    def change(value: Any) -> Any:
        if value["number"] != 0:
            raise PayloadsRefused(f"a union of 1 type has no type {value['number']}")
        return value["value"] if change_value is None else change_value(value["value"])

    return change


def _entries(change_entry: _Change) -> _Change:
    def change(value: Any) -> Any:
        return unique_entries(tuple(change_entry(entry).values()) for entry in value)

    return change
