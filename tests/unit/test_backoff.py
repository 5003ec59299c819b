import pytest

from kafka2parquet.backoff import ConverterRetry


def _pauses(retry: ConverterRetry, failures: int) -> list[int | None]:
    pauses: list[int | None] = []
    elapsed_ms = 0
    for attempt in range(1, failures + 1):
        pauses.append(retry.pause_ms(attempt, elapsed_ms))
        elapsed_ms += pauses[-1] or 0
    return pauses


def test_pauses_double():
    """From 300 ms on, as in Connect."""
    assert [300, 600, 1200, 2400, 4800] == _pauses(ConverterRetry(), 5)


def test_last_pause_ends_with_the_time():
    """Then no further attempt is made."""
    assert [300, 600, 1200, 2400, 1500, None] == _pauses(ConverterRetry(6000), 6)


def test_no_time_at_all():
    """The first failure is the last."""
    assert [None] == _pauses(ConverterRetry(0), 1)


def test_beyond_the_longest_pause_chance_decides():
    """Below it, so that tasks don't ask together."""
    asked = []
    retry = ConverterRetry(longest_ms=1000, random_below=lambda limit: asked.append(limit) or 77)
    assert ([300, 600, 77, 77], [1000, 1000]) == (_pauses(retry, 4), asked)


@pytest.mark.parametrize("attempt", [10, 100, 10_000])
def test_random_pause_is_below_the_longest(attempt):
    """However many attempts there were."""
    assert 0 <= ConverterRetry(longest_ms=50).pause_ms(attempt, 0) < 50
