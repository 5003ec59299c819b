"""RotationPolicy: what ends a flush."""

from __future__ import annotations

import abc
import datetime
from collections.abc import Set

import attrs

from kafka2parquet.rows import PartitionedRows


@attrs.frozen
class FlushStats:
    """What is known of an open flush: the run of rows of one topic-partition that will become visible together.

    Attributes:
        rows: rows taken so far, over all its files.
        size_bytes: estimate of their compressed Parquet bytes, over all its files.
        encoded_partitions: the encoded partitions it has files for now; don't keep it, as it grows with the flush.
        opened_at: wall clock (UTC) when its first row was taken; before that, now. Where the clock was set meanwhile, this is
            what it would have shown had it been right: now minus the time that has passed since.
        last_row_at: wall clock (UTC) when its latest row was taken, in the same way; before that, now.
        first_timestamp_ms: `PartitionedRows.timestamps_ms` of its first row that has a time, None before that.
        last_timestamp_ms: the same of its last row, None where that row has no time.
        last_encoded_partition: encoded partition of its last row, None before that.
    """

    rows: int
    size_bytes: int
    encoded_partitions: Set[str]
    opened_at: datetime.datetime
    last_row_at: datetime.datetime
    first_timestamp_ms: int | None = None
    last_timestamp_ms: int | None = None
    last_encoded_partition: str | None = None


class RotationPolicy(abc.ABC):
    """Decides when a flush ends. Subclass it (or `PerRecordRotation`) for a rule of your own.

    Law for policies that look only at records: any way of splitting the same records into batches gives the same cuts.
    Exactly-once delivery doesn't need the law; it holds under every policy.
    """

    @abc.abstractmethod
    def cut(self, stats: FlushStats, batch: PartitionedRows) -> int | None:
        """How many leading rows of `batch` still belong to the flush; None when all of them do and it stays open.

        `len(batch)` ends the flush after the last row. 0 ends it before the first one, and is allowed only if
        `stats.rows > 0`. Called on the thread that drives the task for one or more rows; must not block.
        """

    def due_at(self, stats: FlushStats) -> datetime.datetime | None:
        """When the clock alone ends the flush, UTC; None for never. Called for flushes that have rows."""
        return None

    @property
    def reason(self) -> str:
        """One word for logs and footers, such as `rows` or `schedule`: why the last cut was made, or the clock was due."""
        return type(self).__name__
