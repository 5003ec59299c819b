"""Schemas that are learned from the records of a topic, and that only ever grow."""

from __future__ import annotations

import threading

import pyarrow as pa

from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.schema.lattice import known_fields, merge_schemas

_MAX_FIELDS = 10_000


class TooManyFields(Kafka2ParquetError):  # noqa: N818  # a limit, not a fault
    """The schema would grow beyond its limit; typical of objects whose keys are data."""


class LearnedSchema:
    """What is known of the columns of one topic. All methods may be called from any thread; none blocks."""

    def __init__(self, schema: pa.Schema | None = None, *, max_fields: int = _MAX_FIELDS) -> None:
        """Begin with `schema`, or with nothing.

        Args:
            schema: columns that are known already.
            max_fields: limit for the number of fields, those inside structs included.
        """
        self._lock = threading.Lock()
        self._max_fields = max_fields
        self._seen = schema if schema is not None else pa.schema([])
        self._schema = pa.schema(known_fields(self._seen))

    @property
    def schema(self) -> pa.Schema:
        """The columns that can be written: each has had a value."""
        return self._schema

    @property
    def seen(self) -> pa.Schema:
        """All columns, also those of which only nulls, empty lists or empty objects were seen (Arrow's null type)."""
        return self._seen

    def grow(self, schema: pa.Schema) -> pa.Schema:
        """Take in the columns of `schema`; returns what is `seen` afterwards.

        Raises:
            SchemaConflict: a type doesn't fit the one that is known. Nothing has changed.
            TooManyFields: there would be too many fields. Nothing has changed.
        """
        with self._lock:
            merged = merge_schemas(self._seen, schema)
            if not merged.equals(self._seen):
                if _count_fields(merged) > self._max_fields:
                    raise TooManyFields(f"more than {self._max_fields} fields")
                self._schema = pa.schema(known_fields(merged))
                self._seen = merged
            return merged


def _count_fields(node: pa.Schema | pa.DataType) -> int:
    if isinstance(node, pa.DataType):
        if pa.types.is_list(node):
            return _count_fields(node.value_type)
        if not pa.types.is_struct(node):
            return 0
    return sum(1 + _count_fields(field.type) for field in node)
