"""Schemas that are learned from the records of a topic and only ever grow."""

from __future__ import annotations

import threading
from collections.abc import Callable

import attrs
import pyarrow as pa

from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.schema.column_rules import ColumnRules, measured
from kafka2parquet.schema.lattice import is_exact_field, known_fields, merge_schemas
from kafka2parquet.util.arguments import checked


class TooManyFields(Kafka2ParquetError):  # noqa: N818  # a limit, not a fault
    """The schema would grow beyond a limit of its rules, typically because of objects whose keys are data."""


@attrs.frozen(eq=False)
class Known:
    """A snapshot of the known columns of a topic.

    Attributes:
        seen: all columns, including columns that have had only nulls, empty lists or empty objects (Arrow's null type).
        schema: the columns that can be written, because each has had a value.
        narrow: see `narrow_integers`.
    """

    seen: pa.Schema
    schema: pa.Schema
    narrow: frozenset[str]

    @classmethod
    def of(cls, seen: pa.Schema) -> Known:
        """Make a snapshot of the columns that were seen."""
        return cls(seen, pa.schema(known_fields(seen)), narrow_integers(seen))


def narrow_integers(schema: pa.Schema) -> frozenset[str]:
    """Return the names of columns that have, at any depth, 64-bit integers that a double holds exactly, as far as is known."""
    return frozenset(field.name for field in schema if _has_narrow(field))


def _has_narrow(field: pa.Field) -> bool:
    if pa.types.is_struct(field.type):
        return any(map(_has_narrow, field.type))
    if pa.types.is_list(field.type):
        return _has_narrow(field.type.value_field)
    return bool(pa.types.is_int64(field.type)) and not is_exact_field(field)


@checked
class LearnedSchema:
    """The known columns of one topic, in memory. All methods may be called from any thread, and none blocks."""

    def __init__(self, schema: pa.Schema | None = None, *, rules: ColumnRules | None = None) -> None:
        """Start from `schema`, or without columns.

        Args:
            schema: columns that are already known, whatever the rules say.
            rules: which columns the schema may have.
        """
        self._lock = threading.RLock()
        self.rules = rules if rules is not None else ColumnRules()
        self.spare: list[tuple[Known, object]] = []
        """A converter's compiled form of known columns, kept for the next batch. A user of it takes it out of the list."""
        self.run_length = 32
        """How many refused values to resolve at once, adapted to the last batches. See `Columns.run_length`."""
        self._known = Known.of(schema if schema is not None else pa.schema([]))

    @property
    def schema(self) -> pa.Schema:
        """The columns that can be written, because each has had a value."""
        return self.known().schema

    @property
    def seen(self) -> pa.Schema:
        """All columns, including columns that have had only nulls, empty lists or empty objects (Arrow's null type)."""
        return self.known().seen

    def known(self) -> Known:
        """Return a snapshot of the known columns."""
        return self._known

    def grow(
        self,
        schema: pa.Schema,
        *,
        conflicts_become_any: bool = False,
        because_of: str = "",
        grown_from: Known | None = None,
    ) -> pa.Schema:
        """Join the columns of `schema` to the known columns, and return `seen` afterwards.

        Args:
            schema: the columns of some records.
            conflicts_become_any: whether two types that don't fit together become `any` instead of being refused.
            because_of: which records made the schema grow; stored with a contract.
            grown_from: the snapshot from which `schema` has grown within the rules, if it has. Saves work while the snapshot is
                current.

        Raises:
            SchemaConflict: a type doesn't fit the known type. Nothing has changed.
            TooManyFields: there would be more fields, or a longer text, than the rules allow. Nothing has changed.
        """
        with self._lock:
            while True:
                before = self.known()
                if before is grown_from:
                    merged = schema
                else:
                    merged = merge_schemas(before.seen, schema, conflicts_become_any=conflicts_become_any)
                    self._check_limits(before.seen, merged)
                if merged.equals(before.seen, check_metadata=True):
                    return before.seen
                grown = Known.of(merged)
                if grown.schema.equals(before.schema, check_metadata=True) or self._keep(grown.schema, because_of):
                    self._known = grown
                    return merged

    def _check_limits(self, before: pa.Schema, after: pa.Schema) -> None:
        """Check that growth keeps within the rules. Columns that were known before may exceed the rules.

        Raises:
            TooManyFields: the grown schema exceeds the rules.
        """
        fields, size = measured(after)
        if fields > self.rules.max_fields and fields > measured(before)[0]:
            raise TooManyFields(f"more than {self.rules.max_fields} fields")
        if size > self.rules.max_schema_bytes and size > measured(before)[1]:
            raise TooManyFields(f"a text of more than {self.rules.max_schema_bytes} bytes")

    def _keep(self, schema: pa.Schema, because_of: str) -> bool:
        """Store a grown schema for others; return False if others were faster, so that `known` has changed."""
        return True


class LearnedByTopic:
    """The learned schema of each topic. May be used from any thread."""

    def __init__(self, make: Callable[[str], LearnedSchema] = lambda _: LearnedSchema()) -> None:
        """Start without schemas.

        Args:
            make: makes the schema of a topic, and is called once per topic; by default, a schema without columns, in memory.
        """
        self._make = make
        self._lock = threading.Lock()
        self._by_topic: dict[str, LearnedSchema] = {}

    def of(self, topic: str) -> LearnedSchema:
        """Return the topic's schema, which is always the same object."""
        with self._lock:
            if topic not in self._by_topic:
                self._by_topic[topic] = self._make(topic)
            return self._by_topic[topic]
