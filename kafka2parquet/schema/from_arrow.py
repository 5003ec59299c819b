"""Converts an Arrow schema to the ConnectSchema that describes it, the reverse of `ConnectSchema.arrow_schema`."""

from __future__ import annotations

import attrs
import pyarrow as pa

from kafka2parquet.schema.connect_schema import (
    DATE,
    DECIMAL,
    DECIMAL_PRECISION,
    FIXED_SIZE,
    TIME,
    TIMESTAMP,
    ArrowLogicalSchema,
    ConnectField,
    ConnectSchema,
)

_PLAIN = {
    pa.bool_(): "boolean",
    pa.int8(): "int8",
    pa.int16(): "int16",
    pa.int32(): "int32",
    pa.int64(): "int64",
    pa.uint8(): "int16",
    pa.uint16(): "int32",
    pa.uint32(): "int64",
    pa.float16(): "float",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.large_string(): "string",
    pa.string_view(): "string",
    pa.binary(): "bytes",
    pa.large_binary(): "bytes",
    pa.binary_view(): "bytes",
    pa.null(): "string",
}


def connect_schema(schema: pa.Schema, like: ConnectSchema | None = None) -> ConnectSchema:
    """Make the struct that describes the columns of an Arrow schema.

    A type that Kafka Connect lacks is described by the nearest type that holds all of its values. Times finer than
    milliseconds, local times and unsigned 64-bit numbers keep their own type. So columns have to be cast to the result's
    `arrow_schema`.

    Args:
        schema: the columns.
        like: the previous schema of the rows. Its name, version and documentation are kept, and so are the schemas of unchanged
            fields.
    """
    if like is None:
        return ConnectSchema("struct", fields=_fields(schema, None))
    if schema.equals(like.arrow_schema):
        return like
    row = like.row_schema
    if row is not like:
        row = attrs.evolve(row, version=like.version, doc=like.doc)
    return attrs.evolve(row, fields=_fields(schema, row))


def _fields(fields: pa.Schema | pa.StructType, like: ConnectSchema | None) -> tuple[ConnectField, ...]:
    known = like.field_schemas if like is not None else {}
    return tuple(ConnectField(field.name, _schema(field, known.get(field.name))) for field in fields)


def _schema(field: pa.Field, like: ConnectSchema | None) -> ConnectSchema:
    """Make the schema of a field, keeping the previous schema as far as it still applies."""
    if like is not None and field.type.equals(like.arrow_type):
        if field.nullable == like.optional:
            return like
        return attrs.evolve(like, optional=field.nullable)
    type_ = field.type
    if pa.types.is_struct(type_):
        inner = like if like is not None and like.type == "struct" else ConnectSchema("struct")
        return attrs.evolve(inner, optional=field.nullable, fields=_fields(type_, inner))
    if pa.types.is_map(type_):
        inner = like if like is not None and like.type == "map" else ConnectSchema("map")
        keys = _schema(type_.key_field, inner.keys)
        return attrs.evolve(inner, optional=field.nullable, keys=keys, values=_schema(type_.item_field, inner.values))
    if _is_list(type_):
        inner = like if like is not None and like.type == "array" else ConnectSchema("array")
        return attrs.evolve(inner, optional=field.nullable, values=_schema(type_.value_field, inner.values))
    return attrs.evolve(_leaf(type_), optional=field.nullable)


def _is_list(type_: pa.DataType) -> bool:
    return any(is_kind(type_) for is_kind in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def _leaf(type_: pa.DataType) -> ConnectSchema:
    if pa.types.is_dictionary(type_):
        return _leaf(type_.value_type)
    if type_ in _PLAIN:
        return ConnectSchema(_PLAIN[type_])
    if pa.types.is_fixed_size_binary(type_) and not pa.types.is_decimal(type_):
        return ConnectSchema("bytes", parameters={FIXED_SIZE: str(type_.byte_width)})
    if pa.types.is_decimal(type_) and 0 <= type_.scale <= type_.precision:
        parameters = {"scale": str(type_.scale), DECIMAL_PRECISION: str(type_.precision)}
        return ConnectSchema("bytes", name=DECIMAL, version=1, parameters=parameters)
    if pa.types.is_date(type_):
        return ConnectSchema("int32", name=DATE, version=1)
    if pa.types.is_time32(type_):
        return ConnectSchema("int32", name=TIME, version=1)
    if pa.types.is_timestamp(type_) and type_.tz is not None and type_.unit in ("s", "ms"):
        return ConnectSchema("int64", name=TIMESTAMP, version=1)
    if pa.types.is_timestamp(type_) and type_.tz is not None:
        type_ = pa.timestamp(type_.unit, "UTC")
    kind = "bytes" if pa.types.is_decimal(type_) else "int64"
    return ArrowLogicalSchema(kind, parameters={"logicalType": str(type_)}, logical_type=type_)
