"""DefaultPartitioner: one folder per Kafka partition."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa

from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.rows import Partitioned, PartitionedRows, Rows
from kafka2parquet.util.arguments import checked


@checked
class DefaultPartitioner(Partitioner):
    """Puts the rows of Kafka partition 12 into `partition=12`."""

    @property
    def fingerprint(self) -> str:
        """Text that identifies the partitioner."""
        return "default"

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Give all rows the same folder."""
        return Partitioned(in_one_folder(rows, f"partition={rows.batch.topic_partition.partition}", rows.timestamps_ms))


def in_one_folder(rows: Rows, folder: str, timestamps_ms: pa.Array) -> PartitionedRows:
    """Put all rows into the same encoded partition."""
    return PartitionedRows(rows, (folder,), pa.array(np.zeros(len(rows), np.int32)), timestamps_ms)
