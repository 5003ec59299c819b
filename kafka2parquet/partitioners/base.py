"""Partitioner: decides in which folder a row is written."""

from __future__ import annotations

import abc
import datetime

from kafka2parquet.rows import Partitioned, Rows


class Partitioner(abc.ABC):
    """Gives each row an encoded partition, such as `year=2026/month=05`. Subclass it for a custom layout.

    The result must only depend on the row and on `opened_at`: the same rows always go to the same folders.
    """

    #: Whether the result depends on `opened_at`. If so, the rows of a batch are partitioned again for each flush.
    uses_clock: bool = False

    #: Whether rows are partitioned by a time, which is then in `PartitionedRows.timestamps_ms`.
    time_based: bool = False

    @abc.abstractmethod
    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Give each row an encoded partition, or make it a reject (for instance without a usable timestamp or field).

        Called on the thread that drives the task. Must not block.

        Args:
            rows: one or more rows.
            opened_at: wall-clock time (UTC) at which the rows' flush was opened.
        """

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Text that identifies the settings that decide where a row goes; part of the footers' configuration fingerprint."""
