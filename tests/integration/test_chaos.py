"""A short run of the chaos suite. `make chaos` is the long one."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from tests.chaos.faults import TRUNCATED_WHILE_READ
from tests.chaos.member import POINTS
from tests.chaos.run import chaos
from tests.chaos.setups import SETUPS
from tests.chaos.truncated_rows import Truncated, TruncationCounts, count_truncations


def test_nothing_is_lost_or_repeated() -> None:
    """The run lasts until each named point of the protocol was passed, and then all records are counted, rejects too."""
    result = chaos(seconds=30, seed=11, setup=SETUPS["quarantine"], until_all_points=True)

    assert result.verdict.is_exact, result
    assert result.truncated.is_exact, result
    assert result.faults[TRUNCATED_WHILE_READ]
    assert result.truncated.reports
    assert result.verdict.records_in == result.verdict.rows_out + result.verdict.rejects_out
    assert result.verdict.rejects_out
    assert set(POINTS) <= set(result.points)


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ([(0, 2, 4)], TruncationCounts(reports=1, older=2, lost_by_log=1, unreported=0)),
        ([(0, 2, 3)], TruncationCounts(reports=1, older=1, lost_by_log=1, unreported=1)),
        ([(0, 3, 4)], TruncationCounts(reports=1, older=1, lost_by_log=1, unreported=1)),
        ([(1, 2, 4)], TruncationCounts(reports=1, older=0, lost_by_log=1, unreported=2)),
        ([], TruncationCounts(reports=0, older=0, lost_by_log=1, unreported=2)),
    ],
)
def test_an_older_row_needs_a_report(reported: list[tuple[int, int, int]], expected: TruncationCounts) -> None:
    """Records 2 and 3 are in files at offsets where the log now has 5 and 6, and lost record 4 is in none."""
    database = duckdb.connect()
    log = pa.table({"p": [0] * 5, "o": [0, 1, 2, 3, 4], "i": [0, 1, 5, 6, 7]})
    database.register("log", log)
    database.register("rows", log.append_column("index", pa.array([0, 1, 2, 3, 7])))
    reports = [dict(zip(("partition", "offset", "position"), report, strict=True)) for report in reported]
    assert expected == count_truncations(database, Truncated({0: [0, 1, 2, 3, 4, 5, 6, 7]}, reports))


def test_a_newer_row_is_never_right() -> None:
    """A row that the log never had at its offset is wrong, whatever is reported."""
    database = duckdb.connect()
    database.register("log", pa.table({"p": [0], "o": [0], "i": [0]}))
    database.register("rows", pa.table({"p": [0], "o": [0], "i": [0], "index": [1]}))
    reports = [{"partition": 0, "offset": 0, "position": 1}]
    assert 1 == count_truncations(database, Truncated({0: [0, 1]}, reports)).unreported
