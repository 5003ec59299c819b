"""Classic mistakes in path formats: patterns that work, and make other folders than their author thinks."""

from __future__ import annotations

from kafka2parquet.partitioners.path_format import tokens

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
#: Length of what each letter counts, and its name.
_UNITS = {
    "S": (1, "millisecond"),
    "s": (1000, "second"),
    "m": (60_000, "minute"),
    **dict.fromkeys("HhKk", (_HOUR_MS, "hour")),
    "a": (12 * _HOUR_MS, "half day"),
    **dict.fromkeys("dDeE", (_DAY_MS, "day")),
    "w": (7 * _DAY_MS, "week"),
    "M": (28 * _DAY_MS, "month"),
    **dict.fromkeys("Yyx", (365 * _DAY_MS, "year")),
}


def lint_path_format(pattern: str, duration_ms: int) -> tuple[str, ...]:
    """What is probably wrong with a Joda pattern for partitions of `duration_ms`, one sentence each."""
    letters = {token.letter for token in tokens(pattern) if token.letter is not None}
    found = [*_mistaken_letters(letters), *_missing_units(letters)]
    units = [_UNITS[letter] for letter in letters if letter in _UNITS]
    if units and not found:
        found += _granularity(min(units), duration_ms)
    return tuple(f"path.format={pattern}: {sentence}" for sentence in found)


def _mistaken_letters(letters: set[str]) -> list[str]:
    found = []
    if "m" in letters and "M" not in letters:
        found.append("mm is the minute; the month is MM.")
    if letters & {"h", "K"} and "a" not in letters:
        found.append("hh and KK count only half a day, so 03:00 and 15:00 share a folder; the hour of the day is HH.")
    if "D" in letters and "M" in letters and "d" not in letters:
        found.append("DD is the day of the year; the day of the month is dd.")
    if "x" in letters and "w" not in letters:
        found.append("xxxx is the year of the week, which differs around New Year; the year is yyyy.")
    return found


def _missing_units(letters: set[str]) -> list[str]:
    names = {_UNITS[letter][1] for letter in letters if letter in _UNITS}
    has_day = "D" in letters or ("d" in letters and "M" in letters) or (letters & set("eE") and "w" in letters)
    if names & {"hour", "minute", "second"} and not has_day:
        return ["it has no full date, so the same time of different days shares a folder."]
    if names & {"minute", "second"} and "hour" not in names:
        return ["it has no hour, so the same minute of different hours shares a folder."]
    if names and "year" not in names:
        return ["it has no year, so the same time of different years shares a folder."]
    if "d" in letters and "M" not in letters:
        return ["it has no month, so the same day of different months shares a folder."]
    return []


def _granularity(finest: tuple[int, str], duration_ms: int) -> list[str]:
    unit_ms, unit = finest
    if unit_ms < duration_ms and unit_ms <= _DAY_MS and duration_ms % unit_ms == 0 and duration_ms // unit_ms > 1:
        return [
            f"partition.duration.ms={duration_ms} is longer than a {unit}: the {unit} shown is that of the partition's start."
        ]
    if unit_ms > duration_ms:
        return [
            f"partition.duration.ms={duration_ms} is shorter than a {unit}: all of its partitions share the {unit}'s folder."
        ]
    return []
