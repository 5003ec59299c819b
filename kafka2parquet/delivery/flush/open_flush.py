"""OpenFlush: records of a topic-partition that will become visible together, in an open file for each encoded partition."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.clock import Clock, Instant
from kafka2parquet.dead_letters.base import DeadLetterFuture
from kafka2parquet.delivery.flush.cut_flush import Flush
from kafka2parquet.delivery.flush.file_schemas import FileSchemas
from kafka2parquet.delivery.flush.flush_file import FlushFile, contents_of
from kafka2parquet.delivery.flush.quarantine import rejects_table
from kafka2parquet.parquet.footer import Layout, Role
from kafka2parquet.parquet.writer import OpenFile, ParquetWriter
from kafka2parquet.records import Reject
from kafka2parquet.rotation.base import FlushStats
from kafka2parquet.rows import MixedRows, PartitionedRows, Rows

#: The expected ratio of Parquet bytes to Arrow bytes before a topic-partition has written a file.
FIRST_COMPRESSION_RATIO = 0.25

_Int64s = npt.NDArray[np.int64]
_EARLIEST, _LATEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class OpenFlush:
    """The records from `start` that will become visible together. Owned by the driver thread."""

    def __init__(
        self,
        start: int,
        leader_epoch: int,
        writer: ParquetWriter,
        file_schemas: FileSchemas,
        clock: Clock,
        ratio: float,
    ) -> None:
        """Make a flush without rows.

        Args:
            start: the offset of the flush's first record.
            leader_epoch: leader epoch of the record before `start`; -1 if unknown.
            writer: opens the flush's files.
            file_schemas: brings rows to the schema of their file.
            clock: gives the time at which the flush is opened.
            ratio: the expected ratio of Parquet bytes to Arrow bytes.
        """
        self.start = start
        self.position = start
        """The offset after the last record that was appended or left out."""
        self.epochs = [(start, leader_epoch)]
        """Pairs of a position and a leader epoch: records up to the next pair's position have that epoch."""
        self.rows = 0
        self.rejects = 0
        """The number of rejected records that are written to the file of rejects."""
        self.sendings: list[DeadLetterFuture] = []
        """The dead letters of records before `position`."""
        self.left_out_files: set[int] = set()
        """Numbers of missing files that lack a record now, while a published flush is completed."""
        self._writer = writer
        self._file_schemas = file_schemas
        self._ratio = ratio
        self._files: dict[str, FlushFile] = {}
        self._rejects_file: FlushFile | None = None
        self._encoded_bytes = self._buffered_bytes = 0
        self.memory_bytes = 0
        """Bytes of memory held."""
        self.first_record_ms: int | None = None
        """Kafka timestamp of the first record; the time at which it was taken if it has none; None while there are none."""
        self._runs: list[tuple[_Int64s, _Int64s]] = []
        self._clock = clock
        self._opened = self._last_row = Instant.of(clock)
        self._first_timestamp_ms: int | None = None
        self._last_timestamp_ms: int | None = None
        self._last_encoded_partition: str | None = None

    @property
    def open_files(self) -> int:
        """The number of open files, files of keys and headers included."""
        return sum(len(file.contents) for file in self._all_files())

    @property
    def is_empty(self) -> bool:
        """Whether the flush has neither rows nor rejects to write."""
        return not self._files and self._rejects_file is None

    @property
    def stats(self) -> FlushStats:
        """The statistics that rotation policies use. If the wall clock has been adjusted, earlier times are corrected."""
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
        """The wall-clock time at which the flush was opened; an empty flush opens now."""
        if self.is_empty:
            self._opened = Instant.of(self._clock)
        return self._opened.wall

    def refused_row(self, batch: PartitionedRows) -> tuple[int, str] | None:
        """The index of the first row whose schema can't be compared with its file's schema, and the reason."""
        return self._file_schemas.refused(self._files, batch)

    def fitting_rows(self, batch: PartitionedRows) -> int | None:
        """The number of leading rows whose schemas allow appending to the open files; None for all rows."""
        return self._file_schemas.cut(self._files, batch)

    def move_to(self, position: int, leader_epoch: int) -> None:
        """Move to `position`: all records before it were appended or left out; the new ones have that leader epoch."""
        if position <= self.position:
            return
        if leader_epoch != self.epochs[-1][1]:
            self.epochs.append((self.position, leader_epoch))
        self.position = position

    def append(self, batch: PartitionedRows | None, rejects: Sequence[Reject]) -> None:
        """Append rows, and the rejected records between them that are written to the file of rejects."""
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
        if self.first_record_ms is None:
            self.first_record_ms = self._first_record_ms(batch, rejects)
        offsets = np.concatenate([offsets for offsets, _ in taken])
        numbers = np.concatenate([numbers for _, numbers in taken])
        if len(taken) > 1:
            order = np.argsort(offsets, kind="stable")
            offsets, numbers = offsets[order], numbers[order]
        changes = np.flatnonzero(np.diff(numbers, prepend=-1))
        self._runs.append((offsets[changes], numbers[changes]))

    def _first_record_ms(self, batch: PartitionedRows | None, rejects: Sequence[Reject]) -> int:
        first = (rejects[0].offset, rejects[0].timestamp_ms) if rejects else None
        if batch is not None and len(batch):
            row = (batch.rows.offsets[0].as_py(), batch.rows.timestamps_ms[0].as_py())
            first = row if first is None or row[0] < first[0] else first
        time_ms = first[1] if first is not None else None
        return time_ms if time_ms is not None else round(self._opened.wall.timestamp() * 1000)

    def _append_rows(self, batch: PartitionedRows) -> _Int64s:
        """Append rows to their files; return the number of each row's file."""
        codes = batch.codes.to_numpy()
        numbers = np.empty(len(batch.encoded_partitions), np.int64)
        for code, rows in _by_folder(batch.rows, codes):
            file = self._file(batch.encoded_partitions[code])
            numbers[code] = file.number
            self._append_to(file, rows)
            file.count(rows.offsets.to_numpy())
        for code, min_time_ms, max_time_ms in _time_ranges(batch.timestamps_ms, codes, len(numbers)):
            self._files[batch.encoded_partitions[code]].widen_times(min_time_ms, max_time_ms)
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
        """The files of rows in the order of their first rows, then the file of rejects."""
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
        """Add the growth of one file to the flush's sums, because summing over all files each time is too slow."""
        encoded, buffered, memory = content.encoded_bytes, content.buffered_bytes, content.memory_bytes
        yield
        self._encoded_bytes += content.encoded_bytes - encoded
        self._buffered_bytes += content.buffered_bytes - buffered
        self.memory_bytes += content.memory_bytes - memory

    def spill(self, wanted_bytes: int) -> None:
        """Move buffers to disk, largest first, until `wanted_bytes` are free or no buffer is left to move."""
        end_bytes = self.memory_bytes - wanted_bytes
        for content in sorted(contents_of(self._all_files()), key=lambda content: content.spill_gain_bytes, reverse=True):
            if self.memory_bytes <= end_bytes or content.spill_gain_bytes <= 0:
                return
            with self._counting(content):
                content.spill()

    def cut(self, end: int, reason: str) -> Flush:
        """Cut the flush at offset `end`."""
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
            first_record_ms=self.first_record_ms,
        )
        flush.reorder(sorted(flush.files, key=lambda file: file.first_offset))
        return flush

    def discard(self) -> None:
        """Drop the flush with all its rows."""
        for content in contents_of(self._all_files()):
            content.discard()


