"""InsertField: adds columns with a row's origin, or with constants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.rows import Rows
from kafka2parquet.transforms.base import Transform, Transformed
from kafka2parquet.transforms.properties import TransformProperties
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS

_PROPERTIES = ("topic.field", "partition.field", "offset.field", "timestamp.field", "static.field", "static.value")


@checked
class InsertField(Transform):
    """Adds columns after the others. An existing column with the same name is replaced."""

    def __init__(
        self,
        *,
        topic: Name | None = None,
        partition: Name | None = None,
        offset: Name | None = None,
        timestamp: Name | None = None,
        static: Mapping[Name, Any] | None = None,
    ) -> None:
        """Choose the columns, in this order.

        Args:
            topic: name of the column with the topic.
            partition: name of the column with the Kafka partition.
            offset: name of the column with the offset.
            timestamp: name of the column with the record's timestamp, in milliseconds UTC.
            static: constant values by name of the column.

        Raises:
            ConfigurationError: the columns are missing, a name is empty or used twice, or Arrow lacks a type for a value.
        """
        given = {"topic": topic, "partition": partition, "offset": offset, "timestamp": timestamp}
        self._of_record = {what: name for what, name in given.items() if name is not None}
        try:
            self._static = {name: pa.scalar(value) for name, value in (static or {}).items()}
        except ARROW_DATA_ERRORS as error:
            raise ConfigurationError(f"InsertField: Arrow lacks a type for a value: {error}.") from error
        names = [*self._of_record.values(), *self._static]
        if not names or len(set(names)) < len(names):
            raise ConfigurationError("InsertField: name one column or more, each once.")

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> InsertField:
        """Read the properties of Kafka Connect's InsertField. A `!` or `?` after a name has no effect."""
        given = TransformProperties(properties, "InsertField", *_PROPERTIES)

        def name(property_name: str) -> str | None:
            text = given.text(property_name)
            return text.removesuffix("!").removesuffix("?") if text is not None else None

        static = name("static.field")
        return cls(
            topic=name("topic.field"),
            partition=name("partition.field"),
            offset=name("offset.field"),
            timestamp=name("timestamp.field"),
            static={static: given.required("static.value")} if static is not None else None,
        )

    @property
    def fingerprint(self) -> str:
        """Text that identifies columns and values."""
        static = [(name, str(value.type), value.as_py()) for name, value in self._static.items()]
        return f"insert-{list(self._of_record.items())}-{static}"

    def apply(self, rows: Rows) -> Transformed:
        """Add the columns."""
        table = rows.table
        for what, name in self._of_record.items():
            table = _with_column(table, name, _column(what, rows))
        for name, value in self._static.items():
            table = _with_column(table, name, pa.repeat(value, len(rows)))
        return Transformed(attrs.evolve(rows, table=table))


def _column(what: str, rows: Rows) -> pa.Array:
    if what == "offset":
        return rows.offsets
    if what == "timestamp":
        return rows.timestamps_ms.cast(pa.timestamp("ms", "UTC"))
    if what == "topic":
        return pa.repeat(pa.scalar(rows.topic), len(rows))
    return pa.repeat(pa.scalar(rows.batch.topic_partition.partition, pa.int32()), len(rows))


def _with_column(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    index = table.schema.get_field_index(name)
    return table.append_column(name, column) if index < 0 else table.set_column(index, name, column)
