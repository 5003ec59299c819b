"""Finds and changes columns at dotted paths, also inside structs. A column with dots in its own name takes precedence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.rows import without_columns
from kafka2parquet.schema.field_paths import Parts, resolve
from kafka2parquet.util.arrays import null_mask, one_array

#: A function from a field and its values to a new field and values, or to None to remove the field.
Change = Callable[[pa.Field, pa.Array], tuple[pa.Field, pa.Array] | None]


def resolve_all(schema: pa.Schema, paths: Iterable[str]) -> Iterator[Parts]:
    """Yield the names along each path whose field exists."""
    return (parts for parts in (resolve(schema, path) for path in paths) if parts is not None)


def column_at(table: pa.Table, parts: Parts) -> tuple[pa.Field, pa.ChunkedArray]:
    """Return the field at `parts` and its values. A value is null if a struct around it is null."""
    index = table.schema.get_field_index(parts[0])
    field, column = table.schema.field(index), table.column(index)
    for part in parts[1:]:
        index = field.type.get_field_index(part)
        column = pc.struct_field(column, [index])
        child = field.type.field(index)
        field = child.with_nullable(field.nullable or child.nullable)
    return field, column


def members(field: pa.Field, structs: pa.ChunkedArray) -> pa.Table:
    """Return the fields of structs, none of which is null, as the columns of a table."""
    if not field.type.num_fields:
        return without_columns(len(structs))
    return pa.Table.from_arrays(structs.flatten(), schema=pa.schema(list(field.type)))


def change_column(table: pa.Table, parts: Parts, change: Change) -> pa.Table:
    """Replace or remove the column at `parts`.

    `change` gets all values at once, with nulls for values inside a null struct. A struct that loses its last field is removed
    too.
    """
    index = table.schema.get_field_index(parts[0])
    changed = _changed(table.schema.field(index), one_array(table.column(index)), parts[1:], change)
    return table.remove_column(index) if changed is None else table.set_column(index, *changed)


def _changed(field: pa.Field, array: pa.Array, parts: Parts, change: Change) -> tuple[pa.Field, pa.Array] | None:
    if not parts:
        return change(field, array)
    fields = list(array.type)
    children = [array.field(index) for index in range(len(fields))]
    index = array.type.get_field_index(parts[0])
    keeps_values = not fields[index].nullable and pa.types.is_nested(fields[index].type)
    child = _changed(fields[index], children[index] if keeps_values else array.flatten()[index], parts[1:], change)
    if child is None:
        del fields[index], children[index]
    else:
        fields[index], children[index] = child[0], child[1] if child[0].nullable else _without_nulls(child[1])
    return (field.with_type(pa.struct(fields)), struct_array(array, children, fields)) if fields else None


def _without_nulls(array: pa.Array) -> pa.Array:
    """Replace nulls with arbitrary values, because a required field must not have nulls, even if its struct is null."""
    if not array.null_count or pa.types.is_nested(array.type):
        return array
    return pa.Array.from_buffers(array.type, len(array), [None, *array.buffers()[1:]], offset=array.offset)


def struct_array(like: pa.StructArray, children: Sequence[pa.Array], fields: Sequence[pa.Field]) -> pa.StructArray:
    """Return a struct array with the given children, and with the nulls of `like`."""
    return pa.StructArray.from_arrays(children, fields=fields, mask=null_mask(like))
