"""`bisect_failures` finds the items for which a range fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.util.bisection import bisect_failures


def _attempt(bad: set[int]) -> tuple[list[tuple[int, int]], Callable[[int, int], list[int]]]:
    asked: list[tuple[int, int]] = []

    def attempt(start: int, length: int) -> list[int]:
        asked.append((start, length))
        if bad & {*range(start, start + length)}:
            raise ValueError("refused")
        return list(range(start, start + length))

    return asked, attempt


@given(length=st.integers(1, 40), bad=st.sets(st.integers(0, 39), max_size=6), few=st.integers(1, 5))
def test_what_is_refused_is_few_and_holds_something_bad(length: int, bad: set[int], few: int) -> None:
    """Each failure is short and contains a bad item; all other items are accepted; each item comes once and in its order."""
    _, attempt = _attempt(bad)
    outcomes = list(bisect_failures(length, attempt, ValueError, few=few))
    assert list(range(length)) == [i for start, size, _ in outcomes for i in range(start, start + size)]
    for start, size, outcome in outcomes:
        inside = {*range(start, start + size)}
        assert (sorted(inside) == outcome) != (isinstance(outcome, ValueError) and size <= few and bool(inside & bad))


def test_a_range_without_fault_is_attempted_once() -> None:
    """A range without bad items costs one attempt."""
    asked, attempt = _attempt(set())
    list(bisect_failures(1000, attempt, ValueError))
    assert [(0, 1000)] == asked


def test_ranges_are_about_as_long_as_what_lies_between_faults() -> None:
    """Ranges adapt to the distance of bad items, so that few items are attempted twice."""
    asked, attempt = _attempt({*range(50, 10_000, 100)})
    list(bisect_failures(10_000, attempt, ValueError))
    assert sum(length for _, length in asked) < 8 * 10_000
    assert len(asked) < 100 * 16


def test_a_refusal_may_say_where() -> None:
    """The items before the named one are attempted, then the named item alone. A wrong name does no harm."""
    asked: list[tuple[int, int]] = []

    class RefusedError(Exception):
        row = 70

    def attempt(start: int, length: int) -> None:
        asked.append((start, length))
        if start <= 70 < start + length or start <= 90 < start + length:
            raise RefusedError

    outcomes = [(start, length, outcome is None) for start, length, outcome in bisect_failures(100, attempt, RefusedError)]
    assert [(0, 100), (0, 70), (70, 1)] == asked[:3]
    assert [(70, 1), (90, 1)] == [(start, length) for start, length, is_fine in outcomes if not is_fine]


def test_each_range_is_attempted_when_its_turn_comes() -> None:
    """A range is attempted only when its outcome is asked for, because earlier outcomes may affect it."""
    asked, attempt = _attempt({0})
    ranges = bisect_failures(4, attempt, ValueError)
    next(ranges)
    assert [(0, 4), (0, 2), (0, 1)] == asked


def test_other_errors_are_not_answers() -> None:
    """An exception of another type is raised to the caller."""
    _, attempt = _attempt({2})
    with pytest.raises(ValueError, match="refused"):
        list(bisect_failures(4, attempt, KeyError))
