"""Flatten: turns the fields of structs into columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from kafka2parquet.transforms.columns.refusals import ColumnTransform, Refusals
from kafka2parquet.transforms.columns.union import Column, Union
from kafka2parquet.transforms.properties import TransformProperties
from kafka2parquet.util.arguments import Name, checked


@checked
class Flatten(ColumnTransform):
    """Turns each field of a struct, at any depth, into a column: `user` with `name` becomes `user.name`. Keeps lists and maps.

    If a column with this name exists, it is merged with the field into one column of the field's type. A row is rejected if it
    has values in both, or a value of another type.
    """

    def __init__(self, delimiter: Name = ".") -> None:
        """Choose the delimiter.

        Args:
            delimiter: text between the names, such as `_`.

        Raises:
            ConfigurationError: the delimiter is empty.
        """
        self._delimiter = delimiter

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Flatten:
        """Read the property `delimiter`, by default a dot."""
        return cls(TransformProperties(properties, "Flatten", "delimiter").text("delimiter") or ".")

    @property
    def fingerprint(self) -> str:
        """Text that identifies the delimiter."""
        return f"flatten-{self._delimiter}"

    def change(self, table: pa.Table, refusals: Refusals) -> pa.Table:
        """Return the table without structs. The fields of a null struct become null."""
        return flattened(table, self._delimiter, "Flatten", refusals)


def flattened(table: pa.Table, delimiter: str, who: str, refusals: Refusals) -> pa.Table:
    """Turn each field of a struct, at any depth, into a column. Fields with the same name are merged.

    Args:
        table: the columns.
        delimiter: text between the names.
        who: name of the transform, for reasons.
        refusals: collects rows that have values in two fields with the same name.
    """
    if not any(pa.types.is_struct(field.type) for field in table.schema):
        return table
    flat: list[Column] = []
    of_structs: set[int] = set()
    for field, values in zip(table.schema, table.columns, strict=True):
        columns = list(_leaves(field, values, delimiter))
        if pa.types.is_struct(field.type):
            of_structs.update(range(len(flat), len(flat) + len(columns)))
        flat += columns
    flat = Union(who, refusals).by_names(flat, preferred=of_structs)
    if not flat:
        return table.select([])
    schema = pa.schema([field for field, _ in flat], metadata=table.schema.metadata)
    return pa.Table.from_arrays([values for _, values in flat], schema=schema)


def _leaves(field: pa.Field, values: pa.ChunkedArray, delimiter: str) -> Iterator[tuple[pa.Field, pa.ChunkedArray]]:
    if not pa.types.is_struct(field.type):
        yield field, values
        return
    for child, inner in zip(field.type, values.flatten(), strict=True):
        name = f"{field.name}{delimiter}{child.name}"
        yield from _leaves(child.with_name(name).with_nullable(field.nullable or child.nullable), inner, delimiter)
