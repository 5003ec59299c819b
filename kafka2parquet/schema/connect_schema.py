"""Kafka Connect's schemas, and the Arrow types that represent them.

The names of types and attributes are those of the envelope that Connect's JsonConverter writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pyarrow as pa

from kafka2parquet.util.display import counted

DECIMAL = "org.apache.kafka.connect.data.Decimal"
DATE = "org.apache.kafka.connect.data.Date"
TIME = "org.apache.kafka.connect.data.Time"
TIMESTAMP = "org.apache.kafka.connect.data.Timestamp"

#: Parameter with the number of digits of a decimal; Connect itself only knows the scale.
DECIMAL_PRECISION = "connect.decimal.precision"
#: Parameter with the size of a fixed, in bytes.
FIXED_SIZE = "connect.fixed.size"

#: Times of day are below this number.
DAY_MS = 86_400_000
INTEGERS = ("int8", "int16", "int32", "int64")

_MAX_DIGITS_128 = 38
_MAX_DIGITS_256 = 76
#: Well above 127, the largest scale of Oracle. A limit is needed, because a number's text has a digit per unit of its scale.
_MAX_SCALE = 1000
#: A longer fixed is written as bytes of variable length, where a null takes no space.
_MAX_FIXED_BYTES = 1024
_PRIMITIVES = {
    "boolean": pa.bool_(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "bytes": pa.binary(),
}
#: The names of all types in the envelope.
TYPES = frozenset((*_PRIMITIVES, "array", "map", "struct"))


@attrs.frozen
class ConnectField:
    """A field of a struct."""

    name: str
    schema: ConnectSchema


@attrs.frozen
class ConnectSchema:
    """A schema. Two schemas are equal if all of their attributes are equal, including documentation.

    Attributes:
        type: `boolean`, `int8` to `int64`, `float`, `double`, `string`, `bytes`, `array`, `map` or `struct`.
        optional: whether a value may be null.
        name: the name of a struct, an enum or a logical type.
        version: the version of the schema, such as the registry's. Only the version of the outermost schema is ever compared.
        doc: the documentation.
        default: the replacement for a null or missing value, as a Python value; None for no default.
        parameters: further properties, such as the `scale` of a decimal.
        fields: the fields of a struct.
        keys: the schema of a map's keys.
        values: the schema of a map's values, or of an array's items.
    """

    type: str
    optional: bool = False
    name: str | None = None
    version: int | None = None
    doc: str | None = None
    default: Any = attrs.field(default=None, hash=False)
    parameters: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    fields: tuple[ConnectField, ...] = ()
    keys: ConnectSchema | None = None
    values: ConnectSchema | None = None

    @property
    def field_schemas(self) -> dict[str, ConnectSchema]:
        """The schemas of a struct's fields by name."""
        return {field.name: field.schema for field in self.fields}

    @property
    def scale(self) -> int:
        """The digits after the decimal point of a decimal."""
        return int(self.parameters.get("scale", "0"))

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of the schema's values.

        Logical types become Arrow types: dates are date32, times are time32[ms], and timestamps are milliseconds in UTC.

        A decimal has the precision of its schema; 38 if the schema has none, or a precision of 0; and 76 if the schema has a
        larger one. Parquet allows neither a negative scale nor a scale beyond the precision, so such decimals get more digits:
        Oracle's `NUMBER(5,-2)` is a decimal(7,0), and its `NUMBER(3,5)` is a decimal(5,5). If the scale alone needs more than
        76 digits, such as the 127 that drivers report for Oracle's `NUMBER`, the column is text.

        Raises:
            ValueError: a parameter is not a number, or is out of range.
        """
        if self.type == "struct":
            return pa.struct([arrow_field(field.name, field.schema) for field in self.fields])
        if self.type == "array":
            return pa.list_(arrow_field("element", _known(self.values)))
        if self.type == "map":
            return pa.map_(_known(self.keys).arrow_type, arrow_field("value", _known(self.values)))
        logical = self._logical_type()
        if logical is not None:
            return logical
        size = self.parameters.get(FIXED_SIZE)
        return _fixed(int(size)) if size is not None and self.type == "bytes" else _PRIMITIVES[self.type]

    def _logical_type(self) -> pa.DataType | None:
        if self.name == TIMESTAMP and self.type == "int64":
            return pa.timestamp("ms", "UTC")
        if self.name == DATE and self.type == "int32":
            return pa.date32()
        if self.name == TIME and self.type == "int32":
            return pa.time32("ms")
        if self.name == DECIMAL and self.type == "bytes":
            return _decimal(int(self.parameters.get(DECIMAL_PRECISION, "0")), self.scale)
        return None

    @property
    def row_schema(self) -> ConnectSchema:
        """The struct that represents a row: the schema itself, or a struct with one field `value` if it is not a struct."""
        return self if self.type == "struct" else ConnectSchema("struct", fields=(ConnectField("value", self),))

    @property
    def arrow_schema(self) -> pa.Schema:
        """The columns of a row."""
        return pa.schema([arrow_field(field.name, field.schema) for field in self.row_schema.fields])


@attrs.frozen
class ArrowLogicalSchema(ConnectSchema):
    """A schema of a logical type that Kafka Connect doesn't know.

    Attributes:
        logical_type: the Arrow type of the schema.
    """

    logical_type: pa.DataType = attrs.field(default=None)

    def _logical_type(self) -> pa.DataType | None:
        return self.logical_type


def arrow_field(name: str, schema: ConnectSchema) -> pa.Field:
    """Make a field with the schema's type. The field is required unless the schema is optional."""
    return pa.field(name, schema.arrow_type, nullable=schema.optional)


def _fixed(size_bytes: int) -> pa.DataType:
    if not 0 <= size_bytes < 1 << 31:  # Arrow doesn't check the size
        raise ValueError(f"a fixed has {counted(size_bytes, 'byte')}")
    return pa.binary(size_bytes) if size_bytes <= _MAX_FIXED_BYTES else pa.binary()


def _decimal(precision: int, scale: int) -> pa.DataType:
    if abs(scale) > _MAX_SCALE:
        raise ValueError(f"a decimal has the scale {scale}; the largest is {_MAX_SCALE}")
    least = max(scale, 1 - scale)
    if least > _MAX_DIGITS_256:
        return pa.string()
    digits = max(precision + max(-scale, 0) if precision > 0 else _MAX_DIGITS_128, least)
    if digits <= _MAX_DIGITS_128:
        return pa.decimal128(digits, max(scale, 0))
    return pa.decimal256(min(digits, _MAX_DIGITS_256), max(scale, 0))


def _known(schema: ConnectSchema | None) -> ConnectSchema:
    if schema is None:
        raise ValueError("an array or map schema without the schemas of its parts")
    return schema
