"""Rows: converted records as tables, with where they came from; of one value schema, or of several in one order."""

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


@attrs.frozen(eq=False)
class Rows:
    """Converted records of one value schema: a table with one row for each, and where they came from.

    Attributes:
        batch: the consumed batch; rows are a subset of its records, in the same order.
        offsets: int64, one for each row.
        timestamps_ms: int64, the Kafka timestamp of each row; null where the record has none.
        table: the columns to be written.
        value_schema: the schema that all these records were sent with; None for records without one.
        views: further tables with one row for each, by name, which are written to files of their own.
        tombstones: whether the records have no value.
        routed_topic: the topic that transforms have given the records; None while they keep that of their log.
        without_fields: whether the values have neither fields nor a schema, such as a number in an envelope without schema. The
            column with such values is not a field.
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
        """The records that the rows were made of."""
        if len(self) == len(self.batch):
            return self.batch
        return self.batch.take(np.searchsorted(self.batch.offsets.to_numpy(), self.offsets.to_numpy()))

    @property
    def groups(self) -> tuple[Rows, ...]:
        """The rows of each value schema: these."""
        return (self,)

    @property
    def group_numbers(self) -> npt.NDArray[np.int32]:
        """For each row the index of its group."""
        return np.zeros(len(self), np.int32)

    def view(self, name: View) -> pa.Table:
        """The view of that name."""
        return self.views[name]

    @property
    def nbytes(self) -> int:
        """Arrow bytes of the columns."""
        return int(self.table.nbytes + sum(view.nbytes for view in self.views.values()))

    def slice(self, start: int, length: int | None = None) -> Rows:
        """Rows [start, start + length) without copying."""
        return attrs.evolve(
            self,
            offsets=self.offsets.slice(start, length),
            timestamps_ms=self.timestamps_ms.slice(start, length),
            table=self.table.slice(start, length),
            views={name: view.slice(start, length) for name, view in self.views.items()},
        )

    def each(self, timestamps_ms: pa.Array | None = None) -> Iterator[Row]:
        """Every row as a `Row`, with the given times instead of Kafka's; slow."""
        times = self.timestamps_ms if timestamps_ms is None else timestamps_ms
        for offset, time, values in zip(self.offsets.to_pylist(), times.to_pylist(), self.table.to_pylist(), strict=True):
            yield Row(offset, time, values)

    def combined(self) -> Rows:
        """The same rows in columns of one piece, from which `take` is fast."""
        views = {name: view.combine_chunks() for name, view in self.views.items()}
        return attrs.evolve(self, table=self.table.combine_chunks(), views=views)

    def take(self, places: npt.NDArray[np.int64]) -> Rows:
        """A copy of the rows at these indices, which rise; at least one."""
        chosen = pa.array(places)
        return attrs.evolve(
            self,
            offsets=self.offsets.take(chosen),
            timestamps_ms=self.timestamps_ms.take(chosen),
            table=_taken(self.table, chosen),
            views={name: view.take(chosen) for name, view in self.views.items()},
        )

    def filter(self, mask: pa.Array) -> Rows:
        """The rows for which the boolean `mask` is true."""
        return attrs.evolve(
            self,
            offsets=self.offsets.filter(mask),
            timestamps_ms=self.timestamps_ms.filter(mask),
            table=self.table.filter(mask),
            views={name: view.filter(mask) for name, view in self.views.items()},
        )


def without_columns(rows: int) -> pa.Table:
    """A table of `rows` rows and no columns."""
    return pa.table({"rows": pa.nulls(rows)}).select([])


def concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of one schema, at least one, as one table. `pyarrow.concat_tables` forgets rows without columns."""
    if not tables[0].num_columns:
        return without_columns(sum(table.num_rows for table in tables))
    return pa.concat_tables(tables)


def in_order(tables: Sequence[pa.Table], places: Sequence[npt.NDArray[np.int64]]) -> pa.Table:
    """Tables of one schema, at least one, as one table; `places` say for each table where its rows come."""
    if len(tables) == 1:
        return tables[0]
    order = np.argsort(np.concatenate(places), kind="stable")
    return _taken(concatenated(tables), pa.array(order))


def _taken(table: pa.Table, indices: pa.Array) -> pa.Table:
    """The rows at these indices. `pyarrow.Table.take` forgets rows without columns."""
    return table.take(indices) if table.num_columns else without_columns(len(indices))


@attrs.frozen(eq=False)
class MixedRows:
    """Rows of several value schemas, in the order of their offsets. Reads like `Rows`, of which it is made.

    Attributes:
        groups: the rows of each value schema, at least one row in each.
        places: for each group the indices of its rows among all, rising.
        offsets: int64, of all rows.
        timestamps_ms: int64, of all rows.
    """

    groups: tuple[Rows, ...]
    places: tuple[npt.NDArray[np.int64], ...]
    offsets: pa.Array
    timestamps_ms: pa.Array

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def batch(self) -> ConsumedBatch:
        """The consumed batch that all of them come from."""
        return self.groups[0].batch

    @property
    def group_numbers(self) -> npt.NDArray[np.int32]:
        """For each row the index of its group."""
        numbers = np.empty(len(self), np.int32)
        for number, places in enumerate(self.places):
            numbers[places] = number
        return numbers

    @property
    def nbytes(self) -> int:
        """Arrow bytes of the columns."""
        return sum(group.nbytes for group in self.groups)

    @property
    def table(self) -> pa.Table:
        """The columns of all rows, brought to one schema; missing ones are null.

        Raises:
            SchemaConflict: the groups have columns of one name that no type holds together.
        """
        return self.united([group.table for group in self.groups])

    def view(self, name: View) -> pa.Table:
        """The view of that name, of all rows.

        Raises:
            SchemaConflict: as for `table`.
        """
        return self.united([group.views[name] for group in self.groups])

    def united(self, tables: Sequence[pa.Table]) -> pa.Table:
        """Tables, one for each group, brought to one schema, as one table in the order of the rows.

        Raises:
            SchemaConflict: as for `table`.
        """
        schema = unify([table.schema for table in tables])
        return self.ordered([conform(table, schema) for table in tables])

    def ordered(self, tables: Sequence[pa.Table]) -> pa.Table:
        """Tables of one schema, one for each group, as one table in the order of the rows."""
        return in_order(tables, self.places)

    def slice(self, start: int, length: int | None = None) -> Rows | MixedRows:
        """Rows [start, start + length) without copying."""
        stop = len(self) if length is None else min(start + length, len(self))
        parts = []
        for group, places in zip(self.groups, self.places, strict=True):
            first, last = np.searchsorted(places, (start, stop)).tolist()
            parts.append((group.slice(first, last - first), places[first:last] - start))
        return self._of(parts, self.offsets.slice(start, length), self.timestamps_ms.slice(start, length))

    def combined(self) -> MixedRows:
        """The same rows in columns of one piece, from which `take` is fast."""
        return attrs.evolve(self, groups=tuple(group.combined() for group in self.groups))

    def take(self, places: npt.NDArray[np.int64]) -> Rows | MixedRows:
        """A copy of the rows at these indices, which rise; at least one."""
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
        """For each row the index of its group, and its index among the rows of that."""
        ranks = np.empty(len(self), np.int64)
        for places in self.places:
            ranks[places] = np.arange(len(places))
        return self.group_numbers, ranks

    def filter(self, mask: pa.Array) -> Rows | MixedRows:
        """The rows for which the boolean `mask` is true."""
        chosen = mask.to_numpy(zero_copy_only=False)
        new_places = np.cumsum(chosen) - 1
        parts = []
        for group, places in zip(self.groups, self.places, strict=True):
            kept = chosen[places]
            parts.append((group.filter(pa.array(kept)), new_places[places[kept]]))
        return self._of(parts, self.offsets.filter(mask), self.timestamps_ms.filter(mask))

    def each(self, timestamps_ms: pa.Array | None = None) -> Iterator[Row]:
        """Every row as a `Row`, with the given times instead of Kafka's; slow."""
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
        """All rows of some groups of one batch, at least one group; plain `Rows` where only one has any."""
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
        offset: of the record.
        timestamp_ms: time of the row, in milliseconds since the epoch; None where it has none.
        values: the row's columns by name.
    """

    offset: int
    timestamp_ms: int | None
    values: Mapping[str, Any]


@attrs.frozen(eq=False)
class Converted:
    """What a converter made of a batch: every record is a row, a reject or a tombstone.

    Attributes:
        rows: the rows of one value schema.
        rejects: the records that can't be rows.
        other_rows: where records of several schemas lay in the batch, the rows of each further one.
        tombstones: offsets (int64) of records whose value turned out to be null, such as a JSON envelope with a null payload.
    """

    rows: Rows
    rejects: Sequence[Reject] = ()
    other_rows: Sequence[Rows] = ()
    tombstones: pa.Array | None = None

    @property
    def groups(self) -> Sequence[Rows]:
        """The rows of each value schema that has any."""
        return [rows for rows in (self.rows, *self.other_rows) if len(rows)]


@attrs.frozen(eq=False)
class PartitionedRows:
    """Rows with the encoded partition and the time of each.

    Attributes:
        rows: the rows; of several value schemas where records of several lay in the batch.
        encoded_partitions: the distinct encoded partitions, such as `year=2026/month=05`.
        codes: int32, for each row the index of its encoded partition in `encoded_partitions`.
        timestamps_ms: int64 without nulls where the partitioner is based on time: the time it used for each row. Else the
            records' Kafka timestamps, null where they have none.
    """

    rows: Rows | MixedRows
    encoded_partitions: tuple[str, ...]
    codes: pa.Array
    timestamps_ms: pa.Array

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def first_time_ms(self) -> int | None:
        """The time of the first row that has one; None where none has."""
        valid = self.timestamps_ms if not self.timestamps_ms.null_count else self.timestamps_ms.drop_null()
        time: int | None = valid[0].as_py() if len(valid) else None
        return time

    def slice(self, start: int, length: int | None = None) -> PartitionedRows:
        """Rows [start, start + length) without copying; `encoded_partitions` may then name some that no row has."""
        return PartitionedRows(
            rows=self.rows.slice(start, length),
            encoded_partitions=self.encoded_partitions,
            codes=self.codes.slice(start, length),
            timestamps_ms=self.timestamps_ms.slice(start, length),
        )

    @classmethod
    def merged(cls, parts: Sequence[PartitionedRows]) -> PartitionedRows:
        """The rows of several value schemas of one batch together, in the order of their offsets; at least one part.

        The rows of each part are of one schema.
        """
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
    """What a partitioner made of rows: every row is either partitioned or a reject."""

    rows: PartitionedRows
    rejects: Sequence[Reject] = ()
