"""TimeBasedPartitioner: folders by time, up to the ends of the calendar."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.partitioners.time import DailyPartitioner, HourlyPartitioner, TimeBasedPartitioner
from kafka2parquet.partitioners.timestamps import RecordFieldTimestamp, WallclockTimestamp
from tests.support.rows import rows_of

OPENED_AT = datetime.datetime(2026, 5, 17, tzinfo=datetime.timezone.utc)
FIRST_MS = -62_135_596_800_000
LAST_MS = 253_402_300_799_999
HOUR_MS = 3_600_000
EAST, WEST = "+14:00", "-12:00"


def folder_of(time: object, timezone: str) -> str | None:
    """Return the folder of a time, None if it is rejected."""
    partitioner = DailyPartitioner(timezone=timezone, timestamp_extractor=RecordFieldTimestamp("at"))
    partitioned = partitioner.partition(rows_of(pa.table({"at": [time]})), OPENED_AT)
    assert len(partitioned.rejects) + len(partitioned.rows) == 1
    return partitioned.rows.encoded_partitions[0] if len(partitioned.rows) else None


@pytest.mark.parametrize(
    ("time", "timezone", "folder"),
    [
        ("0001-01-01T00:00:00Z", "UTC", "year=0001/month=01/day=01"),
        ("9999-12-31T23:59:59.999Z", "UTC", "year=9999/month=12/day=31"),
        ("9999-12-31", "UTC", "year=9999/month=12/day=31"),
        (FIRST_MS, "UTC", "year=0001/month=01/day=01"),
        (FIRST_MS - 1, "UTC", None),
        (LAST_MS, "UTC", "year=9999/month=12/day=31"),
        (LAST_MS + 1, "UTC", None),
        (FIRST_MS, EAST, "year=0001/month=01/day=02"),  # as Java truncates: toward 1970
        (FIRST_MS - 14 * HOUR_MS, EAST, "year=0001/month=01/day=01"),
        (FIRST_MS - 14 * HOUR_MS - 1, EAST, None),
        (LAST_MS - 14 * HOUR_MS, EAST, "year=9999/month=12/day=31"),
        (LAST_MS - 14 * HOUR_MS + 1, EAST, None),
        (FIRST_MS + 12 * HOUR_MS, WEST, "year=0001/month=01/day=01"),
        (FIRST_MS + 12 * HOUR_MS - 1, WEST, None),
        (LAST_MS + 12 * HOUR_MS, WEST, "year=9999/month=12/day=31"),
        (LAST_MS + 12 * HOUR_MS + 1, WEST, None),
        (LAST_MS, "Australia/Sydney", None),
        (LAST_MS - 11 * HOUR_MS, "Australia/Sydney", "year=9999/month=12/day=31"),
        (LAST_MS, "America/New_York", "year=9999/month=12/day=31"),
        (FIRST_MS, "Europe/Paris", "year=0001/month=01/day=02"),
        (FIRST_MS, "America/New_York", None),
        ("0001-01-01T00:00:00+01:00", "+01:00", "year=0001/month=01/day=01"),
        (-(2**63), "Europe/Paris", None),
        (2**63 - 1, "UTC", None),
    ],
)
def test_years_1_to_9999(time: object, timezone: str, folder: str | None) -> None:
    """Each time in the years 1 to 9999 of the time zone has a folder; other times are rejected."""
    assert folder == folder_of(time, timezone)


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Kathmandu", "America/Sao_Paulo"])
def test_ends_of_the_calendar_beside_usual_times(timezone: str) -> None:
    """Impossible times don't change the folders of other rows."""
    usual = [0, 1_541_296_800_000, 1_779_019_200_000]
    partitioner = HourlyPartitioner(timezone=timezone, timestamp_extractor=RecordFieldTimestamp("at"))
    alone = partitioner.partition(rows_of(pa.table({"at": usual})), OPENED_AT).rows
    mixed = partitioner.partition(rows_of(pa.table({"at": [2**62, *usual, -(2**62)]})), OPENED_AT)
    assert [0, 4] == [reject.offset for reject in mixed.rejects]
    assert alone.encoded_partitions == mixed.rows.encoded_partitions
    assert alone.codes.to_pylist() == mixed.rows.codes.to_pylist()


