"""JavaTransform: base class of the transforms that follow Kafka's Java classes."""

from __future__ import annotations

import abc

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.rows import Rows
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.schema.from_arrow import connect_schema
from kafka2parquet.transforms.base import Transform, Transformed
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.util.arrays import one_array
from kafka2parquet.util.cache import BoundedCache

#: Name of the column for values that are not structs, as converters use it.
VALUE = "value"


class JavaTransform(Transform):
    """Changes the columns of rows and their schema. Names of fields are names of columns, never paths."""

    #: The name of the Java class, for reasons.
    name: str

    def __init__(self, *, nulls_are_defaults: bool) -> None:
        """Choose how nulls are read.

        Args:
            nulls_are_defaults: whether a null counts as the default of its field, if it has one (`replace.null.with.default`).
        """
        self._nulls_are_defaults = nulls_are_defaults
        self._schemas: BoundedCache[tuple[int, pa.Schema], tuple[ConnectSchema, ConnectSchema]] = BoundedCache()

    @property
    def fingerprint(self) -> str:
        """Text that identifies the class and its settings."""
        return f"java-{self.name}-{self.settings}-{self._nulls_are_defaults}"

    @property
    @abc.abstractmethod
    def settings(self) -> str:
        """The settings that decide the result, as text."""

    @abc.abstractmethod
    def change(self, rows: Rows, refusals: Refusals) -> pa.Table:
        """Return the table with changed columns, and with the same rows in the same order.

        Args:
            rows: one or more rows, whose values are structs or don't have a schema.
            refusals: collects the rows for which Java throws. Their values in the result don't matter.
        """

    def change_values(self, rows: Rows, refusals: Refusals) -> pa.Table:
        """Return the changed column `value` of values without fields. By default, all values are refused."""
        refuse_all(refusals, rows, why_without_fields(self.name, rows))
        return rows.table

    def field_schemas(self, before: ConnectSchema) -> ConnectSchema:
        """Return the schema with each column's field under its name after the transform; by default `before`."""
        return before

    def apply(self, rows: Rows) -> Transformed:
        """Change the columns. Rejects rows for which Java throws."""
        schema = rows.value_schema
        refusals = Refusals(len(rows))
        given = with_defaults(rows) if self._nulls_are_defaults else rows
        table = self.change(given, refusals) if has_fields(rows) else self.change_values(given, refusals)
        if table is rows.table:
            return refusals.divide(rows, rows)
        changed = attrs.evolve(rows, table=table)
        if schema is not None and not table.schema.equals(rows.table.schema):
            changed = attrs.evolve(changed, value_schema=self._schema_after(table.schema, schema))
        return refusals.divide(rows, changed)

    def _schema_after(self, columns: pa.Schema, before: ConnectSchema) -> ConnectSchema:
        """Return the schema of columns that had the schema `before`. Returns the same object for the same arguments."""
        # `before` is kept too, so that its id is not reused
        _, after = self._schemas.get_or_create((id(before), columns), lambda: (before, self._new_schema(columns, before)))
        return after

    def _new_schema(self, columns: pa.Schema, before: ConnectSchema) -> ConnectSchema:
        after = connect_schema(columns, self.field_schemas(before))
        return after if before.type == "struct" or columns.names != [VALUE] else after.field_schemas[VALUE]


def has_fields(rows: Rows) -> bool:
    """Return whether the values are structs or JSON objects. After an earlier transform of columns, they always are."""
    if rows.table.column_names != [VALUE]:
        return True
    return not rows.without_fields if rows.value_schema is None else rows.value_schema.type == "struct"


def why_without_fields(name: str, rows: Rows) -> str:
    """Return why a transform refuses values without fields."""
    kind = rows.value_schema.type if rows.value_schema is not None else rows.table.schema.field(VALUE).type
    return f"{name} takes values with fields, and this one is of the type {kind}."


def refuse_all(refusals: Refusals, rows: Rows, reason: str) -> None:
    """Refuse every row."""
    refusals.add(np.ones(len(rows), np.bool_), reason)


def with_defaults(rows: Rows) -> Rows:
    """Replace each null with its field's default, if the schema has one.

    A transform that is not Java's keeps the schema of the values. So columns whose type has changed since then stay unchanged.
    """
    if rows.value_schema is None:
        return rows
    table = rows.table
    for field in rows.value_schema.row_schema.fields:
        index = table.schema.get_field_index(field.name) if field.schema.default is not None else -1
        column = one_array(table.column(index)) if index >= 0 else None
        if column is None or not column.null_count or not column.type.equals(field.schema.arrow_type):
            continue
        indices = np.where(column.is_valid().to_numpy(zero_copy_only=False), np.arange(len(column)), len(column))
        filled = pa.concat_arrays([column, pa.array([field.schema.default], column.type)]).take(pa.array(indices))
        table = table.set_column(index, table.schema.field(index), filled)
    return rows if table is rows.table else attrs.evolve(rows, table=table)


def column_named(table: pa.Table, name: str) -> tuple[int, pa.Field, pa.Array] | None:
    """Return the index, the field and the values of a column; None if it doesn't exist."""
    index = table.schema.get_field_index(name)
    if index < 0:
        return None
    values = one_array(table.column(index))
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return index, table.schema.field(index).with_type(values.type), values


def is_valid(values: pa.Array) -> np.ndarray:
    """Return a mask of the values that are not null, for `Refusals`."""
    mask: np.ndarray = pc.is_valid(values).to_numpy(zero_copy_only=False)
    return mask
