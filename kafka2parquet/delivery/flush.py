"""A flush while it fills, and once it is cut: rows of [start, end) of one topic-partition, a file per encoded partition."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.parquet.footer import FlushFooter, Layout, Sibling
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.parquet.writer import OpenFile, ParquetWriter
from kafka2parquet.records import PartitionedRows
from kafka2parquet.rotation.base import FlushStats

#: Parquet bytes per Arrow byte that are expected before a topic-partition has written anything.
FIRST_COMPRESSION_RATIO = 0.25

#: A layout that is longer as text is not written down: only recovery under another configuration would need it.
MAX_LAYOUT_CHARACTERS = 1 << 20


@attrs.define(eq=False)
class FlushFile:
    """One file of a flush: the rows of one encoded partition."""

    number: int
    encoded_partition: str
    first_offset: int
    last_offset: int
    content: OpenFile

    @property
    def rows(self) -> int:
        """Rows in the file."""
        return self.content.rows


class OpenFlush:
    """The run of rows from `start` on that will become visible together. Owned by the driver thread."""

    def __init__(self, start: int, writer: ParquetWriter, now: datetime.datetime, ratio: float) -> None:
        """Begin without rows.

        Args:
            start: position of the flush's beginning.
            writer: opens its files.
            now: the wall clock.
            ratio: Parquet bytes per Arrow byte to expect.
        """
        self.start = start
        self.position = start
        """Position after all records that were taken or left out so far."""
        self.rows = 0
        self.opened_at = now
        self._writer = writer
        self._ratio = ratio
        self._files: dict[str, FlushFile] = {}
        self._runs: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
        self._last_row_at = now
        self._first_timestamp_ms: int | None = None
        self._last_timestamp_ms: int | None = None
        self._last_encoded_partition: str | None = None

    @property
    def stats(self) -> FlushStats:
        """What rotation policies are told."""
        return FlushStats(
            rows=self.rows,
            size_bytes=sum(
                int(file.content.encoded_bytes + file.content.buffered_bytes * self._ratio) for file in self._files.values()
            ),
            encoded_partitions=frozenset(self._files),
            opened_at=self.opened_at,
            last_row_at=self._last_row_at,
            first_timestamp_ms=self._first_timestamp_ms,
            last_timestamp_ms=self._last_timestamp_ms,
            last_encoded_partition=self._last_encoded_partition,
        )

    @property
    def memory_bytes(self) -> int:
        """Memory held."""
        return sum(file.content.memory_bytes for file in self._files.values())

    def open_at(self, now: datetime.datetime) -> datetime.datetime:
        """The wall clock of the flush's opening: `now`, if it has no rows yet."""
        if not self.rows:
            self.opened_at = now
        return self.opened_at

    def append(self, batch: PartitionedRows, now: datetime.datetime) -> None:
        """Take rows, at least one."""
        offsets = batch.rows.offsets.to_numpy()
        codes = batch.codes.to_numpy()
        numbers = np.empty(len(batch.encoded_partitions), dtype=np.int64)
        for code, chosen in _group(codes):
            name = batch.encoded_partitions[code]
            file = self._files.get(name)
            if file is None:
                number = len(self._files)
                file = self._files[name] = FlushFile(number, name, int(offsets[chosen][0]), -1, self._writer.open())
            file.content.append(_take(batch.rows.table, chosen))
            file.last_offset = int(offsets[chosen][-1])
            numbers[code] = file.number
        changes = np.flatnonzero(np.diff(codes, prepend=-1))
        self._runs.append((offsets[changes].astype(np.int64), numbers[codes[changes]]))
        if not self.rows:
            self._first_timestamp_ms = batch.timestamps_ms[0].as_py()
        self._last_timestamp_ms = batch.timestamps_ms[-1].as_py()
        self._last_encoded_partition = batch.encoded_partitions[codes[-1]]
        self._last_row_at = now
        self.rows += len(batch)
        self.position = int(offsets[-1]) + 1

    def spill_largest(self) -> bool:
        """Move the largest buffer to disk; False when nothing is buffered."""
        largest = max(self._files.values(), key=lambda file: file.content.buffered_bytes, default=None)
        if largest is None or not largest.content.buffered_bytes:
            return False
        largest.content.spill()
        return True

    def cut(self, end: int, reason: str) -> Flush:
        """End the flush at `end`."""
        layout = Layout(np.empty(0, np.int64), np.empty(0, np.int64))
        if self._runs:
            starts = np.concatenate([starts for starts, _ in self._runs])
            layout = Layout.of(starts, np.concatenate([numbers for _, numbers in self._runs]))
        return Flush(
            start=self.start,
            end=end,
            rows=self.rows,
            opened_at=self.opened_at,
            reason=reason,
            files=list(self._files.values()),
            layout=layout,
        )

    def discard(self) -> None:
        """Drop it with all its rows."""
        for file in self._files.values():
            file.content.discard()


