"""Drop and Keep: select the columns to write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

from kafka2parquet.schema.field_paths import FieldPaths, Parts
from kafka2parquet.transforms.base import TableTransform
from kafka2parquet.transforms.columns.paths import change_column, resolve_all
from kafka2parquet.transforms.properties import TransformProperties
from kafka2parquet.util.arguments import checked


@checked
class Drop(TableTransform):
    """Removes fields. A struct that loses all of its fields is removed too. Fields that rows lack are ignored."""

    def __init__(self, fields: FieldPaths) -> None:
        """Choose the fields.

        Args:
            fields: dotted paths of the fields.

        Raises:
            ConfigurationError: the fields are missing, or a path has an empty part.
        """
        self._fields = tuple(fields)

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Drop:
        """Read the property `fields`."""
        return cls(TransformProperties(properties, "Drop", "fields").items("fields"))

    @property
    def fingerprint(self) -> str:
        """Text that identifies the fields."""
        return f"drop-{sorted(self._fields)}"

    def transform(self, table: pa.Table) -> pa.Table:
        """Return the table without the fields."""
        return _without(table, resolve_all(table.schema, self._fields))


@checked
class Keep(TableTransform):
    """Removes all fields but the given ones, which keep their order. Fields that rows lack are ignored."""

    def __init__(self, fields: FieldPaths) -> None:
        """Choose the fields.

        Args:
            fields: dotted paths of the fields. The path of a struct includes all of its fields.

        Raises:
            ConfigurationError: the fields are missing, or a path has an empty part.
        """
        self._fields = tuple(fields)

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Keep:
        """Read the property `fields`."""
        return cls(TransformProperties(properties, "Keep", "fields").items("fields"))

    @property
    def fingerprint(self) -> str:
        """Text that identifies the fields."""
        return f"keep-{sorted(self._fields)}"

    def transform(self, table: pa.Table) -> pa.Table:
        """Return the table with only these fields."""
        kept = set(resolve_all(table.schema, self._fields))
        around = {parts[:length] for parts in kept for length in range(len(parts))}
        return _without(table, list(_others(table.schema, kept, around, ())))


def _without(table: pa.Table, fields: Iterable[Parts]) -> pa.Table:
    for parts in fields:
        if _is_there(table.schema, parts):  # it may have been removed with its struct
            table = change_column(table, parts, lambda field, values: None)
    return table


def _is_there(fields: pa.Schema | pa.StructType, parts: Parts) -> bool:
    index = fields.get_field_index(parts[0])
    return index >= 0 and (len(parts) == 1 or _is_there(fields.field(index).type, parts[1:]))


def _others(fields: Iterable[pa.Field], kept: set[Parts], around: set[Parts], above: Parts) -> Iterator[Parts]:
    """Yield the outermost fields that contain none of the fields to keep."""
    for field in fields:
        parts = (*above, field.name)
        if parts in around and parts not in kept:
            yield from _others(field.type, kept, around, parts)
        elif parts not in kept:
            yield parts
