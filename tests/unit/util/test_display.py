"""Short texts of numbers, sizes, durations and names."""

from __future__ import annotations

import pytest

from kafka2parquet.util.display import about, amount, counted, duration, shortened, size


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (0.4, "0"),
        (999.6, "1,000"),
        (9_980, "9,980"),
        (18_234, "18.2 k"),
        (99_949, "99.9 k"),
        (99_951, "100 k"),
        (999_400, "999 k"),
        (24_600_000, "24.6 M"),
        (3 * 10**9, "3.0 G"),
        (5 * 10**15, "5,000 T"),
    ],
)
def test_amount(number: float, text: str) -> None:
    """Small numbers keep their digits, and larger numbers have three significant digits and a unit."""
    assert text == amount(number)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (98.25 * 2**20, "98.2 MiB"),
        (212 << 20, "212 MiB"),
        (3 << 40, "3.0 TiB"),
    ],
)
def test_size(size_bytes: float, text: str) -> None:
    """Sizes are in binary units."""
    assert text == size(size_bytes)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (0.9, "0s"), (59.9, "59s"), (60, "1m 0s"), (2472, "41m 12s"), (3 * 3600 + 59, "3h 0m"), (90_000, "1d 1h")],
)
def test_duration(seconds: float, text: str) -> None:
    """Durations have their two largest units, rounded down; a time that has passed is 0."""
    assert text == duration(seconds)


def test_shortened_keeps_the_end() -> None:
    """The end of a name stays, because it has the partition; the result is never longer than asked for."""
    assert ["orders-7", "…ders-7", "…7", "…"] == [shortened("orders-7", width) for width in (8, 7, 2, 1)]


def test_counted() -> None:
    """One thing is named in the singular, and several as English forms plurals; numbers have all digits or few."""
    numbers = (0, 1, 18_234)
    assert ["0 files", "1 file", "18,234 files"] == [counted(number, "file") for number in numbers]
    assert ["0 flushes", "1 flush", "18.2 k flushes"] == [about(number, "flush") for number in numbers]
