"""A flush while it fills, and once it is cut: records of [start, end) of one topic-partition, files per encoded partition."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import get_args

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.clock import Clock, Instant
from kafka2parquet.converters.record_views import HEADERS_SCHEMA
from kafka2parquet.dead_letters.base import DeadLetterFuture
from kafka2parquet.delivery.file_schemas import FileSchemas
from kafka2parquet.delivery.quarantine import REJECTS_SCHEMA, rejects_table
from kafka2parquet.parquet.footer import FlushFooter, Layout, Role, Sibling
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.parquet.writer import OpenFile, ParquetWriter
from kafka2parquet.records import Reject, View
from kafka2parquet.rotation.base import FlushStats
from kafka2parquet.rows import MixedRows, PartitionedRows, Rows
from kafka2parquet.schema.connect_schema import ConnectSchema

#: Parquet bytes per Arrow byte that are expected before a topic-partition has written anything.
FIRST_COMPRESSION_RATIO = 0.25

#: A layout that is longer as text is not written down: only recovery under another configuration would need it.
MAX_LAYOUT_CHARACTERS = 1 << 20

_Int64s = npt.NDArray[np.int64]

_WITHOUT_COLUMNS: dict[Role, pa.Schema] = {
    "values": pa.schema([("_kafka_offset", pa.int64())]),
    "keys": pa.schema([("key", pa.binary())]),
    "headers": HEADERS_SCHEMA,
    "rejects": REJECTS_SCHEMA,
}


@attrs.define(eq=False)
class FlushFile:
    """One file of a flush, with the files of keys and headers beside it: the records of one encoded partition.

    Attributes:
        number: as the layout counts files.
        encoded_partition: its folder; None for rejected records.
        value_schema: the schema of its first row's record.
        columns: of the rows so far, None before the first one.
        contents: by role.
    """

    number: int
    encoded_partition: str | None
    value_schema: ConnectSchema | None = None
    columns: pa.Schema | None = None
    first_offset: int = -1
    last_offset: int = -1
    rows: int = 0
    contents: dict[Role, OpenFile] = attrs.Factory(dict)

    @property
    def views(self) -> Mapping[View, pa.Schema]:
        """The columns of the files of keys and headers."""
        return {view: self.contents[view].schema() for view in get_args(View) if view in self.contents}

    def count(self, offsets: _Int64s) -> None:
        """Count records that were appended."""
        if not self.rows:
            self.first_offset = int(offsets[0])
        self.last_offset = int(offsets[-1])
        self.rows += len(offsets)


class OpenFlush:
    """The run of records from `start` on that will become visible together. Owned by the driver thread."""

    def __init__(
        self,
        start: int,
        leader_epoch: int,
        writer: ParquetWriter,
        file_schemas: FileSchemas,
        clock: Clock,
        ratio: float,
    ) -> None:
        """Begin without rows.

        Args:
            start: position of the flush's beginning.
            leader_epoch: of the record before it, -1 where unknown.
            writer: opens its files.
            file_schemas: brings rows to the schema of their file.
            clock: says when the flush is opened.
            ratio: Parquet bytes per Arrow byte to expect.
        """
        self.start = start
        self.position = start
        """Position after all records that were taken or left out so far."""
        self.epochs = [(start, leader_epoch)]
        """Positions from which on the record before the position has another leader epoch, with that epoch."""
        self.rows = 0
        self.rejects = 0
        """Rejected records that a file of their own is written of."""
        self.sendings: list[DeadLetterFuture] = []
        """Dead letters of records before `position`."""
        self.left_out_files: set[int] = set()
        """Of a flush that is finished: missing files in whose runs of rows there are records that don't go into them now."""
        self._writer = writer
        self._file_schemas = file_schemas
        self._ratio = ratio
        self._files: dict[str, FlushFile] = {}
        self._rejects_file: FlushFile | None = None
        self._encoded_bytes = self._buffered_bytes = 0
        self.memory_bytes = 0
        """Memory held."""
        self._runs: list[tuple[_Int64s, _Int64s]] = []
        self._clock = clock
        self._opened = self._last_row = Instant.of(clock)
        self._first_timestamp_ms: int | None = None
        self._last_timestamp_ms: int | None = None
        self._last_encoded_partition: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self._files and self._rejects_file is None

    @property
    def stats(self) -> FlushStats:
        """What rotation policies look at. Where the wall clock was set meanwhile, its moments are moved by as much."""
        now = Instant.of(self._clock)
        return FlushStats(
            rows=self.rows,
            size_bytes=int(self._encoded_bytes + self._buffered_bytes * self._ratio),
            encoded_partitions=self._files.keys(),
            opened_at=self._opened.as_seen_at(now),
            last_row_at=self._last_row.as_seen_at(now),
            first_timestamp_ms=self._first_timestamp_ms,
            last_timestamp_ms=self._last_timestamp_ms,
            last_encoded_partition=self._last_encoded_partition,
        )

    def open(self) -> datetime.datetime:
        """The wall clock of the flush's opening: now, if it has nothing yet."""
        if self.is_empty:
            self._opened = Instant.of(self._clock)
        return self._opened.wall

    def refused_row(self, batch: PartitionedRows) -> tuple[int, str] | None:
        """The first row whose schema can't be compared with that of its file, and why."""
        return self._file_schemas.refused(self._files, batch)

    def fitting_rows(self, batch: PartitionedRows) -> int | None:
        """How many leading rows may join the open files by their schemas; None for all."""
        return self._file_schemas.cut(self._files, batch)

    def move_to(self, position: int, leader_epoch: int) -> None:
        """All records before `position` are taken or left out; those since the position so far have that leader epoch."""
        if position <= self.position:
            return
        if leader_epoch != self.epochs[-1][1]:
            self.epochs.append((self.position, leader_epoch))
        self.position = position

    def append(self, batch: PartitionedRows | None, rejects: Sequence[Reject]) -> None:
        """Take rows, and rejected records between them that are to be written too."""
        taken: list[tuple[_Int64s, _Int64s]] = []
        if batch is not None and len(batch):
            taken.append((batch.rows.offsets.to_numpy(), self._append_rows(batch)))
        if rejects:
            offsets = np.array([reject.offset for reject in rejects], np.int64)
            if self._rejects_file is None:
                self._rejects_file = FlushFile(len(self._files), None)
            file = self._rejects_file
            self._append_table(file, "rejects", rejects_table(rejects))
            file.count(offsets)
            self.rejects += len(rejects)
            taken.append((offsets, np.full(len(offsets), file.number, np.int64)))
        if not taken:
            return
        offsets = np.concatenate([offsets for offsets, _ in taken])
        numbers = np.concatenate([numbers for _, numbers in taken])
        if len(taken) > 1:
            order = np.argsort(offsets, kind="stable")
            offsets, numbers = offsets[order], numbers[order]
        changes = np.flatnonzero(np.diff(numbers, prepend=-1))
        self._runs.append((offsets[changes], numbers[changes]))

    def _append_rows(self, batch: PartitionedRows) -> _Int64s:
        """Append to the files; the number of each row's file."""
        codes = batch.codes.to_numpy()
        numbers = np.empty(len(batch.encoded_partitions), np.int64)
        for code, rows in _by_folder(batch.rows, codes):
            file = self._file(batch.encoded_partitions[code])
            numbers[code] = file.number
            self._append_to(file, rows)
            file.count(rows.offsets.to_numpy())
        if self._first_timestamp_ms is None:
            self._first_timestamp_ms = batch.first_time_ms
        self._last_timestamp_ms = batch.timestamps_ms[-1].as_py()
        self._last_encoded_partition = batch.encoded_partitions[codes[-1]]
        self._last_row = Instant.of(self._clock)
        self.rows += len(batch)
        return np.asarray(numbers[codes], np.int64)

    def _append_to(self, file: FlushFile, rows: Rows | MixedRows) -> None:
        if file.columns is None:
            file.value_schema = rows.groups[rows.group_numbers[0]].value_schema
        valued = [group for group in rows.groups if not (group.tombstones and group.views)]
        if valued:
            table = self._file_schemas.table(
                file.value_schema, rows if len(valued) == len(rows.groups) else MixedRows.of(valued)
            )
            content = self._append_table(file, "values", table)
            if file.columns is None or not file.columns.equals(table.schema):
                file.columns = content.schema()
        elif file.columns is None:
            file.columns = pa.schema([])
        for role in rows.groups[0].views:
            self._append_table(file, role, rows.view(role))

    def _file(self, folder: str) -> FlushFile:
        file = self._files.get(folder)
        if file is None:
            number = len(self._files) + (self._rejects_file is not None)
            file = self._files[folder] = FlushFile(number, folder)
        return file

    def _all_files(self) -> list[FlushFile]:
        """Those of rows in the order of their first rows, then that of rejects."""
        return [*self._files.values(), *([] if self._rejects_file is None else [self._rejects_file])]

    def _append_table(self, file: FlushFile, role: Role, table: pa.Table) -> OpenFile:
        content = file.contents.get(role)
        if content is None:
            content = file.contents[role] = self._writer.open()
        with self._counting(content):
            content.append(table)
        return content

    @contextlib.contextmanager
    def _counting(self, content: OpenFile) -> Iterator[None]:
        """Count how a file grows or shrinks: a flush may have too many files to ask all of them again and again."""
        encoded, buffered, memory = content.encoded_bytes, content.buffered_bytes, content.memory_bytes
        yield
        self._encoded_bytes += content.encoded_bytes - encoded
        self._buffered_bytes += content.buffered_bytes - buffered
        self.memory_bytes += content.memory_bytes - memory

    def spill(self, wanted_bytes: int) -> None:
        """Move buffers to disk, the largest first, until `wanted_bytes` are free, or no buffer is left that would free any."""
        end_bytes = self.memory_bytes - wanted_bytes
        for content in sorted(_contents(self._all_files()), key=lambda content: content.spill_gain_bytes, reverse=True):
            if self.memory_bytes <= end_bytes or content.spill_gain_bytes <= 0:
                return
            with self._counting(content):
                content.spill()

    def cut(self, end: int, reason: str) -> Flush:
        """End the flush at `end`."""
        layout = Layout(np.empty(0, np.int64), np.empty(0, np.int64))
        if self._runs:
            starts = np.concatenate([starts for starts, _ in self._runs])
            layout = Layout.of(starts, np.concatenate([numbers for _, numbers in self._runs]))
        flush = Flush(
            start=self.start,
            end=end,
            rows=self.rows + self.rejects,
            opened_at=self._opened.wall,
            reason=reason,
            files=self._all_files(),
            layout=layout,
            epochs=self.epochs,
            sendings=self.sendings,
            left_out_files=self.left_out_files,
            memory_bytes=self.memory_bytes,
        )
        flush.reorder([file for file in flush.files if file.encoded_partition is not None])
        return flush

    def discard(self) -> None:
        """Drop it with all its rows."""
        for content in _contents(self._all_files()):
            content.discard()


