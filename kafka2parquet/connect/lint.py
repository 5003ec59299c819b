"""Warnings about classic mistakes: valid settings that make other folders or files than their author expects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kafka2parquet.connect.config import ConnectConfig, PartitionerKind, visible_properties
from kafka2parquet.connect.missing_values import known_only
from kafka2parquet.connect.properties.names import (
    COLUMN_NAME_CASE,
    FLUSH_SIZE,
    PARTITION_DURATION_MS,
    PARTITION_FIELD,
    PARTITION_FIELD_NAME,
    PARTITIONER_CLASS,
    PARTITIONER_MAX_OPEN_FILES,
    PATH_FORMAT,
    ROTATE_INTERVAL_MS,
    ROTATE_SCHEDULE_INTERVAL_MS,
    ROTATION_POLICY,
    TIMESTAMP_FIELD,
)
from kafka2parquet.partitioners.path_format import Token, tokens
from kafka2parquet.problems import Problem, warning

_SECOND_MS = 1000
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
#: The unit that each letter of a pattern prints: its length in milliseconds, and its name.
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
#: Units that are not all equally long, so partitions of a fixed duration don't match them.
_CALENDAR = ("week", "month", "year")
#: Letters of a pattern inside quotes that aren't part of a word such as `address`.
_QUOTED_LETTERS = re.compile(r"(?<![A-Za-z])(?:Y{2,}|y{2,}|M{2,}|d{2,}|H{2,})(?:YYYY|yyyy|MM|dd|HH|mm|ss)*(?![A-Za-z])")
#: Labels that give away the meaning of the letter after them.
_MONTH, _MINUTE = re.compile(r"mon", re.IGNORECASE), re.compile(r"min", re.IGNORECASE)
_HOURS = "HhKk"
#: Properties that only some partitioners use.
_OF_SOME_PARTITIONERS = (
    "path.format",
    "partition.duration.ms",
    "timestamp.extractor",
    "timestamp.field",
    "partition.field.name",
    "partition.field.format.path",
    "partition.field",
)
#: Durations in milliseconds that were probably intended as seconds or minutes.
_DURATIONS = ("rotate.interval.ms", "rotate.schedule.interval.ms", "partition.duration.ms")


def lint(config: ConnectConfig) -> tuple[Problem, ...]:
    """Return a warning for each probable mistake in a valid configuration."""
    found = [warning for rule in (_without_effect, _durations, _files, _names) for warning in known_only(config, rule)]
    if config.partitioner.has_pattern:
        found += lint_path_format(config.text(PATH_FORMAT), config.number(PARTITION_DURATION_MS))
    return tuple(found)


def lint_path_format(pattern: str, duration_ms: int) -> tuple[Problem, ...]:
    """Return a warning for each probable mistake in a Joda pattern for partitions of `duration_ms` milliseconds."""
    parts = tokens(pattern)
    letters = {token.letter for token in parts if token.letter is not None}
    mistaken = _mistaken_quotes(parts) or [*_mistaken_letters(letters), *_mistaken_order(parts)]
    found = mistaken or _missing_units(letters)
    units = sorted({_UNITS[letter] for letter in letters if letter in _UNITS})
    properties: tuple[str, ...] = (PATH_FORMAT,)
    if not units:
        found = found or ["the pattern prints no time, so all rows share a folder."]
    elif not found:
        found = _granularity(units, duration_ms)
        properties = (PATH_FORMAT, PARTITION_DURATION_MS)
    return tuple(warning(properties, f"path.format={pattern}: {sentence}") for sentence in found)


def _mistaken_quotes(parts: Sequence[Token]) -> list[str]:
    """Find text that was probably written as letters of the pattern, and letters that were probably written as text."""
    found = []
    if any(brace in token.text for token in parts for brace in "{}"):
        found.append("{ and } are printed as they are; letters outside quotes need nothing around them.")
    for number, token in enumerate(parts):
        quoted = _QUOTED_LETTERS.search(token.text)
        if quoted is not None:
            found.append(f"text in quotes is printed as it is, including letters such as {quoted[0]}.")
        word = _word_before(parts, number) if token.text.startswith("=") else ""
        if word:
            found.append(f"{word} before the = is not in quotes, so its letters print the time. Write '{word}'=.")
    return found


def _word_before(parts: Sequence[Token], end: int) -> str:
    """Return the letters directly before the part at index `end`."""
    word = ""
    for token in reversed(parts[:end]):
        if token.letter is None:
            break
        word = token.letter * token.width + word
    return word


def _mistaken_letters(letters: set[str]) -> list[str]:
    found = []
    if letters & {"h", "K"} and "a" not in letters:
        found.append("hh and KK count only half a day, so 03:00 and 15:00 share a folder. The hour of the day is HH.")
    if "k" in letters:
        found.append("kk counts hours from 1 to 24, so midnight is hour 24 of the day that begins. The hour from 0 is HH.")
    if "D" in letters and "M" in letters and "d" not in letters:
        found.append("DD is the day of the year. The day of the month is dd.")
    if "x" in letters and "w" not in letters:
        found.append("xxxx is the year of the week, which differs from the calendar year around New Year. The year is yyyy.")
    if "w" in letters and "x" not in letters:
        found.append("ww is the week of the year xxxx, which differs from YYYY and yyyy around New Year.")
    if "S" in letters and "s" not in letters:
        found.append("SS is a fraction of a second. The second is ss.")
    return found


def _mistaken_order(parts: Sequence[Token]) -> list[str]:
    """Find months and minutes that were confused, by the letters and labels next to them."""
    found = []
    letters = [token.letter for token in parts if token.letter is not None]
    neighbours = zip(_labelled(parts), [None, *letters], [*letters[1:], None], strict=False)
    for (label, letter), before, behind in neighbours:
        by_the_hour = before is not None and before in _HOURS
        if letter == "m" and "M" not in letters and not by_the_hour and behind != "s" and not _MINUTE.search(label):
            found.append("mm is the minute. The month is MM.")
        if letter == "M" and letters.count("M") > 1 and by_the_hour and behind != "d" and not _MONTH.search(label):
            found.append("the MM after the hour is the month again. The minute is mm.")
    return list(dict.fromkeys(found))


def _labelled(parts: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Yield each letter, after the text directly before it."""
    for before, token in zip((Token(None), *parts), parts, strict=False):
        if token.letter is not None:
            yield before.text, token.letter


