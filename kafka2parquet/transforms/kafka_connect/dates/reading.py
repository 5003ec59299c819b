"""Parses times as Java's SimpleDateFormat does: leniently, in English, and in UTC if a text doesn't name a zone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.transforms.kafka_connect.dates.calendar import Integers, days_of
from kafka2parquet.transforms.kafka_connect.dates.pattern import Part
from kafka2parquet.util.english_names import MONTHS, WEEKDAYS

_DAY_MS, _HOUR_MS, _MINUTE_MS = 86_400_000, 3_600_000, 60_000
#: A two-digit year is one of the hundred years from this year on. Java starts eighty years before the current year.
_FIRST_OF_TWO_DIGITS = 1947
#: Limits for years and digits. Java's times end in the year 292,278,994, and longer numbers don't fit its integers.
_LAST_YEAR, _MOST_DIGITS = 290_000_000, 18
_UNREADABLE = {
    "G": "eras",
    "Y": "years of weeks",
    "w": "weeks",
    "W": "weeks",
    "F": "weeks",
    "u": "numbers of weekdays",
}
_OFFSET = r"[+-](?:[01][0-9]|2[0-3])"
_ISO_ZONES = {1: f"Z|{_OFFSET}", 2: f"Z|{_OFFSET}[0-5][0-9]", 3: f"Z|{_OFFSET}:[0-5][0-9]"}
#: Offsets of zones from UTC in hours.
_ZONES = {"UTC": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
_ZONE = rf"(?i:GMT)(?:[+-](?:[01]?[0-9]|2[0-3]):[0-5][0-9]|[+-]?)|{_OFFSET}[0-5][0-9]|(?i:{'|'.join(_ZONES)})"


class DateReader:
    """Parses texts by one pattern. Text after the end of the pattern is ignored, as in Java."""

    def __init__(self, parts: Sequence[Part]) -> None:
        """Take the parts of the pattern.

        Raises:
            ValueError: the pattern has letters that this library can format but not parse. The message names them.
        """
        self._fields: dict[str, Part] = {}
        self._order: list[str] = []
        self._pattern = "^" + "".join(self._expressions(parts))
        letters = {part.letter for part in self._fields.values()}
        for letter in letters & set(_UNREADABLE):
            raise ValueError(f"{_UNREADABLE[letter]} ({letter}) can't be read")
        if "E" in letters and not letters & set("dD"):
            raise ValueError("weekdays (E) without days can't be read")

    def read(self, texts: pa.Array) -> pa.Array:
        """Parse texts to milliseconds since 1970 (int64). A text that doesn't match the pattern becomes null."""
        found = pc.extract_regex(texts.cast(pa.string()), self._pattern)
        read = pc.is_valid(found).to_numpy(zero_copy_only=False)
        if not read.any():
            return pa.nulls(len(texts), pa.int64())
        values, valid = self._values(found)
        read &= valid
        year = values.get("y", np.full(len(texts), 1970))
        read &= np.abs(year) <= _LAST_YEAR
        milliseconds = self._days(np.where(read, year, 1970), values) * _DAY_MS + self._of_day_ms(len(texts), values)
        if "z" in values:
            milliseconds = milliseconds - values["z"]
        return pa.array(milliseconds, pa.int64(), mask=~read)

    def _expressions(self, parts: Sequence[Part]) -> Iterator[str]:
        for index, part in enumerate(parts):
            if not part.letter:
                yield _escaped(part.text)
                continue
            name = f"{_kind(part)}{index}"
            self._fields[name] = part
            self._order.append(name)
            following = parts[index + 1] if index + 1 < len(parts) else Part()
            yield _expression(part, name, has_fixed_width=_is_number(following))

    def _values(self, found: pa.Array) -> tuple[dict[str, Integers], np.ndarray]:
        """Return the numbers of each kind of field from its last occurrence, and a mask of the rows with valid numbers."""
        values: dict[str, Integers] = {}
        valid = np.ones(len(found), np.bool_)
        for name in self._order:
            text, part = pc.fill_null(pc.struct_field(found, name), ""), self._fields[name]
            if part.letter in "XZz":
                values["z"] = _zone_offsets_ms(text)
                valid &= ~pc.match_substring_regex(text, "[+-]$").to_numpy(zero_copy_only=False)  # GMT+1
            elif _is_number(part):
                text = pc.utf8_trim(text, " \t")
                fits = pc.less_equal(pc.utf8_length(text), _MOST_DIGITS)
                valid &= fits.to_numpy(zero_copy_only=False)
                values[name[0]] = _adjusted(part, text, fits)
            elif part.letter != "E":
                values[name[0]] = _indices(part, text)
        return values, valid

    def _last(self, *kinds: str) -> int:
        """Return the index of the last field of the given kinds; -1 if there isn't one."""
        return max((place for place, name in enumerate(self._order) if name[0] in kinds), default=-1)

    def _days(self, year: Integers, values: dict[str, Integers]) -> Integers:
        one = np.ones(len(year), np.int64)
        if self._last("D") > self._last("d"):
            return days_of(year, one, values["D"])
        return days_of(year, values.get("M", one), values.get("d", one))

    def _of_day_ms(self, count: int, values: dict[str, Integers]) -> Integers:
        none = np.zeros(count, np.int64)
        hour = values.get("h", none)
        both = max(self._last("h"), self._last("a")) if {"h", "a"} <= values.keys() else -1
        if "H" in values and self._last("H") > both:
            hour = values["H"]
        elif "a" in values:
            hour = hour + 12 * values["a"]
        seconds_ms = values.get("s", none) * 1000 + values.get("S", none)
        return hour * _HOUR_MS + values.get("m", none) * _MINUTE_MS + seconds_ms


