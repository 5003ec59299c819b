"""Required fields of structs that are absent: they have no values, and no nulls either."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from kafka2parquet.util.arrays import validity_bitmap


def nulls(count: int, type_: pa.DataType) -> pa.Array:
    """As many nulls of the type, without nulls in its required fields."""
    return without_needless_nulls(pa.nulls(count, type_))


def without_needless_nulls(array: pa.Array, *, nullable: bool = True) -> pa.Array:
    """The same array without nulls in required fields, whose structs must be null there.

    Arrow's arrays have something at each place, and builders put nulls where a struct is null. pyarrow's Parquet writer takes
    these for nulls of the field.

    Args:
        array: of any type.
        nullable: whether it may have nulls of its own; they are kept then.
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
