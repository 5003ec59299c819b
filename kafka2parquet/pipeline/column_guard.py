"""Removes columns that would make a file unreadable: rows with a value in such a column are refused, the others lose it.

No file is published that has two columns of the same name, columns whose names differ only in case (unless the settings keep
them), more levels of nesting than readers accept, or a type that Parquet lacks.
"""

from __future__ import annotations

import collections
import io
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kafka2parquet.records import Reject, Stage
from kafka2parquet.rows import Rows, Transformed, without_columns
from kafka2parquet.schema.column_rules import MAX_LEVELS, NameCase, is_list
from kafka2parquet.schema.field_paths import join_path
from kafka2parquet.transforms.base import Transform
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS
from kafka2parquet.util.display import printable

EXCEPTION = "org.apache.parquet.schema.InvalidSchemaException"

_log = logging.getLogger(__name__)
_MOST_NAME = 200
_MOST_WARNINGS = 1000
_MOST_PLANS = 32


@attrs.frozen(eq=False)
class ColumnPlan:
    """The problems of the columns of a table, and what to do about them.

    Attributes:
        refused: reasons why columns can't be written, by the index of the column.
        united: pairs of indices of columns that are merged: the values of the second column go into the first one.
        similar: pairs of names that differ only in case and are kept.
        reserved: names that no column may have.
    """

    refused: Mapping[int, str]
    united: Sequence[tuple[int, int]] = ()
    similar: Sequence[tuple[str, str]] = ()
    reserved: Collection[str] = ()

    @classmethod
    def of(cls, schema: pa.Schema, name_case: NameCase, reserved: Collection[str] = ()) -> ColumnPlan:
        """Finds the problems of a table's columns.

        Args:
            schema: the columns.
            name_case: what to do about names that differ only in case.
            reserved: names that no column may have.
        """
        refused: dict[int, str] = {}
        united: list[tuple[int, int]] = []
        similar: list[tuple[str, str]] = []
        taken = {_folded(name, name_case): name for name in reserved}
        places: dict[str, int] = {}
        for index, field in enumerate(schema):
            similar += _similar(field.type, field.name, name_case)
            folded = _folded(field.name, name_case)
            other = taken.get(folded)
            reason = _why_unwritable(field, name_case)
            if reason is None and other is not None:
                place = places.get(folded)
                if name_case == "unite" and place is not None and schema.field(place).type == field.type:
                    united.append((place, index))
                    continue
                reason = _why_taken(field.name, other)
            if reason is not None:
                refused[index] = reason
            elif other is None:
                taken[folded] = field.name
                places[folded] = index
        if name_case == "keep":
            similar += _variants(schema.names, "")
        return cls(refused, united, similar, reserved)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.refused and not self.united

    def refused_rows(self, table: pa.Table) -> dict[int, str]:
        """Finds the rows with a value in a refused column, or in both of two merged columns; reasons by row index."""
        found: dict[int, str] = {}
        for index, reason in self.refused.items():
            for row in _places(table.column(index).is_valid()):
                found.setdefault(row, reason)
        for first, second in self.united:
            both = pc.and_(table.column(first).is_valid(), table.column(second).is_valid())
            name, other = table.column_names[second], table.column_names[first]
            for row in _places(both):
                found.setdefault(row, f"field {_short(name)}: {_short(other)} is there too, and they are to be one column")
        return found

    def applied(self, table: pa.Table) -> pa.Table:
        """Removes and merges columns of a table without the refused rows."""
        for first, second in self.united:
            values = pc.coalesce(table.column(first), table.column(second))
            table = table.set_column(first, table.schema.field(first).with_nullable(True), values)
        gone = {*self.refused, *(second for _, second in self.united)}
        kept = [index for index in range(table.num_columns) if index not in gone]
        return table.select(kept) if kept else without_columns(table.num_rows)


