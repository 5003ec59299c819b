"""ParquetWriter and OpenFile: collect tables and write them as complete Parquet files."""

from __future__ import annotations

import inspect
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kafka2parquet.errors import ConfigurationError, StorageUnavailableError, UsageError
from kafka2parquet.parquet.part import Part, columns_of, encoder_bytes
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.parquet.staging import StagingDirectory
from kafka2parquet.parquet.types import Fitted, ParquetTypes, fit, unwritable_rows, written_schema
from kafka2parquet.rows import concatenated
from kafka2parquet.schema.lattice import conform, unify
from kafka2parquet.util.arguments import Count, Name, OneOf, WholeNumber, checked
from kafka2parquet.util.arrays import PackedTable

_COMPRESSIONS = ("none", "snappy", "gzip", "zstd", "brotli", "lz4", "lz4_raw")
#: Options that this version of pyarrow lacks are left out: files then have the same values, in slightly different types.
#: `store_decimal_as_integer` and `write_time_adjusted_to_utc` can be passed always once all supported versions have both.
_PYARROW_OPTIONS = inspect.signature(pq.ParquetWriter.__init__).parameters
#: A column of mostly different values gives up its dictionary at this size, which saves work and makes files smaller.
_DICTIONARY_BYTES = 128 << 10
#: Memory of one column of a buffered table besides its values: measured.
_TABLE_COLUMN_BYTES = 1 << 10
#: This number of buffered tables is merged into one, if each is smaller than `_SMALL_TABLE_BYTES`.
_MERGED_TABLES, _SMALL_TABLE_BYTES = 16, 64 << 10
#: Columns with values of at least this size get no statistics.
_LARGE_VALUE_BYTES = 64 << 10
_OPTIONS_BY_TYPES: Mapping[ParquetTypes, Mapping[str, bool]] = {
    "own": {"store_decimal_as_integer": True},
    "connect": {"write_time_adjusted_to_utc": True},
}


@checked
class ParquetWriter:
    """Opens the files of a task, and holds the settings that they are written with.

    Lists are written in the three-level form of the Parquet specification. Pages have checksums, and an index lets engines skip
    pages that they don't need.
    """

    def __init__(
        self,
        *,
        compression: Annotated[str, OneOf(_COMPRESSIONS)] = "snappy",
        compression_level: int | None = None,
        types: ParquetTypes = "own",
        row_group_bytes: Count = 64 << 20,
        in_memory_bytes: WholeNumber = 256 << 10,
        staging_directory: Name | Path | None = None,
    ) -> None:
        """Makes a writer, which touches nothing before the first file.

        Args:
            compression: `snappy`, `zstd`, `gzip`, `brotli`, `lz4`, `lz4_raw` or `none`.
            compression_level: of `zstd` (1 to 22), `gzip` (1 to 9), `brotli` (0 to 11) and `lz4` (1 to 12); by default the
                codec's own.
            types: `own` are the types that query engines handle best: timestamps and times in microseconds, decimals of up to
                38 digits. `connect` are the types that Confluent's sink writes: timestamps and times in milliseconds, int8 and
                int16 as plain INT32, decimals with the number of digits of their schema.
            row_group_bytes: Arrow bytes at which buffered rows become a row group.
            in_memory_bytes: size from which files are staged on disk; smaller files stay in memory until they are published.
            staging_directory: folder for staged files; by default the system's folder for temporary files.

        Raises:
            ConfigurationError: unknown compression, level or types.
        """
        _check_level(compression, compression_level)
        self.compression = compression
        self.compression_level = compression_level
        self.types = types
        self.row_group_bytes = row_group_bytes
        self.in_memory_bytes = in_memory_bytes
        self._staging_parent = staging_directory
        self._staging: StagingDirectory | None = None
        # the schema of the last table and its written schema, because most tables have the same schema
        self._given: pa.Schema | None = None
        self._written: pa.Schema | None = None

    def open(self) -> OpenFile:
        """Begins a file. All files of a writer are used on one thread."""
        return OpenFile(self)

    def fit(self, table: pa.Table) -> Fitted:
        """Brings a table to the types that are written, and leaves out the rows that can't be."""
        return fit(table, self._written_schema(table))

    def unwritable_rows(self, table: pa.Table) -> Mapping[int, str]:
        """Finds the rows that `fit` refuses, with the reason for each by its index, and casts as little as possible."""
        return unwritable_rows(table, self._written_schema(table))

    def _written_schema(self, table: pa.Table) -> pa.Schema:
        given = table.schema
        if self._given is None or not given.equals(self._given, check_metadata=True):
            self._given, self._written = given, written_schema(given, self.types)
        return self._written

    @property
    def staging_bytes(self) -> int:
        """The size of the files in the staging folder. May be read on any thread."""
        staging = self._staging
        return staging.used_bytes if staging is not None else 0

    def close(self) -> None:
        """Deletes all staged files. May be called twice."""
        if self._staging is not None:
            self._staging.close()
            self._staging = None

    def _new_part(self, schema: pa.Schema, table: pa.Table | None = None) -> Part:
        """Begins a part; `table` is its first row group, if that is known."""
        options = {
            "compression": self.compression,
            "compression_level": self.compression_level,
            "use_compliant_nested_type": True,
            "dictionary_pagesize_limit": _DICTIONARY_BYTES,
            "write_page_checksum": True,
            "write_page_index": True,
            "write_statistics": True if table is None else _columns_with_statistics(table),
            **{name: on for name, on in _OPTIONS_BY_TYPES[self.types].items() if name in _PYARROW_OPTIONS},
        }
        return Part(schema, options, self.in_memory_bytes, self._new_path)

    def _new_path(self) -> Path:
        if self._staging is None:
            self._staging = StagingDirectory(self._staging_parent)
        return self._staging.new_file()


