"""PathFormat: Joda-Time patterns, the notation of Kafka Connect's `path.format`.

The letters are those of Joda's DateTimeFormat: `YYYY` is the year of the era (not the week-year, which is `xxxx`). Letters in
single quotes are text, and two quotes stand for one. The number of letters is the minimum width of a number, and selects short
or long text (long for four or more letters).
"""

from __future__ import annotations

import datetime
import functools
import importlib
from collections.abc import Callable
from typing import Any

import attrs

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.partitioners.strftime import joda_pattern, strftime_directive
from kafka2parquet.util.english_names import MONTHS, WEEKDAYS

_Part = Callable[[datetime.datetime], str]

_NUMBERS: dict[str, Callable[[datetime.datetime], int]] = {
    "C": lambda moment: moment.year // 100,
    "Y": lambda moment: moment.year,
    "y": lambda moment: moment.year,
    "x": lambda moment: moment.isocalendar()[0],
    "w": lambda moment: moment.isocalendar()[1],
    "e": lambda moment: moment.isoweekday(),
    "D": lambda moment: moment.timetuple().tm_yday,
    "M": lambda moment: moment.month,
    "d": lambda moment: moment.day,
    "K": lambda moment: moment.hour % 12,
    "h": lambda moment: (moment.hour + 11) % 12 + 1,
    "H": lambda moment: moment.hour,
    "k": lambda moment: (moment.hour + 23) % 24 + 1,
    "m": lambda moment: moment.minute,
    "s": lambda moment: moment.second,
}


class PathFormat:
    """A compiled pattern, which formats times."""

    def __init__(self, pattern: str, locale: str = "en") -> None:
        """Compile a pattern.

        Args:
            pattern: a pattern such as `'year'=YYYY/'month'=MM`.
            locale: language of the names of months and days, such as `en`. As in Java's one-argument constructor
                `Locale(language)`, a text with a country, such as `en-US`, is an unknown language. Then short English names
                are printed.

        Raises:
            ConfigurationError: the pattern has an unknown letter or is a strftime pattern, or the language's names need the
                package babel.
        """
        self.pattern = pattern
        directive = strftime_directive(pattern)
        if directive is not None:
            raise ConfigurationError(_not_strftime(pattern, directive))
        parts = tokens(pattern)
        texts = _texts(locale) if any(token.prints_text for token in parts) else _Texts(has_long=True)
        self._parts = [self._part(token, texts) for token in parts]

    def format(self, moment: datetime.datetime) -> str:
        """Format a time that has a time zone."""
        return "".join(part(moment) for part in self._parts)

    def _part(self, token: Token, texts: _Texts) -> _Part:
        letter, width = token.letter, token.width
        if letter is None:
            return lambda moment: token.text
        if letter == "M" and width >= 3:
            return lambda moment: texts.month(moment, long=width >= 4)
        if letter == "E":
            return lambda moment: texts.day(moment, long=width >= 4)
        if letter == "a":
            return texts.half_day
        if letter == "G":
            return lambda moment: "AD"
        if letter == "S":
            return lambda moment: f"{moment.microsecond // 1000:03d}".ljust(width, "0")[:width]
        if letter == "z":
            return lambda moment: _fixed_offset(moment) or texts.zone(moment, long=width >= 4)
        if letter == "Z":
            return lambda moment: _offset(moment, width)
        number = _NUMBERS.get(letter)
        if number is None:
            raise ConfigurationError(
                f"Invalid value {self.pattern} for configuration path.format: Illegal pattern component: {letter * width}."
                " Put text in single quotes, as in 'year'=YYYY."
            )
        if letter in "Yyx" and width == 2:
            return lambda moment: f"{number(moment) % 100:02d}"
        return lambda moment: str(number(moment)).zfill(width)


def _not_strftime(pattern: str, directive: str) -> str:
    joda = joda_pattern(pattern)
    return (
        f"Invalid value {pattern} for configuration path.format: {directive} is a directive of strftime, but the letters are"
        f" Joda's. Write {joda or 'a pattern such as YYYY/MM/dd/HH'}. To print a percent sign, put it in quotes: '%'."
    )


def is_joda(pattern: str) -> bool:
    """Return whether Joda supports all letters of the pattern."""
    return all(token.letter is None or token.letter in _NUMBERS or token.letter in "EaGSzZ" for token in tokens(pattern))


@attrs.frozen
class Token:
    """A run of one letter, or text."""

    letter: str | None
    width: int = 0
    text: str = ""

    @property
    def prints_text(self) -> bool:
        """Whether the output depends on the language."""
        return self.letter in ("E", "a", "z") or (self.letter == "M" and self.width >= 3)


