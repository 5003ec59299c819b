"""Rename: other names for columns and fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema.field_paths import Parts, resolve
from kafka2parquet.transforms.base import TableTransform
from kafka2parquet.transforms.paths import checked_paths, refuse_repeated, struct_array
from kafka2parquet.transforms.properties import TransformProperties


class Rename(TableTransform):
    """Gives fields other names; each stays where it is. Fields that rows lack don't matter."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """Choose the names.

        Args:
            names: dotted paths of fields to their new names, such as `{"user.name": "login"}`, which makes `user.login`.

        Raises:
            ConfigurationError: no name, or an empty one.
        """
        checked_paths(tuple(names), "Rename")
        if not all(name.strip() for name in names.values()):
            raise ConfigurationError("Rename: a new name is empty.")
        self._names = dict(names)

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Rename:
        """Property: `renames`, as `old:new` between commas."""
        return cls(TransformProperties(properties, "Rename", "renames").pairs("renames"))

    @property
    def fingerprint(self) -> str:
        """Names the names."""
        return f"rename-{sorted(self._names.items())}"

    def transform(self, table: pa.Table) -> pa.Table:
        """The table with the new names.

        Raises:
            UsageError: two columns would have one name.
        """
        names: dict[Parts, str] = {}
        for path, name in self._names.items():
            parts = resolve(table.schema, path)
            if parts is not None:
                names[parts] = name
        if not names:
            return table
        fields = _renamed(table.schema, names, ())
        columns = [
            pa.chunked_array([_with_type(chunk, field.type) for chunk in column.chunks], field.type)
            for column, field in zip(table.columns, fields, strict=True)
        ]
        return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=table.schema.metadata))


def _renamed(fields: Iterable[pa.Field], names: Mapping[Parts, str], around: Parts) -> list[pa.Field]:
    renamed = []
    for field in fields:
        parts = (*around, field.name)
        if pa.types.is_struct(field.type):
            field = field.with_type(pa.struct(_renamed(field.type, names, parts)))
        renamed.append(field.with_name(names.get(parts, field.name)))
    refuse_repeated([field.name for field in renamed], "Rename")
    return renamed


def _with_type(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """The same values as a type that differs in names only."""
    if array.type.equals(type_, check_metadata=True):
        return array
    children = [_with_type(array.field(index), type_.field(index).type) for index in range(type_.num_fields)]
    return struct_array(array, children, list(type_))
