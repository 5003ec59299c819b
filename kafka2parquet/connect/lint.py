"""Classic mistakes: settings that work, but make other folders or files than their author expects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kafka2parquet.connect.config import ConnectConfig, PartitionerKind, visible_properties
from kafka2parquet.partitioners.path_format import Token, tokens

_SECOND_MS = 1000
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
#: Partitions of calendar units can't be counted in equal steps.
_CALENDAR = ("week", "month", "year")
#: Letters of a pattern inside quotes that aren't part of a word such as `address`.
_QUOTED_LETTERS = re.compile(r"(?<![A-Za-z])(?:Y{2,}|y{2,}|M{2,}|d{2,}|H{2,})(?:YYYY|yyyy|MM|dd|HH|mm|ss)*(?![A-Za-z])")
#: Labels that show the meaning of the letter behind them.
_MONTH, _MINUTE = re.compile(r"mon", re.IGNORECASE), re.compile(r"min", re.IGNORECASE)
_HOURS = "HhKk"
#: Properties that only some partitioners look at.
_OF_SOME_PARTITIONERS = (
    "path.format",
    "partition.duration.ms",
    "timestamp.extractor",
    "timestamp.field",
    "partition.field.name",
    "partition.field.format.path",
    "partition.field",
)
#: Durations in milliseconds that were probably meant in seconds or minutes.
_DURATIONS = ("rotate.interval.ms", "rotate.schedule.interval.ms", "partition.duration.ms")


def lint(config: ConnectConfig) -> tuple[str, ...]:
    """What is probably wrong with a configuration that works, one sentence each."""
    found = [*_without_effect(config), *_durations(config), *_files(config), *_names(config)]
    if config.partitioner.has_pattern:
        found += lint_path_format(config.text("path.format"), config.number("partition.duration.ms"))
    return tuple(found)


def lint_path_format(pattern: str, duration_ms: int) -> tuple[str, ...]:
    """What is probably wrong with a Joda pattern for partitions of `duration_ms`, one sentence each."""
    parts = tokens(pattern)
    letters = {token.letter for token in parts if token.letter is not None}
    mistaken = _mistaken_quotes(parts) or [*_mistaken_letters(letters), *_mistaken_order(parts)]
    found = mistaken or _missing_units(letters)
    units = sorted({_UNITS[letter] for letter in letters if letter in _UNITS})
    if not units:
        found = found or ["it prints no time, so all rows share a folder."]
    elif not found:
        found += _granularity(units, duration_ms)
    return tuple(f"path.format={pattern}: {sentence}" for sentence in found)


def _mistaken_quotes(parts: Sequence[Token]) -> list[str]:
    """Text and letters that were taken for each other."""
    found = []
    if any(brace in token.text for token in parts for brace in "{}"):
        found.append("{ and } are printed as they are; letters outside of quotes need nothing around them.")
    for number, token in enumerate(parts):
        quoted = _QUOTED_LETTERS.search(token.text)
        if quoted is not None:
            found.append(f"what stands in quotes is printed as it is, letters such as {quoted[0]} too.")
        word = _word_before(parts, number) if token.text.startswith("=") else ""
        if word:
            found.append(f"{word} before the = is not in quotes, so its letters print parts of the time; write '{word}'=.")
    return found


def _word_before(parts: Sequence[Token], end: int) -> str:
    """The letters that stand directly before the part at `end`."""
    word = ""
    for token in reversed(parts[:end]):
        if token.letter is None:
            break
        word = token.letter * token.width + word
    return word


def _mistaken_letters(letters: set[str]) -> list[str]:
    found = []
    if letters & {"h", "K"} and "a" not in letters:
        found.append("hh and KK count only half a day, so 03:00 and 15:00 share a folder; the hour of the day is HH.")
    if "k" in letters:
        found.append("kk counts the hours from 1 to 24, so midnight is hour 24 of the day that begins; the hour from 0 is HH.")
    if "D" in letters and "M" in letters and "d" not in letters:
        found.append("DD is the day of the year; the day of the month is dd.")
    if "x" in letters and "w" not in letters:
        found.append("xxxx is the year of the week, which differs around New Year; the year is yyyy.")
    if "w" in letters and "x" not in letters:
        found.append("ww is the week of the year xxxx, which differs from YYYY and yyyy around New Year.")
    if "S" in letters and "s" not in letters:
        found.append("SS is a fraction of a second; the second is ss.")
    return found


def _mistaken_order(parts: Sequence[Token]) -> list[str]:
    """Months and minutes, distinguished by what stands beside them."""
    found = []
    letters = [token.letter for token in parts if token.letter is not None]
    neighbours = zip(_labelled(parts), [None, *letters], [*letters[1:], None], strict=False)
    for (label, letter), before, behind in neighbours:
        by_the_hour = before is not None and before in _HOURS
        if letter == "m" and "M" not in letters and not by_the_hour and behind != "s" and not _MINUTE.search(label):
            found.append("mm is the minute; the month is MM.")
        if letter == "M" and letters.count("M") > 1 and by_the_hour and behind != "d" and not _MONTH.search(label):
            found.append("the MM behind the hour is the month again; the minute is mm.")
    return list(dict.fromkeys(found))


def _labelled(parts: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Each letter, behind the text directly before it."""
    for before, token in zip((Token(None), *parts), parts, strict=False):
        if token.letter is not None:
            yield before.text, token.letter


