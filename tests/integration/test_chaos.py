"""A short run of the chaos suite. `make chaos` is the long one."""

from __future__ import annotations

from tests.chaos.member import POINTS
from tests.chaos.run import chaos
from tests.chaos.setups import SETUPS


def test_nothing_is_lost_or_repeated() -> None:
    """Until each named point of the protocol was passed; then everything is counted, bad records and dead letters too."""
    result = chaos(seconds=30, seed=11, setup=SETUPS["quarantine"], until_all_points=True)

    assert result.verdict.is_exact, result
    assert result.verdict.records_in == result.verdict.rows_out + result.verdict.rejects_out
    assert result.verdict.rejects_out
    assert set(POINTS) <= set(result.points)
