"""Formats times as Java's SimpleDateFormat does in English and in UTC."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.transforms.kafka_connect.dates.calendar import Dates, Integers, dates_of, days_of
from kafka2parquet.transforms.kafka_connect.dates.pattern import Part
from kafka2parquet.util.english_names import MONTHS, WEEKDAYS

_DAY_MS = 86_400_000


def date_texts(milliseconds: pa.Array, parts: Sequence[Part]) -> pa.Array:
    """Format times by a pattern.

    Args:
        milliseconds: int64, milliseconds since 1970. Nulls stay null.
        parts: parts of the pattern.
    """
    times = _Times(milliseconds.fill_null(0).to_numpy(zero_copy_only=False))
    pieces = [pa.scalar(part.text) if not part.letter else _written(times, part) for part in parts]
    if not any(part.letter for part in parts):
        pieces.append(pa.repeat(pa.scalar(""), len(milliseconds)))
    texts = pc.binary_join_element_wise(*pieces, "")
    return pc.if_else(milliseconds.is_valid(), texts, pa.scalar(None, pa.string()))


class _Times:
    """Fields of times, computed on demand."""

    def __init__(self, milliseconds: Integers) -> None:
        self.days = milliseconds // _DAY_MS
        self.of_day_ms = milliseconds - self.days * _DAY_MS

    @functools.cached_property
    def dates(self) -> Dates:
        return dates_of(self.days)

    @functools.cached_property
    def year_of_era(self) -> Integers:
        return np.where(self.dates.year > 0, self.dates.year, 1 - self.dates.year)

    @functools.cached_property
    def weekday(self) -> Integers:
        """0 for Sunday."""
        return (self.days + 4) % 7

    @functools.cached_property
    def hour(self) -> Integers:
        return self.of_day_ms // 3_600_000

    @functools.cached_property
    def saturday(self) -> Dates:
        """The Saturday of the week (the last day); the week belongs to the year of this day."""
        return dates_of(self.days - self.weekday + 6)

    @functools.cached_property
    def day_of_year(self) -> Integers:
        return self.days - _new_year(self.dates.year) + 1

    @functools.cached_property
    def week_of_year(self) -> Integers:
        return (self.days - self.weekday + 6 - _new_year(self.saturday.year)) // 7 + 1

    @functools.cached_property
    def week_of_month(self) -> Integers:
        first_weekday = (self.weekday - (self.dates.day - 1)) % 7
        return (self.dates.day - 1 + first_weekday) // 7 + 1


_NUMBERS: dict[str, Callable[[_Times], Integers]] = {
    "M": lambda times: times.dates.month,
    "L": lambda times: times.dates.month,
    "w": lambda times: times.week_of_year,
    "W": lambda times: times.week_of_month,
    "D": lambda times: times.day_of_year,
    "d": lambda times: times.dates.day,
    "F": lambda times: (times.dates.day - 1) // 7 + 1,
    "u": lambda times: (times.weekday + 6) % 7 + 1,
    "H": lambda times: times.hour,
    "k": lambda times: (times.hour + 23) % 24 + 1,
    "K": lambda times: times.hour % 12,
    "h": lambda times: (times.hour + 11) % 12 + 1,
    "m": lambda times: times.of_day_ms // 60_000 % 60,
    "s": lambda times: times.of_day_ms // 1000 % 60,
    "S": lambda times: times.of_day_ms % 1000,
}
_UTC = {"X": "Z", "Z": "+0000"}


def _written(times: _Times, part: Part) -> pa.Array | pa.Scalar:
    letter, count = part.letter, part.count
    if letter in "yY":
        year = times.year_of_era if letter == "y" else times.saturday.year
        return _padded(year % 100, 2) if count == 2 else _padded(year, count)
    if letter in "ML" and count >= 3:
        return _named(times.dates.month - 1, MONTHS, short=count == 3)
    if letter == "E":
        return _named(times.weekday, WEEKDAYS, short=count <= 3)
    if letter == "a":
        return _named(times.hour // 12, ("AM", "PM"))
    if letter == "G":
        return _named((times.dates.year > 0).astype(np.int64), ("BC", "AD"))
    if letter == "z":
        return pa.scalar("Coordinated Universal Time" if count > 3 else "UTC")
    if letter in _UTC:
        return pa.scalar(_UTC[letter])
    return _padded(_NUMBERS[letter](times), count)


def _padded(numbers: Integers, width: int) -> pa.Array:
    return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")


def _named(indices: Integers, names: Sequence[str], *, short: bool = False) -> pa.Array:
    return pa.array([name[:3] if short else name for name in names]).take(pa.array(indices))


def _new_year(year: Integers) -> Integers:
    one = np.ones(len(year), np.int64)
    return days_of(year, one, one)
