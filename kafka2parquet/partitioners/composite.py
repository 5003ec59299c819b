"""CompositePartitioner: nests the folders of several partitioners."""

from __future__ import annotations

import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.records import Reject
from kafka2parquet.rows import Partitioned, PartitionedRows, Rows
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.util.user_parts import ask


@checked
class CompositePartitioner(Partitioner):
    """Puts rows into nested folders such as `country=FR/year=2026/month=05`, here by field and then by time."""

    def __init__(self, *partitioners: Partitioner, directory_delimiter: Name = "/") -> None:
        """Combine partitioners.

        Args:
            *partitioners: two or more partitioners, outermost folder first. At most one may be time-based.
            directory_delimiter: delimiter between folders.

        Raises:
            ConfigurationError: there are fewer than two partitioners, or several are time-based.
        """
        if len(partitioners) < 2:
            raise ConfigurationError("CompositePartitioner: partitioners has to be two partitioners or more.")
        if sum(partitioner.time_based for partitioner in partitioners) > 1:
            raise ConfigurationError("CompositePartitioner: only one of partitioners may be by time: a row has one time.")
        self._partitioners = partitioners
        self._delimiter = directory_delimiter
        self.uses_clock = any(partitioner.uses_clock for partitioner in partitioners)
        self.time_based = any(partitioner.time_based for partitioner in partitioners)

    @property
    def fingerprint(self) -> str:
        """Text that identifies the partitioners."""
        return f"composite-{self._delimiter.join(f'({one.fingerprint})' for one in self._partitioners)}"

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Apply each partitioner in turn. A row that one of them rejects is not passed to the next."""
        rejects: list[Reject] = []
        folders: tuple[str, ...] = ("",)
        codes = np.zeros(len(rows), np.int64)
        times = rows.timestamps_ms
        for partitioner in self._partitioners:
            if not len(rows):
                break
            partitioned = ask(partitioner.partition, rows, opened_at)
            rejects += partitioned.rejects
            result = partitioned.rows
            if len(result) < len(rows):
                kept = pc.is_in(rows.offsets, result.rows.offsets)
                rows, times, codes = rows.filter(kept), times.filter(kept), codes[kept.to_numpy(zero_copy_only=False)]
            times = result.timestamps_ms if partitioner.time_based else times
            folders, codes = self._inside(folders, codes, result)
        return Partitioned(PartitionedRows(rows, folders, pa.array(codes.astype(np.int32)), times), rejects)

    def _inside(
        self, outer: tuple[str, ...], codes: npt.NDArray[np.int64], result: PartitionedRows
    ) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
        """Nest the folders of a result in the outer folders. Returns the nested folders and the index of each row's folder."""
        inner = result.encoded_partitions
        pairs, codes = np.unique(codes * len(inner) + result.codes.to_numpy(), return_inverse=True)
        folders = [(outer[pair // len(inner)], inner[pair % len(inner)]) for pair in pairs.tolist()]
        return tuple(self._delimiter.join(filter(None, folder)) for folder in folders), codes
