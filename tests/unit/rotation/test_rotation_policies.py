"""Rotation policies: columns against a row-by-row reading, and any way of splitting polls."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import attrs
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.rotation.base import FlushStats, RotationPolicy
from kafka2parquet.rotation.policies import (
    EncodedPartitionRotation,
    FirstOf,
    MaxOpenFilesRotation,
    PerRecordRotation,
    RecordCountRotation,
    RecordTimeRotation,
    ScheduledRotation,
)
from kafka2parquet.rows import PartitionedRows, Row, Rows
from tests.support.batches import batch_of

NOW = datetime.datetime(2026, 5, 17, 10, 20, tzinfo=datetime.timezone.utc)
TIMES = st.lists(st.integers(0, 50), min_size=1, max_size=40)
FOLDER_MS = 10


class EveryThirdByRow(PerRecordRotation):
    """A rule that a user might write."""

    def should_rotate(self, stats: FlushStats, row: Row) -> bool:
        return stats.rows >= 3 or (row.timestamp_ms or 0) > 45


@attrs.frozen
class Plain:
    """The same rules, record by record."""

    rows: int = 1 << 30
    interval_ms: int = 1 << 30
    on_change: bool = False
    files: int = 1 << 30

    def cuts(self, times: list[int]) -> list[int]:
        """Where flushes begin, but for the first."""
        cuts: list[int] = []
        begin, folders = 0, [times[0] // FOLDER_MS]
        for number in range(1, len(times)):
            folder = times[number] // FOLDER_MS
            full = number - begin >= self.rows
            late = times[number] - times[begin] >= self.interval_ms
            change = self.on_change and folder != folders[-1]
            many = len({*folders, folder}) > self.files
            if full or late or change or many:
                cuts.append(number)
                begin, folders = number, []
            folders.append(folder)
        return cuts


POLICIES: dict[str, tuple[RotationPolicy, Plain]] = {
    "rows": (RecordCountRotation(4), Plain(rows=4)),
    "one row": (RecordCountRotation(1), Plain(rows=1)),
    "interval": (RecordTimeRotation(datetime.timedelta(milliseconds=15)), Plain(interval_ms=15)),
    "change": (EncodedPartitionRotation(), Plain(on_change=True)),
    "files": (MaxOpenFilesRotation(2), Plain(files=2)),
    "rows or interval": (
        FirstOf(RecordCountRotation(5), RecordTimeRotation(datetime.timedelta(milliseconds=20))),
        Plain(rows=5, interval_ms=20),
    ),
    "all": (
        FirstOf(
            EncodedPartitionRotation(),
            RecordTimeRotation(datetime.timedelta(milliseconds=30)),
            MaxOpenFilesRotation(3),
            RecordCountRotation(7),
        ),
        Plain(rows=7, interval_ms=30, on_change=True, files=3),
    ),
}


def partitioned(times: list[int], first_offset: int) -> PartitionedRows:
    batch = batch_of([b""] * len(times), first_offset, times)
    folders = tuple(dict.fromkeys(f"t={time // FOLDER_MS}" for time in times))
    return PartitionedRows(
        rows=Rows(batch, batch.offsets, batch.timestamps_ms, pa.table({"time": times})),
        encoded_partitions=folders,
        codes=pa.array([folders.index(f"t={time // FOLDER_MS}") for time in times], pa.int32()),
        timestamps_ms=batch.timestamps_ms,
    )


def begun(stats: FlushStats | None, rows: PartitionedRows) -> FlushStats:
    """The stats after taking rows, as a flush keeps them."""
    stats = stats if stats is not None else FlushStats(0, 0, frozenset(), NOW, NOW)
    folders = [rows.encoded_partitions[code] for code in rows.codes.to_pylist()]
    return attrs.evolve(
        stats,
        rows=stats.rows + len(rows),
        encoded_partitions=stats.encoded_partitions | set(folders),
        first_timestamp_ms=rows.first_time_ms if stats.first_timestamp_ms is None else stats.first_timestamp_ms,
        last_timestamp_ms=rows.timestamps_ms[-1].as_py(),
        last_encoded_partition=folders[-1],
    )


def cuts(policy: RotationPolicy, polls: Iterator[PartitionedRows]) -> list[int]:
    """Offsets at which flushes end, for these polls."""
    found: list[int] = []
    stats = FlushStats(0, 0, frozenset(), NOW, NOW)
    for rows in polls:
        while len(rows):
            cut = policy.cut(stats, rows)
            assert cut is None or 0 <= cut <= len(rows)
            assert cut != 0 or stats.rows > 0
            taken = len(rows) if cut is None else cut
            if taken:
                stats = begun(stats, rows.slice(0, taken))
            if cut is not None:
                found.append(rows.rows.batch.first_offset + (len(rows.rows.batch) - len(rows)) + taken)
                stats = FlushStats(0, 0, frozenset(), NOW, NOW)
            rows = rows.slice(taken)
    return found


def polls_of(times: list[int], lengths: list[int]) -> Iterator[PartitionedRows]:
    first = 0
    for length in [*lengths, len(times)]:
        part = times[first : first + length]
        if part:
            yield partitioned(part, first)
        first += len(part)


@pytest.mark.parametrize("name", POLICIES)
@given(times=TIMES, lengths=st.lists(st.integers(1, 7), max_size=10))
def test_cuts_are_those_of_a_row_by_row_reading(name: str, times: list[int], lengths: list[int]) -> None:
    """Whatever the polls are; a flush that is just full at the end is cut too."""
    policy, plain = POLICIES[name]
    found = [offset for offset in cuts(policy, polls_of(times, lengths)) if offset < len(times)]
    assert plain.cuts(times) == found


@given(times=TIMES, lengths=st.lists(st.integers(1, 7), max_size=10))
def test_a_rule_for_each_record_cuts_the_same_however_it_is_polled(times: list[int], lengths: list[int]) -> None:
    """The law holds for rules that users write record by record."""
    assert cuts(EveryThirdByRow(), polls_of(times, [])) == cuts(EveryThirdByRow(), polls_of(times, lengths))


class EveryThousandthByRow(PerRecordRotation):
    """Remembers how many rows it was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def should_rotate(self, stats: FlushStats, row: Row) -> bool:
        self.asked += 1
        return stats.rows >= 1000


