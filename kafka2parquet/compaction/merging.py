"""Writes a merged file from its originals, row group by row group."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kafka2parquet.compaction.originals import clean
from kafka2parquet.compaction.storage import MergeStorage
from kafka2parquet.errors import StorageUnavailableError
from kafka2parquet.merged.footer import METADATA_KEY as MERGED_KEY
from kafka2parquet.merged.plan import FileFormat, MergePlan, PlannedOutput
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.parquet.types import ParquetTypes, written_schema
from kafka2parquet.parquet.writer import OpenFile, ParquetWriter
from kafka2parquet.storage.base import AlreadyExists
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS
from kafka2parquet.util.display import counted

#: The column of offsets, if the sink adds one.
_OFFSETS = pa.field("_kafka_offset", pa.int64())


class MergeError(Exception):
    """A merged file can't be written, or differs from its originals. The text says why."""


class Merger:
    """Creates the merged files of a plan that don't exist yet. For use by one thread.

    Holds at most about two row groups in memory. Files are staged in a local folder.
    """

    def __init__(self, storage: MergeStorage, staging_directory: str | Path | None = None) -> None:
        """Prepare. Nothing is read yet.

        Args:
            storage: where the files are.
            staging_directory: local folder for staged files; by default the system's folder for temporary files.
        """
        self._storage = storage
        self._staging_directory = staging_directory

    def create(self, plan: MergePlan, output: PlannedOutput) -> bool:
        """Create a merged file. Returns False if it exists already. Blocks: reads all originals.

        Raises:
            MergeError: an original is gone or damaged, or another object has the key.
            Kafka2ParquetError: the store doesn't answer or refuses access, or the staging folder is full.
        """
        metadata = plan.footer(output).to_metadata()
        existing = self._storage.read_metadata(output.key)
        if existing is not None:
            _check_same(output, existing, metadata)
            return False
        schema = read_schema(self._storage, output.inputs[0].key)
        writer = _writer(plan.format, schema, self._staging_directory)
        file = writer.open()
        try:
            staged = self._write(file, output, schema, metadata)
            published = self._storage.publish(output.key, staged)
        finally:
            file.discard()
            writer.close()
        if isinstance(published, AlreadyExists):
            _check_same(output, published.metadata or {}, metadata)
        return not isinstance(published, AlreadyExists)

    def _write(self, file: OpenFile, output: PlannedOutput, schema: pa.Schema, metadata: dict[str, str]) -> StagedFile:
        for table in read_rows(self._storage, output, schema):
            file.append(table)
        if file.rows != output.rows:
            raise MergeError(f"the originals of {output.key} have {counted(file.rows, 'row')}, but the plan says {output.rows}")
        return file.finish(metadata, schema)


@contextlib.contextmanager
def opened(storage: MergeStorage, key: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file. Blocks, as does reading in the block.

    Raises:
        MergeError: the file is damaged, or doesn't exist.
        StorageUnavailableError: the store doesn't answer.
    """
    try:
        with storage.open(key) as source:
            try:
                yield pq.ParquetFile(source, page_checksum_verification=True)
            except (*ARROW_DATA_ERRORS, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None:  # from the store; Arrow's own have no number
                    raise
                raise MergeError(f"{key} can't be read: {error}") from error
    except StorageUnavailableError as error:
        if storage.read_metadata(key) is None:  # trying again wouldn't help
            raise MergeError(f"{key} doesn't exist any more") from error
        raise


def read_schema(storage: MergeStorage, key: str) -> pa.Schema:
    """Return a file's Arrow schema, without the metadata about flushes and merges. Blocks.

    Raises:
        MergeError: the file is damaged, or doesn't exist.
        StorageUnavailableError: the store doesn't answer.
    """
    with opened(storage, key) as file:
        return clean(file.schema_arrow)


def read_rows(storage: MergeStorage, output: PlannedOutput, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of a merged file's originals in the order of the merged file, row group by row group. Blocks.

    Raises:
        MergeError: an original is damaged, doesn't exist, or has another schema.
        StorageUnavailableError: the store doesn't answer.
    """
    for original in output.inputs:
        rows = 0
        offsets: list[int] = []
        for table in row_groups(storage, original.key):
            if not table.schema.equals(schema, check_metadata=True):
                raise MergeError(f"{original.key} has another schema than {output.inputs[0].key}")
            rows += table.num_rows
            if original.role == "values" and table.num_rows and _has_offsets(schema):
                offsets += pc.min_max(table[_OFFSETS.name]).as_py().values()
            yield table
        if rows != original.rows:
            raise MergeError(f"{original.key} has {counted(rows, 'row')}, but the plan says {original.rows}")
        if offsets and (min(offsets), max(offsets)) != (original.first_offset, original.last_offset):
            raise MergeError(
                f"{original.key} has the offsets {min(offsets)} to {max(offsets)}, but the plan says {original.first_offset} to"
                f" {original.last_offset}"
            )


def row_groups(storage: MergeStorage, key: str) -> Iterator[pa.Table]:
    """Yield the row groups of a file. Blocks.

    Raises:
        MergeError: the file is damaged, or doesn't exist.
        StorageUnavailableError: the store doesn't answer.
    """
    with opened(storage, key) as file:
        schema = clean(file.schema_arrow)
        for number in range(file.num_row_groups):
            yield file.read_row_group(number, use_threads=False).replace_schema_metadata(schema.metadata)


def _has_offsets(schema: pa.Schema) -> bool:
    return _OFFSETS.name in schema.names and schema.field(_OFFSETS.name).type == _OFFSETS.type


def _check_same(output: PlannedOutput, existing: object, metadata: dict[str, str]) -> None:
    """Check that the object at a key is the merged file of the same plan.

    Raises:
        MergeError: the object is another one.
    """
    if not isinstance(existing, dict) or existing.get(MERGED_KEY) != metadata[MERGED_KEY]:
        raise MergeError(f"{output.key} is not the file of this plan. Move it away, if another tool wrote it")


def _writer(file_format: FileFormat, schema: pa.Schema, staging_directory: str | Path | None) -> ParquetWriter:
    """Return a writer that leaves the schema as it is: the files may be older than the configured types."""
    kinds = sorted(get_args(ParquetTypes), key=lambda kind: kind != file_format.types)
    types = next((kind for kind in kinds if written_schema(schema, kind).equals(schema)), kinds[0])
    return ParquetWriter(
        compression=file_format.compression,
        compression_level=file_format.compression_level,
        types=cast(ParquetTypes, types),
        row_group_bytes=file_format.row_group_bytes,
        staging_directory=staging_directory,
    )
