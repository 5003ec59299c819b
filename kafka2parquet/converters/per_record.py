"""The base class for converters that decode one record at a time."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.errors import UsageError
from kafka2parquet.records import ConsumedBatch, Stage
from kafka2parquet.rows import Converted, Rows, without_columns
from kafka2parquet.schema.lattice import SchemaConflict, exact_fields
from kafka2parquet.schema.learned import LearnedByTopic, LearnedSchema, TooManyFields
from kafka2parquet.util.arguments import checked
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS
from kafka2parquet.util.bisection import bisect_failures
from kafka2parquet.util.cache import BoundedCache

_MAX_REASON_CHARACTERS = 300
#: A double doesn't hold all integers beyond this one.
_LARGEST_EXACT = 1 << 53


#: The exceptions that Arrow raises for Python values.
_DATA_ERRORS = (*ARROW_DATA_ERRORS, OverflowError, TypeError, ValueError)


#: Types whose values always have the same column type, except for large integers.
_PLAIN_TYPES = frozenset({bool, int, float, str, bytes, type(None)})


class _MisfitError(Exception):
    """Values don't fit their columns."""


@checked
class PerRecordConverter(RecordConverter):
    """Base class for converters that decode one record at a time; subclasses implement `decode`.

    Such a converter is many times slower than one that works on columns. Every record costs a call of `decode` and about 3 µs,
    or about 60 µs without a schema if a member is a list, a dict, a date or a time. `JsonConverter` takes less than 1 µs.

    Without a schema, the converter learns the columns of each topic from the values, in their order. The columns only grow: a
    bool becomes a bool, an int an int64, and a float a double; bytes, dates, times, lists and dicts get the matching Arrow
    types. An int column becomes double when a float turns up, unless it has integers that a double doesn't hold. A value of
    another type than its column makes the record a reject. Decimals need a schema, because each decimal has its own precision.

    With a schema, a table has exactly the schema's columns. A missing member is null, and a member that is not in the schema
    makes the record a reject.

    A subclass with an `__init__` has to call the `__init__` of this class.
    """

    def __init__(self, schema: pa.Schema | None = None, *, learned: LearnedSchema | None = None) -> None:
        """Convert to a schema, or learn the schema of each topic.

        Args:
            schema: the columns of every topic.
            learned: the learned schema, to share it between converters or to start from known columns. By default each topic
                has its own schema, in memory.
        """
        self._schema = schema
        self._learned_of = (lambda _: learned) if learned is not None else LearnedByTopic().of
        self._known_forms: BoundedCache[tuple[int, tuple[object, ...]], None] = BoundedCache()
        """Names and types of members that a learned schema has columns for; a learned schema never loses a column."""

    @abc.abstractmethod
    def decode(self, value: bytes) -> Mapping[str, Any] | None:
        """Return the members of a record by the names of their columns, or None for a tombstone.

        Called on the thread that drives the task, for each record; must not block.

        Raises:
            ValueError: the record is a reject, with the message as the reason.
        """

    @property
    def fingerprint(self) -> str:
        """Identifies the class and the schema. Override the property if other settings affect the result, and include them."""
        columns = "learned" if self._schema is None else str(self._schema)
        return f"per-record:{type(self).__module__}:{type(self).__qualname__}:{columns}"

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Decode each record, and convert all records to columns together. Records that don't fit are rejects."""
        topic = batch.topic_partition.topic
        learned = self._learned_of(topic)
        decoded: dict[int, dict[str, Any]] = {}
        tombstones: list[int] = []
        refused: dict[int, str] = {}
        for place, value in enumerate(batch.values.to_pylist()):
            try:
                members = self.decode(value)
                if members is None:
                    tombstones.append(place)
                else:
                    decoded[place] = self._accepted(members, learned, batch, place)
            except (ValueError, SchemaConflict, TooManyFields) as error:
                refused[place] = str(error)
        kept, table = _rows_of(decoded, self._schema if self._schema is not None else learned.schema, refused)
        bad, rows = sorted(refused), pa.array(kept, pa.int64())
        return Converted(
            Rows(batch, batch.offsets.take(rows), batch.timestamps_ms.take(rows), table),
            batch.rejects(bad, Stage.DECODE, [refused[place][:_MAX_REASON_CHARACTERS] for place in bad]),
            tombstones=batch.offsets.take(pa.array(tombstones, pa.int64())),
        )

    def _accepted(self, members: Any, learned: LearnedSchema, batch: ConsumedBatch, place: int) -> dict[str, Any]:
        """Check the members of a record, and let the learned schema have columns for all of them.

        Raises:
            ValueError: Arrow has no type for a value, or the given schema lacks a member.
            SchemaConflict: a member has another type than its column.
            TooManyFields: there would be too many columns.
            UsageError: `decode` returned something other than a mapping with names as keys.
        """
        if not isinstance(members, Mapping) or not all(isinstance(name, str) for name in members):
            raise UsageError(
                f"{batch.topic_partition}, offset {batch.offsets[place]}: {type(self).__name__}.decode returned"
                f" {type(members).__name__}. It has to return a mapping of column names to values, or None."
            )
        found = dict(members)
        if self._schema is not None:
            unknown = sorted(found.keys() - set(self._schema.names))
            if unknown:
                raise ValueError(f"the schema has no column {', '.join(unknown)}")
            return found
        form = _form(found)
        if form is None:
            _grow(learned, found)
        else:
            self._known_forms.get_or_create((id(learned), form), lambda: _grow(learned, found))
        return found