def _contents(files: Iterable[FlushFile]) -> Iterator[OpenFile]:
    for file in files:
        yield from file.contents.values()


def _by_folder(rows: Rows | MixedRows, codes: npt.NDArray[np.int32]) -> Iterator[tuple[int, Rows | MixedRows]]:
    """The rows of each code, codes in the order of their first rows.

    Some rows of many are copied, so that they don't keep the whole table in memory.
    """
    if (codes == codes[0]).all():
        yield int(codes[0]), rows
        return
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    combined = rows.combined()
    for places in sorted(np.split(order, starts[1:]), key=lambda places: int(places[0])):
        yield int(codes[places[0]]), combined.take(places)


@attrs.define(eq=False)
class Flush:
    """A flush that was cut: it covers [start, end) and gets no more records.

    Attributes:
        rows: in all files; keys and headers beside them count no record again.
        files: those of values in the order of their first rows, then that of rejects; the first one holds the anchor.
        layout: file number of each row.
        epochs: as `OpenFlush.epochs`.
        sendings: dead letters that have to be stored before anything says that these records are done.
        left_out_files: of a flush that is finished, numbers of the files in whose runs of rows there are records that don't go
            into them now.
        memory_bytes: held when it was measured last.
    """

    start: int
    end: int
    rows: int
    opened_at: datetime.datetime
    reason: str
    files: list[FlushFile]
    layout: Layout
    epochs: Sequence[tuple[int, int]]
    sendings: Sequence[DeadLetterFuture] = ()
    left_out_files: Set[int] = frozenset()
    memory_bytes: int = 0

    @property
    def opened_at_ms(self) -> int:
        """`opened_at` in milliseconds since the epoch."""
        return round(self.opened_at.timestamp() * 1000)

    @property
    def start_epoch(self) -> int:
        """Leader epoch of the record before `start`, -1 where unknown."""
        return self.epochs[0][1]

    @property
    def leader_epoch(self) -> int:
        """Leader epoch of the record before `end`, -1 where unknown."""
        return self.epochs[-1][1]

    def measure(self) -> None:
        """Look how much memory all its files hold."""
        self.memory_bytes = sum(content.memory_bytes for content in _contents(self.files))

    @property
    def parts(self) -> list[tuple[FlushFile, Role, OpenFile]]:
        """Everything that becomes an object, the anchor first."""
        return [(file, role, content) for file in self.files for role, content in file.contents.items()]

    def discard(self) -> None:
        """Drop it with all its rows."""
        for content in _contents(self.files):
            content.discard()

    def why_not_whole(self) -> str | None:
        """What contradicts that each record of the flush is in its files once; None where nothing does.

        Records are counted by the flush, by its files and by what was encoded, at different moments of an append. Counts
        that differ show that an append was cut short, by an interrupt or by another thread.
        """
        if sum(file.rows for file in self.files) != self.rows:
            return f"its files count {sum(file.rows for file in self.files)} records, the flush {self.rows}"
        for file, role, content in self.parts:
            has_fewer_values = role == "values" and len(file.contents) > 1  # tombstones have keys and headers only
            if content.rows > file.rows or (content.rows < file.rows and not has_fewer_values):
                return f"a file of {role} has {content.rows} rows, of {file.rows} records"
            if file.rows and not self.start <= file.first_offset <= file.last_offset < self.end:
                return f"a file of {role} has records of offsets {file.first_offset} to {file.last_offset}"
        return None

    def schema_without_columns(self, role: Role, content: OpenFile) -> pa.Schema | None:
        """The schema for a file that has no columns of its own, because readers want one, and Parquet has no rows without one.

        Rows of empty objects get a column of nulls. A file without rows has the columns of one with rows, if there is one, for
        which all files are looked at. None for a file with columns.
        """
        if content.rows:
            return None if len(content.schema()) else _WITHOUT_COLUMNS[role]
        schemas = (other.schema() for _, each, other in self.parts if each == role and other.rows)
        return next((schema for schema in schemas if len(schema)), _WITHOUT_COLUMNS[role])

    def put_first(self, encoded_partition: str | None, role: Role, writer: ParquetWriter) -> None:
        """Make the file of an encoded partition the anchor; an empty one, where no row went there."""
        first = next((file for file in self.files if file.encoded_partition == encoded_partition), None)
        if first is None:
            first = FlushFile(len(self.files), encoded_partition)
            self.files.append(first)
        first.contents = {role: first.contents.get(role) or writer.open(), **first.contents}
        self.reorder([first])

    def reorder(self, first: Sequence[FlushFile]) -> None:
        """Put some of the files in front of the others, and number all of them anew."""
        moved = set(map(id, first))
        self.files = [*first, *(file for file in self.files if id(file) not in moved)]
        numbers = {file.number: number for number, file in enumerate(self.files)}
        self.layout = self.layout.renumbered([numbers[number] for number in range(len(self.files))])
        for number, file in enumerate(self.files):
            file.number = number

    def footers(self, keys: Sequence[str], common: FlushFooter) -> list[FlushFooter]:
        """The footer of each part.

        Args:
            keys: of the parts, in their order.
            common: what all files of the topic-partition share; the rest is filled in.
        """
        siblings = tuple(
            Sibling(key, content.rows, file.number, role)
            for key, (file, role, content) in zip(keys[1:], self.parts[1:], strict=True)
        )
        layout = self.layout.encode() if siblings else None
        if layout is not None and len(layout) > MAX_LAYOUT_CHARACTERS:
            layout = None
        return [
            attrs.evolve(
                common,
                start=self.start,
                end=self.end,
                flush_rows=self.rows,
                file_rows=content.rows,
                first_offset=file.first_offset,
                last_offset=file.last_offset,
                opened_at_ms=self.opened_at_ms,
                reason=self.reason,
                leader_epoch=self.leader_epoch,
                role=role,
                siblings=siblings if number == 0 else None,
                layout=layout if number == 0 else None,
            )
            for number, (file, role, content) in enumerate(self.parts)
        ]


@attrs.frozen(eq=False)
class StagedFlushFile:
    """A file of a flush, complete on local disk or in memory, with where it goes."""

    key: str
    footer: FlushFooter
    staged: StagedFile
