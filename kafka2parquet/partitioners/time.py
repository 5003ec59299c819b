"""TimeBasedPartitioner: folders by time, computed as in Kafka Connect's storage sinks.

A row's time is converted to local time, truncated to a multiple of the partition duration since 1970 in *local* time, converted
back and formatted. Only the distinct times of a batch are formatted one by one; rows are numpy arrays throughout.
"""

from __future__ import annotations

import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.partitioners.path_format import PathFormat, normalize
from kafka2parquet.partitioners.timestamps import RecordTimestamp, TimestampExtractor, Unusable
from kafka2parquet.records import Reject, Stage
from kafka2parquet.rows import Partitioned, PartitionedRows, Rows
from kafka2parquet.util.arguments import Duration, Name, checked
from kafka2parquet.util.cache import BoundedCache
from kafka2parquet.util.time_zones import TimeZoneName, time_zone

_EPOCH = datetime.datetime(1970, 1, 1)
_MILLISECOND = datetime.timedelta(milliseconds=1)
#: All changes of offsets in the time zone database happen at whole quarters of an hour.
_QUARTER_MS = 900_000
#: The first and the last millisecond of the years 1 to 9999, the range of datetime, in local time.
_MIN_MS, _MAX_MS = -62_135_596_800_000, 253_402_300_799_999
#: More than any time zone's offset. Nearer to the first or last time, datetime can't convert to another zone.
_DAY_MS = 86_400_000
#: Number of cached folder names.
_MAX_NAMES = 10_000

_Int64s = npt.NDArray[np.int64]


