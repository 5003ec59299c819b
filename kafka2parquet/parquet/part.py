"""Part: one Parquet file with one schema while it is being encoded."""

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

#: Measured memory of a part's encoder, besides the encoded bytes: in total, and per column.
_ENCODER_BYTES, _ENCODER_COLUMN_BYTES = 48 << 10, 3 << 10
_COMPLETE_COLUMN_BYTES = 1 << 10


def columns_of(fields: Iterable[pa.Field]) -> int:
    """Return the number of Parquet columns for these fields."""
    return sum(columns_of(_inner(field.type)) if field.type.num_fields else 1 for field in fields)


def _inner(type_: pa.DataType) -> list[pa.Field]:
    return [type_.field(number) for number in range(type_.num_fields)]


def encoder_bytes(columns: int) -> int:
    """Return the memory in bytes for encoding a part with `columns` columns, besides the encoded bytes."""
    return _ENCODER_BYTES + columns * _ENCODER_COLUMN_BYTES


#: While a row group is encoded, it goes to disk in pieces of about this size.
_MOST_TAIL_BYTES = 4 << 20


class Part:
    """One Parquet file with one schema, which is encoded in memory and moved to disk row group by row group.

    The file on disk is only open while bytes are appended. So there may be more parts than files that a process may open.
    """

    def __init__(
        self, schema: pa.Schema, options: Mapping[str, Any], in_memory_bytes: int, new_path: Callable[[], Path]
    ) -> None:
        """Start without rows.

        Args:
            schema: schema of all tables.
            options: options for `pyarrow.parquet.ParquetWriter`.
            in_memory_bytes: number of encoded bytes from which on the part moves to disk.
            new_path: creates a file on disk and returns its path.
        """
        self.schema = schema
        self.rows = 0
        """Number of encoded rows."""
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
        """Bytes of memory held: encoded bytes that are not on disk, and the encoder until the part is complete."""
        overhead = self._columns * _COMPLETE_COLUMN_BYTES if self._parquet is None else encoder_bytes(self._columns)
        return self._memory.held_bytes + overhead

    def write(self, table: pa.Table) -> None:
        """Add a row group. It stays in memory if the disk is full.

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
        """Move encoded bytes to disk, even in the middle of a row group. Never raises, because Arrow may be the caller."""
        try:
            self._move_to_disk()
        except StorageUnavailableError:  # the bytes stay in memory; the next row group tries again, and `complete` raises
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
        """Open the complete file for reading."""
        content = self.content()
        return pq.ParquetFile(content if isinstance(content, Path) else pa.BufferReader(content))

    def discard(self) -> None:
        """Drop the content, on disk and in memory."""
        self._memory.clear()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _move_to_disk(self) -> None:
        try:
            if self._path is None:
                self._path = self._new_path()
            with self._path.open("r+b") as file:  # fails if the file is gone, because its bytes are lost then
                if file.seek(0, os.SEEK_END) < self._path_bytes:
                    raise FileNotFoundError(errno.ENOENT, "bytes were cut off", str(self._path))
                file.seek(self._path_bytes)
                file.truncate()  # drops the bytes of a failed attempt
                for block in self._memory.blocks:
                    file.write(block)
        except FileNotFoundError as error:
            raise ConfigurationError(
                f"Another program removed or truncated a staged file: {error}. Nothing is lost: the next start reads its"
                " records again. Choose a staging folder that other programs don't clean up (kafka2parquet.staging.dir)."
            ) from error
        except OSError as error:
            raise StorageUnavailableError(
                f"The staging folder is full or unavailable: {error}. Free some space there, or configure another folder."
            ) from error
        self._path_bytes += self._memory.held_bytes
        self._memory.clear()


class _Tail(io.RawIOBase):
    """The bytes that are not on disk yet. `tell` returns the position in the whole file."""

    def __init__(self, relieve: Callable[[], None]) -> None:
        """Start without bytes. `relieve` is called at `relieve_at_bytes` bytes."""
        super().__init__()
        self.relieve_at_bytes = sys.maxsize
        self._relieve = relieve
        self.blocks: list[bytes] = []
        self.held_bytes = 0
        self.position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        block = bytes(data)  # type: ignore[call-overload]  # a copy, because Arrow reuses the buffer
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