def tokens(pattern: str) -> list[Token]:
    """Split a pattern into tokens, as Joda does: an unterminated quote extends to the end."""
    found: list[Token] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character.isascii() and character.isalpha():
            end = position
            while end < len(pattern) and pattern[end] == character:
                end += 1
            found.append(Token(character, end - position))
            position = end
            continue
        text = ""
        quoted = False
        while position < len(pattern):
            character = pattern[position]
            if character == "'":
                if pattern[position + 1 : position + 2] == "'":
                    text += "'"
                    position += 1
                else:
                    quoted = not quoted
            elif not quoted and character.isascii() and character.isalpha():
                break
            else:
                text += character
            position += 1
        found.append(Token(None, text=text))
    return found


def normalize(pattern: str, delimiter: str) -> str:
    """Remove one delimiter from the end of a pattern.

    Raises:
        ConfigurationError: the pattern is empty then.
    """
    if not pattern.strip() or pattern == delimiter:
        raise ConfigurationError("Invalid value for configuration path.format: Path format cannot be empty.")
    return pattern[: -len(delimiter)] if delimiter and pattern.endswith(delimiter) else pattern


def _offset(moment: datetime.datetime, width: int) -> str:
    if width >= 3:
        return getattr(moment.tzinfo, "key", None) or _fixed_offset(moment) or "UTC"
    return _offset_text(moment, ":" if width == 2 else "")


def _offset_text(moment: datetime.datetime, separator: str) -> str:
    offset = moment.utcoffset() or datetime.timedelta()
    minutes = round(abs(offset).total_seconds() / 60)
    sign = "-" if offset < datetime.timedelta() else "+"
    return f"{sign}{minutes // 60:02d}{separator}{minutes % 60:02d}"


def _fixed_offset(moment: datetime.datetime) -> str | None:
    """Return Joda's name for a time zone that is only an offset, which is the same in all languages; None for other zones."""
    return _offset_text(moment, ":") if isinstance(moment.tzinfo, datetime.timezone) and moment.utcoffset() else None


class _Texts:
    """The JDK's English names. `has_long` is False for an unknown language, which only has short names."""

    def __init__(self, *, has_long: bool) -> None:
        self._has_long = has_long

    def month(self, moment: datetime.datetime, *, long: bool) -> str:
        name = MONTHS[moment.month - 1]
        return name if long and self._has_long else name[:3]

    def day(self, moment: datetime.datetime, *, long: bool) -> str:
        name = WEEKDAYS[moment.isoweekday() % 7]
        return name if long and self._has_long else name[:3]

    def half_day(self, moment: datetime.datetime) -> str:
        return "AM" if moment.hour < 12 else "PM"

    def zone(self, moment: datetime.datetime, *, long: bool) -> str:
        short = moment.tzname() or "UTC"
        if not long:
            return short
        if short == "UTC":
            return "Coordinated Universal Time"
        return str(_babel("en").get_timezone_name(moment, locale="en"))


class _BabelTexts(_Texts):
    """Names in another language, from the package babel."""

    def __init__(self, language: str) -> None:
        super().__init__(has_long=True)
        self._language = language
        self._dates = _babel(language)

    def month(self, moment: datetime.datetime, *, long: bool) -> str:
        return self._print("MMMM" if long else "MMM", moment)

    def day(self, moment: datetime.datetime, *, long: bool) -> str:
        return self._print("EEEE" if long else "EEE", moment)

    def half_day(self, moment: datetime.datetime) -> str:
        return self._print("a", moment)

    def zone(self, moment: datetime.datetime, *, long: bool) -> str:
        return str(self._dates.get_timezone_name(moment, width="long" if long else "short", locale=self._language))

    def _print(self, pattern: str, moment: datetime.datetime) -> str:
        return str(self._dates.format_datetime(moment.replace(tzinfo=None), pattern, locale=self._language))


def _babel(language: str) -> Any:
    try:
        return importlib.import_module("babel.dates")
    except ImportError as error:
        raise ConfigurationError(
            f"The names of months and days in the language {language!r} come from the package babel: install"
            " kafka2parquet[locale], or choose the locale en."
        ) from error


@functools.lru_cache(maxsize=16)
def _texts(locale: str) -> _Texts:
    language = locale.lower()
    if language == "en":
        return _Texts(has_long=True)
    if not (language.isascii() and language.isalpha() and len(language) in (2, 3)):
        return _Texts(has_long=False)
    _babel(language)
    known = importlib.import_module("babel.localedata").exists(language)
    return _BabelTexts(language) if known else _Texts(has_long=False)
