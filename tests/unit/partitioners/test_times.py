"""Times at the ends of the calendar, and records without one."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

from kafka2parquet.partitioners.time import DailyPartitioner, HourlyPartitioner
from kafka2parquet.partitioners.timestamps import RecordFieldTimestamp, RecordTimestamp
from kafka2parquet.rows import Rows
from tests.support.batches import batch_of
from tests.support.rows import rows_of

OPENED_AT = datetime.datetime(2026, 5, 17, tzinfo=datetime.timezone.utc)
FIRST_MS = -62_135_596_800_000
LAST_MS = 253_402_300_799_999
HOUR_MS = 3_600_000
EAST, WEST = "+14:00", "-12:00"


def folder_of(time: object, timezone: str) -> str | None:
    """The folder of a time, None where it is rejected."""
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
    """Each time in these years of the time zone has its folder; before and after them it is a reject."""
    assert folder == folder_of(time, timezone)


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Kathmandu", "America/Sao_Paulo"])
def test_ends_of_the_calendar_beside_usual_times(timezone: str) -> None:
    """They change nothing for the other rows."""
    usual = [0, 1_541_296_800_000, 1_779_019_200_000]
    partitioner = HourlyPartitioner(timezone=timezone, timestamp_extractor=RecordFieldTimestamp("at"))
    alone = partitioner.partition(rows_of(pa.table({"at": usual})), OPENED_AT).rows
    mixed = partitioner.partition(rows_of(pa.table({"at": [2**62, *usual, -(2**62)]})), OPENED_AT)
    assert [0, 4] == [reject.offset for reject in mixed.rejects]
    assert alone.encoded_partitions == mixed.rows.encoded_partitions
    assert alone.codes.to_pylist() == mixed.rows.codes.to_pylist()


@pytest.mark.parametrize("time", [-1, -2, -(2**63), None])
def test_record_without_a_timestamp(time: int | None) -> None:
    """Kafka's -1 is none, and Kafka has no other negative ones: such a record doesn't go to 1969."""
    batch = batch_of([b"{}"] * 2)
    rows = Rows(batch, batch.offsets, pa.array([time, 0], pa.int64()), pa.table({"a": [1, 2]}))
    partitioned = HourlyPartitioner(timestamp_extractor=RecordTimestamp()).partition(rows, OPENED_AT)
    (reject,) = partitioned.rejects
    assert (0, True) == (reject.offset, reject.reason.startswith("Unable to determine timestamp"))
    assert ("year=1970/month=01/day=01/hour=00",) == partitioned.rows.encoded_partitions
