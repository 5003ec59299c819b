"""Rows: converted records as tables, with their origin. `Rows` have one value schema; `MixedRows` have several."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.records import ConsumedBatch, Reject, View
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.schema.lattice import conform, unify

__all__ = [
    "Converted",
    "MixedRows",
    "Partitioned",
    "PartitionedRows",
    "Row",
    "Rows",
    "Transformed",
]


@attrs.frozen(eq=False)
class Rows:
    """Converted records of one value schema: a table with one row for each record, and the records' origin.

    Attributes:
        batch: the consumed batch. The rows are a subset of its records, in the same order.
        offsets: int64, the offset of each row.
        timestamps_ms: int64, the Kafka timestamp of each row; null for a record without a timestamp.
        table: the columns to write.
        value_schema: the schema that all records were sent with; None for records without a schema.
        views: further tables by name, with one row for each record, to write to separate files.
        tombstones: whether the records are tombstones, which have no value.
        routed_topic: the topic that transforms gave the records; None if the records keep the topic of their log.
        without_fields: whether the values have neither fields nor a schema, such as a number in an envelope without a schema.
            The column with such values is not a field.
    """

    batch: ConsumedBatch
    offsets: pa.Array
    timestamps_ms: pa.Array
    table: pa.Table
    value_schema: ConnectSchema | None = None
    views: Mapping[View, pa.Table] = attrs.field(factory=dict)
    tombstones: bool = False
    routed_topic: str | None = None
    without_fields: bool = False

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def topic(self) -> str:
        """The records' topic, as transforms see it."""
        return self.routed_topic if self.routed_topic is not None else self.batch.topic_partition.topic

    @property
    def records(self) -> ConsumedBatch:
        """The consumed records from which the rows were converted."""
        if len(self) == len(self.batch):
            return self.batch
        return self.batch.take(np.searchsorted(self.batch.offsets.to_numpy(), self.offsets.to_numpy()))

    @property
    def groups(self) -> tuple[Rows, ...]:
        """The rows of each value schema: a single group with all rows."""
        return (self,)

    @property
    def group_numbers(self) -> npt.NDArray[np.int32]:
        """The index of each row's group: 0 for all rows."""
        return np.zeros(len(self), np.int32)

    def view(self, name: View) -> pa.Table:
        """Return the view called `name`."""
        return self.views[name]

    @property
    def nbytes(self) -> int:
        """Size of the columns in Arrow bytes."""
        return int(self.table.nbytes + sum(view.nbytes for view in self.views.values()))

    def slice(self, start: int, length: int | None = None) -> Rows:
        """Return the rows [start, start + length) without copying; those from `start` on without a length."""
        # `pyarrow.Table.slice` needs the length of a table without columns; without it, the result has all rows
        length = max(0, len(self) - start) if length is None else length
        return attrs.evolve(
            self,
            offsets=self.offsets.slice(start, length),
            timestamps_ms=self.timestamps_ms.slice(start, length),
            table=self.table.slice(start, length),
            views={name: view.slice(start, length) for name, view in self.views.items()},
        )

    def each(self, timestamps_ms: pa.Array | None = None) -> Iterator[Row]:
        """Yield each row as a `Row`, with `timestamps_ms` instead of Kafka's timestamps if given. Slow."""
        times = self.timestamps_ms if timestamps_ms is None else timestamps_ms
        for offset, time, values in zip(self.offsets.to_pylist(), times.to_pylist(), self.table.to_pylist(), strict=True):
            yield Row(offset, time, values)

    def combined(self) -> Rows:
        """Return the same rows with each column in a single chunk, which makes `take` fast."""
        views = {name: view.combine_chunks() for name, view in self.views.items()}
        return attrs.evolve(self, table=self.table.combine_chunks(), views=views)

    def take(self, places: npt.NDArray[np.int64]) -> Rows:
        """Return a copy of the rows at the indices `places`, which are ascending and not empty."""
        chosen = pa.array(places)
        return attrs.evolve(
            self,
            offsets=self.offsets.take(chosen),
            timestamps_ms=self.timestamps_ms.take(chosen),
            table=_taken(self.table, chosen),
            views={name: view.take(chosen) for name, view in self.views.items()},
        )

    def filter(self, mask: pa.Array) -> Rows:
        """Return the rows for which the boolean `mask` is true."""
        return attrs.evolve(
            self,
            offsets=self.offsets.filter(mask),
            timestamps_ms=self.timestamps_ms.filter(mask),
            table=self.table.filter(mask),
            views={name: view.filter(mask) for name, view in self.views.items()},
        )