def _form(members: Mapping[str, Any]) -> tuple[object, ...] | None:
    """Return the names and types of members; None if these alone don't determine the columns of the members."""
    for value in members.values():
        if type(value) not in _PLAIN_TYPES or (type(value) is int and abs(value) > _LARGEST_EXACT):
            return None
    return (*members, *map(type, members.values()))


def _grow(learned: LearnedSchema, members: Mapping[str, Any]) -> None:
    """Grow a learned schema by the columns that a record needs.

    Raises:
        ValueError: Arrow has no type for a value.
        SchemaConflict: a member has another type than its column.
        TooManyFields: there would be too many columns.
    """
    try:
        columns = pa.schema(pa.array([members]).type) if members else pa.schema([])
    except _DATA_ERRORS as error:
        raise ValueError(f"a value has no type: {error}") from error
    learned.grow(pa.schema([field for column in columns for field in _exact_where_large(column, members[column.name])]))


def _rows_of(
    decoded: Mapping[int, dict[str, Any]], schema: pa.Schema, refused: dict[int, str]
) -> tuple[Sequence[int], pa.Table]:
    """Return the places and the rows of the records that fit a schema. Other records are added to `refused`."""
    places, members = list(decoded), list(decoded.values())

    def table(start: int, length: int) -> pa.Table:
        try:
            return pa.Table.from_pylist(members[start : start + length], schema=schema)
        except _DATA_ERRORS as error:
            raise _MisfitError(str(error)) from error

    if not len(schema) or not members:
        return places, without_columns(len(members))
    kept: list[int] = []
    tables: list[pa.Table] = []
    for start, length, outcome in bisect_failures(len(members), table, _MisfitError):
        if isinstance(outcome, _MisfitError):
            refused[places[start]] = str(outcome)
        else:
            tables.append(outcome)
            kept += places[start : start + length]
    return kept, pa.concat_tables(tables).combine_chunks() if tables else schema.empty_table()


def _exact_where_large(column: pa.Field, value: object) -> Sequence[pa.Field]:
    return exact_fields([column]) if _has_large_integers(value) else [column]


def _has_large_integers(value: object) -> bool:
    """Whether a value has, at any depth, an integer that a double may not hold."""
    if isinstance(value, dict):
        return any(map(_has_large_integers, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_large_integers, value))
    return isinstance(value, int) and abs(value) > _LARGEST_EXACT
