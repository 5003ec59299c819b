"""The rules that end a flush, and their combination."""

from __future__ import annotations

import abc
import datetime

import attrs
import numpy as np
import pyarrow.compute as pc

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.rotation.answers import cut_of, due_at_of
from kafka2parquet.rotation.base import FlushStats, RotationPolicy
from kafka2parquet.rotation.schedule import next_boundary
from kafka2parquet.rows import PartitionedRows, Row
from kafka2parquet.util.arguments import Count, Duration, Name, checked
from kafka2parquet.util.time_zones import TimeZoneName, time_zone

_LAST_MS = (1 << 63) - 1
#: Rows that are made Python objects at once, for a policy that looks at each.
_ROWS_AT_ONCE = 500


@checked
class RecordCountRotation(RotationPolicy):
    """Ends a flush with its n-th row, counted over all its files (`flush.size`)."""

    reason = "rows"

    def __init__(self, rows: Count) -> None:
        """Set the number of rows, at least 1."""
        self._rows = rows

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> int | None:
        """The rows that are still missing."""
        missing = max(0, self._rows - stats.rows)
        return missing if missing <= len(batch) else None


@checked
class RecordTimeRotation(RotationPolicy):
    """Ends a flush before the first row whose time is an interval or more after that of its first row (`rotate.interval.ms`).

    The first row is the first one that has a time. Rows that are older, or have none, never end the flush. So that a quiet
    topic-partition doesn't keep its last rows to itself, a flush also ends when it has been open for the interval by the wall
    clock.
    """

    reason = "interval"

    def __init__(self, interval: Duration, *, or_by_the_clock: bool = True) -> None:
        """Set the interval.

        Args:
            interval: positive.
            or_by_the_clock: whether the wall clock ends a flush too.

        Raises:
            ConfigurationError: the interval isn't positive.
        """
        self._interval = interval
        self._interval_ms = interval // datetime.timedelta(milliseconds=1)
        self._or_by_the_clock = or_by_the_clock

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> int | None:
        """The row that is too late."""
        times = batch.timestamps_ms
        base = stats.first_timestamp_ms
        if base is None:
            base = batch.first_time_ms
        if base is None or base + self._interval_ms > _LAST_MS:
            return None
        late = pc.fill_null(pc.greater_equal(times, base + self._interval_ms), False)
        first = pc.index(late, True).as_py()
        return None if first < 0 else first

    def due_at(self, stats: FlushStats) -> datetime.datetime | None:
        """An interval after the flush was opened; never where that is beyond the year 9999."""
        last = datetime.datetime.max.replace(tzinfo=stats.opened_at.tzinfo)
        is_due = self._or_by_the_clock and self._interval <= last - stats.opened_at
        return stats.opened_at + self._interval if is_due else None


@checked
class EncodedPartitionRotation(RotationPolicy):
    """Ends a flush before a row that goes to another folder than the row before it (`rotate.file.on.partition.change`).

    Rows of two hours that come by turns make a file for every turn: leave it out where records may be late.
    """

    reason = "partition"

    def __init__(self, *, passing: Name | None = None) -> None:
        """Make the policy; rows whose folder has `passing` in its name end nothing, nor do those that follow them."""
        self._passing = passing

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> int | None:
        """The first row of another folder."""
        folders = [*batch.encoded_partitions, stats.last_encoded_partition or ""]
        before = [] if stats.last_encoded_partition is None else [len(folders) - 1]
        codes = np.concatenate([np.array(before, np.int64), batch.codes.to_numpy()])
        names = {folder: number for number, folder in enumerate(folders)}
        codes = np.array([names[folder] for folder in folders], np.int64)[codes]
        changes = codes[1:] != codes[:-1]
        if self._passing is not None:
            passing = np.array([self._passing in folder for folder in folders])[codes]
            changes &= ~(passing[1:] | passing[:-1])
        found = np.flatnonzero(changes)
        return int(found[0]) + 1 - len(before) if len(found) else None


@checked
class MaxOpenFilesRotation(RotationPolicy):
    """Ends a flush before a row that would need one file more than allowed (`partitioner.max.open.files`)."""

    reason = "files"

    def __init__(self, files: Count) -> None:
        """Set the number of files, at least 1."""
        self._files = files

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> int | None:
        """The first row of the folder that is one too many."""
        codes = batch.codes.to_numpy()
        distinct, first_rows = np.unique(codes, return_index=True)
        new = sorted(
            int(row)
            for code, row in zip(distinct, first_rows, strict=True)
            if batch.encoded_partitions[code] not in stats.encoded_partitions
        )
        allowed = max(0, self._files - len(stats.encoded_partitions))
        return new[allowed] if len(new) > allowed else None


