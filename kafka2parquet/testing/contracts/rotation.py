"""What the delivery engine relies on in a rotation policy, as tests for pytest.

Subclass `RotationPolicyContract` in a test module and define its fixture:

    class TestMyPolicy(RotationPolicyContract):
        @pytest.fixture
        def make_policy(self): ...       # Callable[[], RotationPolicy]
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

import attrs
import numpy as np
import pyarrow as pa
import pytest

from kafka2parquet.rotation.answers import cut_of, due_of
from kafka2parquet.rotation.base import FlushStats, RotationPolicy
from kafka2parquet.rows import MixedRows, PartitionedRows, Rows
from kafka2parquet.testing.contracts import samples

MakePolicy = Callable[[], RotationPolicy]
_ROWS = 60
_FOLDERS = ("hour=10", "hour=11", "hour=12")
_BYTES_PER_ROW = 100


class RotationPolicyContract:
    """Checks that every `RotationPolicy` has to pass.

    A subclass defines one fixture: `make_policy`, a function that makes a policy, always with the same settings. The
    fixture `batch` may return `PartitionedRows` with the columns that the policy reads, such as
    `DefaultPartitioner().partition(rows_of(table), opened_at).rows`.
    """

    #: Set this to False for a policy that looks at sizes or at the clock: its cuts may depend on how records were polled.
    looks_only_at_records = True

    @pytest.fixture
    def batch(self) -> PartitionedRows:
        """Return rows in three folders, in runs. Their times rise, and some rows have no time."""
        rows = samples.rows_of(pa.table({"number": range(_ROWS)}))
        codes = np.arange(_ROWS) // 7 % len(_FOLDERS)
        return PartitionedRows(rows, _FOLDERS, pa.array(codes, pa.int32()), rows.timestamps_ms)

    def test_answers_make_progress(self, make_policy: MakePolicy, batch: PartitionedRows) -> None:
        """A cut is inside the batch and has a reason. A flush without rows takes at least one row."""
        for parts in samples.parts_of(len(batch)):
            flush_ends(make_policy(), [batch.slice(start, length) for start, length in parts])

    def test_cuts_do_not_depend_on_batches(self, make_policy: MakePolicy, batch: PartitionedRows) -> None:
        """A policy that looks only at records ends flushes at the same rows, however the records were polled."""
        expected = flush_ends(make_policy(), [batch])
        for parts in samples.parts_of(len(batch)) if self.looks_only_at_records else ():
            assert expected == flush_ends(make_policy(), [batch.slice(start, length) for start, length in parts])

    def test_answers_depend_on_the_arguments_only(self, make_policy: MakePolicy, batch: PartitionedRows) -> None:
        """One policy serves all topic-partitions: what it was asked before doesn't change its answers."""
        policy, empty = make_policy(), stats_of([])
        grown = stats_of([batch.slice(0, len(batch) - 1)])
        for stats in (empty, grown):
            expected = (make_policy().cut(stats, batch), make_policy().due_at(grown))
            assert [expected] * 2 == [(policy.cut(stats, batch), policy.due_at(grown)) for _ in range(2)]

    def test_takes_rows_of_several_schemas(self, make_policy: MakePolicy, batch: PartitionedRows) -> None:
        """Rows of several value schemas (`MixedRows`) are cut like rows of one schema."""
        odd = np.arange(len(batch)) % 2 == 1
        assert isinstance(batch.rows, Rows)
        mixed = attrs.evolve(batch, rows=MixedRows.of([batch.rows.filter(pa.array(mask)) for mask in (odd, ~odd)]))

        assert flush_ends(make_policy(), [batch]) == flush_ends(make_policy(), [mixed])

    def test_takes_rows_without_times(self, make_policy: MakePolicy, batch: PartitionedRows) -> None:
        """Rows may have no time."""
        flush_ends(make_policy(), [attrs.evolve(batch, timestamps_ms=pa.nulls(len(batch), pa.int64()))])

    def test_the_clock_ends_a_flush_at_a_moment(self, make_policy: MakePolicy, batch: PartitionedRows) -> None:
        """`due_at` returns None, or a time with a time zone, and a reason."""
        for rows in range(1, len(batch) + 1):
            due_of(make_policy(), stats_of([batch.slice(0, rows)]))

    def test_leaves_stats_and_rows_as_they_were(self, make_policy: MakePolicy, batch: PartitionedRows) -> None:
        """Stats and rows stay unchanged: they belong to the open flush."""
        policy, stats = make_policy(), stats_of([batch.slice(0, 1)])
        folders = set(stats.encoded_partitions)
        stats = attrs.evolve(stats, encoded_partitions=folders)
        before = (set(folders), attrs.evolve(stats, encoded_partitions=set(folders)), _contents(batch))
        policy.cut(stats, batch)
        policy.due_at(stats)

        assert before == (folders, stats, _contents(batch))


def flush_ends(policy: RotationPolicy, batches: Sequence[PartitionedRows]) -> list[tuple[int, str]]:
    """Return where flushes end if a task takes these batches: the number of rows before each end, and the reason.

    Raises:
        UsageError: an answer of the policy is not allowed.
    """
    found: list[tuple[int, str]] = []
    taken = 0
    parts: list[PartitionedRows] = []
    for batch in batches:
        rest = batch
        while len(rest):
            cut = cut_of(policy, stats_of(parts), rest)
            rows = len(rest) if cut is None else cut.rows
            taken += rows
            parts = [*parts, rest.slice(0, rows)] if rows else parts
            rest = rest.slice(rows)
            if cut is not None:
                found.append((taken, cut.reason))
                parts = []
    return found


def stats_of(parts: Sequence[PartitionedRows], opened_at: datetime.datetime = samples.NOON) -> FlushStats:
    """Return the stats of a flush that has taken some rows, in parts."""
    rows = sum(map(len, parts))
    times = [part.first_time_ms for part in parts if part.first_time_ms is not None]
    codes = [(part, part.codes[-1].as_py()) for part in parts]
    return FlushStats(
        rows=rows,
        size_bytes=rows * _BYTES_PER_ROW,
        encoded_partitions=frozenset(part.encoded_partitions[code] for part in parts for code in part.codes.to_pylist()),
        opened_at=opened_at,
        last_row_at=opened_at,
        first_timestamp_ms=times[0] if times else None,
        last_timestamp_ms=parts[-1].timestamps_ms[-1].as_py() if parts else None,
        last_encoded_partition=codes[-1][0].encoded_partitions[codes[-1][1]] if codes else None,
    )


def _contents(batch: PartitionedRows) -> tuple[object, ...]:
    groups = [samples.contents(rows) for rows in batch.rows.groups]
    return groups, batch.encoded_partitions, batch.codes.to_pylist(), batch.timestamps_ms.to_pylist()
