from __future__ import annotations

import pytest

from kafka2parquet import ConverterRetry, RetryPolicy
from kafka2parquet.backoff import Retrying
from kafka2parquet.errors import StorageUnavailableError
from kafka2parquet.testing import ManualClock


def _pauses_ms(retry: ConverterRetry, failures: int) -> list[int | None]:
    pauses: list[int | None] = []
    elapsed_ms = 0
    for attempt in range(1, failures + 1):
        pause_s = retry.pause_s(attempt, elapsed_ms / 1000)
        pauses.append(None if pause_s is None else round(pause_s * 1000))
        elapsed_ms += pauses[-1] or 0
    return pauses


def test_pauses_double() -> None:
    """The pauses begin with 300 ms and double, as in Connect."""
    assert [300, 600, 1200, 2400, 4800] == _pauses_ms(ConverterRetry(), 5)


def test_last_pause_ends_with_the_time() -> None:
    """The last pause is clipped to the time that is left, and no further attempt follows."""
    assert [300, 600, 1200, 2400, 1500, None] == _pauses_ms(ConverterRetry(6.0), 6)


def test_no_time_at_all() -> None:
    """With a timeout of 0, the first failure is the last."""
    assert [None] == _pauses_ms(ConverterRetry(0.0), 1)


def test_beyond_the_longest_pause_chance_decides() -> None:
    """Longer pauses are random values below the longest pause, so that tasks don't retry together."""
    asked: list[float] = []

    def random_below(limit_s: float) -> float:
        asked.append(limit_s)
        return 0.077

    retry = ConverterRetry(longest_s=1.0, random_below=random_below)
    assert ([300, 600, 77, 77], [1.0, 1.0]) == (_pauses_ms(retry, 4), asked)


@pytest.mark.parametrize("attempt", [10, 100, 10_000])
def test_random_pause_is_below_the_longest(attempt: int) -> None:
    """A random pause stays below the longest pause, whatever the number of attempts."""
    pause_s = ConverterRetry(longest_s=0.05).pause_s(attempt, 0.0)
    assert pause_s is not None
    assert 0 <= pause_s <= 0.05


@pytest.mark.parametrize(("attempt", "bound_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (10_000, 3.0)])
def test_calls_to_the_store_wait_up_to_a_bound_that_doubles(attempt: int, bound_s: float) -> None:
    """A pause of `RetryPolicy` is between a quarter of its bound and the bound."""
    pause_s = RetryPolicy(longest_s=3.0).pause_s(attempt, 0.0)
    assert pause_s is not None
    assert bound_s / 4 <= pause_s <= bound_s


def test_calls_to_the_store_end_at_their_limit() -> None:
    """`RetryPolicy` gives up when the limit is reached."""
    policy = RetryPolicy(limit_s=60.0)
    assert policy.pause_s(1, 59.9) is not None
    assert policy.pause_s(2, 60.0) is None


def test_an_attempt_is_due_after_its_pause() -> None:
    """The next attempt is due when the pause is over, and immediately after a success."""
    clock = ManualClock()
    retrying = Retrying(ConverterRetry(), clock)
    assert retrying.is_due
    assert pytest.approx(0.3) == retrying.failed(StorageUnavailableError("down"))
    assert not retrying.is_due
    clock.advance(0.3)
    assert retrying.is_due
    assert pytest.approx(0.6) == retrying.failed(StorageUnavailableError("down"))
    assert 2 == retrying.attempt
    retrying.succeeded()
    assert (True, 0) == (retrying.is_due, retrying.attempt)


def test_an_error_may_ask_for_a_longer_pause() -> None:
    """The pause is at least as long as the error requests."""
    error = StorageUnavailableError("busy", retry_after_s=9.0)
    assert 9.0 == Retrying(ConverterRetry(), ManualClock()).failed(error)


@pytest.mark.parametrize("begins", [True, False])
def test_time_counts_from_the_beginning_or_the_first_failure(begins: bool) -> None:
    """After `begin`, the time of the first attempt counts, too."""
    clock = ManualClock()
    retrying = Retrying(RetryPolicy(limit_s=10.0), clock)
    if begins:
        retrying.begin()
    clock.advance(10.0)
    error = StorageUnavailableError("down")
    if not begins:
        retrying.failed(error)
        clock.advance(10.0)
    with pytest.raises(StorageUnavailableError) as raised:
        retrying.failed(error)
    assert error is raised.value
