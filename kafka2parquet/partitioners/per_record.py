"""PerRecordPartitioner: a layout written record by record."""

from __future__ import annotations

import abc
import datetime

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.records import Reject, Stage
from kafka2parquet.rows import Partitioned, PartitionedRows, Row, Rows


class PerRecordPartitioner(Partitioner):
    """Subclass it and write `encode`. Simple, but many times slower than a partitioner that works on columns."""

    @abc.abstractmethod
    def encode(self, row: Row) -> str:
        """Return the encoded partition of a row, such as `country=FR`.

        Raises:
            ValueError: it has none; the record is rejected, with the message as the reason.
        """

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Ask for each row."""
        folders: list[str | None] = []
        rejects: list[Reject] = []
        for row in rows.each():
            try:
                folders.append(self.encode(row))
            except ValueError as error:
                folders.append(None)
                rejects.append(rows.batch.reject_offset(row.offset, Stage.PARTITION, str(error)))
        return Partitioned(by_folder(rows, pa.array(folders, pa.string()), rows.timestamps_ms), rejects)


def by_folder(rows: Rows, folders: pa.Array, timestamps_ms: pa.Array) -> PartitionedRows:
    """Rows with their folders; a row whose folder is null is left out."""
    if folders.null_count:
        valid = pc.is_valid(folders)
        rows, folders, timestamps_ms = rows.filter(valid), folders.filter(valid), timestamps_ms.filter(valid)
    encoded = folders.dictionary_encode()
    return PartitionedRows(rows, tuple(encoded.dictionary.to_pylist()), encoded.indices, timestamps_ms)
