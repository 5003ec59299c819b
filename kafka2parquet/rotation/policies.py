"""The built-in rotation policies, and their combination `FirstOf`."""

from __future__ import annotations

import abc
import datetime

import attrs
import numpy as np
import pyarrow.compute as pc

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.rotation.answers import cut_of, due_of
from kafka2parquet.rotation.base import Cut, Due, FlushStats, RotationPolicy, first_cut
from kafka2parquet.rows import PartitionedRows, Row
from kafka2parquet.util.arguments import Count, Duration, Name, checked
from kafka2parquet.util.time_zones import TimeZoneName, time_zone

_LAST_MS = (1 << 63) - 1
#: How many rows become Python objects at once for a policy that looks at each row.
_ROWS_AT_ONCE = 500


@checked
class RecordCountRotation(RotationPolicy):
    """Ends a flush when it has `rows` rows, counted over all its files (`flush.size`)."""

    def __init__(self, rows: Count) -> None:
        """Set the number of rows, at least 1."""
        self._rows = rows

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Cut | None:
        """Cut after the row that makes the flush full."""
        missing = max(0, self._rows - stats.rows)
        return Cut(missing, "rows") if missing <= len(batch) else None


@checked
class RecordTimeRotation(RotationPolicy):
    """Ends a flush before the first row whose time is `interval` or more after the flush's first time (`rotate.interval.ms`).

    The flush's first time is the time of its first row with a time. Rows that are older or have no time never end the flush.
    The wall clock also ends a flush that has been open for `interval`, so that the last rows of a quiet topic-partition are
    published.
    """

    def __init__(self, interval: Duration, *, or_by_the_clock: bool = True) -> None:
        """Set the interval.

        Args:
            interval: positive.
            or_by_the_clock: whether the wall clock also ends flushes.

        Raises:
            ConfigurationError: the interval is not positive.
        """
        self._interval = interval
        self._interval_ms = interval // datetime.timedelta(milliseconds=1)
        self._or_by_the_clock = or_by_the_clock

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Cut | None:
        """Cut before the first row that is too late."""
        times = batch.timestamps_ms
        base = stats.first_timestamp_ms
        if base is None:
            base = batch.first_time_ms
        if base is None or base + self._interval_ms > _LAST_MS:
            return None
        late = pc.fill_null(pc.greater_equal(times, base + self._interval_ms), False)
        first = pc.index(late, True).as_py()
        return None if first < 0 else Cut(first, "interval")

    def due_at(self, stats: FlushStats) -> Due | None:
        """Return when the flush has been open for the interval; None without `or_by_the_clock`, or after the year 9999."""
        last = datetime.datetime.max.replace(tzinfo=stats.opened_at.tzinfo)
        is_due = self._or_by_the_clock and self._interval <= last - stats.opened_at
        return Due(stats.opened_at + self._interval, "interval") if is_due else None

    @property
    def longest_open(self) -> datetime.timedelta | None:
        """The interval; None without `or_by_the_clock`."""
        return self._interval if self._or_by_the_clock else None


@checked
class EncodedPartitionRotation(RotationPolicy):
    """Ends a flush before a row that goes to another folder than the row before it (`rotate.file.on.partition.change`).

    If the rows of two folders alternate, each change ends a file. Don't use this policy if records may be late.
    """

    def __init__(self, *, passing: Name | None = None) -> None:
        """Make the policy.

        Args:
            passing: part of a folder's name. Neither a row in such a folder nor the row after it ends a flush.
        """
        self._passing = passing

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Cut | None:
        """Cut before the first row of another folder."""
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
        return Cut(int(found[0]) + 1 - len(before), "partition") if len(found) else None


@checked
class MaxOpenFilesRotation(RotationPolicy):
    """Ends a flush before a row that would need more than `files` files (`partitioner.max.open.files`)."""

    def __init__(self, files: Count) -> None:
        """Set the number of files, at least 1."""
        self._files = files

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Cut | None:
        """Cut before the first row of the folder that is one too many."""
        codes = batch.codes.to_numpy()
        distinct, first_rows = np.unique(codes, return_index=True)
        new = sorted(
            int(row)
            for code, row in zip(distinct, first_rows, strict=True)
            if batch.encoded_partitions[code] not in stats.encoded_partitions
        )
        allowed = max(0, self._files - len(stats.encoded_partitions))
        return Cut(new[allowed], "files") if len(new) > allowed else None


#: A day on which clocks are set back by an hour.
_LONGEST_DAY = datetime.timedelta(hours=25)