def _columns_with_statistics(table: pa.Table) -> list[str] | bool:
    """Returns the paths of the columns that get statistics; True for all columns.

    Arrow's Parquet writer holds the smallest and the largest value of a column until the next row group, and doesn't write
    values of more than 4 KiB to the statistics. So each open file would hold some of the largest values for nothing.
    """
    large = {
        name
        for name, column in zip(table.column_names, table.columns, strict=True)
        if column.nbytes > _LARGE_VALUE_BYTES and _most_bytes(column) > _LARGE_VALUE_BYTES
    }
    if not large:
        return True
    file = io.BytesIO()
    pq.write_table(table.schema.empty_table(), file, use_compliant_nested_type=True)
    leaves = pq.ParquetFile(file).schema
    return [leaves.column(i).path for i in range(len(leaves)) if leaves.column(i).path not in large]


def _most_bytes(column: pa.ChunkedArray) -> int:
    """The length of the largest text or bytes; 0 for other types."""
    if not (pa.types.is_binary(column.type) or pa.types.is_string(column.type)):
        return 0
    return int(pc.max(pc.binary_length(column)).as_py() or 0)


def _check_level(compression: str, level: int | None) -> None:
    if level is None:
        return
    if compression in ("none", "snappy"):
        raise ConfigurationError(
            f"ParquetWriter: compression_level {level}: {compression} has no levels. Leave the level out, or use zstd."
        )
    least, most = max(pa.Codec.minimum_compression_level(compression), 0), pa.Codec.maximum_compression_level(compression)
    if not least <= level <= most:
        raise ConfigurationError(
            f"ParquetWriter: compression_level of {compression} has to be from {least} to {most}, not {level}."
        )


