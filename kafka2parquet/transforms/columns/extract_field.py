"""ExtractField replaces a row with a field. HoistField wraps a row into one field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.rows import Rows, without_columns
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from kafka2parquet.schema.field_paths import FieldPath, Parts, resolve
from kafka2parquet.transforms.base import Transform, Transformed
from kafka2parquet.transforms.columns.paths import column_at, members
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.transforms.properties import TransformProperties
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.util.cache import BoundedCache

OnNull = Literal["reject", "drop", "tombstone"]
#: Name of the column for values that are not structs, as converters use it.
_VALUE = "value"


@checked
class ExtractField(Transform):
    """Replaces a row with a field: a struct's fields become the columns; any other field becomes the column `value`."""

    def __init__(self, field: FieldPath, *, on_null: OnNull = "reject") -> None:
        """Choose the field.

        Args:
            field: dotted path of the field.
            on_null: how to handle rows whose field is null or missing: `reject` rejects them; `drop` drops them silently;
                `tombstone` turns them into tombstones, as in Kafka Connect.

        Raises:
            ConfigurationError: a path with an empty part, or an unknown `on_null`.
        """
        self._field = field
        self._on_null = on_null

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> ExtractField:
        """Read the properties `field`, `on.null` (`reject`)."""
        given = TransformProperties(properties, "ExtractField", "field", "on.null")
        return cls(given.required("field"), on_null=given.text("on.null") or "reject")  # type: ignore[arg-type]  # checked there

    @property
    def fingerprint(self) -> str:
        """Text that identifies field and choice."""
        return f"extract-{self._field}-{self._on_null}"

    def apply(self, rows: Rows) -> Transformed:
        """Replace the rows with their field."""
        parts = self.find(rows.table.schema)
        if parts is None:
            return self._without_null(rows, np.zeros(len(rows), np.bool_))
        rows = attrs.evolve(rows, table=rows.table.select([parts[0]]))
        _, column = column_at(rows.table, parts)
        transformed = self._without_null(rows, column.is_valid().to_numpy())
        kept = transformed.rows
        if not len(kept):
            return transformed
        field, column = column_at(kept.table, parts)
        schema = _schema_at(rows.value_schema, parts)
        if pa.types.is_struct(field.type):
            table = members(field, column)
        else:
            value = field.with_name(_VALUE).with_nullable(schema is None or schema.optional)
            table = pa.Table.from_arrays([column], schema=pa.schema([value]))
        return attrs.evolve(transformed, rows=attrs.evolve(kept, table=table, value_schema=schema))

    def find(self, schema: pa.Schema) -> Parts | None:
        """Return the names along the path to the field; None if the schema lacks the field."""
        return resolve(schema, self._field)

    def _without_null(self, rows: Rows, there: npt.NDArray[np.bool_]) -> Transformed:
        if there.all():
            return Transformed(rows)
        if self._on_null == "drop":
            return Transformed(rows.filter(pa.array(there)))
        if self._on_null == "tombstone":
            empty = rows.filter(pa.array(~there))
            gone = attrs.evolve(empty, table=without_columns(len(empty)), value_schema=None, tombstones=True)
            return Transformed(rows.filter(pa.array(there)), others=[gone])
        refusals = Refusals(len(rows))
        refusals.add(~there, f"{self._field} is null, so nothing is left to write. on.null=drop leaves such rows out.")
        return refusals.divide(rows, rows)


@checked
class HoistField(Transform):
    """Wraps all columns into one struct column."""

    def __init__(self, field: Name) -> None:
        """Choose the column's name.

        Args:
            field: name of the column, which may contain dots. Values without fields keep their type; only their column
                `value` is renamed.

        Raises:
            ConfigurationError: the name is empty.
        """
        self._field = field
        self._schemas: BoundedCache[int, tuple[ConnectSchema, ConnectSchema]] = BoundedCache()

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> HoistField:
        """Read the property `field`."""
        return cls(TransformProperties(properties, "HoistField", "field").required("field"))

    @property
    def fingerprint(self) -> str:
        """Text that identifies the field."""
        return f"hoist-{self._field}"

    def apply(self, rows: Rows) -> Transformed:
        """Wrap the columns into the struct."""
        schema = rows.value_schema
        if schema is None and rows.without_fields:
            table = rows.table.rename_columns([self._field])
            return Transformed(attrs.evolve(rows, table=table, without_fields=False))
        if schema is None:
            return Transformed(attrs.evolve(rows, table=self._around(rows.table, nullable=True)))
        if schema.type == "struct":
            table = self._around(rows.table, nullable=schema.optional)
        else:
            table = rows.table.rename_columns([self._field])
        # the inner schema is kept too, so that its id is not reused
        _, outer = self._schemas.get_or_create(
            id(schema), lambda: (schema, ConnectSchema("struct", fields=(ConnectField(self._field, schema),)))
        )
        return Transformed(attrs.evolve(rows, table=table, value_schema=outer))

    def _around(self, table: pa.Table, *, nullable: bool) -> pa.Table:
        structs = table.to_struct_array()
        return pa.Table.from_arrays([structs], schema=pa.schema([pa.field(self._field, structs.type, nullable)]))


def _schema_at(schema: ConnectSchema | None, parts: Parts) -> ConnectSchema | None:
    """Return the schema with which the field was sent; None if it was sent without a schema."""
    schema = schema.row_schema if schema is not None else None
    for part in parts:
        schema = schema.field_schemas.get(part) if schema is not None else None
    return schema
