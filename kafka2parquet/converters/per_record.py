"""PerRecordConverter: a format written record by record."""

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
#: Integers beyond this are not held by a double.
_LARGEST_EXACT = 1 << 53


#: What Arrow raises for values of Python.
_DATA_ERRORS = (*ARROW_DATA_ERRORS, OverflowError, TypeError, ValueError)


#: Types of which each value goes into the same column; but for large integers.
_PLAIN_TYPES = frozenset({bool, int, float, str, bytes, type(None)})


class _MisfitError(Exception):
    """Values don't fit their columns."""


@checked
class PerRecordConverter(RecordConverter):
    """Base class for converters that decode one record at a time: write `decode`. Many times slower than work on columns.

    Every record costs a call of `decode` and about 3 µs; without a schema about 60 µs where a member is a list, a dict, a date
    or a time. `JsonConverter` takes less than 1 µs in all.

    Without a schema, the columns of each topic are learned from the values, in their order, and only grow: a bool is a bool, an
    int an int64, a float a double, bytes, dates, times, lists and dicts get Arrow's types for them. An int column becomes
    double when a float turns up, unless it has integers that a double doesn't hold. A value of another type than its column
    makes the record a reject. Decimals need a schema, because each decimal has its own precision.

    With a schema, exactly its columns are made. A member that is missing is null; a member that the schema lacks makes the
    record a reject.

    A subclass with an `__init__` has to call the `__init__` of this class.
    """

    def __init__(self, schema: pa.Schema | None = None, *, learned: LearnedSchema | None = None) -> None:
        """Convert to a schema, or learn the schema of each topic.

        Args:
            schema: the columns of every topic.
            learned: where the schema is learned, to share it between converters or to begin with something known. By default
                each topic has its own schema, in memory.
        """
        self._schema = schema
        self._learned_of = (lambda _: learned) if learned is not None else LearnedByTopic().of
        self._known_forms: BoundedCache[tuple[int, tuple[object, ...]], None] = BoundedCache()
        """Names and types of members that a learned schema has columns for; a learned schema never loses a column."""

    @abc.abstractmethod
    def decode(self, value: bytes) -> Mapping[str, Any] | None:
        """The members of a record, by the names of their columns. None makes the record a tombstone.

        Called on the thread that drives the task, for each record; must not block.

        Raises:
            ValueError: the record is a reject, with the message as the reason.
        """

    @property
    def fingerprint(self) -> str:
        """Names the class and the schema. Override this where other settings decide what comes out, and name them too."""
        columns = "learned" if self._schema is None else str(self._schema)
        return f"per-record:{type(self).__module__}:{type(self).__qualname__}:{columns}"

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Decode each record, and make columns of all records at once; records that don't fit are rejects."""
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
        """The members of a record, if all of them may be columns; the learned schema then has these columns.

        Raises:
            ValueError: Arrow has no type for a value, or the schema that is given lacks a member.
            SchemaConflict: a member has another type than its column.
            TooManyFields: there would be too many columns.
            UsageError: what was returned isn't a mapping of names.
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
    """Names and types of members; None where names and types alone don't decide which columns the members need."""
    for value in members.values():
        if type(value) not in _PLAIN_TYPES or (type(value) is int and abs(value) > _LARGEST_EXACT):
            return None
    return (*members, *map(type, members.values()))


def _grow(learned: LearnedSchema, members: Mapping[str, Any]) -> None:
    """Let a learned schema have all columns that are needed for a record.

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
    """The places of the records that fit a schema, and their rows; other records are added to the refused ones."""
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
    """Whether there is an integer in it, at any depth, that a double may not hold."""
    if isinstance(value, dict):
        return any(map(_has_large_integers, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_large_integers, value))
    return isinstance(value, int) and abs(value) > _LARGEST_EXACT