def _missing_units(letters: set[str]) -> list[str]:
    names = {_UNITS[letter][1] for letter in letters if letter in _UNITS}
    has_day = "D" in letters or ("d" in letters and "M" in letters) or (letters & set("eE") and "w" in letters)
    if "d" in letters and "M" not in letters:
        return ["the pattern has no month, so the same day of different months shares a folder."]
    if names & {"hour", "minute", "second"} and not has_day:
        return ["the pattern has no full date, so the same time of different days shares a folder."]
    if names & {"minute", "second"} and "hour" not in names:
        return ["the pattern has no hour, so the same minute of different hours shares a folder."]
    if names and "year" not in names:
        return ["the pattern has no year, so the same time of different years shares a folder."]
    return []


def _granularity(units: Sequence[tuple[int, str]], duration_ms: int) -> list[str]:
    """Compare the length of folders and partitions; `units` are the units in the pattern, shortest first."""
    unit_ms, unit = units[0]
    next_ms = units[1][0] if len(units) > 1 else _DAY_MS
    if unit in _CALENDAR:
        if _DAY_MS % duration_ms:
            return [
                f"partition.duration.ms={duration_ms} makes equal steps from 1970 on, which don't begin when {unit}s begin, "
                f"so a row lands in the {unit} in which its step began. {_DAY_MS} (a day) puts each row into its own {unit}."
            ]
        return []
    if unit_ms < _DAY_MS and duration_ms % unit_ms == 0 and duration_ms < next_ms and next_ms % duration_ms == 0:
        return []  # such as ten minutes: each folder is named after its first minute
    if unit_ms < duration_ms:
        article = "an" if unit == "hour" else "a"
        return [
            f"partition.duration.ms={duration_ms} is longer than {article} {unit}: folders show the {unit} in which the "
            "partition starts."
        ]
    if unit_ms > duration_ms:
        article = "an" if unit == "hour" else "a"
        return [
            f"partition.duration.ms={duration_ms} is shorter than {article} {unit}: all partitions of {article} {unit} share a "
            "folder."
        ]
    return []