def _group(codes: npt.NDArray[np.int32]) -> Iterator[tuple[int, slice | npt.NDArray[np.int64]]]:
    """The rows of each code, codes in the order of their first rows. A slice where the rows are all neighbours."""
    if (codes == codes[0]).all():
        yield int(codes[0]), slice(0, len(codes))
        return
    distinct, first = np.unique(codes, return_index=True)
    for code in distinct[np.argsort(first)]:
        yield int(code), np.flatnonzero(codes == code)


def _take(table: pa.Table, chosen: slice | npt.NDArray[np.int64]) -> pa.Table:
    """Rows of a table. Some rows are copied, so that they don't keep the whole table in memory."""
    return table if isinstance(chosen, slice) else table.combine_chunks().take(pa.array(chosen))


@attrs.define(eq=False)
class Flush:
    """A flush that was cut: it covers [start, end) and gets no more rows.

    Attributes:
        files: in the order of their first rows; the first one is the anchor.
        layout: file number of each row.
    """

    start: int
    end: int
    rows: int
    opened_at: datetime.datetime
    reason: str
    files: list[FlushFile]
    layout: Layout

    @property
    def opened_at_ms(self) -> int:
        """`opened_at` in milliseconds since the epoch."""
        return round(self.opened_at.timestamp() * 1000)

    @property
    def memory_bytes(self) -> int:
        """Memory held."""
        return sum(file.content.memory_bytes for file in self.files)

    def discard(self) -> None:
        """Drop it with all its rows."""
        for file in self.files:
            file.content.discard()

    def any_schema(self) -> pa.Schema:
        """The schema of some file that has rows, for one that has none; readers refuse files without a column."""
        schemas = (file.content.schema() for file in self.files if file.rows)
        return next(schemas, pa.schema([("_kafka_offset", pa.int64())]))

    def put_first(self, encoded_partition: str, writer: ParquetWriter) -> None:
        """Make the file of an encoded partition the anchor; an empty one, where no row went there."""
        first = next((file for file in self.files if file.encoded_partition == encoded_partition), None)
        if first is None:
            first = FlushFile(len(self.files), encoded_partition, -1, -1, writer.open())
        self.files = [first, *(file for file in self.files if file is not first)]
        numbers = {file.number: number for number, file in enumerate(self.files)}
        self.layout = self.layout.renumbered([numbers[number] for number in range(len(self.files))])
        for number, file in enumerate(self.files):
            file.number = number

    def footers(self, keys: list[str], common: FlushFooter) -> list[FlushFooter]:
        """The footer of each file.

        Args:
            keys: of the files, in their order.
            common: what all files of the topic-partition share; the rest is filled in.
        """
        siblings = tuple(Sibling(key, file.rows) for key, file in zip(keys[1:], self.files[1:], strict=True))
        layout = self.layout.encode() if siblings else None
        if layout is not None and len(layout) > MAX_LAYOUT_CHARACTERS:
            layout = None
        return [
            attrs.evolve(
                common,
                start=self.start,
                end=self.end,
                flush_rows=self.rows,
                file_rows=file.rows,
                first_offset=file.first_offset,
                last_offset=file.last_offset,
                opened_at_ms=self.opened_at_ms,
                reason=self.reason,
                siblings=siblings if number == 0 else None,
                layout=layout if number == 0 else None,
            )
            for number, file in enumerate(self.files)
        ]


@attrs.frozen(eq=False)
class StagedFlushFile:
    """A file of a flush, complete on local disk or in memory, with where it goes."""

    key: str
    footer: FlushFooter
    staged: StagedFile