@checked
class ScheduledRotation(RotationPolicy):
    """Ends flushes at fixed times of the day, in a time zone (`rotate.schedule.interval.ms`)."""

    def __init__(self, interval: Duration, *, timezone: TimeZoneName = "UTC") -> None:
        """Set the schedule.

        Args:
            interval: positive; counted from each local midnight.
            timezone: decides when midnight is.

        Raises:
            ConfigurationError: the time zone is unknown, or the interval is not positive.
        """
        self._interval = interval
        self._zone = time_zone(timezone)

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Cut | None:
        """Never cut: only the clock ends the flush."""
        return None

    def due_at(self, stats: FlushStats) -> Due | None:
        """End the flush at the next time of the schedule after the flush was opened."""
        return Due(next_boundary(stats.opened_at, self._interval, self._zone), "schedule")

    @property
    def longest_open(self) -> datetime.timedelta:
        """The interval of the schedule, at most a day of 25 hours, because the schedule starts over at each local midnight."""
        return min(self._interval, _LONGEST_DAY)


def next_boundary(now: datetime.datetime, period: datetime.timedelta, zone: datetime.tzinfo) -> datetime.datetime:
    """Return the next moment (UTC) that is a whole number of periods after the local midnight before `now`.

    Periods are counted in elapsed time since local midnight and start over at each midnight, as in Kafka Connect's storage
    sinks: a period that doesn't divide the day is cut short at midnight, and so is a period of more than a day. If `now` is a
    boundary, the result is the boundary after `now`.

    Args:
        now: any moment, with a time zone.
        period: positive.
        zone: decides when midnight is.
    """
    local_day = now.astimezone(zone).date()
    day = _midnight(local_day, zone)
    following = _midnight(local_day + datetime.timedelta(days=1), zone)
    if period >= following - day:
        return following
    return min(day + ((now - day) // period + 1) * period, following)


def _midnight(day: datetime.date, zone: datetime.tzinfo) -> datetime.datetime:
    """Return the first moment (UTC) of a local day; where a clock change skips midnight, the moment after the gap."""
    return datetime.datetime.combine(day, datetime.time(), zone).astimezone(datetime.timezone.utc)


@checked
class CompressedBytesRotation(RotationPolicy):
    """Ends a flush at about `target_bytes` bytes of compressed Parquet, over all its files.

    The size of rows that aren't encoded yet is estimated from what the topic-partition has written before. Flushes therefore
    end near the target, not at it, and the cuts depend on how records were polled. Delivery is still exactly-once.
    """

    def __init__(self, target_bytes: Count) -> None:
        """Set the size, at least 1."""
        self._target_bytes = target_bytes

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Cut | None:
        """Cut before the batch if the flush has reached the size."""
        return Cut(0, "bytes") if stats.rows and stats.size_bytes >= self._target_bytes else None


class PerRecordRotation(RotationPolicy):
    """Base class for policies that look at one row at a time: write `should_rotate`.

    Such a policy is simple, but many times slower than one that works on columns.
    """

    #: The reason of each cut: one word for events, logs and footers. Empty for the name of the class.
    reason: str = ""

    @abc.abstractmethod
    def should_rotate(self, stats: FlushStats, row: Row) -> bool:
        """Return whether the flush ends before this row. Called for every row but the first row of a flush.

        The driver thread of the task calls this method. It must not block.

        Args:
            stats: what they would be if all rows before this one had been taken, except `size_bytes`.
            row: the row.
        """

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Cut | None:
        """Cut before the first row for which `should_rotate` returns True."""
        for start in range(0, len(batch), _ROWS_AT_ONCE):  # rows after the cut come again, with the next flush
            row, stats = self._first_cut_row(stats, batch.slice(start, _ROWS_AT_ONCE))
            if row is not None:
                return Cut(start + row, self.reason or type(self).__name__)
        return None

    def _first_cut_row(self, stats: FlushStats, batch: PartitionedRows) -> tuple[int | None, FlushStats]:
        """Return the index of the row to cut before, or None; and the stats after the rows before that row."""
        folders = batch.encoded_partitions
        open_folders = set(stats.encoded_partitions)  # grows with the stats, as the set of an open flush does
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
    """Ends a flush as soon as one of several policies does."""

    def __init__(self, *policies: RotationPolicy) -> None:
        """Combine policies.

        Args:
            policies: one or more. If several end the flush at the same row or moment, the first of them gives the reason.

        Raises:
            ConfigurationError: no policy is given.
        """
        if not policies:
            raise ConfigurationError("FirstOf: policies has to be one rotation policy or more.")
        self._policies = policies

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Cut | None:
        """Return the earliest cut of all policies."""
        return first_cut([cut_of(policy, stats, batch) for policy in self._policies])

    def due_at(self, stats: FlushStats) -> Due | None:
        """Return the earliest moment of all policies."""
        dues = [due for policy in self._policies if (due := due_of(policy, stats)) is not None]
        return min(dues, key=lambda due: due.at, default=None)

    @property
    def longest_open(self) -> datetime.timedelta | None:
        """The shortest of the policies' times."""
        return min((each for policy in self._policies if (each := policy.longest_open) is not None), default=None)
