"""Partitioner: which folder a row belongs to."""

from __future__ import annotations

import abc
import datetime

from kafka2parquet.rows import Partitioned, Rows


class Partitioner(abc.ABC):
    """Gives every row an encoded partition, such as `year=2026/month=05`. Subclass it for a layout of your own.

    The result must depend on the row and on `opened_at` only: the same rows always go to the same folders.
    """

    #: True where the result depends on `opened_at`: the rows of a batch are then partitioned anew for each flush.
    uses_clock: bool = False

    #: True where rows are partitioned by a time of theirs, `PartitionedRows.timestamps_ms`.
    time_based: bool = False

    @abc.abstractmethod
    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Give each row an encoded partition, or make it a reject (no usable timestamp, missing field).

        Called on the thread that drives the task. Must not block.

        Args:
            rows: one or more rows.
            opened_at: wall clock (UTC) at which the flush was opened that these rows go into.
        """

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Names the settings that decide where a row goes; part of the configuration fingerprint in the footers."""
