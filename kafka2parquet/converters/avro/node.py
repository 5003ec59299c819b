"""Avro types with the Connect schemas that their values get, and the settings of the mapping."""

from __future__ import annotations

import enum
from typing import Literal

import attrs

from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.util.arguments import checked


@checked
@attrs.frozen
class AvroMapping:
    """How Avro types become columns.

    Attributes:
        logical_types: `connect` leaves local times, and times finer than milliseconds, as plain numbers, as Kafka Connect
            does; `arrow` converts them to Arrow's time types. A uuid is text either way.
        enhanced_schema_support: whether the fields of a union have the full names of their types (Confluent's
            `enhanced.avro.schema.support`).
        connect_meta_data: whether the schema's documentation and parameters are kept (`connect.meta.data`).
        null_becomes_default: whether a null of an optional type with a default (`connect.default`) is written as the default,
            as Confluent's sink does.
    """

    logical_types: Literal["connect", "arrow"] = "connect"
    enhanced_schema_support: bool = False
    connect_meta_data: bool = True
    null_becomes_default: bool = False


class Kind(enum.Enum):
    """Avro's types, with three kinds of their own for unions and maps."""

    BOOLEAN = "boolean"
    INT = "int"
    LONG = "long"
    FLOAT = "float"
    DOUBLE = "double"
    STRING = "string"
    BYTES = "bytes"
    FIXED = "fixed"
    ENUM = "enum"
    ARRAY = "array"
    MAP = "map"
    RECORD = "record"
    UNION = "union"
    """A union of several types, and perhaps null."""
    SINGLE = "single"
    """A union of one type."""
    ENTRIES = "entries"
    """An array of records with `key` and `value` that represents a map. The key and the value are the node's children."""


@attrs.frozen
class AvroNode:
    """A type at one place of a schema.

    Attributes:
        kind: the Avro type.
        schema: the schema that Kafka Connect makes of the type.
        children: the types of the parts: the fields, items or values, or the types of a union except null.
        null_branch: the index of null in the union that the node is, or that the node and null form; None without null.
        symbols: the symbols of an enum.
        size: the size of a fixed in bytes.
        short_name: the name of a named type, without its namespace.
        full_name: the name of a named type, with its namespace.
    """

    kind: Kind
    schema: ConnectSchema
    children: tuple[AvroNode, ...] = ()
    null_branch: int | None = None
    symbols: tuple[str, ...] = ()
    size: int = 0
    short_name: str | None = None
    full_name: str | None = None