class ColumnGuard(Transform):
    """Refuses rows with values in columns that can't be written, and removes these columns from the other rows."""

    def __init__(self, name_case: NameCase, reserved: Collection[str]) -> None:
        """Makes a guard.

        Args:
            name_case: what to do about names that differ only in case.
            reserved: names of columns that are added to each row later.
        """
        self._name_case = name_case
        self._reserved = tuple(reserved)
        self._plans: collections.deque[tuple[pa.Schema, ColumnPlan]] = collections.deque(maxlen=_MOST_PLANS)
        self._warned: set[tuple[str, str]] = set()

    @property
    def fingerprint(self) -> str:
        """Names the setting if it isn't the default."""
        return "" if self._name_case == "reject" else f"names-{self._name_case}"

    def plan(self, schema: pa.Schema) -> ColumnPlan:
        """Finds the problems of a table's columns before others are added."""
        return self._plan(schema, self._reserved)

    def _plan(self, schema: pa.Schema, reserved: Collection[str]) -> ColumnPlan:
        """Returns one of the last plans if it is for these columns: comparing schemas is faster than hashing many columns."""
        for known, plan in self._plans:
            if plan.reserved is reserved and known.equals(schema):
                return plan
        plan = ColumnPlan.of(schema, self._name_case, reserved)
        self._plans.appendleft((schema, plan))
        return plan

    def apply(self, rows: Rows) -> Transformed:
        """See `Transform.apply`."""
        plan = self.plan(rows.table.schema)
        if plan.similar:
            self._warn(rows, plan.similar)
        if plan.is_empty:
            return Transformed(rows)
        passed = refuse(rows, plan.refused_rows(rows.table))
        return Transformed(attrs.evolve(passed.rows, table=plan.applied(passed.rows.table)), passed.rejects)

    def apply_to_added(self, rows: Rows, columns: int) -> Transformed:
        """Refuses the rows whose metadata columns or views can't be written.

        Args:
            rows: rows with added columns and views.
            columns: number of columns before others were added.
        """
        rejects: list[Reject] = []
        names = rows.table.column_names[columns:]
        added = self._plan_of_added(rows.table.schema, columns)
        if not added.is_empty:
            passed = refuse(rows, added.refused_rows(rows.table.select(range(columns, columns + len(names)))))
            rows, rejects = passed.rows, [*passed.rejects]
            kept = [index for index in range(rows.table.num_columns) if index - columns not in added.refused]
            rows = attrs.evolve(rows, table=rows.table.select(kept))
        for view in tuple(rows.views):
            plan = self._plan_of_added(rows.views[view].schema, 0)
            if not plan.is_empty:
                passed = refuse(rows, plan.refused_rows(rows.views[view]))
                rejects += passed.rejects
                views = {**passed.rows.views, view: plan.applied(passed.rows.views[view])}
                rows = attrs.evolve(passed.rows, views=views)
        return Transformed(rows, rejects)

    def _plan_of_added(self, schema: pa.Schema, start: int) -> ColumnPlan:
        added = pa.schema([schema.field(index) for index in range(start, len(schema))])
        return self._plan(added, ())

    def _warn(self, rows: Rows, pairs: Sequence[tuple[str, str]]) -> None:
        for pair in pairs:
            if pair not in self._warned and len(self._warned) < _MOST_WARNINGS:
                self._warned.add(pair)
                _log.warning(
                    "%s, offset %s: the columns %s and %s differ only in upper and lower case. Spark refuses files that have"
                    " both; Athena, Hive and Trino can't distinguish them; DuckDB renames one.",
                    rows.batch.topic_partition,
                    rows.offsets[0],
                    printable(_short(pair[0])),
                    printable(_short(pair[1])),
                )


def refuse(rows: Rows, refused: Mapping[int, str], exception: str = EXCEPTION) -> Transformed:
    """Makes rejects of the refused rows, which are given by their indices with the reasons."""
    if not refused:
        return Transformed(rows)
    indices = np.array(sorted(refused), np.int64)
    rejects = rows.batch.reject_offsets(
        rows.offsets.to_numpy()[indices], Stage.WRITE, [refused[index] for index in indices.tolist()], exception
    )
    kept = np.ones(len(rows), np.bool_)
    kept[list(refused)] = False
    return Transformed(rows.filter(pa.array(kept)), rejects)


