"""Partition projection: which values a folder column can have, as properties of an Athena table.

Athena computes the folders from these properties instead of asking the catalogue, so that new folders need no registration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from kafka2parquet.partitioners.path_format import Token, tokens

#: Letters of a Joda pattern that are a number: their least and greatest value, and their first value as a text of a date.
_NUMBERS = {"M": (1, 12, "01"), "d": (1, 31, "01"), "H": (0, 23, "00"), "m": (0, 59, "00")}
_YEARS = "yYx"
_UNITS = (("m", "MINUTES"), ("H", "HOURS"), ("d", "DAYS"), ("M", "MONTHS"))
#: The first year if there are no files yet, and the number of years that are projected after the newest one.
_FIRST_YEAR, _YEARS_AHEAD = 2020, 10

Projection = Mapping[str, str]


@attrs.frozen
class TimeColumn:
    """A folder column whose values are times.

    Attributes:
        name: its name.
        parts: the parts of the values' Joda pattern.
    """

    name: str
    parts: Sequence[Token]


def time_columns(path_format: str, delimiter: str) -> list[TimeColumn]:
    """Return the columns of a `path.format`: its folders of the form `'name'=pattern`."""
    folders: list[list[Token]] = [[]]
    for token in tokens(path_format):
        if token.letter is not None:
            folders[-1].append(token)
            continue
        first, *others = token.text.split(delimiter)
        folders[-1].append(Token(None, text=first))
        folders += [[Token(None, text=text)] for text in others]
    found = []
    for first_token, *parts in filter(None, folders):
        name, equals, text = first_token.text.partition("=")
        if first_token.letter is None and name and equals:
            found.append(TimeColumn(name, [*([Token(None, text=text)] if text else []), *parts]))
    return found


def of_time(column: TimeColumn, values: Sequence[str]) -> Projection:
    """Return the projection of a time column: it begins with the least value that there is.

    Args:
        column: the column.
        values: the values that there are, sorted.
    """
    parts = [part for part in column.parts if part.letter is not None or part.text]
    letters = {part.letter for part in parts} - {None}
    if any(part.letter is not None and (part.letter not in {*_YEARS, *_NUMBERS} or part.width > 4) for part in parts):
        return of_any_value()
    if any(part.letter == "M" and part.width > 2 for part in parts) or not letters:
        return of_any_value()
    if len(parts) == 1:
        letter, width = parts[0].letter or "", parts[0].width
        if letter in _NUMBERS:
            least, greatest, _ = _NUMBERS[letter]
            return _of("integer", range=f"{least},{greatest}", digits=str(width))
        if width == 4:
            years = sorted(int(value) for value in values if value.isdecimal()) or [_FIRST_YEAR]
            return _of("integer", range=f"{years[0]},{years[-1] + _YEARS_AHEAD}", digits="4")
        return of_any_value()
    if not letters & {*_YEARS}:
        return of_any_value()
    java = "".join(map(_java, parts))
    is_sorted = java.startswith("yyyy")  # texts then sort like times
    first = values[0] if values and is_sorted else "".join(map(_first, parts))
    unit = next((unit for letter, unit in _UNITS if letter in letters), "YEARS")
    return {**_of("date", format=java, range=f"{first},NOW+1DAYS"), "interval": "1", "interval.unit": unit}


def of_kafka_partition(values: Sequence[str]) -> Projection:
    """Return the projection of the column `partition` of the DefaultPartitioner: up to the greatest one that there is."""
    greatest = max((int(value) for value in values if value.isdecimal()), default=0)
    return _of("integer", range=f"0,{greatest}")


def of_any_value() -> Projection:
    """Return the projection of a column whose values can't be listed: each query has to name one."""
    return _of("injected")


def _of(kind: str, **settings: str) -> Projection:
    return {"type": kind, **settings}


def _java(part: Token) -> str:
    """Return a part in the notation of Java's DateTimeFormatter."""
    if part.letter is None:
        return f"'{part.text}'" if any(map(str.isalpha, part.text)) else part.text
    return ("y" if part.letter in _YEARS else part.letter) * part.width


def _first(part: Token) -> str:
    if part.letter is None:
        return part.text
    return str(_FIRST_YEAR) if part.letter in _YEARS else _NUMBERS[part.letter][2]
