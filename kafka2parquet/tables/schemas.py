"""Schemas of tables: the union of files' schemas, in which columns are added and never changed."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pat


def nullable(schema: pa.Schema) -> pa.Schema:
    """Return a schema in which every field, at any depth, may be null, and no field has metadata."""
    return pa.schema([_nullable(field) for field in schema])


def union(one: pa.Schema, other: pa.Schema) -> pa.Schema:
    """Return the columns of a schema, followed by those columns of another schema that it lacks. Structs grow likewise.

    Raises:
        ValueError: a column has two types.
    """
    return pa.schema(_union_fields(list(one), list(other), ""))


def _nullable(field: pa.Field) -> pa.Field:
    return pa.field(field.name, _nullable_type(field.type))


def _nullable_type(type_: pa.DataType) -> pa.DataType:
    if pat.is_struct(type_):
        return pa.struct([_nullable(type_.field(index)) for index in range(type_.num_fields)])
    if pat.is_list(type_):
        return pa.list_(_nullable(type_.value_field))
    if pat.is_large_list(type_):
        return pa.large_list(_nullable(type_.value_field))
    if pat.is_map(type_):
        return pa.map_(_nullable_type(type_.key_type), _nullable_type(type_.item_type))
    return type_


def _union_fields(one: list[pa.Field], other: list[pa.Field], path: str) -> list[pa.Field]:
    new = {field.name: field for field in other}
    fields = [
        field.with_type(_union_type(field.type, new.pop(field.name).type, f"{path}{field.name}"))
        if field.name in new
        else field
        for field in one
    ]
    return [*fields, *(field for field in other if field.name in new)]


def _union_type(one: pa.DataType, other: pa.DataType, path: str) -> pa.DataType:
    if one.equals(other):
        return one
    if pat.is_struct(one) and pat.is_struct(other):
        fields, new = ([type_.field(index) for index in range(type_.num_fields)] for type_ in (one, other))
        return pa.struct(_union_fields(fields, new, f"{path}."))
    if pat.is_list(one) and pat.is_list(other):
        return pa.list_(one.value_field.with_type(_union_type(one.value_type, other.value_type, f"{path}.element")))
    if pat.is_map(one) and pat.is_map(other) and one.key_type.equals(other.key_type):
        return pa.map_(one.key_type, one.item_field.with_type(_union_type(one.item_type, other.item_type, f"{path}.value")))
    raise ValueError(f"its column {path} has the type {other}, and the table's has {one}")