def folders_of(partitioner: TimeBasedPartitioner, times_ms: list[int | None]) -> list[str]:
    """Return the folder of each time, in milliseconds since the epoch."""
    rows = partitioner.partition(rows_of(pa.table({"at": pa.array(times_ms, pa.int64())})), OPENED_AT).rows
    return [rows.encoded_partitions[code] for code in rows.codes.to_pylist()]


def test_times_are_truncated_in_local_time() -> None:
    """A duration of a day starts at local midnight, and a duration of a week on the weekday of 1 January 1970."""
    at = RecordFieldTimestamp("at")
    midnight_ms = -2 * HOUR_MS
    daily = DailyPartitioner(timezone="+02:00", timestamp_extractor=at)
    weekly = TimeBasedPartitioner(path_format="YYYYMMdd", partition_duration=datetime.timedelta(7), timestamp_extractor=at)

    assert ["year=1970/month=01/day=01"] * 2 == folders_of(daily, [midnight_ms, midnight_ms + 24 * HOUR_MS - 1])
    assert ["19700101", "19700101", "19700108"] == folders_of(weekly, [0, 7 * 24 * HOUR_MS - 1, 7 * 24 * HOUR_MS])


def test_times_before_1970_are_truncated_toward_1970() -> None:
    """As in Java, an hour before 1970 belongs to the folder that begins the next hour."""
    hourly = HourlyPartitioner(timestamp_extractor=RecordFieldTimestamp("at"))

    assert ["year=1970/month=01/day=01/hour=00", "year=1969/month=12/day=31/hour=23"] == folders_of(hourly, [-1, -HOUR_MS])


def test_a_local_hour_that_occurs_twice_has_one_folder() -> None:
    """When clocks are set back, both hours with the same name go to the same folder."""
    hourly = HourlyPartitioner(timezone="Europe/Paris", timestamp_extractor=RecordFieldTimestamp("at"))
    first_ms = 1_792_886_400_000  # 2026-10-25T00:00:00Z, which is 02:00 in summer time

    assert {"year=2026/month=10/day=25/hour=02"} == set(folders_of(hourly, [first_ms, first_ms + HOUR_MS]))


def test_the_wall_clock_gives_all_rows_the_same_folder() -> None:
    """With the wall clock, the folder depends on the opening of the flush only, and the partitioner says so."""
    partitioner = DailyPartitioner(timestamp_extractor=WallclockTimestamp())

    assert partitioner.uses_clock
    assert ["year=2026/month=05/day=17"] * 2 == folders_of(partitioner, [0, None])


def test_rejects_keep_their_own_exceptions_and_order() -> None:
    """A missing time and an impossible time in one batch are rejected in offset order, each with its own class."""
    partitioner = DailyPartitioner(timestamp_extractor=RecordFieldTimestamp("at"))
    rejects = partitioner.partition(rows_of(pa.table({"at": [None, LAST_MS + 1, 0, None]})), OPENED_AT).rejects

    assert [0, 1, 3] == [reject.offset for reject in rejects]
    assert ["NullPointerException", "PartitionException", "NullPointerException"] == [
        reject.exception.rpartition(".")[2] for reject in rejects
    ]
    assert f"the time {LAST_MS + 1} can't be written as a date" == rejects[1].reason


def test_encode_returns_the_folder_of_one_time() -> None:
    """`encode` computes the folder of a time without rows."""
    assert "year=1970/month=01/day=01/hour=01" == HourlyPartitioner().encode(HOUR_MS)


def test_the_fingerprint_depends_on_each_setting() -> None:
    """Other settings give other folders, so they have other fingerprints."""
    partitioners = [
        HourlyPartitioner(),
        DailyPartitioner(),
        HourlyPartitioner(timezone="Europe/Paris"),
        HourlyPartitioner(timestamp_extractor=WallclockTimestamp()),
    ]

    assert len(partitioners) == len({partitioner.fingerprint for partitioner in partitioners})


@pytest.mark.parametrize("pattern", ["'year'=YYYY/Q", "", "/"])
def test_a_wrong_pattern_is_refused(pattern: str) -> None:
    """A pattern with an unknown letter, or without any letter, is refused by the constructor."""
    with pytest.raises(ConfigurationError):
        TimeBasedPartitioner(path_format=pattern, partition_duration=datetime.timedelta(hours=1))
