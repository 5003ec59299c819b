"""ParquetWriter: tables in, complete Parquet files out."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.errors import ConfigurationError, StorageUnavailableError
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.parquet.staging import StagingDirectory
from kafka2parquet.schema.lattice import conform, unify

_COMPRESSIONS = {"none", "snappy", "gzip", "zstd", "brotli", "lz4", "lz4_raw"}


class ParquetWriter:
    """Opens the files of a task and says how they are written.

    Timestamps are written in microseconds UTC, lists in the three-level form of the Parquet specification, and every page
    with its checksum.
    """

    def __init__(
        self,
        *,
        compression: str = "snappy",
        row_group_bytes: int = 64 << 20,
        in_memory_bytes: int = 256 << 10,
        staging_directory: str | Path | None = None,
    ) -> None:
        """Make a writer; nothing is touched before the first file.

        Args:
            compression: `snappy`, `zstd`, `gzip`, `brotli`, `lz4`, `lz4_raw` or `none`.
            row_group_bytes: Arrow bytes at which buffered rows become a row group.
            in_memory_bytes: files smaller than this stay in memory until they are published; bigger ones are staged on disk.
            staging_directory: folder for staged files; by default the system's folder for temporary files.

        Raises:
            ConfigurationError: unknown compression.
        """
        if compression not in _COMPRESSIONS:
            raise ConfigurationError(f"compression {compression!r} is none of {', '.join(sorted(_COMPRESSIONS))}.")
        self.compression = compression
        self.row_group_bytes = row_group_bytes
        self.in_memory_bytes = in_memory_bytes
        self._staging_parent = staging_directory
        self._staging: StagingDirectory | None = None

    def open(self) -> OpenFile:
        """Begin a file. Files of one writer are used on one thread."""
        return OpenFile(self)

    def close(self) -> None:
        """Delete what is staged. May be called twice."""
        if self._staging is not None:
            self._staging.close()
            self._staging = None

    def _new_path(self) -> Path:
        if self._staging is None:
            self._staging = StagingDirectory(self._staging_parent)
        return self._staging.new_file()


#: Columns of mostly different values give their dictionary up early: less work, and smaller files.
_DICTIONARY_BYTES = 128 << 10


class OpenFile:
    """A file that is being filled. Rows are buffered; row groups go to local disk, where nobody looks for them.

    Tables with different schemas may be appended: when a schema has grown after a row group was written, another part is
    begun, and `finish` unites the parts into one file.
    """

    def __init__(self, writer: ParquetWriter) -> None:
        self._writer = writer
        self._buffered: list[pa.Table] = []
        self._parts: list[_Part] = []
        self._finished: StagedFile | None = None
        self.rows = 0
        self.buffered_bytes = 0
        """Arrow bytes of rows that are no row group yet."""
        self.spilled_bytes = 0
        """Arrow bytes of rows that are row groups."""

    @property
    def encoded_bytes(self) -> int:
        """Parquet bytes written so far."""
        return sum(part.size_bytes for part in self._parts)

    @property
    def memory_bytes(self) -> int:
        """Memory held: buffered rows, and encoded bytes that are not on disk."""
        return self.buffered_bytes + sum(part.memory_bytes for part in self._parts)

    def schema(self) -> pa.Schema:
        """The schema of the rows taken so far."""
        return unify([part.schema for part in self._parts[-1:]] + [table.schema for table in self._buffered])

    def append(self, table: pa.Table) -> None:
        """Take rows. Full row groups are written at once: call it where a few hundred milliseconds don't matter."""
        self._buffered.append(table)
        self.rows += table.num_rows
        self.buffered_bytes += table.nbytes
        if self.buffered_bytes >= self._writer.row_group_bytes:
            self.spill()

    def spill(self) -> None:
        """Make the buffered rows a row group, on disk, so that they no longer take memory.

        When the disk is full the row group stays in memory and is written later.
        """
        if not self._buffered:
            return
        schema = self.schema()
        if not self._parts or not schema.equals(self._parts[-1].schema):
            self._parts.append(_Part(self._writer, schema))
        self._parts[-1].write(_concatenate(self._buffered, schema))
        self._buffered.clear()
        self.spilled_bytes += self.buffered_bytes
        self.buffered_bytes = 0

    def finish(self, metadata: Mapping[str, str], schema: pa.Schema | None = None) -> StagedFile:
        """Complete the file with `metadata` in its footer.

        Args:
            metadata: key-value metadata for the footer.
            schema: of a file without rows; ignored otherwise.

        Raises:
            StorageUnavailableError: the staging folder is full. Nothing is lost: call again later.
        """
        if self._finished is None:
            self.spill()
            if not self._parts:
                self._parts.append(_Part(self._writer, schema if schema is not None else pa.schema([])))
            if len(self._parts) > 1:
                self._parts = [self._united()]
            part = self._parts[0]
            part.complete(metadata)
            self._finished = StagedFile(part.content(), part.size_bytes, self.rows, dict(metadata))
        return self._finished

    def _united(self) -> _Part:
        united = _Part(self._writer, unify([part.schema for part in self._parts]))
        try:
            for part in self._parts:
                part.complete({})
                with part.open() as source:
                    for group in range(source.num_row_groups):
                        united.write(conform(source.read_row_group(group, use_threads=False), united.schema))
        except StorageUnavailableError:
            united.discard()
            raise
        for part in self._parts:
            part.discard()
        return united

    def discard(self) -> None:
        """Drop the file with all it holds."""
        self._buffered.clear()
        self.buffered_bytes = 0
        for part in self._parts:
            part.discard()


