"""The lattice of types along which a learned schema grows.

    unknown < bool, int64 < double, string, list<T>, struct<fields>

Two types merge into the least one that holds the values of both: `unknown` (only nulls were seen) gives way to anything, int64
widens to double, structs unite their fields, lists merge their items. Everything else is a conflict. Merging is commutative
but for the order of fields, associative and idempotent, so a schema only ever grows, in whatever order records are seen.

Strings are never taken for dates. A field of which only nulls, empty lists or empty structs were seen is `unknown`: it is left
out of files until more is known, because neither Parquet nor its readers can do much with a column without a type.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: Stands for a type of which only nulls were seen.
UNKNOWN = pa.null()


class SchemaConflict(Exception):
    """Two types that have no common one.

    Attributes:
        path: of the field, such as `user.age`.
    """

    def __init__(self, path: str, one: pa.DataType, other: pa.DataType) -> None:
        self.path = path
        super().__init__(f"field {path}: {describe(one)} and {describe(other)}")


def describe(data_type: pa.DataType) -> str:
    """The type in a few words, for messages."""
    if pa.types.is_struct(data_type):
        return "an object"
    if pa.types.is_list(data_type):
        return "an array"
    return {"string": "text", "int64": "an integer", "double": "a number", "bool": "true or false"}.get(
        str(data_type), str(data_type)
    )


def merge(one: pa.DataType, other: pa.DataType, path: str = "") -> pa.DataType:
    """The least type that holds the values of both.

    Raises:
        SchemaConflict: there is none.
    """
    if one.equals(other) or other.equals(UNKNOWN):
        return one
    if one.equals(UNKNOWN):
        return other
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        return pa.struct(_merge_fields(list(one), list(other), f"{path}." if path else ""))
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(merge(one.value_type, other.value_type, f"{path}[]"))
    if {str(one), str(other)} == {"int64", "double"}:
        return pa.float64()
    raise SchemaConflict(path, one, other)


def merge_schemas(one: pa.Schema, other: pa.Schema) -> pa.Schema:
    """The schema that holds the rows of both; new fields come last.

    Raises:
        SchemaConflict: some field has types without a common one.
    """
    return pa.schema(_merge_fields(list(one), list(other), ""))


def _merge_fields(ones: list[pa.Field], others: list[pa.Field], prefix: str) -> list[pa.Field]:
    merged = {field.name: field for field in ones}
    for field in others:
        known = merged.get(field.name)
        if known is None:
            merged[field.name] = field
        elif not known.equals(field):
            merged[field.name] = pa.field(
                field.name, merge(known.type, field.type, f"{prefix}{field.name}"), known.nullable or field.nullable
            )
    return list(merged.values())


def without_unknown(schema: pa.Schema) -> pa.Schema:
    """The schema without the parts whose type is not known yet: what may be written."""
    return pa.schema(_known_fields(list(schema)))


def _known_fields(fields: list[pa.Field]) -> list[pa.Field]:
    known = ((field, _known_type(field.type)) for field in fields)
    return [field.with_type(data_type) for field, data_type in known if data_type is not None]


def _known_type(data_type: pa.DataType) -> pa.DataType | None:
    if data_type.equals(UNKNOWN):
        return None
    if pa.types.is_struct(data_type):
        fields = _known_fields(list(data_type))
        return pa.struct(fields) if fields else None
    if pa.types.is_list(data_type):
        item = _known_type(data_type.value_type)
        return pa.list_(item) if item is not None else None
    return data_type


def unify(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """The schema that holds the rows of all; of tables that go into one file.

    Raises:
        SchemaConflict: some field has types without a common one.
    """
    first, *rest = schemas
    for schema in rest:
        if not schema.equals(first):
            first = merge_schemas(first, schema)
    return first


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of `schema` and no others: missing ones are null, at any depth."""
    columns = []
    for field in schema:
        index = table.schema.get_field_index(field.name)
        if index < 0:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        column = table.column(index)
        if not column.type.equals(field.type):
            column = pa.chunked_array([_conform_array(chunk, field.type) for chunk in column.chunks], field.type)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def _conform_array(array: pa.Array, data_type: pa.DataType) -> pa.Array:
    if array.type.equals(data_type):
        return array
    if pa.types.is_struct(array.type):
        arrays = [
            pa.nulls(len(array), field.type)
            if array.type.get_field_index(field.name) < 0
            else _conform_array(pc.struct_field(array, field.name), field.type)
            for field in data_type
        ]
        return pa.StructArray.from_arrays(arrays, fields=list(data_type), mask=array.is_null())
    if pa.types.is_list(array.type):
        items = _conform_array(array.flatten(), data_type.value_type)
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int32())
        return pa.ListArray.from_arrays(offsets, items, type=data_type, mask=array.is_null())
    return array.cast(data_type)
