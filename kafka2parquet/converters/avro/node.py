"""AvroNode: a type of an Avro schema, and the type that its values get; AvroMapping: the settings of this mapping."""

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
        logical_types: `connect` leaves times finer than milliseconds, and local ones, the numbers that they are, as Kafka
            Connect does; `arrow` makes times of them. A uuid is text either way.
        enhanced_schema_support: whether the fields of a union have the full names of their types (Confluent's
            `enhanced.avro.schema.support`).
        connect_meta_data: whether documentation and parameters of the schema are kept (`connect.meta.data`).
        null_becomes_default: whether the null of an optional type with a default (`connect.default`) is written as the
            default, as Confluent's sink does.
    """

    logical_types: Literal["connect", "arrow"] = "connect"
    enhanced_schema_support: bool = False
    connect_meta_data: bool = True
    null_becomes_default: bool = False


class Kind(enum.Enum):
    """The types of Avro."""

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
    """An array of records `key` and `value` which stands for a map; the children are those two."""


@attrs.frozen
class AvroNode:
    """A type of a schema, at one place of it.

    Attributes:
        kind: the Avro type.
        schema: what Kafka Connect makes of it.
        children: the types of its parts: fields, items, values, or types of a union but null.
        null_branch: the index of null in the union that this is, or that this type and null make up; None without null.
        symbols: of an enum.
        size: of a fixed, in bytes.
        short_name: of a named type.
        full_name: of a named type, with its namespace.
    """

    kind: Kind
    schema: ConnectSchema
    children: tuple[AvroNode, ...] = ()
    null_branch: int | None = None
    symbols: tuple[str, ...] = ()
    size: int = 0
    short_name: str | None = None
    full_name: str | None = None
