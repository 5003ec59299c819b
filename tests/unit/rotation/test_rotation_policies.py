"""The built-in rotation policies cut where a row-by-row reading of their rules cuts, however the records were polled."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import attrs
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.rotation.base import Cut, Due, FlushStats, RotationPolicy
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
    """A rule that a user might write, with a reason."""

    reason = "third"

    def should_rotate(self, stats: FlushStats, row: Row) -> bool:
        return stats.rows >= 3 or (row.timestamp_ms or 0) > 45


@attrs.frozen
class Plain:
    """The rules of the built-in policies, read record by record."""

    rows: int = 1 << 30
    interval_ms: int = 1 << 30
    on_change: bool = False
    files: int = 1 << 30

    def cuts(self, times: list[int]) -> list[int]:
        """Return where each flush but the first begins."""
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
    """Return the stats of a flush after it has taken some rows."""
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
    """Return the offsets at which flushes end, for these polls."""
    found: list[int] = []
    stats = FlushStats(0, 0, frozenset(), NOW, NOW)
    for rows in polls:
        while len(rows):
            cut = policy.cut(stats, rows)
            taken = len(rows) if cut is None else cut.rows
            assert 0 <= taken <= len(rows)
            assert taken or stats.rows
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
    """The columns give the same cuts as a reading row by row, for every way of splitting the records into polls."""
    policy, plain = POLICIES[name]
    found = [offset for offset in cuts(policy, polls_of(times, lengths)) if offset < len(times)]
    assert plain.cuts(times) == found


@given(times=TIMES, lengths=st.lists(st.integers(1, 7), max_size=10))
def test_a_rule_for_each_record_cuts_the_same_however_it_is_polled(times: list[int], lengths: list[int]) -> None:
    """Policies that look at one row at a time keep the law: their cuts don't depend on how records were polled."""
    assert cuts(EveryThirdByRow(), polls_of(times, [])) == cuts(EveryThirdByRow(), polls_of(times, lengths))


class SecondRow(PerRecordRotation):
    """A rule without a reason: a flush ends after its second row."""

    def should_rotate(self, stats: FlushStats, row: Row) -> bool:
        return stats.rows == 2


class EveryThousandthByRow(PerRecordRotation):
    """Counts the calls of `should_rotate`."""

    def __init__(self) -> None:
        self.asked = 0

    def should_rotate(self, stats: FlushStats, row: Row) -> bool:
        self.asked += 1
        return stats.rows >= 1000


def test_a_rule_for_each_record_is_asked_for_each_row_of_a_large_batch_once() -> None:
    """`should_rotate` is called once for each row of a large batch, except the first row of each flush."""
    policy = EveryThousandthByRow()
    assert [1000, 2000, 3000] == cuts(policy, iter([partitioned([0] * 3500, 0)]))
    assert 3499 == policy.asked


def test_a_quiet_flush_ends_by_the_clock() -> None:
    """A flush by record time is due an interval after it was opened."""
    policy = RecordTimeRotation(datetime.timedelta(hours=1))
    assert Due(NOW + datetime.timedelta(hours=1), "interval") == policy.due_at(FlushStats(1, 0, frozenset(), NOW, NOW))


def test_a_schedule_is_aligned() -> None:
    """The times of a schedule are counted from the local midnight of its time zone."""
    policy = ScheduledRotation(datetime.timedelta(hours=1), timezone="Asia/Kolkata")
    due = policy.due_at(FlushStats(1, 0, frozenset(), NOW, NOW))
    assert Due(datetime.datetime(2026, 5, 17, 10, 30, tzinfo=datetime.timezone.utc), "schedule") == due


@pytest.mark.parametrize("interval", [datetime.timedelta(days=3_000_000), datetime.timedelta.max])
def test_an_interval_that_ends_after_the_calendar_never_ends_a_flush(interval: datetime.timedelta) -> None:
    """An interval beyond the year 9999 is never due; a schedule of such a period still ends flushes at midnight."""
    stats = FlushStats(1, 0, frozenset(), NOW, NOW)
    assert RecordTimeRotation(interval).due_at(stats) is None
    midnight = datetime.datetime(2026, 5, 18, tzinfo=datetime.timezone.utc)
    assert Due(midnight, "schedule") == ScheduledRotation(interval).due_at(stats)