def _time_ranges(times_ms: pa.Array, codes: npt.NDArray[np.int32], folders: int) -> Iterator[tuple[int, int, int]]:
    """Yield the code of each folder whose rows have times, with the least and the greatest of these times."""
    if times_ms.null_count:
        valid = times_ms.is_valid()
        codes, times_ms = codes[valid.to_numpy(zero_copy_only=False)], times_ms.filter(valid)
    if not len(times_ms):
        return
    times = times_ms.to_numpy()
    if (codes == codes[0]).all():
        yield int(codes[0]), int(times.min()), int(times.max())
        return
    least, greatest = np.full(folders, _LATEST, np.int64), np.full(folders, _EARLIEST, np.int64)
    np.minimum.at(least, codes, times)
    np.maximum.at(greatest, codes, times)
    for code in np.unique(codes).tolist():
        yield code, int(least[code]), int(greatest[code])


def _by_folder(rows: Rows | MixedRows, codes: npt.NDArray[np.int32]) -> Iterator[tuple[int, Rows | MixedRows]]:
    """Split rows by code, in the order of each code's first row.

    The rows of a code are copied, so that they don't keep the whole table in memory.
    """
    if (codes == codes[0]).all():
        yield int(codes[0]), rows
        return
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    combined = rows.combined()
    for places in sorted(np.split(order, starts[1:]), key=lambda places: int(places[0])):
        yield int(codes[places[0]]), combined.take(places)
