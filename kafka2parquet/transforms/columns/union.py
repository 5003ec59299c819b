"""Union: merges columns with the same name, unless a row has values in both."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.schema.field_paths import join_path
from kafka2parquet.schema.lattice import SchemaConflict, conform, merge_field
from kafka2parquet.transforms.columns.paths import struct_array
from kafka2parquet.transforms.columns.refusals import Mask, Refusals
from kafka2parquet.util.arrays import one_array

Column = tuple[pa.Field, pa.Array | pa.ChunkedArray]


@attrs.frozen(eq=False)
class Union:
    """Merges several columns into one.

    Attributes:
        who: name of the transform, for reasons.
        refusals: collects rows that have values in several columns, or a value that doesn't fit the merged type.
    """

    who: str
    refusals: Refusals

    def by_names(
        self, columns: Sequence[Column], *, path: str = "", there: Mask | None = None, preferred: Collection[int] = ()
    ) -> list[Column]:
        """Merge columns with the same name, at the position of the first one.

        Args:
            columns: columns of equal length.
            path: path of the struct with these fields.
            there: mask of the rows in which the struct exists; by default all rows.
            preferred: indices of columns whose types take precedence over the types of other columns.
        """
        places: dict[str, list[int]] = {}
        for index, (field, _) in enumerate(columns):
            places.setdefault(field.name, []).append(index)
        if len(places) == len(columns):
            return list(columns)
        united = []
        for name, indices in places.items():
            ordered = sorted(indices, key=lambda index: index not in preferred)
            column = columns[ordered[0]]
            for index in ordered[1:]:
                column = self._both(column, columns[index], join_path(path, name), there)
            united.append(column)
        return united

    def _both(self, left: Column, right: Column, path: str, there: Mask | None) -> Column:
        (one, first), (two, second) = ((field, _array(values)) for field, values in (left, right))
        in_both = _mask(first.is_valid()) & _mask(second.is_valid())
        self.refusals.add(in_both if there is None else in_both & there, f"{self.who} would make two columns called {path}.")
        field, second = self.fitted(one, two.with_name(one.name), second, path, there)
        values = pc.coalesce(conformed(one, first, field), conformed(field, second, field))
        return field.with_nullable(one.nullable and two.nullable), values

    def fitted(
        self, left: pa.Field, right: pa.Field, values: pa.Array, path: str, there: Mask | None = None
    ) -> tuple[pa.Field, pa.Array]:
        """Return a field that can hold the values of two fields, and the values of `right` that fit into it.

        Args:
            left: a field.
            right: a field with the same name.
            values: the values of `right`.
            path: path of both fields.
            there: mask of the rows that count; by default all rows.
        """
        try:
            return merge_field(left, right, path), values
        except SchemaConflict as conflict:
            if pa.types.is_struct(left.type) and pa.types.is_struct(right.type):
                return self._structs(left, right, values, path, there)
            misfits = _mask(values.is_valid())
            reason = f"{self.who}: two types meet in one column: {conflict}."
            self.refusals.add(misfits if there is None else misfits & there, reason)
            return left, pa.nulls(len(values), left.type)

    def _structs(
        self, left: pa.Field, right: pa.Field, values: pa.StructArray, path: str, there: Mask | None
    ) -> tuple[pa.Field, pa.Array]:
        inside = _mask(values.is_valid()) if there is None else _mask(values.is_valid()) & there
        merged = {field.name: field for field in left.type}
        fields, children = [], []
        for index, field in enumerate(right.type):
            known, child = merged.get(field.name), values.field(index)
            if known is not None:
                merged[field.name], child = self.fitted(known, field, child, join_path(path, field.name), inside)
            else:
                merged[field.name] = field.with_nullable(True)
            fields.append(field.with_type(child.type).with_nullable(True))
            children.append(child)
        return left.with_type(pa.struct(list(merged.values()))), struct_array(values, children, fields)


def conformed(given: pa.Field, values: pa.Array, field: pa.Field) -> pa.Array:
    """Cast values to the type of a field that can hold them."""
    if values.type.equals(field.type):
        return values
    table = pa.table([values], schema=pa.schema([given.with_type(values.type).with_name(field.name)]))
    return one_array(conform(table, pa.schema([field])).column(0))


def _array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return one_array(values) if isinstance(values, pa.ChunkedArray) else values


def _mask(booleans: pa.Array) -> Mask:
    mask: Mask = booleans.to_numpy(zero_copy_only=False)
    return np.asarray(mask, np.bool_)