def _missing_units(letters: set[str]) -> list[str]:
    names = {_UNITS[letter][1] for letter in letters if letter in _UNITS}
    has_day = "D" in letters or ("d" in letters and "M" in letters) or (letters & set("eE") and "w" in letters)
    if "d" in letters and "M" not in letters:
        return ["it has no month, so the same day of different months shares a folder."]
    if names & {"hour", "minute", "second"} and not has_day:
        return ["it has no full date, so the same time of different days shares a folder."]
    if names & {"minute", "second"} and "hour" not in names:
        return ["it has no hour, so the same minute of different hours shares a folder."]
    if names and "year" not in names:
        return ["it has no year, so the same time of different years shares a folder."]
    return []


def _granularity(units: Sequence[tuple[int, str]], duration_ms: int) -> list[str]:
    """Whether folders are as long as the partitions; `units` are those of the pattern, the shortest first."""
    unit_ms, unit = units[0]
    next_ms = units[1][0] if len(units) > 1 else _DAY_MS
    if unit in _CALENDAR:
        if _DAY_MS % duration_ms:
            return [
                f"partition.duration.ms={duration_ms} counts days from 1970 on, and {unit}s begin elsewhere, so rows land in "
                f"the {unit} in which their step began. {_DAY_MS} (a day) puts each into its own {unit}."
            ]
        return []
    if unit_ms < _DAY_MS and duration_ms % unit_ms == 0 and duration_ms < next_ms and next_ms % duration_ms == 0:
        return []  # such as ten minutes: each folder has the name of its first minute
    if unit_ms < duration_ms:
        article = "an" if unit == "hour" else "a"
        return [
            f"partition.duration.ms={duration_ms} is longer than {article} {unit}: the {unit} shown is that of the partition's "
            "start."
        ]
    if unit_ms > duration_ms:
        article = "an" if unit == "hour" else "a"
        return [
            f"partition.duration.ms={duration_ms} is shorter than {article} {unit}: all of its partitions share the {unit}'s "
            "folder."
        ]
    return []


def _without_effect(config: ConnectConfig) -> Iterator[str]:
    """Properties that are set although the partitioner or the extractor ignores them."""
    kind = config.partitioner
    if kind is PartitionerKind.CUSTOM:
        return
    used = visible_properties(config.text("partitioner.class"))
    if kind is PartitionerKind.FIELD_AND_TIME:
        used += ("partition.field.name", "partition.field.format.path", "partition.field")
        if config.items("partition.field.name") and config.is_set("partition.field"):
            yield "partition.field has no effect: partition.field.name is set."
    if kind.time_based:
        used += ("timestamp.extractor", "timestamp.field")
    for name in _OF_SOME_PARTITIONERS:
        if name not in used and config.is_set(name):
            yield f"{name} has no effect with {kind.value}."
    if kind.time_based and config.is_set("timestamp.field") and config.extractor != "RecordField":
        yield "timestamp.field has no effect: timestamp.extractor is not RecordField."


def _durations(config: ConnectConfig) -> Iterator[str]:
    for name in _DURATIONS:
        milliseconds = config.number(name)
        if 0 < milliseconds < 10 * _SECOND_MS and config.is_set(name):
            yield f"{name}={milliseconds} is {milliseconds / _SECOND_MS:g} seconds; an hour is {_HOUR_MS}."
    schedule_ms = config.number("rotate.schedule.interval.ms")
    if schedule_ms > _DAY_MS:
        yield f"rotate.schedule.interval.ms={schedule_ms} is longer than a day: files are closed each midnight all the same."
    elif schedule_ms > 0 and _DAY_MS % schedule_ms:
        yield (
            f"rotate.schedule.interval.ms={schedule_ms} doesn't divide a day: it is counted from midnight, and the last part "
            "of the day is shorter."
        )


def _names(config: ConnectConfig) -> Iterator[str]:
    """Columns whose names are the same for some engines."""
    if config.text("kafka2parquet.column.name.case") == "keep":
        yield (
            "kafka2parquet.column.name.case=keep writes columns whose names differ only in upper and lower case: Spark refuses"
            " such files (COLUMN_ALREADY_EXISTS, unless spark.sql.caseSensitive=true), Athena, Hive and Trino can't tell the"
            " columns apart, and DuckDB gives one of them another name."
        )


def _files(config: ConnectConfig) -> Iterator[str]:
    """Files that are never closed, or too often."""
    kind, rows = config.partitioner, config.number("flush.size")
    looks_at_time = kind.time_based or kind is PartitionerKind.CUSTOM
    by_record_time = config.number("rotate.interval.ms") > 0 and looks_at_time
    by_clock = config.number("rotate.schedule.interval.ms") > 0
    if not by_record_time and not by_clock and rows > 1:
        yield (
            f"No time ends a file: the last rows of a quiet partition are not written before it has flush.size={rows} rows. "
            "Set rotate.schedule.interval.ms."
        )
    if 1 < rows < 100:
        yield f"flush.size={rows} makes many small files."
    if config.number("partitioner.max.open.files") in (0, 1) and looks_at_time:
        yield "partitioner.max.open.files=1 or less closes files whenever a row has another folder than the one before."
