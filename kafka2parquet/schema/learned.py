"""Schemas that are learned from the records of a topic, and that only ever grow."""

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
    """The schema would grow beyond a limit of its rules; typical of objects whose keys are data."""


@attrs.frozen(eq=False)
class Known:
    """What is known of the columns of a topic at one moment.

    Attributes:
        seen: all columns, also those of which only nulls, empty lists or empty objects were seen (Arrow's null type).
        schema: the columns that can be written: each has had a value.
        narrow: see `narrow_integers`.
    """

    seen: pa.Schema
    schema: pa.Schema
    narrow: frozenset[str]

    @classmethod
    def of(cls, seen: pa.Schema) -> Known:
        """What may be written of the columns that were seen."""
        return cls(seen, pa.schema(known_fields(seen)), narrow_integers(seen))


def narrow_integers(schema: pa.Schema) -> frozenset[str]:
    """The names of columns that have, at any depth, 64-bit integers of which a double holds each, as far as is known."""
    return frozenset(field.name for field in schema if _has_narrow(field))


def _has_narrow(field: pa.Field) -> bool:
    if pa.types.is_struct(field.type):
        return any(map(_has_narrow, field.type))
    if pa.types.is_list(field.type):
        return _has_narrow(field.type.value_field)
    return bool(pa.types.is_int64(field.type)) and not is_exact_field(field)


@checked
class LearnedSchema:
    """What is known of the columns of one topic, in memory. All methods may be called from any thread; none blocks."""

    def __init__(self, schema: pa.Schema | None = None, *, rules: ColumnRules | None = None) -> None:
        """Begin with `schema`, or with nothing.

        Args:
            schema: columns that are known already, whatever the rules say.
            rules: which columns the schema may have.
        """
        self._lock = threading.RLock()
        self.rules = rules if rules is not None else ColumnRules()
        self.spare: list[tuple[Known, object]] = []
        """What a converter has worked out of what was known, for the next batch; whoever uses it takes it out."""
        self.run_length = 32
        """How many refused values of a batch to look at together, by what was seen of the last batches; see `Columns`."""
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

    def grow(
        self,
        schema: pa.Schema,
        *,
        conflicts_become_any: bool = False,
        because_of: str = "",
        grown_from: Known | None = None,
    ) -> pa.Schema:
        """Take in the columns of `schema`; returns what is `seen` afterwards.

        Args:
            schema: columns of some records.
            conflicts_become_any: join types that have no other join to `any`, instead of refusing them.
            because_of: which records they are, for people.
            grown_from: where `schema` is what was known at one moment, grown within the rules; spares work while that is known.

        Raises:
            SchemaConflict: a type doesn't fit the one that is known. Nothing has changed.
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
        """Check what is new: columns that were there already may be more than the rules allow."""
        fields, size = measured(after)
        if fields > self.rules.max_fields and fields > measured(before)[0]:
            raise TooManyFields(f"more than {self.rules.max_fields} fields")
        if size > self.rules.max_schema_bytes and size > measured(before)[1]:
            raise TooManyFields(f"a text of more than {self.rules.max_schema_bytes} bytes")

    def _keep(self, schema: pa.Schema, because_of: str) -> bool:
        """Keep a grown schema where others see it; False where they have been faster, and `known` has changed."""
        return True


class LearnedByTopic:
    """The learned schema of each topic. May be used from any thread."""

    def __init__(self, make: Callable[[str], LearnedSchema] = lambda _: LearnedSchema()) -> None:
        """Begin without any.

        Args:
            make: called once with the name of each topic; by default nothing is known of the topic, and the schema is kept in
                memory.
        """
        self._make = make
        self._lock = threading.Lock()
        self._by_topic: dict[str, LearnedSchema] = {}

    def of(self, topic: str) -> LearnedSchema:
        """The topic's schema, always the same object."""
        with self._lock:
            if topic not in self._by_topic:
                self._by_topic[topic] = self._make(topic)
            return self._by_topic[topic]
