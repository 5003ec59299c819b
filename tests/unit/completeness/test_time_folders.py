"""The end of a folder's time, by asking the partitioner."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka2parquet import DailyPartitioner, HourlyPartitioner
from kafka2parquet.completeness.folders import TimeFolders
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.partitioners import TimeBasedPartitioner

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def _ms(text: str) -> int:
    return round(datetime.datetime.fromisoformat(text).timestamp() * 1000)


def _by(pattern: str, *, minutes: int = 60, timezone: str = "UTC") -> TimeBasedPartitioner:
    return TimeBasedPartitioner(path_format=pattern, partition_duration=datetime.timedelta(minutes=minutes), timezone=timezone)


@pytest.mark.parametrize(
    ("partitioner", "time", "end"),
    [
        (HourlyPartitioner(), "2026-05-17T10:20+00:00", "2026-05-17T11:00+00:00"),
        (HourlyPartitioner(), "2026-05-17T10:59:59.999+00:00", "2026-05-17T11:00+00:00"),
        (HourlyPartitioner(), "2026-12-31T23:00+00:00", "2027-01-01T00:00+00:00"),
        (HourlyPartitioner(timezone="Asia/Kolkata"), "2026-05-17T10:20+00:00", "2026-05-17T10:30+00:00"),
        (DailyPartitioner(timezone="Europe/Paris"), "2026-05-17T10:20+00:00", "2026-05-17T22:00+00:00"),
        # clocks are set back at 01:00 UTC: the hour from 2 to 3 happens twice, the day has 25 hours
        (HourlyPartitioner(timezone="Europe/Paris"), "2026-10-25T00:10+00:00", "2026-10-25T02:00+00:00"),
        (HourlyPartitioner(timezone="Europe/Paris"), "2026-10-25T01:10+00:00", "2026-10-25T02:00+00:00"),
        (DailyPartitioner(timezone="Europe/Paris"), "2026-10-24T23:10+00:00", "2026-10-25T23:00+00:00"),
        # a quarter of an hour of that hour has two stretches of time, with the other quarters in between
        (
            _by("YYYY/MM/dd/HH/mm", minutes=15, timezone="Europe/Paris"),
            "2026-10-25T00:10+00:00",
            "2026-10-25T01:15+00:00",
        ),
        # clocks are set forward at 01:00 UTC
        (HourlyPartitioner(timezone="Europe/Paris"), "2026-03-29T00:10+00:00", "2026-03-29T01:00+00:00"),
        # after midnight, clocks went back to the day before
        (DailyPartitioner(timezone="America/St_Johns"), "2006-10-28T12:00+00:00", "2006-10-29T03:30+00:00"),
        (_by("YYYY/MM", minutes=60), "2026-02-03T00:00+00:00", "2026-03-01T00:00+00:00"),
        (_by("YYYY", minutes=60), "2024-02-03T00:00+00:00", "2025-01-01T00:00+00:00"),
        # the duration cuts more finely than the pattern, and the other way around
        (_by("YYYY-MM-dd", minutes=15), "2026-05-17T10:20+00:00", "2026-05-18T00:00+00:00"),
        (_by("YYYY/MM/dd/mm", minutes=1), "2026-05-17T10:20:30+00:00", "2026-05-17T23:21+00:00"),
        (_by("YYYY-MM-dd-HH-mm", minutes=120), "2026-05-17T10:20+00:00", "2026-05-17T12:00+00:00"),
    ],
)
def test_end_of_a_folder(partitioner: TimeBasedPartitioner, time: str, end: str) -> None:
    """The end is the first moment after which the partitioner never names the folder again."""
    time_ms = _ms(time)
    assert _ms(end) == TimeFolders(partitioner).end_ms(partitioner.encode(time_ms), time_ms, time_ms)


@settings(max_examples=30)
@given(
    time_ms=st.integers(_ms("1995-01-01T00:00+00:00"), _ms("2035-01-01T00:00+00:00")),
    timezone=st.sampled_from(["UTC", "Europe/Paris", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"]),
    minutes=st.sampled_from([15, 30, 60, 1440]),
)
def test_no_later_time_has_the_folder(time_ms: int, timezone: str, minutes: int) -> None:
    """The last moment before the end has the folder's name, and no moment of the two days after the end has."""
    partitioner = _by("YYYY-MM-dd-HH-mm", minutes=minutes, timezone=timezone)
    name = partitioner.encode(time_ms)
    end_ms = TimeFolders(partitioner).end_ms(name, time_ms, time_ms)
    assert end_ms is not None
    assert time_ms < end_ms
    assert name == partitioner.encode(end_ms - 1)
    assert name not in {partitioner.encode(end_ms + step * 15 * MINUTE_MS) for step in range(2 * 96)}


@pytest.mark.parametrize("pattern", ["HH", "MM/dd/HH", "YYYY/HH", "YYYY/dd/HH", "YYYY/MM/HH", "YYYY/EEE", "'all'"])
def test_names_that_come_again(pattern: str) -> None:
    """A pattern whose names come again has no complete folders."""
    with pytest.raises(ConfigurationError, match="it is never complete"):
        TimeFolders(_by(pattern, minutes=1))


@pytest.mark.parametrize("folder", ["a=1/{}", "{}/schema_name=x", "-2026/{}", "{}"])
def test_nested_folders(folder: str) -> None:
    """Folders around and in the folder of time don't matter."""
    time_ms = _ms("2026-05-17T10:20+00:00")
    partitioner = HourlyPartitioner()
    found = TimeFolders(partitioner).end_ms(folder.format(partitioner.encode(time_ms)), time_ms, time_ms)
    assert _ms("2026-05-17T11:00+00:00") == found


@pytest.mark.parametrize(
    ("folder", "min_time", "max_time"),
    [
        ("tombstones", "2026-05-17T10:20+00:00", "2026-05-17T10:20+00:00"),
        ("year=2026/month=05/day=17", "2026-05-17T10:20+00:00", "2026-05-17T10:20+00:00"),
        ("year=2026/month=05/day=17/hour=10", "2026-05-17T09:20+00:00", "2026-05-17T10:20+00:00"),
        ("xyear=2026/month=05/day=17/hour=10", "2026-05-17T10:20+00:00", "2026-05-17T10:20+00:00"),
    ],
)
def test_other_folders(folder: str, min_time: str, max_time: str) -> None:
    """A folder that isn't the one of its rows' times has no end."""
    assert TimeFolders(HourlyPartitioner()).end_ms(folder, _ms(min_time), _ms(max_time)) is None


def test_zones_have_data() -> None:
    """The tests above rely on the time zones' data."""
    assert {"Europe/Paris", "America/St_Johns"} <= zoneinfo.available_timezones()
