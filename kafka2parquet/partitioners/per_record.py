"""PerRecordPartitioner: base class for a layout that is computed record by record."""

from __future__ import annotations

import abc
import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.records import Stage
from kafka2parquet.rows import Partitioned, PartitionedRows, Row, Rows


class PerRecordPartitioner(Partitioner):
    """Base class for simple partitioners: subclass it and implement `encode`. Much slower than working on columns."""

    @abc.abstractmethod
    def encode(self, row: Row) -> str:
        """Return the encoded partition of a row, such as `country=FR`.

        Raises:
            ValueError: the row has no folder. The record is rejected, with the message as the reason.
        """

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Call `encode` for each row."""
        folders: list[str | None] = []
        reasons: dict[int, str] = {}
        for row in rows.each():
            try:
                folders.append(self.encode(row))
            except ValueError as error:
                folders.append(None)
                reasons[row.offset] = str(error)
        rejects = rows.batch.reject_offsets(np.array(list(reasons), np.int64), Stage.PARTITION, list(reasons.values()))
        return Partitioned(by_folder(rows, pa.array(folders, pa.string()), rows.timestamps_ms), rejects)


def by_folder(rows: Rows, folders: pa.Array, timestamps_ms: pa.Array) -> PartitionedRows:
    """Combine rows with their folders. Drops rows whose folder is null."""
    if folders.null_count:
        valid = pc.is_valid(folders)
        rows, folders, timestamps_ms = rows.filter(valid), folders.filter(valid), timestamps_ms.filter(valid)
    encoded = folders.dictionary_encode()
    return PartitionedRows(rows, tuple(encoded.dictionary.to_pylist()), encoded.indices, timestamps_ms)
