"""A memory that can't grow for ever."""

from __future__ import annotations

import pytest

from kafka2parquet.remembered import Remembered


def test_a_value_is_made_once() -> None:
    """The next look finds it."""
    made: list[str] = []
    remembered: Remembered[str, int] = Remembered()
    for _ in range(2):
        remembered.get("a", lambda: made.append("a") or 1)  # type: ignore[func-returns-value]  # on purpose
    assert ["a"] == made


def test_none_is_a_value_too() -> None:
    """It is not made again."""
    remembered: Remembered[str, None] = Remembered()
    remembered.get("a", lambda: None)
    remembered.get("a", lambda: pytest.fail("made again"))


def test_when_there_are_too_many_all_are_forgotten() -> None:
    """But for the one that was made last."""
    remembered: Remembered[int, int] = Remembered(limit=2)
    for number in range(3):
        remembered.get(number, lambda number=number: number)  # type: ignore[misc]  # a default binds it
    assert (10, 2) == (remembered.get(0, lambda: 10), remembered.get(2, lambda: 10))


def test_when_the_keys_are_too_large_all_are_forgotten() -> None:
    """But for the one that was made last, however large it is."""
    remembered: Remembered[str, int] = Remembered(limit_size=10, size_of=len)
    for key in ("12345", "67890", "a"):
        remembered.get(key, lambda: 0)
    assert (1, 0) == (remembered.get("12345", lambda: 1), remembered.get("a", lambda: 1))
    remembered.get("x" * 11, lambda: 0)
    assert (0, 1) == (remembered.get("x" * 11, lambda: 1), remembered.get("a", lambda: 1))


def test_what_can_not_be_made_is_not_remembered() -> None:
    """The next attempt may make it."""
    remembered: Remembered[str, float] = Remembered()
    with pytest.raises(ZeroDivisionError):
        remembered.get("a", lambda: 1 / 0)
    assert 2.0 == remembered.get("a", lambda: 2.0)


def test_a_value_is_found_by_what_it_is() -> None:
    """Where there is one."""
    remembered: Remembered[int, int] = Remembered()
    for number in range(4):
        remembered.get(number, lambda number=number: number)  # type: ignore[misc]  # a default binds it
    assert (2, None) == (remembered.find(lambda value: value > 1), remembered.find(lambda value: value > 9))