def test_a_rule_for_each_record_is_asked_for_each_row_of_a_large_batch_once() -> None:
    """However far away the cut is; the first row of each flush is no question."""
    policy = EveryThousandthByRow()
    assert [1000, 2000, 3000] == cuts(policy, iter([partitioned([0] * 3500, 0)]))
    assert 3499 == policy.asked


def test_a_quiet_flush_ends_by_the_clock() -> None:
    """An interval after it was opened."""
    policy = RecordTimeRotation(datetime.timedelta(hours=1))
    assert NOW + datetime.timedelta(hours=1) == policy.due_at(FlushStats(1, 0, frozenset(), NOW, NOW))


def test_a_schedule_is_aligned() -> None:
    """With the local midnight of its zone."""
    policy = ScheduledRotation(datetime.timedelta(hours=1), timezone="Asia/Kolkata")
    due_at = policy.due_at(FlushStats(1, 0, frozenset(), NOW, NOW))
    assert datetime.datetime(2026, 5, 17, 10, 30, tzinfo=datetime.timezone.utc) == due_at


@pytest.mark.parametrize("interval", [datetime.timedelta(days=3_000_000), datetime.timedelta.max])
def test_an_interval_that_ends_after_the_calendar_never_ends_a_flush(interval: datetime.timedelta) -> None:
    """Not by the clock; a schedule ends at midnight all the same."""
    stats = FlushStats(1, 0, frozenset(), NOW, NOW)
    assert RecordTimeRotation(interval).due_at(stats) is None
    midnight = datetime.datetime(2026, 5, 18, tzinfo=datetime.timezone.utc)
    assert midnight == ScheduledRotation(interval).due_at(stats)


def test_the_earliest_of_several_gives_moment_and_reason() -> None:
    """Of a schedule and an interval, the schedule here."""
    policy = FirstOf(RecordTimeRotation(datetime.timedelta(hours=1)), ScheduledRotation(datetime.timedelta(minutes=30)))
    due_at = policy.due_at(FlushStats(1, 0, frozenset(), NOW, NOW))
    assert datetime.datetime(2026, 5, 17, 10, 30, tzinfo=datetime.timezone.utc) == due_at
    assert "schedule" == policy.reason


@pytest.mark.parametrize("make", [lambda: RecordCountRotation(0), lambda: RecordTimeRotation(datetime.timedelta()), FirstOf])
def test_rules_that_can_not_work_are_refused(make: type[RotationPolicy]) -> None:
    """At once."""
    with pytest.raises(ConfigurationError):
        make()


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([None, None, 7, 8, 17, 17], [4]),
        ([None, 7, None, 17, None, 26, 27], [3, 6]),
        ([None, None], []),
        ([0, 2**63 - 1, 5, 2**63 - 1], [1]),
        ([2**63 - 5, 2**63 - 1, 0], []),
        ([-(2**63), 0, 2**63 - 1], [1, 2]),
    ],
)
@pytest.mark.parametrize("at_once", [1, 2, 7])
def test_rows_without_a_time_or_with_an_absurd_one(times: list[int | None], expected: list[int], at_once: int) -> None:
    """The first row that has a time begins the interval, and no time is too large to be compared."""
    batch = attrs.evolve(batch_of([b""] * len(times)), timestamps_ms=pa.array(times, pa.int64()))
    rows = Rows(batch, batch.offsets, batch.timestamps_ms, pa.table({"time": times}))
    whole = PartitionedRows(rows, ("",), pa.array([0] * len(times), pa.int32()), batch.timestamps_ms)
    policy = RecordTimeRotation(datetime.timedelta(milliseconds=10))
    found: list[int] = []
    stats, place = FlushStats(0, 0, frozenset(), NOW, NOW), 0
    while place < len(times):
        part = whole.slice(place, at_once)
        cut = policy.cut(stats, part)
        taken = len(part) if cut is None else cut
        if taken:
            stats = begun(stats, part.slice(0, taken))
        place += taken
        if cut is not None:
            found.append(place)
            stats = FlushStats(0, 0, frozenset(), NOW, NOW)
    assert expected == found