def _why_unwritable(field: pa.Field, name_case: NameCase) -> str | None:
    """Explains why a column can't be written or read; None if it can be."""
    looked = _Looked()
    levels = 1 + looked.at(field.type, field.name)
    if levels > MAX_LEVELS:
        return f"field {_short(field.name)}: nested more deeply than readers of Parquet files take: {MAX_LEVELS} levels"
    for path, names in looked.structs:
        if len(set(names)) < len(names):
            repeated = next(name for name in names if names.count(name) > 1)
            return f"field {_short(join_path(path, repeated))}: two fields have that name"
        if name_case != "keep":
            for one, other in _variants(names, path):
                return f"field {_short(other)}: its name differs from {_short(one)} only in upper and lower case"
    if pa.types.is_struct(field.type) and any(names == [""] for _, names in looked.structs[1:]):
        # duckdb/duckdb: "Can't remap type TUPLE", seen with 2.0.1; may go once DuckDB reads such a column
        return f"field {_short(field.name)}: a struct inside it has a single field with an empty name, which DuckDB can't read"
    if looked.are_simple:
        return None
    try:
        pq.ParquetWriter(io.BytesIO(), pa.schema([field])).close()
    except ARROW_DATA_ERRORS as error:
        return f"Parquet can't hold these columns: {error}"
    return None


#: Types that Parquet has, so that pyarrow need not be asked.
_SIMPLE = {
    type_.id
    for type_ in (
        *(pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.string(), pa.binary()),
        *(pa.date32(), pa.time32("ms"), pa.time64("us"), pa.timestamp("us")),
    )
}


class _Looked:
    """The findings of a walk through a type.

    Attributes:
        structs: the path of each struct, with the names of its fields.
        are_simple: whether all types are among `_SIMPLE`.
    """

    def __init__(self) -> None:
        self.structs: list[tuple[str, list[str]]] = []
        self.are_simple = True

    def at(self, type_: pa.DataType, path: str) -> int:
        """Walks through a type; returns the number of levels of its Parquet schema."""
        if type_.id in _SIMPLE:
            return 1
        if is_list(type_):
            return 2 + self.at(type_.value_type, f"{path}[]")
        if pa.types.is_map(type_):
            return 2 + max(self.at(type_.key_type, f"{path}{{}}"), self.at(type_.item_type, f"{path}[]"))
        if not pa.types.is_struct(type_) or not type_.num_fields:
            self.are_simple = False
            return 1
        names: list[str] = []
        self.structs.append((path, names))
        levels = 1
        for field in type_:
            name, inner = field.name, field.type
            names.append(name)
            if inner.id not in _SIMPLE:
                levels = max(levels, self.at(inner, join_path(path, name)))
        return 1 + levels


def _why_taken(name: str, other: str) -> str:
    if name == other:
        return f"field {_short(name)}: another column has that name. Rename one of them with a transform, or leave one out"
    return f"field {_short(name)}: its name differs from {_short(other)} only in upper and lower case"


def _similar(type_: pa.DataType, path: str, name_case: NameCase) -> Iterator[tuple[str, str]]:
    if name_case == "keep":
        looked = _Looked()
        looked.at(type_, path)
        for inner, names in looked.structs:
            yield from _variants(names, inner)


def _variants(names: Sequence[str], path: str) -> Iterator[tuple[str, str]]:
    """Yields the paths of pairs of names that differ only in case."""
    if len({name.lower() for name in names}) == len(names):
        return
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(name.lower(), name)
        if other != name:
            yield join_path(path, other), join_path(path, name)


def _folded(name: str, name_case: NameCase) -> str:
    return name if name_case == "keep" else name.lower()


def _places(mask: pa.ChunkedArray) -> list[int]:
    return np.flatnonzero(mask.combine_chunks().to_numpy(zero_copy_only=False)).tolist()


def _short(path: str) -> str:
    return path if len(path) <= _MOST_NAME else f"{path[:_MOST_NAME]}…"
