"""Flatten, as Apache Kafka defines it: turns the fields of structs into columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

from kafka2parquet.rows import Rows
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from kafka2parquet.transforms.columns.flatten import flattened
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.transforms.kafka_connect.base import JavaTransform, refuse_all
from kafka2parquet.transforms.kafka_connect.properties import JavaProperties


class JavaFlatten(JavaTransform):
    """Turns each field of a struct, at any depth, into a column. Rejects records whose schema has a map in a struct."""

    name = "Flatten"

    def __init__(self, delimiter: str = ".") -> None:
        """Choose the text between the names, which may be empty."""
        super().__init__(nulls_are_defaults=True)
        self._delimiter = delimiter

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> JavaFlatten:
        """Read the property `delimiter`, by default a dot."""
        delimiter = JavaProperties(properties, cls.name).text("delimiter")
        return cls("." if delimiter is None else delimiter)

    @property
    def settings(self) -> str:
        """The delimiter."""
        return repr(self._delimiter)

    def change(self, rows: Rows, refusals: Refusals) -> pa.Table:
        """Return the table without structs. The fields of a null struct become null."""
        if rows.value_schema is not None:
            why = self._why_not(rows.table.schema)
            if why is not None:
                refuse_all(refusals, rows, why)
                return rows.table
        return flattened(rows.table, self._delimiter, self.name, refusals)

    def field_schemas(self, before: ConnectSchema) -> ConnectSchema:
        """Return the schemas of the fields by their new names."""
        return ConnectSchema(
            "struct", before.optional, before.name, before.version, before.doc, fields=tuple(self._flat(before.fields, ""))
        )

    def _flat(self, fields: Iterable[ConnectField], prefix: str) -> Iterator[ConnectField]:
        for field in fields:
            if field.schema.type == "struct":
                yield from self._flat(field.schema.fields, f"{prefix}{field.name}{self._delimiter}")
            else:
                yield ConnectField(prefix + field.name, field.schema)

    def _why_not(self, schema: pa.Schema) -> str | None:
        """Return why Java refuses all values of a schema, or None if it doesn't."""
        leaves = list(_leaves(schema, "", self._delimiter))
        for name, type_ in leaves:
            if pa.types.is_map(type_):
                return f"Flatten: {name} is a map, which Flatten doesn't take in values that came with a schema."
        twice = [name for name, count in Counter(name for name, _ in leaves).items() if count > 1]
        return f"Flatten would make two fields called {twice[0]}." if twice else None


def _leaves(fields: Iterable[pa.Field], prefix: str, delimiter: str) -> Iterator[tuple[str, pa.DataType]]:
    for field in fields:
        if pa.types.is_struct(field.type):
            yield from _leaves(field.type, f"{prefix}{field.name}{delimiter}", delimiter)
        else:
            yield prefix + field.name, field.type
