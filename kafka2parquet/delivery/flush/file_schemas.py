"""FileSchemas: decides which rows may join the files of a flush, and with which columns.

Each file has one schema, which its first row brings. If records were sent with schemas, Kafka Connect's `schema.compatibility`
decides what ends a flush: any other schema (`NONE`), or a schema from which rows can't be projected. Rows are refused if their
schema can't be compared with the file's, because one of the two has no version. Without a mode, the columns of all schemas are
united, so that producers of several versions don't cause small files. Then a flush ends only before columns that can't be in
one file: columns of the same name that no type holds together, and columns whose names differ only in case.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Protocol

import attrs
import numpy as np
import pyarrow as pa

from kafka2parquet.pipeline.column_guard import ColumnPlan
from kafka2parquet.records import View
from kafka2parquet.rows import MixedRows, PartitionedRows, Rows
from kafka2parquet.schema.column_rules import NameCase
from kafka2parquet.schema.compatibility import Compatibility, CompatibilityMode, SchemaNotProjectable, project_table
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.schema.lattice import SchemaConflict, exact_fields, unify
from kafka2parquet.schema.refused import Refused
from kafka2parquet.util.cache import BoundedCache

#: Pairs of schemas whose comparison is cached.
_MAX_PAIRS = 10_000


class FileSchema(Protocol):
    """The schemas of an open file."""

    @property
    def value_schema(self) -> ConnectSchema | None:
        """The schema of the record of the file's first row; None if that record has none."""

    @property
    def columns(self) -> pa.Schema | None:
        """The columns of the file's rows so far; None before the first row."""

    @property
    def views(self) -> Mapping[View, pa.Schema]:
        """The columns of the files of keys and headers beside the file."""


class FileSchemas:
    """Decides by one of Kafka Connect's modes, or unites columns without a mode."""

    def __init__(self, mode: CompatibilityMode | None = None, name_case: NameCase = "reject") -> None:
        """Set the rules.

        Args:
            mode: which schemas may share a file; None unites the columns of all schemas.
            name_case: what to do about names that differ only in case. No file has two such columns, unless they are kept.
        """
        self._mode = mode
        self._name_case = name_case
        self._compared_pairs: BoundedCache[tuple[int, int], _Comparison] = BoundedCache(_MAX_PAIRS)

    @property
    def fingerprint(self) -> str:
        """Names the mode."""
        return f"schemas-{self._mode.value if self._mode is not None else 'united'}"

    def cut(self, files: Mapping[str, FileSchema], batch: PartitionedRows) -> int | None:
        """Counts the leading rows that may join the open files; None for all rows.

        Args:
            files: by their encoded partitions.
            batch: one or more rows.
        """
        first: int | None = None
        for folder, groups in _groups_by_folder(batch):
            file = files.get(folder)
            schema, columns = (file.value_schema, file.columns) if file is not None else (None, None)
            views = dict(file.views) if file is not None else {}
            for place, rows in groups:
                if columns is not None and self._refusal(schema, rows) is not None:
                    continue
                joined = self._joined_columns(schema, columns, rows)
                if joined is None or not self._join_views(views, rows):
                    first = place if first is None else min(first, place)
                    break
                if columns is None:
                    schema = rows.value_schema
                columns = joined
        return first

    def refused(self, files: Mapping[str, FileSchema], batch: PartitionedRows) -> tuple[int, str] | None:
        """Finds the first row that may neither join the open files nor start new ones.

        Args:
            files: by their encoded partitions.
            batch: one or more rows.

        Returns:
            The index of the row and the reason; None if all rows fit.
        """
        first: tuple[int, str] | None = None
        if self._mode is None or not self._mode.projects:
            return None
        for folder, groups in _groups_by_folder(batch):
            file = files.get(folder)
            is_open = file is not None and file.columns is not None
            schema = file.value_schema if file is not None and is_open else groups[0][1].value_schema
            for place, rows in groups if is_open else groups[1:]:
                why = self._refusal(schema, rows)
                if why is not None:
                    first = (place, why) if first is None else min(first, (place, why))
                    break
        return first

    def _refusal(self, schema: ConnectSchema | None, rows: Rows) -> str | None:
        """Explains why rows can't be compared with a file of that schema; None if they can be."""
        if self._mode is None or not self._mode.projects or rows.value_schema is schema:
            return None
        outcome = self._compared(self._mode, rows.value_schema, schema)
        return outcome.reason if isinstance(outcome, Refused) else None

    def _joined_columns(self, schema: ConnectSchema | None, columns: pa.Schema | None, rows: Rows) -> pa.Schema | None:
        """The columns of a file after the rows have joined it; None if they may not join it."""
        if columns is None or (rows.value_schema is schema and columns.equals(rows.table.schema)):
            return rows.table.schema
        if self._mode is not None and not self._compatible(self._mode, rows.value_schema, schema):
            return None
        schemas, projected = [columns, rows.table.schema], []
        if self._mode is not None and self._mode.projects and schema is not None and rows.value_schema is not None:
            projected = list(columns)[: _value_columns(schema)]
            schemas = [_from(columns, len(projected)), _from(rows.table.schema, _value_columns(rows.value_schema))]
        if rows.value_schema is not None:  # a double that has integers may have rounded them
            schemas = [pa.schema(exact_fields(each)) for each in schemas]
        try:
            united = unify(schemas)
        except SchemaConflict:
            return None
        joined = pa.schema([*projected, *united]) if projected else united
        return joined if self._can_grow(columns, joined) else None

    def _can_grow(self, columns: pa.Schema, joined: pa.Schema) -> bool:
        """Whether the columns of a file may grow to others: each row can be written alone, but not every two rows together."""
        return joined.equals(columns) or ColumnPlan.of(joined, self._name_case).is_empty

    def _join_views(self, views: dict[View, pa.Schema], rows: Rows) -> bool:
        """Add the columns of the rows' views to those of the files in `views`; False if they can't be in one file."""
        for name, table in rows.views.items():
            columns = views.setdefault(name, table.schema)
            if not columns.equals(table.schema):
                try:
                    views[name] = unify([columns, table.schema])
                except SchemaConflict:
                    return False
                if not self._can_grow(columns, views[name]):
                    return False
        return True

    def _compatible(self, mode: CompatibilityMode, record: ConnectSchema | None, file: ConnectSchema | None) -> bool:
        return self._compared(mode, record, file) is True

    def _compared(self, mode: CompatibilityMode, record: ConnectSchema | None, file: ConnectSchema | None) -> bool | Refused:
        """Asks `mode.check`, which walks through both schemas, once for each pair.

        Returns:
            Whether a record of one schema may join a file of the other; `Refused` if the mode can't decide.
        """
        compare = functools.partial(_comparison, mode, record, file)
        return self._compared_pairs.get_or_create((id(record), id(file)), compare).outcome

    def table(self, schema: ConnectSchema | None, rows: Rows | MixedRows) -> pa.Table:
        """Projects rows to the columns of a file whose first record had `schema`.

        Raises:
            SchemaNotProjectable: some rows may not join the file, because they would lose columns.
            SchemaConflict: no type holds a column of all rows.
        """
        if self._mode is None or not self._mode.projects or schema is None:
            return rows.table
        for group in rows.groups:
            if not self._compatible(self._mode, group.value_schema, schema):
                raise SchemaNotProjectable(
                    f"they have schemas that may not share a file under {self._mode.value} compatibility"
                )
        tables = [_projected(group, schema) for group in rows.groups]
        return rows.united(tables) if isinstance(rows, MixedRows) else tables[0]


