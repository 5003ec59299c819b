"""A flush that was cut: the records of [start, end) of one topic-partition, on their way to the store."""

from __future__ import annotations

import datetime
from collections.abc import Sequence, Set

import attrs
import pyarrow as pa

from kafka2parquet.converters.record_views import HEADERS_SCHEMA
from kafka2parquet.dead_letters.base import DeadLetterFuture
from kafka2parquet.delivery.flush.flush_file import FlushFile, contents_of
from kafka2parquet.delivery.flush.quarantine import REJECTS_SCHEMA
from kafka2parquet.parquet.footer import FlushFooter, Layout, Role, Sibling
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.parquet.writer import OpenFile, ParquetWriter
from kafka2parquet.util.display import counted

#: Longer layouts are not written to the footer. Only recovery under another configuration needs a layout.
MAX_LAYOUT_CHARACTERS = 1 << 20

_WITHOUT_COLUMNS: dict[Role, pa.Schema] = {
    "values": pa.schema([("_kafka_offset", pa.int64())]),
    "keys": pa.schema([("key", pa.binary())]),
    "headers": HEADERS_SCHEMA,
    "rejects": REJECTS_SCHEMA,
}


@attrs.define(eq=False)
class Flush:
    """A flush that was cut: it covers [start, end) and gets no more records.

    Attributes:
        start: the offset of the first record.
        end: the offset after the last record.
        rows: the number of records in all files; files of keys and headers count no record twice.
        opened_at: wall-clock time at which the flush was opened.
        reason: why the flush was cut.
        files: in the order of their first records. The first record of a flush is the same wherever the flush ends, so two
            flushes with one start have the same anchor key, even if one of them holds rejects only.
        layout: the file number of each row.
        epochs: see `OpenFlush.epochs`.
        sendings: the dead letters that must be stored before the intent is committed.
        left_out_files: see `OpenFlush.left_out_files`.
        memory_bytes: bytes of memory held at the last measurement.
        first_record_ms: see `OpenFlush.first_record_ms`.
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
    first_record_ms: int | None = None

    @property
    def opened_at_ms(self) -> int:
        """`opened_at` in milliseconds since the epoch."""
        return round(self.opened_at.timestamp() * 1000)

    @property
    def start_epoch(self) -> int:
        """Leader epoch of the record before `start`; -1 if unknown."""
        return self.epochs[0][1]

    @property
    def leader_epoch(self) -> int:
        """Leader epoch of the record before `end`; -1 if unknown."""
        return self.epochs[-1][1]

    @property
    def open_files(self) -> int:
        """The number of files, files of keys and headers included."""
        return len(self.parts)

    def measure(self) -> None:
        """Measure the memory that the flush's files hold."""
        self.memory_bytes = sum(content.memory_bytes for content in contents_of(self.files))

    @property
    def parts(self) -> list[tuple[FlushFile, Role, OpenFile]]:
        """All parts that become objects, the anchor first."""
        return [(file, role, content) for file in self.files for role, content in file.contents.items()]

    def discard(self) -> None:
        """Drop the flush with all its rows."""
        for content in contents_of(self.files):
            content.discard()

    def why_not_whole(self) -> str | None:
        """The contradiction between the flush's counts of records; None if they agree.

        The flush, its files and the encoders count records at different moments of an append. Different counts show that an
        interrupt or another thread cut an append short.
        """
        if sum(file.rows for file in self.files) != self.rows:
            return f"its files count {counted(sum(file.rows for file in self.files), 'record')}, the flush {self.rows}"
        for file, role, content in self.parts:
            has_fewer_values = role == "values" and len(file.contents) > 1  # tombstones have keys and headers only
            if content.rows > file.rows or (content.rows < file.rows and not has_fewer_values):
                return f"a file of {role} has {counted(content.rows, 'row')}, of {counted(file.rows, 'record')}"
            if file.rows and not self.start <= file.first_offset <= file.last_offset < self.end:
                return f"a file of {role} has records of offsets {file.first_offset} to {file.last_offset}"
        return None

    def schema_without_columns(self, role: Role, content: OpenFile) -> pa.Schema | None:
        """The schema for a file without columns, because Parquet has no rows without a column; None for a file with columns.

        Rows of empty objects get a column of nulls. A file without rows gets the columns of another file of its role that
        has rows, if there is one.
        """
        if content.rows:
            return None if len(content.schema()) else _WITHOUT_COLUMNS[role]
        schemas = (other.schema() for _, each, other in self.parts if each == role and other.rows)
        return next((schema for schema in schemas if len(schema)), _WITHOUT_COLUMNS[role])

    def put_first(self, encoded_partition: str | None, role: Role, writer: ParquetWriter) -> None:
        """Make the file of an encoded partition the anchor; the file is empty if no row has that folder."""
        first = next((file for file in self.files if file.encoded_partition == encoded_partition), None)
        if first is None:
            first = FlushFile(len(self.files), encoded_partition)
            self.files.append(first)
        first.contents = {role: first.contents.get(role) or writer.open(), **first.contents}
        self.reorder([first])

    def reorder(self, first: Sequence[FlushFile]) -> None:
        """Move `first` before the other files, and renumber all files."""
        moved = set(map(id, first))
        self.files = [*first, *(file for file in self.files if id(file) not in moved)]
        numbers = {file.number: number for number, file in enumerate(self.files)}
        self.layout = self.layout.renumbered([numbers[number] for number in range(len(self.files))])
        for number, file in enumerate(self.files):
            file.number = number

    def footers(self, keys: Sequence[str], common: FlushFooter) -> list[FlushFooter]:
        """Make the footer of each part.

        Args:
            keys: the keys of the parts, in their order.
            common: the fields that all files of the topic-partition share; the other fields are replaced.
        """
        siblings = tuple(
            Sibling(key, content.rows, file.number, role)
            for key, (file, role, content) in zip(keys[1:], self.parts[1:], strict=True)
        )
        min_times_ms = [file.min_time_ms for file in self.files if file.min_time_ms is not None]
        max_times_ms = [file.max_time_ms for file in self.files if file.max_time_ms is not None]
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
                min_time_ms=file.min_time_ms,
                max_time_ms=file.max_time_ms,
                flush_min_time_ms=min(min_times_ms, default=None) if number == 0 else None,
                flush_max_time_ms=max(max_times_ms, default=None) if number == 0 else None,
                siblings=siblings if number == 0 else None,
                layout=layout if number == 0 else None,
            )
            for number, (file, role, content) in enumerate(self.parts)
        ]


@attrs.frozen(eq=False)
class StagedFlushFile:
    """A file of a flush, complete on local disk or in memory, with the key that it gets."""

    key: str
    footer: FlushFooter
    staged: StagedFile
