"""InsertField, as Apache Kafka defines it: adds columns with a record's origin, or with a constant text."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.rows import Rows
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.transforms.kafka_connect.base import JavaTransform, is_valid, refuse_all
from kafka2parquet.transforms.kafka_connect.properties import JavaProperties

_OF_RECORD = ("topic", "partition", "offset", "timestamp")


@attrs.frozen
class Inserted:
    """A column to insert.

    Attributes:
        name: name of the column.
        is_required: whether the schema declares the column as never null.
    """

    name: str
    is_required: bool = False

    @classmethod
    def of(cls, text: str) -> Inserted:
        """Parse a property: `!` after the column's name makes the column required; `?`, the default, makes it optional."""
        return cls(text[:-1] if text.endswith(("!", "?")) else text, is_required=text.endswith("!"))


class JavaInsertField(JavaTransform):
    """Adds columns after the others. An existing column is replaced; if records have a schema, they are rejected instead."""

    name = "InsertField"

    def __init__(
        self, columns: Mapping[str, Inserted], *, static_value: str | None = None, nulls_are_defaults: bool = True
    ) -> None:
        """Choose the columns.

        Args:
            columns: the columns to insert, by `topic`, `partition`, `offset`, `timestamp` and `static`.
            static_value: text for the column of `static`.
            nulls_are_defaults: see `JavaTransform`.

        Raises:
            ConfigurationError: the columns are missing, or the text for `static` is missing.
        """
        super().__init__(nulls_are_defaults=nulls_are_defaults)
        if not columns:
            raise ConfigurationError(
                "InsertField: no field is inserted. Set topic.field, offset.field or another such property."
            )
        if not all(column.name for column in columns.values()):
            raise ConfigurationError("InsertField: the name of a field is empty.")
        if "static" in columns and static_value is None:
            raise ConfigurationError(Problem("static.value", "static.value: static.field needs a value."))
        self._columns = dict(columns)
        self._static_value = static_value

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> JavaInsertField:
        """Read the properties `topic.field`, `partition.field` and so on, `static.value`, `replace.null.with.default`."""
        given = JavaProperties(properties, cls.name)
        texts = {what: given.text(f"{what}.field") for what in (*_OF_RECORD, "static")}
        columns = {what: Inserted.of(text) for what, text in texts.items() if text is not None}
        return cls(columns, static_value=given.text("static.value"), nulls_are_defaults=given.nulls_are_defaults)

    @property
    def settings(self) -> str:
        """Text that identifies the columns and the constant value."""
        columns = [(what, column.name, column.is_required) for what, column in self._columns.items()]
        return f"{columns}-{self._static_value!r}"

    def change(self, rows: Rows, refusals: Refusals) -> pa.Table:
        """Return the table with the columns."""
        table = rows.table
        for what, column in self._columns.items():
            values = self._values(what, rows)
            index = table.schema.get_field_index(column.name)
            if rows.value_schema is None:
                field = pa.field(column.name, values.type)
            else:
                field = pa.field(column.name, values.type, nullable=not column.is_required)
                if index >= 0:
                    refuse_all(refusals, rows, f"InsertField: the field {column.name} exists already.")
                elif column.is_required:
                    refusals.add(~is_valid(values), f"InsertField: {column.name} is required, and the record has no {what}.")
            table = table.append_column(field, values) if index < 0 else table.set_column(index, field, values)
        return table

    def _values(self, what: str, rows: Rows) -> pa.Array:
        if what == "topic":
            return pa.repeat(pa.scalar(rows.topic), len(rows))
        if what == "partition":
            return pa.repeat(pa.scalar(rows.batch.topic_partition.partition, pa.int32()), len(rows))
        if what == "offset":
            return rows.offsets
        if what == "timestamp":
            is_json = rows.value_schema is None
            return rows.timestamps_ms if is_json else rows.timestamps_ms.cast(pa.timestamp("ms", "UTC"))
        return pa.repeat(pa.scalar(self._static_value, pa.string()), len(rows))