@attrs.frozen(eq=False)
class _Comparison:
    """The outcome of comparing two schemas. Keeps both alive, so that no other schema gets their ids."""

    record: ConnectSchema | None
    file: ConnectSchema | None
    outcome: bool | Refused


def _comparison(mode: CompatibilityMode, record: ConnectSchema | None, file: ConnectSchema | None) -> _Comparison:
    try:
        return _Comparison(record, file, mode.check(record, file) is Compatibility.COMPATIBLE)
    except SchemaNotProjectable as error:  # without a schema: a file of their own
        return _Comparison(record, file, False if record is None or file is None else Refused(str(error)))


def _groups_by_folder(batch: PartitionedRows) -> Iterator[tuple[str, list[tuple[int, Rows]]]]:
    """Yields each encoded partition with its groups of rows in their order, each group with the index of its first row."""
    codes, groups = batch.codes.to_numpy(), batch.rows.groups
    if len(groups) == 1:
        if (codes == codes[0]).all():
            yield batch.encoded_partitions[codes[0]], [(0, groups[0])]
            return
        distinct, firsts = np.unique(codes, return_index=True)
        for code, place in zip(distinct.tolist(), firsts.tolist(), strict=True):
            yield batch.encoded_partitions[code], [(place, groups[0])]
        return
    numbers = batch.rows.group_numbers
    _, firsts = np.unique(codes.astype(np.int64) * len(groups) + numbers, return_index=True)
    found: dict[str, list[tuple[int, Rows]]] = {}
    for place in sorted(firsts.tolist()):
        found.setdefault(batch.encoded_partitions[codes[place]], []).append((place, groups[numbers[place]]))
    yield from found.items()


def _value_columns(schema: ConnectSchema) -> int:
    """The number of columns of a value of that schema. Metadata columns come after the value's columns."""
    return len(schema.row_schema.fields)


def _from(columns: pa.Schema, index: int) -> pa.Schema:
    return pa.schema(list(columns)[index:])


def _projected(rows: Rows, target: ConnectSchema) -> pa.Table:
    """Projects the columns of the value, and appends the metadata columns unchanged."""
    if rows.value_schema is None:
        return rows.table
    count = _value_columns(rows.value_schema)
    values = project_table(rows.table.select(range(count)), rows.value_schema, target)
    for name in rows.table.column_names[count:]:
        values = values.append_column(rows.table.schema.field(name), rows.table.column(name))
    return values