class OpenFile:
    """A file that is being filled. Buffers rows, and moves row groups to local disk.

    Tables with different schemas may be appended: if the schema has grown since a row group was written, another part is
    begun, and `finish` unites the parts into one file.
    """

    def __init__(self, writer: ParquetWriter) -> None:
        self._writer = writer
        self._given: pa.Schema | None = None
        self._buffered: list[pa.Table | PackedTable] = []
        self._saved_bytes = 0
        self._merges: list[int] = []
        """For each buffered table how often it was merged; -1 for a table that is large enough."""
        self._columns = 0
        self._parts: list[Part] = []
        self._finished: StagedFile | None = None
        self.rows = 0
        self.buffered_bytes = 0
        """Arrow bytes of rows that are not in a row group yet; sparse columns take less memory than this."""
        self.spilled_bytes = 0
        """Arrow bytes of rows that are in row groups."""

    @property
    def encoded_bytes(self) -> int:
        """Parquet bytes written so far."""
        return sum(part.size_bytes for part in self._parts)

    @property
    def memory_bytes(self) -> int:
        """Memory of buffered rows, of encoded bytes that are not on disk, and of tables and encoders themselves."""
        return self._buffered_memory_bytes + sum(part.memory_bytes for part in self._parts)

    @property
    def spill_gain_bytes(self) -> int:
        """Memory that `spill` would free at most; negative if it would take more than it frees."""
        return self._buffered_memory_bytes - (0 if self._parts else encoder_bytes(self._columns))

    @property
    def _buffered_memory_bytes(self) -> int:
        return self.buffered_bytes - self._saved_bytes + len(self._buffered) * (self._columns + 1) * _TABLE_COLUMN_BYTES

    def schema(self) -> pa.Schema:
        """The schema of the rows so far, with their types before the conversion to the file's types."""
        return unify([] if self._given is None else [self._given])

    def append(self, table: pa.Table) -> None:
        """Takes rows. Writes full row groups at once, which may take a few hundred milliseconds.

        Raises:
            UsageError: a row can't be written; `ParquetWriter.unwritable_rows` finds such rows.
        """
        fitted = self._writer.fit(table)
        if fitted.refused:
            row, reason = min(fitted.refused.items())
            raise UsageError(
                f"Row {row} can't be written: {reason}. Leave out the rows that ParquetWriter.unwritable_rows finds."
            )
        if self._given is None or not table.schema.equals(self._given):
            self._given = table.schema if self._given is None else unify([self._given, table.schema])
            self._columns = columns_of(self._given)
        table = fitted.table
        self._buffered.append(self._packed(table))
        self._merges.append(0 if table.nbytes < _SMALL_TABLE_BYTES else -1)
        self._merge_small()
        self.rows += table.num_rows
        self.buffered_bytes += table.nbytes
        if self.buffered_bytes >= self._writer.row_group_bytes:
            self.spill()

    def _packed(self, table: pa.Table) -> pa.Table | PackedTable:
        """Returns the form in which the table is held until it is encoded."""
        if table.nbytes < _SMALL_TABLE_BYTES:
            return table
        packed = PackedTable(table)
        saved_bytes = table.nbytes - packed.nbytes
        if saved_bytes <= 0:
            return table
        self._saved_bytes += saved_bytes
        return packed

    def _merge_small(self) -> None:
        """Merges small tables, which take more memory than their values. Each row is copied only a few times."""
        while len(self._merges) >= _MERGED_TABLES and self._merges[-1] >= 0:
            last = self._merges[-_MERGED_TABLES:]
            if last[0] != last[-1]:
                return
            tables = self._buffered[-_MERGED_TABLES:]
            merged = _concatenate(tables, unify([table.schema for table in tables])).combine_chunks()
            self._buffered[-_MERGED_TABLES:] = [self._packed(merged)]
            self._merges[-_MERGED_TABLES:] = [last[0] + 1 if merged.nbytes < _SMALL_TABLE_BYTES else -1]

    def spill(self) -> None:
        """Writes the buffered rows to disk as a row group, so that they no longer take memory.

        While the disk is full, the row group stays in memory. Rows without columns, which Parquet doesn't have, stay buffered
        until other rows bring columns; they take hardly any memory.
        """
        schema = unify([part.schema for part in self._parts[-1:]] + [table.schema for table in self._buffered])
        if not self._buffered or not len(schema):
            return
        table = _concatenate(self._buffered, schema)
        if not self._parts or not schema.equals(self._parts[-1].schema):
            self._parts.append(self._writer._new_part(schema, table))
        self._parts[-1].write(table)
        self._buffered.clear()
        self._merges.clear()
        self.spilled_bytes += self.buffered_bytes
        self.buffered_bytes = self._saved_bytes = 0

    def finish(self, metadata: Mapping[str, str], schema: pa.Schema | None = None) -> StagedFile:
        """Completes the file with `metadata` in its footer.

        Args:
            metadata: key-value metadata for the footer.
            schema: the schema of a file without rows, or whose rows have no columns; ignored for other files.

        Raises:
            StorageUnavailableError: the staging folder is full. Nothing is lost: call `finish` again later.
        """
        if self._finished is None:
            self.spill()
            if not len(self.schema()):
                self._replace_columns(written_schema(schema if schema is not None else pa.schema([]), self._writer.types))
            if len(self._parts) > 1:
                self._parts = [self._united()]
            part = self._parts[0]
            part.complete(metadata)
            self._finished = StagedFile(part.content(), part.size_bytes, part.rows, dict(metadata))
        return self._finished

    def _replace_columns(self, schema: pa.Schema) -> None:
        """Gives rows without columns the columns of a schema; all values are null."""
        for part in self._parts:  # of an earlier attempt
            part.discard()
        self._buffered.clear()
        self._merges.clear()
        self._parts = [self._writer._new_part(schema)]
        if self.rows:
            self._parts[0].write(pa.table([pa.nulls(self.rows, field.type) for field in schema], schema=schema))

    def _united(self) -> Part:
        united = self._writer._new_part(unify([part.schema for part in self._parts]))
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
        """Drops the file and everything that it holds."""
        self._buffered.clear()
        self._merges.clear()
        self.buffered_bytes = self._saved_bytes = 0
        for part in self._parts:
            part.discard()


def _concatenate(tables: Sequence[pa.Table | PackedTable], schema: pa.Schema) -> pa.Table:
    whole = (table.unpacked() if isinstance(table, PackedTable) else table for table in tables)
    return concatenated([table if table.schema.equals(schema) else conform(table, schema) for table in whole])