def _kind(part: Part) -> str:
    """Return the letter that represents a field and all fields with the same meaning."""
    return {"L": "M", "k": "H", "K": "h", "X": "z", "Z": "z"}.get(part.letter, part.letter)


def _is_number(part: Part) -> bool:
    return bool(part.letter) and part.letter not in "GEazZX" and not (part.letter in "ML" and part.count > 2)


def _expression(part: Part, name: str, *, has_fixed_width: bool) -> str:
    if part.letter == "X":
        return f"[ \t]*(?P<{name}>{_ISO_ZONES[part.count]})"
    if part.letter in "zZ":
        return f"[ \t]*(?P<{name}>{_ZONE})"
    if not _is_number(part):
        names = _names(part)
        return f"(?P<{name}>(?i:{'|'.join((*names, *(one[:3] for one in names)))}))"
    if not has_fixed_width:
        return f"[ \t]*(?P<{name}>-?[0-9]+)"
    widths = [f"[ \t]{{{blanks}}}[0-9]{{{part.count - blanks}}}" for blanks in range(part.count)]
    widths += [f"[ \t]{{{blanks}}}-[0-9]{{{part.count - blanks - 1}}}" for blanks in range(part.count - 1)]
    return f"(?P<{name}>{'|'.join(widths)})"


def _names(part: Part) -> Sequence[str]:
    return {"M": MONTHS, "L": MONTHS, "E": WEEKDAYS, "a": ("AM", "PM"), "G": ("BC", "AD")}[part.letter]


def _escaped(text: str) -> str:
    return "".join(letter if letter.isalnum() or not letter.isascii() else f"\\x{ord(letter):02x}" for letter in text)


def _adjusted(part: Part, text: pa.Array, fits: pa.Array) -> Integers:
    """Return the numbers of a field. Months are counted from 1."""
    whole = pc.if_else(pc.and_(fits, pc.not_equal(text, "")), text, "0").cast(pa.int64())
    numbers: Integers = whole.to_numpy(zero_copy_only=False).astype(np.int32).astype(np.int64)  # Java's integers, which wrap
    if part.letter == "y" and part.count <= 2:
        is_short = pc.match_substring_regex(text, "^[0-9]{2}$").to_numpy(zero_copy_only=False)
        of_century = numbers - _FIRST_OF_TWO_DIGITS % 100
        return np.where(is_short, _FIRST_OF_TWO_DIGITS + of_century % 100, numbers)
    highest = {"k": 24, "h": 12}.get(part.letter)
    return numbers if highest is None else np.where(numbers == highest, 0, numbers)


def _indices(part: Part, text: pa.Array) -> Integers:
    """Return the numbers of months by name, or 1 for the afternoon."""
    starts = pa.array([name[:3].lower() for name in _names(part)])
    found = pc.index_in(pc.utf8_slice_codeunits(pc.utf8_lower(text), 0, 3), starts).fill_null(0)
    numbers: Integers = found.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers + 1 if part.letter in "ML" else numbers


def _zone_offsets_ms(text: pa.Array) -> Integers:
    """Return the offsets of zones from UTC in milliseconds."""
    upper = pc.utf8_upper(text)
    parts = pc.extract_regex(upper, r"(?P<sign>[+-])(?P<hours>[0-9]{1,2}?):?(?P<minutes>[0-9]{2})?$")
    hours, minutes = (pc.coalesce(pc.struct_field(parts, name), "") for name in ("hours", "minutes"))
    numbers = [pc.if_else(pc.equal(one, ""), "0", one).cast(pa.int64()).to_numpy() for one in (hours, minutes)]
    sign = np.where(pc.match_substring(upper, "-").to_numpy(zero_copy_only=False), -1, 1)
    named = pc.index_in(upper, pa.array(list(_ZONES))).fill_null(0).to_numpy(zero_copy_only=False)
    of_name = np.array(list(_ZONES.values()), np.int64)[named] * _HOUR_MS
    offsets: Integers = sign * (numbers[0] * _HOUR_MS + numbers[1] * _MINUTE_MS) + of_name
    return offsets
