"""Part: one Parquet file of one schema while it is encoded."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.errors import ConfigurationError, StorageUnavailableError, UsageError

#: What a part takes besides its encoded bytes while it is encoded, and once it is complete: measured.
_ENCODER_BYTES, _ENCODER_COLUMN_BYTES = 48 << 10, 3 << 10
_COMPLETE_COLUMN_BYTES = 1 << 10


def columns_of(fields: Iterable[pa.Field]) -> int:
    """Return how many columns of a Parquet file these fields take."""
    return sum(columns_of(_inner(field.type)) if field.type.num_fields else 1 for field in fields)


def _inner(type_: pa.DataType) -> list[pa.Field]:
    return [type_.field(number) for number in range(type_.num_fields)]


def encoder_bytes(columns: int) -> int:
    """Return memory that encoding a part of `columns` columns takes, besides its bytes."""
    return _ENCODER_BYTES + columns * _ENCODER_COLUMN_BYTES


#: A row group goes to disk while it is encoded, in pieces of about this size.
_MOST_TAIL_BYTES = 4 << 20


class Part:
    """One Parquet file of one schema, encoded into memory and moved on to disk row group by row group.

    The disk file is open only while bytes are appended, so the number of files being filled is not bounded by the number of
    files that a process may have open.
    """

    def __init__(
        self, schema: pa.Schema, options: Mapping[str, Any], in_memory_bytes: int, new_path: Callable[[], Path]
    ) -> None:
        """Begin without rows.

        Args:
            schema: of all tables that are written.
            options: for `pyarrow.parquet.ParquetWriter`.
            in_memory_bytes: encoded bytes beyond which they go to disk.
            new_path: makes up a path for them.
        """
        self.schema = schema
        self.rows = 0
        """Rows that are encoded."""
        self._in_memory_bytes = in_memory_bytes
        self._new_path = new_path
        self._memory = _Tail(self._relieve)
        self._lost: ConfigurationError | None = None
        self._path: Path | None = None
        self._path_bytes = 0
        self._columns = columns_of(schema)
        self._parquet: pq.ParquetWriter | None = pq.ParquetWriter(pa.PythonFile(self._memory, mode="w"), schema, **options)

    @property
    def size_bytes(self) -> int:
        """Parquet bytes so far."""
        return self._memory.position

    @property
    def memory_bytes(self) -> int:
        """Memory held: encoded bytes that are not on disk, and the encoder, which goes when the part is complete."""
        overhead = self._columns * _COMPLETE_COLUMN_BYTES if self._parquet is None else encoder_bytes(self._columns)
        return self._memory.held_bytes + overhead

    def write(self, table: pa.Table) -> None:
        """Add a row group. Where the disk is full it stays in memory.

        Raises:
            ConfigurationError: another program has removed what was on disk.
            UsageError: the part is complete.
        """
        if self._parquet is None:
            raise UsageError("A complete part takes no more rows.")
        self._memory.relieve_at_bytes = max(_MOST_TAIL_BYTES, self._in_memory_bytes)
        self._parquet.write_table(table, row_group_size=max(1, table.num_rows))
        self.rows += table.num_rows
        if self._memory.held_bytes > self._in_memory_bytes or self._path is not None:
            self._relieve()
        if self._lost is not None:
            raise self._lost

    def _relieve(self) -> None:
        """Move on to disk what is in memory, also in the middle of a row group. Raises nothing: Arrow may be the caller."""
        try:
            self._move_to_disk()
        except StorageUnavailableError:  # kept in memory; the next row group tries again, and `complete` raises
            self._memory.relieve_at_bytes = sys.maxsize
        except ConfigurationError as error:
            self._memory.relieve_at_bytes = sys.maxsize
            self._lost = error

    def complete(self, metadata: Mapping[str, str]) -> None:
        """Write the footer. May be called again after an error.

        Raises:
            ConfigurationError: another program has removed what was on disk.
            StorageUnavailableError: the disk is full.
        """
        if self._parquet is not None:
            if metadata:
                self._parquet.add_key_value_metadata(dict(metadata))
            self._parquet.close()
            self._parquet = None
        if self._path is not None or self._memory.held_bytes > self._in_memory_bytes:
            self._move_to_disk()

    def content(self) -> Path | bytes:
        """Return the file, once it is complete."""
        return self._path if self._path is not None else self._memory.held()

    def open(self) -> pq.ParquetFile:
        """Read it, once it is complete."""
        content = self.content()
        return pq.ParquetFile(content if isinstance(content, Path) else pa.BufferReader(content))

    def discard(self) -> None:
        """Drop it."""
        self._memory.clear()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _move_to_disk(self) -> None:
        try:
            if self._path is None:
                self._path = self._new_path()
            with self._path.open("r+b") as file:  # made by the staging folder; where it is gone, its bytes are
                if file.seek(0, os.SEEK_END) < self._path_bytes:
                    raise FileNotFoundError(errno.ENOENT, "bytes were cut off", str(self._path))
                file.seek(self._path_bytes)
                file.truncate()  # drops what a failed attempt has left
                for block in self._memory.blocks:
                    file.write(block)
        except FileNotFoundError as error:
            raise ConfigurationError(
                f"A staged file was removed or cut off by another program: {error}. Nothing is lost: the next start reads its"
                " records again. Choose a staging folder that nothing tidies up (kafka2parquet.staging.dir)."
            ) from error
        except OSError as error:
            raise StorageUnavailableError(
                f"The staging folder can't take more data: {error}. Free some space there, or configure another folder."
            ) from error
        self._path_bytes += self._memory.held_bytes
        self._memory.clear()


class _Tail(io.RawIOBase):
    """The bytes written since they were last moved on to disk; `tell` counts from the beginning of the file."""

    def __init__(self, relieve: Callable[[], None]) -> None:
        """Begin without bytes; `relieve` is called when there are `relieve_at_bytes`."""
        super().__init__()
        self.relieve_at_bytes = sys.maxsize
        self._relieve = relieve
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
        if self.held_bytes >= self.relieve_at_bytes:
            self._relieve()
        return len(block)

    def tell(self) -> int:
        return self.position

    def held(self) -> bytes:
        return b"".join(self.blocks)

    def clear(self) -> None:
        self.blocks = []
        self.held_bytes = 0