def without_columns(rows: int) -> pa.Table:
    """Return a table with `rows` rows and no columns."""
    return pa.table({"rows": pa.nulls(rows)}).select([])


def concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """Concatenate one or more tables of the same schema.

    Can go once `pyarrow.concat_tables` keeps the row count of tables without columns.
    """
    if not tables[0].num_columns:
        return without_columns(sum(table.num_rows for table in tables))
    return pa.concat_tables(tables)


def in_order(tables: Sequence[pa.Table], places: Sequence[npt.NDArray[np.int64]]) -> pa.Table:
    """Merge one or more tables of the same schema. `places` has one array per table: the indices of its rows in the result."""
    if len(tables) == 1:
        return tables[0]
    order = np.argsort(np.concatenate(places), kind="stable")
    return _taken(concatenated(tables), pa.array(order))


def _taken(table: pa.Table, indices: pa.Array) -> pa.Table:
    """Return the rows at `indices`.

    Can go once `pyarrow.Table.take` keeps the row count of a table without columns.
    """
    return table.take(indices) if table.num_columns else without_columns(len(indices))


@attrs.frozen(eq=False)
class MixedRows:
    """Rows of several value schemas in offset order, with the same interface as `Rows`.

    Attributes:
        groups: the rows of each value schema, at least one row in each.
        places: for each group, the ascending indices of its rows among all rows.
        offsets: int64, the offset of each row.
        timestamps_ms: int64, the Kafka timestamp of each row; null for a record without a timestamp.
    """

    groups: tuple[Rows, ...]
    places: tuple[npt.NDArray[np.int64], ...]
    offsets: pa.Array
    timestamps_ms: pa.Array

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def batch(self) -> ConsumedBatch:
        """The consumed batch from which all rows come."""
        return self.groups[0].batch

    @property
    def group_numbers(self) -> npt.NDArray[np.int32]:
        """The index of each row's group."""
        numbers = np.empty(len(self), np.int32)
        for number, places in enumerate(self.places):
            numbers[places] = number
        return numbers

    @property
    def nbytes(self) -> int:
        """Size of the columns in Arrow bytes."""
        return sum(group.nbytes for group in self.groups)

    @property
    def table(self) -> pa.Table:
        """The columns of all rows, unified to one schema. Missing columns are null.

        Raises:
            SchemaConflict: the groups have a column of the same name whose types have no common type.
        """
        return self.united([group.table for group in self.groups])

    def view(self, name: View) -> pa.Table:
        """Return the view called `name` of all rows.

        Raises:
            SchemaConflict: as for `table`.
        """
        return self.united([group.views[name] for group in self.groups])

    def united(self, tables: Sequence[pa.Table]) -> pa.Table:
        """Unify the schemas of `tables`, one for each group, and merge the tables in the order of the rows.

        Raises:
            SchemaConflict: as for `table`.
        """
        schema = unify([table.schema for table in tables])
        return self.ordered([conform(table, schema) for table in tables])

    def ordered(self, tables: Sequence[pa.Table]) -> pa.Table:
        """Merge `tables` of the same schema, one for each group, in the order of the rows."""
        return in_order(tables, self.places)

    def slice(self, start: int, length: int | None = None) -> Rows | MixedRows:
        """Return the rows [start, start + length) without copying."""
        stop = len(self) if length is None else min(start + length, len(self))
        parts = []
        for group, places in zip(self.groups, self.places, strict=True):
            first, last = np.searchsorted(places, (start, stop)).tolist()
            parts.append((group.slice(first, last - first), places[first:last] - start))
        return self._of(parts, self.offsets.slice(start, length), self.timestamps_ms.slice(start, length))

    def combined(self) -> MixedRows:
        """Return the same rows with each column in a single chunk, which makes `take` fast."""
        return attrs.evolve(self, groups=tuple(group.combined() for group in self.groups))

    def take(self, places: npt.NDArray[np.int64]) -> Rows | MixedRows:
        """Return a copy of the rows at the indices `places`, which are ascending and not empty."""
        numbers, ranks = self._positions
        numbers, ranks = numbers[places], ranks[places]
        parts = []
        for number in np.unique(numbers).tolist():
            inside = np.flatnonzero(numbers == number)
            parts.append((self.groups[number].take(ranks[inside]), inside))
        chosen = pa.array(places)
        return self._of(parts, self.offsets.take(chosen), self.timestamps_ms.take(chosen))

    @functools.cached_property
    def _positions(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """The index of each row's group, and the row's index within that group."""
        ranks = np.empty(len(self), np.int64)
        for places in self.places:
            ranks[places] = np.arange(len(places))
        return self.group_numbers, ranks

    def filter(self, mask: pa.Array) -> Rows | MixedRows:
        """Return the rows for which the boolean `mask` is true."""
        chosen = mask.to_numpy(zero_copy_only=False)
        new_places = np.cumsum(chosen) - 1
        parts = []
        for group, places in zip(self.groups, self.places, strict=True):
            kept = chosen[places]
            parts.append((group.filter(pa.array(kept)), new_places[places[kept]]))
        return self._of(parts, self.offsets.filter(mask), self.timestamps_ms.filter(mask))

    def each(self, timestamps_ms: pa.Array | None = None) -> Iterator[Row]:
        """Yield each row as a `Row`, with `timestamps_ms` instead of Kafka's timestamps if given. Slow."""
        times = self.timestamps_ms if timestamps_ms is None else timestamps_ms
        values: list[Any] = [None] * len(self)
        for group, places in zip(self.groups, self.places, strict=True):
            for place, row in zip(places.tolist(), group.table.to_pylist(), strict=True):
                values[place] = row
        for offset, time, row in zip(self.offsets.to_pylist(), times.to_pylist(), values, strict=True):
            yield Row(offset, time, row)

    @staticmethod
    def _of(
        parts: Sequence[tuple[Rows, npt.NDArray[np.int64]]], offsets: pa.Array, timestamps_ms: pa.Array
    ) -> Rows | MixedRows:
        filled = [(group, places) for group, places in parts if len(group)] or list(parts[:1])
        if len(filled) == 1:
            return filled[0][0]
        return MixedRows(tuple(group for group, _ in filled), tuple(places for _, places in filled), offsets, timestamps_ms)

    @classmethod
    def of(cls, groups: Sequence[Rows]) -> Rows | MixedRows:
        """Merge one or more groups of one batch. Returns plain `Rows` if at most one group has rows."""
        filled = [group for group in groups if len(group)] or list(groups[:1])
        if len(filled) == 1:
            return filled[0]
        order = np.argsort(np.concatenate([group.offsets.to_numpy() for group in filled]), kind="stable")
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        starts = np.cumsum([len(group) for group in filled])[:-1]
        taken = pa.array(order)
        return cls(
            tuple(filled),
            tuple(np.split(places, starts)),
            pa.concat_arrays([group.offsets for group in filled]).take(taken),
            pa.concat_arrays([group.timestamps_ms for group in filled]).take(taken),
        )


@attrs.frozen
class Row:
    """One row, for rules that users write record by record.

    Attributes:
        offset: the record's offset.
        timestamp_ms: the row's time in milliseconds since the epoch; None if it has none.
        values: the row's values by column name.
    """

    offset: int
    timestamp_ms: int | None
    values: Mapping[str, Any]


@attrs.frozen(eq=False)
class Transformed:
    """The result of a pipeline step: rows and rejects.

    Attributes:
        rows: rows for the next step, a subset of the given rows in their order. Given rows that are in no group and not among
            the rejects are filtered out silently.
        rejects: records that the step refuses.
        others: more rows for the next step, which have another schema or other columns than `rows`, or have lost their value.
    """

    rows: Rows
    rejects: Sequence[Reject] = ()
    others: Sequence[Rows] = ()

    @property
    def groups(self) -> Sequence[Rows]:
        """Each of `rows` and `others` that has any row."""
        return [rows for rows in (self.rows, *self.others) if len(rows)]


@attrs.frozen(eq=False)
class Converted(Transformed):
    """The result of converting a batch: each record is a row, a reject or a tombstone.

    Attributes:
        rows: the rows of one value schema.
        rejects: the records that can't be converted.
        others: if the batch holds records of several schemas, the rows of each further schema.
        tombstones: offsets (int64) of records whose value turned out to be null, such as a JSON envelope with a null payload.
    """

    tombstones: pa.Array | None = None


@attrs.frozen(eq=False)
class PartitionedRows:
    """Rows with the encoded partition and the time of each row.

    Attributes:
        rows: the rows. They have several value schemas if the batch has.
        encoded_partitions: the distinct encoded partitions, such as `year=2026/month=05`.
        codes: int32, the index of each row's encoded partition in `encoded_partitions`.
        timestamps_ms: int64. The times that a time-based partitioner used for the rows, without nulls. For other partitioners
            the records' Kafka timestamps, null for a record without a timestamp.
    """

    rows: Rows | MixedRows
    encoded_partitions: tuple[str, ...]
    codes: pa.Array
    timestamps_ms: pa.Array

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def first_time_ms(self) -> int | None:
        """The time of the first row that has a time; None if no row has a time."""
        valid = self.timestamps_ms if not self.timestamps_ms.null_count else self.timestamps_ms.drop_null()
        time: int | None = valid[0].as_py() if len(valid) else None
        return time

    def slice(self, start: int, length: int | None = None) -> PartitionedRows:
        """Return the rows [start, start + length) without copying. `encoded_partitions` may then have unused entries."""
        return PartitionedRows(
            rows=self.rows.slice(start, length),
            encoded_partitions=self.encoded_partitions,
            codes=self.codes.slice(start, length),
            timestamps_ms=self.timestamps_ms.slice(start, length),
        )

    @classmethod
    def merged(cls, parts: Sequence[PartitionedRows]) -> PartitionedRows:
        """Merge one or more parts of one batch, each with a single value schema, in the order of their offsets."""
        filled = [part for part in parts if len(part)] or list(parts[:1])
        if len(filled) == 1:
            return filled[0]
        rows = MixedRows.of([group for part in filled for group in part.rows.groups])
        folders = tuple(dict.fromkeys(folder for part in filled for folder in part.encoded_partitions))
        numbers = {folder: number for number, folder in enumerate(folders)}
        codes = np.concatenate(
            [
                np.array([numbers[folder] for folder in part.encoded_partitions], np.int32)[part.codes.to_numpy()]
                for part in filled
            ]
        )
        order = np.argsort(np.concatenate([part.rows.offsets.to_numpy() for part in filled]), kind="stable")
        times = pa.concat_arrays([part.timestamps_ms for part in filled]).take(pa.array(order))
        return cls(rows, folders, pa.array(codes[order]), times)


@attrs.frozen(eq=False)
class Partitioned:
    """The result of partitioning rows: each row is either partitioned or a reject."""

    rows: PartitionedRows
    rejects: Sequence[Reject] = ()