def _concatenate(tables: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([table if table.schema.equals(schema) else conform(table, schema) for table in tables])


class _Part:
    """One Parquet file of one schema, encoded into memory and moved on to disk row group by row group.

    The disk file is open only while bytes are appended, so the number of files being filled is not bounded by the number of
    files that a process may have open.
    """

    def __init__(self, writer: ParquetWriter, schema: pa.Schema) -> None:
        self.schema = schema
        self._writer = writer
        self._memory = _Tail()
        self._path: Path | None = None
        self._path_bytes = 0
        self._complete = False
        self._parquet = pq.ParquetWriter(
            pa.PythonFile(self._memory, mode="w"),
            schema,
            compression=writer.compression,
            coerce_timestamps="us",
            allow_truncated_timestamps=True,
            use_compliant_nested_type=True,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            write_page_checksum=True,
        )

    @property
    def size_bytes(self) -> int:
        return self._memory.position

    @property
    def memory_bytes(self) -> int:
        return self._memory.held_bytes

    def write(self, table: pa.Table) -> None:
        self._parquet.write_table(table, row_group_size=max(1, table.num_rows))
        if self._memory.held_bytes > self._writer.in_memory_bytes or self._path is not None:
            try:
                self._move_to_disk()
            except StorageUnavailableError:
                return  # kept in memory; `complete` tries again and tells

    def complete(self, metadata: Mapping[str, str]) -> None:
        if not self._complete:
            if metadata:
                self._parquet.add_key_value_metadata(dict(metadata))
            self._parquet.close()
            self._complete = True
        if self._path is not None or self._memory.held_bytes > self._writer.in_memory_bytes:
            self._move_to_disk()

    def content(self) -> Path | bytes:
        return self._path if self._path is not None else self._memory.held()

    def open(self) -> pq.ParquetFile:
        content = self.content()
        return pq.ParquetFile(content if isinstance(content, Path) else pa.BufferReader(content))

    def discard(self) -> None:
        self._memory.clear()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _move_to_disk(self) -> None:
        try:
            if self._path is None:
                self._path = self._writer._new_path()
            with self._path.open("ab") as file:
                file.truncate(self._path_bytes)  # drops what a failed attempt has left
                for block in self._memory.blocks:
                    file.write(block)
        except OSError as error:
            raise StorageUnavailableError(
                f"The staging folder can't take more data: {error}. Free some space there, or configure another folder."
            ) from error
        self._path_bytes += self._memory.held_bytes
        self._memory.clear()


class _Tail(io.RawIOBase):
    """The bytes written since they were last moved on to disk; `tell` counts from the beginning of the file."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[bytes] = []
        self.held_bytes = 0
        self.position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        block = bytes(data)  # type: ignore[call-overload]  # any buffer; Arrow reuses it after the call
        self.blocks.append(block)
        self.held_bytes += len(block)
        self.position += len(block)
        return len(block)

    def tell(self) -> int:
        return self.position

    def held(self) -> bytes:
        return b"".join(self.blocks)

    def clear(self) -> None:
        self.blocks = []
        self.held_bytes = 0