@checked
class ScheduledRotation(RotationPolicy):
    """Ends flushes at moments of the wall clock, aligned in a time zone (`rotate.schedule.interval.ms`)."""

    reason = "schedule"

    def __init__(self, interval: Duration, *, timezone: TimeZoneName = "UTC") -> None:
        """Set the schedule.

        Args:
            interval: positive; counted from each local midnight.
            timezone: where midnight is.

        Raises:
            ConfigurationError: unknown time zone, or the interval isn't positive.
        """
        self._interval = interval
        self._zone = time_zone(timezone)

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> int | None:
        """Rows never end the flush."""
        return None

    def due_at(self, stats: FlushStats) -> datetime.datetime | None:
        """The next moment of the schedule after the flush was opened."""
        return next_boundary(stats.opened_at, self._interval, self._zone)


@checked
class CompressedBytesRotation(RotationPolicy):
    """Ends a flush at about a number of bytes of compressed Parquet, over all its files.

    The size of rows that aren't encoded yet is estimated from what the topic-partition has written before, so files come out
    near the target, not at it, and cuts depend on how records were polled. Delivery is exactly-once all the same.
    """

    reason = "bytes"

    def __init__(self, target_bytes: Count) -> None:
        """Set the size."""
        self._target_bytes = target_bytes

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> int | None:
        """Before a batch, once the size is reached."""
        return 0 if stats.rows and stats.size_bytes >= self._target_bytes else None


class PerRecordRotation(RotationPolicy):
    """Subclass it and write `should_rotate`. Simple, but many times slower than a policy that works on columns."""

    @abc.abstractmethod
    def should_rotate(self, stats: FlushStats, row: Row) -> bool:
        """Whether the flush ends before this row; asked for every row but a flush's first.

        `stats` are as if all rows before this one had been taken, but for `size_bytes`.
        """

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> int | None:
        """Ask for each row."""
        for start in range(0, len(batch), _ROWS_AT_ONCE):  # rows behind the cut are asked for again, with the next flush
            number, stats = self._cut_of_some(stats, batch.slice(start, _ROWS_AT_ONCE))
            if number is not None:
                return start + number
        return None

    def _cut_of_some(self, stats: FlushStats, batch: PartitionedRows) -> tuple[int | None, FlushStats]:
        folders = batch.encoded_partitions
        open_folders = set(stats.encoded_partitions)  # grows with the stats, as that of a flush does
        for number, (row, code) in enumerate(zip(batch.rows.each(batch.timestamps_ms), batch.codes.to_pylist(), strict=True)):
            if stats.rows and self.should_rotate(stats, row):
                return number, stats
            open_folders.add(folders[code])
            stats = attrs.evolve(
                stats,
                rows=stats.rows + 1,
                encoded_partitions=open_folders,
                first_timestamp_ms=row.timestamp_ms if stats.first_timestamp_ms is None else stats.first_timestamp_ms,
                last_timestamp_ms=row.timestamp_ms,
                last_encoded_partition=folders[code],
            )
        return None, stats


@checked
class FirstOf(RotationPolicy):
    """Ends a flush when the first of several policies does."""

    def __init__(self, *policies: RotationPolicy) -> None:
        """Combine policies; of those that cut at the same row, the first one gives the reason."""
        if not policies:
            raise ConfigurationError("FirstOf: policies has to be one rotation policy or more.")
        self._policies = policies
        self._reason = policies[0].reason

    @property
    def reason(self) -> str:
        """The reason of the policy that was the last one to decide."""
        return self._reason

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> int | None:
        """The least of all cuts."""
        first: int | None = None
        for policy in self._policies:
            rows = cut_of(policy, stats, batch)
            if rows is not None and (first is None or rows < first):
                first, self._reason = rows, policy.reason
        return first

    def due_at(self, stats: FlushStats) -> datetime.datetime | None:
        """The earliest moment of all."""
        first: datetime.datetime | None = None
        for policy in self._policies:
            due_at = due_at_of(policy, stats)
            if due_at is not None and (first is None or due_at < first):
                first, self._reason = due_at, policy.reason
        return first
