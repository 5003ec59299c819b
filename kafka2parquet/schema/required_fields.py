"""Removes nulls from required fields inside structs that are null themselves."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from kafka2parquet.util.arrays import validity_bitmap


def nulls(count: int, type_: pa.DataType) -> pa.Array:
    """Make an array of `count` nulls of a type, without nulls in the type's required fields."""
    return without_needless_nulls(pa.nulls(count, type_))


def without_needless_nulls(array: pa.Array, *, nullable: bool = True) -> pa.Array:
    """Remove nulls from required fields. Such a null is only allowed where the struct around the field is null.

    Some functions of Arrow, such as `pa.nulls`, put nulls into the fields of a struct that is null, and pyarrow's Parquet
    writer refuses these in required fields. This can go once the writer ignores them: apache/arrow#50470.

    Args:
        array: of any type.
        nullable: whether the array itself may have nulls, which are then kept.
    """
    type_ = array.type
    children: list[pa.Array] = []
    made: list[pa.Array] = []
    if pa.types.is_struct(type_):
        children = [array.field(i) for i in range(type_.num_fields)]
        made = [without_needless_nulls(child, nullable=field.nullable) for child, field in zip(children, type_, strict=True)]
    elif pa.types.is_list(type_):
        children = [array.values]
        made = [without_needless_nulls(children[0], nullable=type_.value_field.nullable)]
    elif pa.types.is_map(type_):
        children = [array.keys, array.items]
        made = [children[0], without_needless_nulls(children[1], nullable=type_.item_field.nullable)]
    drops = not nullable and bool(array.null_count)
    if not drops and all(one is other for one, other in zip(made, children, strict=True)):
        return array
    valid = array.is_valid().to_numpy(zero_copy_only=False) if array.null_count and not drops else None
    bitmap = validity_bitmap(valid)
    if pa.types.is_struct(type_):
        return pa.Array.from_buffers(type_, len(array), [bitmap], children=made)
    if not made:
        return pa.Array.from_buffers(type_, len(array), [None, *array.buffers()[1:]], offset=array.offset)
    offsets = pa.py_buffer(np.ascontiguousarray(array.offsets.to_numpy()))
    if pa.types.is_map(type_):
        made = [pa.StructArray.from_arrays(made, fields=[type_.key_field, type_.item_field])]
    return pa.Array.from_buffers(type_, len(array), [bitmap, offsets], children=made)