def _without_effect(config: ConnectConfig) -> Iterator[Problem]:
    """Warn about properties that are set although the partitioner or the extractor ignores them."""
    kind = config.partitioner
    if kind is PartitionerKind.CUSTOM:
        return
    used = visible_properties(config.text(PARTITIONER_CLASS))
    if kind is PartitionerKind.FIELD_AND_TIME:
        used += ("partition.field.name", "partition.field.format.path", "partition.field")
        if config.items(PARTITION_FIELD_NAME) and config.is_set(PARTITION_FIELD):
            yield warning(PARTITION_FIELD, "partition.field has no effect: partition.field.name is set")
    if kind.time_based:
        used += ("timestamp.extractor", "timestamp.field")
    for name in _OF_SOME_PARTITIONERS:
        if name not in used and config.is_set(name):
            yield warning(name, f"{name} has no effect with {kind.value}")
    if kind.time_based and config.is_set(TIMESTAMP_FIELD) and config.extractor != "RecordField":
        yield warning(TIMESTAMP_FIELD, "timestamp.field has no effect: timestamp.extractor is not RecordField")


def _durations(config: ConnectConfig) -> Iterator[Problem]:
    for name in _DURATIONS:
        milliseconds = config.number(name)
        if 0 < milliseconds < 10 * _SECOND_MS and config.is_set(name):
            yield warning(name, f"{name}={milliseconds} is {milliseconds / _SECOND_MS:g} seconds; an hour is {_HOUR_MS}")
    schedule_ms = config.number(ROTATE_SCHEDULE_INTERVAL_MS)
    if schedule_ms > _DAY_MS:
        yield warning(
            ROTATE_SCHEDULE_INTERVAL_MS,
            f"rotate.schedule.interval.ms={schedule_ms} is longer than a day, but files close at midnight anyway",
        )
    elif schedule_ms > 0 and _DAY_MS % schedule_ms:
        yield warning(
            ROTATE_SCHEDULE_INTERVAL_MS,
            f"rotate.schedule.interval.ms={schedule_ms} doesn't divide a day: intervals are counted from midnight, so the "
            "last interval of each day is shorter",
        )


def _names(config: ConnectConfig) -> Iterator[Problem]:
    """Warn about column names that some query engines can't tell apart."""
    if config.text(COLUMN_NAME_CASE) == "keep":
        yield warning(
            COLUMN_NAME_CASE,
            "kafka2parquet.column.name.case=keep writes columns whose names differ only in upper and lower case: Spark refuses"
            " such files (COLUMN_ALREADY_EXISTS, unless spark.sql.caseSensitive=true), Athena, Hive and Trino can't tell the"
            " columns apart, and DuckDB renames one of the two",
        )


def _files(config: ConnectConfig) -> Iterator[Problem]:
    """Warn about files that are never closed, or closed too often."""
    kind, rows = config.partitioner, config.number(FLUSH_SIZE)
    looks_at_time = kind.time_based or kind is PartitionerKind.CUSTOM
    by_record_time = config.number(ROTATE_INTERVAL_MS) > 0 and looks_at_time
    by_clock = config.number(ROTATE_SCHEDULE_INTERVAL_MS) > 0
    if not by_record_time and not by_clock and not config.text(ROTATION_POLICY) and rows > 1:
        yield warning(
            (FLUSH_SIZE, ROTATE_SCHEDULE_INTERVAL_MS),
            f"Nothing closes a file after some time: the last rows of a quiet partition are only written once it has "
            f"flush.size={rows} rows",
            "Set rotate.schedule.interval.ms.",
        )
    if 1 < rows < 100:
        yield warning(FLUSH_SIZE, f"flush.size={rows} makes many small files")
    if config.number(PARTITIONER_MAX_OPEN_FILES) in (0, 1) and looks_at_time:
        yield warning(
            PARTITIONER_MAX_OPEN_FILES,
            "partitioner.max.open.files=1 or less closes files whenever a row belongs to another folder than the row before",
        )
