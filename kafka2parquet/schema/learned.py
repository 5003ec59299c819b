"""Schemas that are learned from the records of a topic, and that only ever grow."""

from __future__ import annotations

import threading

import attrs
import pyarrow as pa

from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.schema.lattice import known_fields, merge_schemas

#: Fields that a learned schema may have, those inside structs included.
MAX_FIELDS = 10_000


class TooManyFields(Kafka2ParquetError):  # noqa: N818  # a limit, not a fault
    """The schema would grow beyond its limit; typical of objects whose keys are data."""


@attrs.frozen(eq=False)
class Known:
    """What is known of the columns of a topic at one moment.

    Attributes:
        seen: all columns, also those of which only nulls, empty lists or empty objects were seen (Arrow's null type).
        schema: the columns that can be written: each has had a value.
    """

    seen: pa.Schema
    schema: pa.Schema

    @classmethod
    def of(cls, seen: pa.Schema) -> Known:
        """What may be written of the columns that were seen."""
        return cls(seen, pa.schema(known_fields(seen)))


class LearnedSchema:
    """What is known of the columns of one topic, in memory. All methods may be called from any thread; none blocks."""

    def __init__(self, schema: pa.Schema | None = None, *, max_fields: int = MAX_FIELDS) -> None:
        """Begin with `schema`, or with nothing.

        Args:
            schema: columns that are known already.
            max_fields: limit for the number of fields, those inside structs included.
        """
        self._lock = threading.RLock()
        self.max_fields = max_fields
        self._known = Known.of(schema if schema is not None else pa.schema([]))

    @property
    def schema(self) -> pa.Schema:
        """The columns that can be written: each has had a value."""
        return self.known().schema

    @property
    def seen(self) -> pa.Schema:
        """All columns, also those of which only nulls, empty lists or empty objects were seen (Arrow's null type)."""
        return self.known().seen

    def known(self) -> Known:
        """What is known now."""
        return self._known

    def grow(self, schema: pa.Schema, *, conflicts_become_any: bool = False, because_of: str = "") -> pa.Schema:
        """Take in the columns of `schema`; returns what is `seen` afterwards.

        Args:
            schema: columns of some records.
            conflicts_become_any: join types that have no other join to `any`, instead of refusing them.
            because_of: which records they are, for people.

        Raises:
            SchemaConflict: a type doesn't fit the one that is known. Nothing has changed.
            TooManyFields: there would be too many fields. Nothing has changed.
        """
        with self._lock:
            while True:
                before = self.known()
                merged = merge_schemas(before.seen, schema, conflicts_become_any=conflicts_become_any)
                if merged.equals(before.seen, check_metadata=True):
                    return before.seen
                if _count_fields(merged) > self.max_fields:
                    raise TooManyFields(f"more than {self.max_fields} fields")
                grown = Known.of(merged)
                if grown.schema.equals(before.schema, check_metadata=True) or self._keep(grown.schema, because_of):
                    self._known = grown
                    return merged

    def _keep(self, schema: pa.Schema, because_of: str) -> bool:
        """Keep a grown schema where others see it; False where they have been faster, and `known` has changed."""
        return True


def _count_fields(node: pa.Schema | pa.DataType) -> int:
    if isinstance(node, pa.DataType):
        if pa.types.is_list(node):
            return _count_fields(node.value_type)
        if not pa.types.is_struct(node):
            return 0
    return sum(1 + _count_fields(field.type) for field in node)
