"""RotationPolicy decides when a flush ends; FlushStats, Cut and Due are what it reads and returns."""

from __future__ import annotations

import abc
import datetime
from collections.abc import Iterable, Set

import attrs

from kafka2parquet.rows import PartitionedRows


@attrs.frozen
class FlushStats:
    """What is known about an open flush: the run of rows of one topic-partition that will become visible together.

    Attributes:
        rows: number of rows taken so far, over all files of the flush.
        size_bytes: estimated size of these rows as compressed Parquet, over all files of the flush.
        encoded_partitions: the encoded partitions that the flush has files for. The set grows with the flush, so don't keep it.
        opened_at: wall clock time (UTC) at which the first row was taken; the current time while the flush has no rows. If the
            clock was set meanwhile, this is what a correct clock would have shown: the current time minus the flush's age.
        last_row_at: wall clock time (UTC) at which the latest row was taken, computed like `opened_at`.
        first_timestamp_ms: time of the first row that has one, from `PartitionedRows.timestamps_ms`; None if no row has one.
        last_timestamp_ms: time of the last row; None if that row has none.
        last_encoded_partition: encoded partition of the last row; None while the flush has no rows.
    """

    rows: int
    size_bytes: int
    encoded_partitions: Set[str]
    opened_at: datetime.datetime
    last_row_at: datetime.datetime
    first_timestamp_ms: int | None = None
    last_timestamp_ms: int | None = None
    last_encoded_partition: str | None = None


@attrs.frozen
class Cut:
    """Where a flush ends inside a batch, and why.

    Attributes:
        rows: number of leading rows of the batch that still belong to the flush. `len(batch)` ends the flush after the last
            row. 0 ends the flush before the first row, which is allowed only if the flush already has rows.
        reason: one word for events, logs and footers, such as `rows` or `interval`.
    """

    rows: int
    reason: str


@attrs.frozen
class Due:
    """When the clock ends a flush, and why.

    Attributes:
        at: wall clock time, with a time zone.
        reason: one word for events, logs and footers, such as `schedule`.
    """

    at: datetime.datetime
    reason: str


class RotationPolicy(abc.ABC):
    """Decides when a flush ends. Subclass this class or `PerRecordRotation` to write your own rule.

    One policy serves all topic-partitions of a task, so the answers must depend on the arguments only.

    Law for policies that only look at records: the cuts are the same however the records were split into batches.
    Exactly-once delivery holds under every policy, also under one that breaks this law.
    """

    @abc.abstractmethod
    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Cut | None:
        """Return where the flush ends inside `batch`, or None if the flush takes the whole batch and stays open.

        The driver thread of the task calls this method with one or more rows. It must not block.
        """

    def due_at(self, stats: FlushStats) -> Due | None:
        """Return when the clock ends the flush, or None if only records do. Called for flushes that have rows."""
        return None

    @property
    def longest_open(self) -> datetime.timedelta | None:
        """The longest time for which the clock lets a flush with rows be open; None if only records end flushes.

        The status of a sink shows this time as the freshness to expect.
        """
        return None


def first_cut(cuts: Iterable[Cut | None]) -> Cut | None:
    """Return the cut that leaves the fewest rows to the flush; of equal cuts, the first. None if there are none."""
    return min((cut for cut in cuts if cut is not None), key=lambda cut: cut.rows, default=None)
