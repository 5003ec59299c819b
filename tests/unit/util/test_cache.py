"""A memory that can't grow for ever."""

from __future__ import annotations

import pytest

from kafka2parquet.util.cache import BoundedCache


def test_a_value_is_made_once() -> None:
    """A second access finds the cached value."""
    made: list[str] = []
    remembered: BoundedCache[str, int] = BoundedCache()
    for _ in range(2):
        remembered.get_or_create("a", lambda: made.append("a") or 1)  # type: ignore[func-returns-value]  # on purpose
    assert ["a"] == made


def test_none_is_a_value_too() -> None:
    """None is cached like other values."""
    remembered: BoundedCache[str, None] = BoundedCache()
    remembered.get_or_create("a", lambda: None)
    remembered.get_or_create("a", lambda: pytest.fail("made again"))


def test_when_there_are_too_many_all_are_forgotten() -> None:
    """A full cache is cleared, except for the last value."""
    remembered: BoundedCache[int, int] = BoundedCache(limit=2)
    for number in range(3):
        remembered.get_or_create(number, lambda number=number: number)  # type: ignore[misc]  # a default binds it
    assert (10, 2) == (remembered.get_or_create(0, lambda: 10), remembered.get_or_create(2, lambda: 10))


def test_when_the_keys_are_too_large_all_are_forgotten() -> None:
    """A cache whose keys are too large is cleared, except for the last value."""
    remembered: BoundedCache[str, int] = BoundedCache(limit_size=10, size_of=len)
    for key in ("12345", "67890", "a"):
        remembered.get_or_create(key, lambda: 0)
    assert (1, 0) == (remembered.get_or_create("12345", lambda: 1), remembered.get_or_create("a", lambda: 1))
    remembered.get_or_create("x" * 11, lambda: 0)
    assert (0, 1) == (remembered.get_or_create("x" * 11, lambda: 1), remembered.get_or_create("a", lambda: 1))


def test_what_can_not_be_made_is_not_remembered() -> None:
    """The next attempt may make it."""
    remembered: BoundedCache[str, float] = BoundedCache()
    with pytest.raises(ZeroDivisionError):
        remembered.get_or_create("a", lambda: 1 / 0)
    assert 2.0 == remembered.get_or_create("a", lambda: 2.0)


def test_a_value_is_found_by_what_it_is() -> None:
    """`find` returns a cached value that satisfies the condition."""
    remembered: BoundedCache[int, int] = BoundedCache()
    for number in range(4):
        remembered.get_or_create(number, lambda number=number: number)  # type: ignore[misc]  # a default binds it
    assert (2, None) == (remembered.find(lambda value: value > 1), remembered.find(lambda value: value > 9))