def test_the_earliest_of_several_gives_moment_and_reason() -> None:
    """`FirstOf` is due when the first of its policies is, for the reason of that policy."""
    policy = FirstOf(RecordTimeRotation(datetime.timedelta(hours=1)), ScheduledRotation(datetime.timedelta(minutes=30)))
    due = policy.due_at(FlushStats(1, 0, frozenset(), NOW, NOW))
    assert Due(datetime.datetime(2026, 5, 17, 10, 30, tzinfo=datetime.timezone.utc), "schedule") == due


@pytest.mark.parametrize(
    ("policies", "reason"),
    [
        ([RecordCountRotation(3), EveryThirdByRow()], "rows"),
        ([EveryThirdByRow(), RecordCountRotation(3)], "third"),
        ([RecordCountRotation(5), EveryThirdByRow()], "third"),
    ],
)
def test_the_earliest_cut_gives_the_reason(policies: list[RotationPolicy], reason: str) -> None:
    """`FirstOf` cuts for the reason of the policy that cuts first; of those that cut at the same row, the first one's."""
    assert Cut(3, reason) == FirstOf(*policies).cut(FlushStats(0, 0, frozenset(), NOW, NOW), partitioned([0] * 9, 0))


def test_the_reason_of_one_topic_partition_is_not_that_of_another() -> None:
    """A shared `FirstOf` keeps nothing between calls: an earlier answer never changes a later one."""
    policy = FirstOf(RecordCountRotation(2), ScheduledRotation(datetime.timedelta(hours=1)))
    empty, full = FlushStats(0, 0, frozenset(), NOW, NOW), FlushStats(1, 0, frozenset(), NOW, NOW)
    first = policy.cut(full, partitioned([0], 0))
    policy.due_at(full)
    policy.cut(empty, partitioned([0], 0))
    assert (Cut(1, "rows"), first) == (first, policy.cut(full, partitioned([0], 0)))


def test_the_reason_of_a_rule_for_each_record_is_its_class_by_default() -> None:
    """A subclass of `PerRecordRotation` without a `reason` cuts for the name of its class."""
    assert Cut(2, "SecondRow") == SecondRow().cut(FlushStats(0, 0, frozenset(), NOW, NOW), partitioned([0] * 5, 0))


@pytest.mark.parametrize("make", [lambda: RecordCountRotation(0), lambda: RecordTimeRotation(datetime.timedelta()), FirstOf])
def test_rules_that_can_not_work_are_refused(make: type[RotationPolicy]) -> None:
    """A policy that could never work is refused when it is made."""
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
    """The interval starts at the first row that has a time, and times at the limits of int64 are compared correctly."""
    batch = attrs.evolve(batch_of([b""] * len(times)), timestamps_ms=pa.array(times, pa.int64()))
    rows = Rows(batch, batch.offsets, batch.timestamps_ms, pa.table({"time": times}))
    whole = PartitionedRows(rows, ("",), pa.array([0] * len(times), pa.int32()), batch.timestamps_ms)
    policy = RecordTimeRotation(datetime.timedelta(milliseconds=10))
    found: list[int] = []
    stats, place = FlushStats(0, 0, frozenset(), NOW, NOW), 0
    while place < len(times):
        part = whole.slice(place, at_once)
        cut = policy.cut(stats, part)
        taken = len(part) if cut is None else cut.rows
        if taken:
            stats = begun(stats, part.slice(0, taken))
        place += taken
        if cut is not None:
            found.append(place)
            stats = FlushStats(0, 0, frozenset(), NOW, NOW)
    assert expected == found


@pytest.mark.parametrize(
    ("interval", "longest"),
    [
        (datetime.timedelta(minutes=10), datetime.timedelta(minutes=10)),
        (datetime.timedelta(days=1), datetime.timedelta(days=1)),
        (datetime.timedelta(days=7), datetime.timedelta(hours=25)),
    ],
)
def test_a_schedule_keeps_a_flush_open_for_a_day_at_most(interval: datetime.timedelta, longest: datetime.timedelta) -> None:
    """A schedule starts over at each midnight, also one with an interval of a week; a day may have 25 hours."""
    assert longest == ScheduledRotation(interval).longest_open