@checked
class TimeBasedPartitioner(Partitioner):
    """Puts rows into folders such as `year=2026/month=05/day=17/hour=10`, by the time of each row."""

    time_based = True

    def __init__(
        self,
        *,
        path_format: Name,
        partition_duration: Duration,
        timezone: TimeZoneName = "UTC",
        locale: Name = "en",
        timestamp_extractor: TimestampExtractor | None = None,
        directory_delimiter: Name = "/",
    ) -> None:
        """Create a partitioner.

        Args:
            path_format: a Joda-Time pattern, with text in single quotes.
            partition_duration: times are truncated to multiples of this duration.
            timezone: time zone of the folders' names, such as `Europe/Paris` or `+02:00`.
            locale: language of the names of months and days.
            timestamp_extractor: finds the time of each row; by default the record's timestamp.
            directory_delimiter: delimiter between folders. One delimiter at the end of `path_format` is removed.

        Raises:
            ConfigurationError: the pattern is invalid, the time zone is unknown, or the duration is not positive.
        """
        self._format = _path_format(self, path_format, directory_delimiter, locale)
        self._duration_ms = partition_duration // _MILLISECOND
        self._zone = time_zone(timezone)
        self._extractor = timestamp_extractor if timestamp_extractor is not None else RecordTimestamp()
        self.uses_clock = self._extractor.uses_clock
        self._names: BoundedCache[int, str] = BoundedCache(_MAX_NAMES)
        self._fingerprint = "|".join(
            (self._format.pattern, str(self._duration_ms), timezone, locale, self._extractor.fingerprint)
        )

    @property
    def fingerprint(self) -> str:
        """Text that identifies the settings."""
        return f"time-{self._fingerprint}"

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Give each row the folder of its time. Rejects rows without a usable time."""
        times = self._extractor.extract(rows, opened_at)
        usable = times.is_valid().to_numpy(zero_copy_only=False)
        milliseconds = times.fill_null(0).to_numpy(zero_copy_only=False)
        usable &= self._has_date(milliseconds)
        rejects: list[Reject] = []
        if not usable.all():
            unusable = pa.array(~usable)
            rejects = self._rejects(rows.filter(unusable).combined(), times.filter(unusable))
            rows, milliseconds = rows.filter(pa.array(usable)), milliseconds[usable]
        folders, codes = self._encode(milliseconds)
        return Partitioned(PartitionedRows(rows, folders, pa.array(codes), pa.array(milliseconds)), rejects)

    def _rejects(self, rows: Rows, times: pa.Array) -> list[Reject]:
        """Return rows without a usable time as rejects, each with its reason."""
        whys = [
            self._extractor.explain(rows, row) if time is None else Unusable(f"the time {time} can't be written as a date")
            for row, time in enumerate(times.to_pylist())
        ]
        reasons, exceptions = [why.reason for why in whys], [why.exception for why in whys]
        return rows.batch.reject_offsets(rows.offsets.to_numpy(), Stage.TIMESTAMP, reasons, exceptions)

    def encode(self, timestamp_ms: int) -> str:
        """Return the folder of a time, given in milliseconds since the epoch."""
        return self._encode(np.array([timestamp_ms], np.int64))[0][0]

    def _has_date(self, milliseconds: _Int64s) -> npt.NDArray[np.bool_]:
        """Return a mask of the times in the years 1 to 9999 in the time zone."""
        if not len(milliseconds) or (milliseconds.min() >= _MIN_MS + _DAY_MS and milliseconds.max() <= _MAX_MS - _DAY_MS):
            return np.ones(len(milliseconds), np.bool_)
        near = milliseconds.clip(_MIN_MS - _DAY_MS, _MAX_MS + _DAY_MS)
        local = near + self._offsets_ms(near)
        return (local >= _MIN_MS) & (local <= _MAX_MS)

    def _encode(self, milliseconds: _Int64s) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
        """Return the distinct folders, and the index of each row's folder."""
        local = milliseconds + self._offsets_ms(milliseconds)
        # integer division truncates toward zero, as in Java
        buckets = np.sign(local) * (np.abs(local) // self._duration_ms) * self._duration_ms
        if len(buckets) and (buckets == buckets[0]).all():
            return (self._name(int(buckets[0])),), np.zeros(len(buckets), np.int32)
        distinct, inverse = np.unique(buckets, return_inverse=True)
        names = [self._name(bucket) for bucket in distinct.tolist()]
        folders = tuple(dict.fromkeys(names))
        numbers = {folder: number for number, folder in enumerate(folders)}
        return folders, np.array([numbers[name] for name in names], np.int32)[inverse]

    def _offsets_ms(self, milliseconds: _Int64s) -> _Int64s:
        """Return the zone's offset at each instant."""
        if isinstance(self._zone, datetime.timezone):
            return np.full(len(milliseconds), self._offset_ms(0), np.int64)
        quarters = milliseconds // _QUARTER_MS
        if len(quarters) and (quarters == quarters[0]).all():
            return np.full(len(quarters), self._offset_ms(int(quarters[0]) * _QUARTER_MS), np.int64)
        distinct, inverse = np.unique(quarters, return_inverse=True)
        return np.array([self._offset_ms(quarter * _QUARTER_MS) for quarter in distinct.tolist()], np.int64)[inverse]

    def _offset_ms(self, instant_ms: int) -> int:
        instant_ms = min(max(instant_ms, _MIN_MS + _DAY_MS), _MAX_MS - _DAY_MS)  # offsets don't change near the ends
        moment = (_EPOCH + instant_ms * _MILLISECOND).replace(tzinfo=datetime.timezone.utc).astimezone(self._zone)
        return (moment.utcoffset() or datetime.timedelta()) // _MILLISECOND

    def _name(self, local_ms: int) -> str:
        """Return the folder of a local time. A time that a clock change skips is moved past the gap."""
        return self._names.get_or_create(local_ms, lambda: self._formatted(local_ms))

    def _formatted(self, local_ms: int) -> str:
        local = (_EPOCH + local_ms * _MILLISECOND).replace(tzinfo=self._zone)
        if not _MIN_MS + _DAY_MS <= local_ms <= _MAX_MS - _DAY_MS:
            return self._format.format(local)
        return self._format.format(local.astimezone(datetime.timezone.utc).astimezone(self._zone))


def _path_format(partitioner: TimeBasedPartitioner, pattern: str, delimiter: str, locale: str) -> PathFormat:
    try:
        return PathFormat(normalize(pattern, delimiter), locale)
    except ConfigurationError as error:  # worded for a Kafka Connect configuration
        reason = str(error).removeprefix(f"Invalid value {pattern} for configuration path.format: ")
        raise ConfigurationError(f"{type(partitioner).__name__}: path_format {pattern!r} can't be used: {reason}") from error


@checked
class HourlyPartitioner(TimeBasedPartitioner):
    """Puts rows into `year=2026/month=05/day=17/hour=10`."""

    def __init__(
        self,
        *,
        timezone: TimeZoneName = "UTC",
        locale: Name = "en",
        timestamp_extractor: TimestampExtractor | None = None,
        directory_delimiter: Name = "/",
    ) -> None:
        """Create a partitioner. `TimeBasedPartitioner` documents the arguments."""
        super().__init__(
            path_format=directory_delimiter.join(("'year'=YYYY", "'month'=MM", "'day'=dd", "'hour'=HH")),
            partition_duration=datetime.timedelta(hours=1),
            timezone=timezone,
            locale=locale,
            timestamp_extractor=timestamp_extractor,
            directory_delimiter=directory_delimiter,
        )


@checked
class DailyPartitioner(TimeBasedPartitioner):
    """Puts rows into `year=2026/month=05/day=17`."""

    def __init__(
        self,
        *,
        timezone: TimeZoneName = "UTC",
        locale: Name = "en",
        timestamp_extractor: TimestampExtractor | None = None,
        directory_delimiter: Name = "/",
    ) -> None:
        """Create a partitioner. `TimeBasedPartitioner` documents the arguments."""
        super().__init__(
            path_format=directory_delimiter.join(("'year'=YYYY", "'month'=MM", "'day'=dd")),
            partition_duration=datetime.timedelta(days=1),
            timezone=timezone,
            locale=locale,
            timestamp_extractor=timestamp_extractor,
            directory_delimiter=directory_delimiter,
        )
