"""FileSchemas: which rows may join the files of a flush, and with which columns.

Each file has one schema, which its first row brings. Where records were sent with schemas of their own, Kafka Connect's
`schema.compatibility` says what ends a flush: any other schema (`NONE`), or one that rows can't be projected from. Rows
whose schema can't be compared, because it or that of the file has no version, are refused. Without a mode, columns of all
schemas are united instead, so that producers of several versions make no small files; only columns of one name that no type
holds together end a flush.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Protocol

import attrs
import numpy as np
import pyarrow as pa

from kafka2parquet.records import View
from kafka2parquet.rows import MixedRows, PartitionedRows, Rows
from kafka2parquet.schema.compatibility import Compatibility, CompatibilityMode, SchemaNotProjectable, project_table
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.schema.lattice import SchemaConflict, exact_fields, unify
from kafka2parquet.util.cache import BoundedCache

#: Pairs of schemas of which it is remembered how they compare.
_MAX_PAIRS = 10_000


class FileSchema(Protocol):
    """What is known of the values of an open file."""

    @property
    def value_schema(self) -> ConnectSchema | None:
        """The schema of its first row's record; None for records without one."""

    @property
    def columns(self) -> pa.Schema | None:
        """The columns of its rows so far; None before the first one."""

    @property
    def views(self) -> Mapping[View, pa.Schema]:
        """The columns of the files of keys and headers beside it."""


class FileSchemas:
    """Decides by a mode of Kafka Connect's, or unites columns where there is none."""

    def __init__(self, mode: CompatibilityMode | None = None) -> None:
        self._mode = mode
        self._compared_pairs: BoundedCache[tuple[int, int], _Comparison] = BoundedCache(_MAX_PAIRS)

    @property
    def fingerprint(self) -> str:
        """Names the mode."""
        return f"schemas-{self._mode.value if self._mode is not None else 'united'}"

    def cut(self, files: Mapping[str, FileSchema], batch: PartitionedRows) -> int | None:
        """How many leading rows may join the open files; None for all of them.

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
                if joined is None or not _join_views(views, rows):
                    first = place if first is None else min(first, place)
                    break
                if columns is None:
                    schema = rows.value_schema
                columns = joined
        return first

    def refused(self, files: Mapping[str, FileSchema], batch: PartitionedRows) -> tuple[int, str] | None:
        """The first row that may neither join the open files nor begin others, and why; None where there is none.

        Args:
            files: by their encoded partitions.
            batch: one or more rows.
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
        """Why rows can't be compared with a file of that schema; None where they can."""
        if self._mode is None or not self._mode.projects or rows.value_schema is schema:
            return None
        known = self._compared(self._mode, rows.value_schema, schema)
        return known if isinstance(known, str) else None

    def _joined_columns(self, schema: ConnectSchema | None, columns: pa.Schema | None, rows: Rows) -> pa.Schema | None:
        """The columns of a file once the rows are in it; None where they may not join it."""
        if columns is None or (rows.value_schema is schema and columns.equals(rows.table.schema)):
            return rows.table.schema
        if self._mode is not None and not self._compatible(self._mode, rows.value_schema, schema):
            return None
        schemas, projected = [columns, rows.table.schema], []
        if self._mode is not None and self._mode.projects and schema is not None and rows.value_schema is not None:
            projected = list(columns)[: _value_columns(schema)]
            schemas = [_from(columns, len(projected)), _from(rows.table.schema, _value_columns(rows.value_schema))]
        if rows.value_schema is not None:  # nobody knows whether a double holds its integers
            schemas = [pa.schema(exact_fields(each)) for each in schemas]
        try:
            united = unify(schemas)
        except SchemaConflict:
            return None
        return pa.schema([*projected, *united]) if projected else united

    def _compatible(self, mode: CompatibilityMode, record: ConnectSchema | None, file: ConnectSchema | None) -> bool:
        return self._compared(mode, record, file) is True

    def _compared(self, mode: CompatibilityMode, record: ConnectSchema | None, file: ConnectSchema | None) -> bool | str:
        """`mode.check`, which walks through both schemas, once for each pair; a text where the mode can't decide."""
        compare = functools.partial(_comparison, mode, record, file)
        return self._compared_pairs.get_or_create((id(record), id(file)), compare).outcome

    def table(self, schema: ConnectSchema | None, rows: Rows | MixedRows) -> pa.Table:
        """The columns of rows that may join a file whose first record had `schema`.

        Raises:
            SchemaNotProjectable: some may not: they would lose columns.
            SchemaConflict: no type holds a column of all of them.
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
    """What came out of comparing two schemas, which are kept alive so that their ids stay theirs."""

    record: ConnectSchema | None
    file: ConnectSchema | None
    outcome: bool | str


def _comparison(mode: CompatibilityMode, record: ConnectSchema | None, file: ConnectSchema | None) -> _Comparison:
    try:
        return _Comparison(record, file, mode.check(record, file) is Compatibility.COMPATIBLE)
    except SchemaNotProjectable as error:  # without a schema: a file of their own
        return _Comparison(record, file, False if record is None or file is None else str(error))


def _join_views(views: dict[View, pa.Schema], rows: Rows) -> bool:
    """Add the columns of the rows' keys and headers to those of their files; False where no type holds them together."""
    for name, table in rows.views.items():
        columns = views.setdefault(name, table.schema)
        if not columns.equals(table.schema):
            try:
                views[name] = unify([columns, table.schema])
            except SchemaConflict:
                return False
    return True


def _groups_by_folder(batch: PartitionedRows) -> Iterator[tuple[str, list[tuple[int, Rows]]]]:
    """For each encoded partition the groups of rows that go there, each with the place of its first row, in their order."""
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
    """How many columns a value of that schema has; others are added behind them."""
    return len(schema.row_schema.fields)


def _from(columns: pa.Schema, index: int) -> pa.Schema:
    return pa.schema(list(columns)[index:])


def _projected(rows: Rows, target: ConnectSchema) -> pa.Table:
    """The columns of the value, projected, and behind them the others as they are."""
    if rows.value_schema is None:
        return rows.table
    count = _value_columns(rows.value_schema)
    values = project_table(rows.table.select(range(count)), rows.value_schema, target)
    for name in rows.table.column_names[count:]:
        values = values.append_column(rows.table.schema.field(name), rows.table.column(name))
    return values
