"""Texts for people: short texts of numbers, sizes, durations and names, and text from outside without invisible characters.

The text of records, keys and names may contain escape sequences that control a terminal, line ends that forge log lines, and
invisible characters that reverse the order of letters.
"""

from __future__ import annotations

import json

_AMOUNTS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))
_SIZES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
#: Numbers below this are shown with all their digits.
_ALL_DIGITS = 10_000
_DURATIONS = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_ELLIPSIS = "…"


def amount(number: float) -> str:
    """Return a number with at most four digits, such as `9,980`, `18.2 k` or `246 M`."""
    if abs(number) < _ALL_DIGITS:
        return f"{round(number):,}"
    return _scaled(number, _AMOUNTS)


def size(size_bytes: float) -> str:
    """Return a number of bytes in its largest unit, such as `98.3 MiB`."""
    if abs(size_bytes) < _SIZES[-1][0]:
        return f"{round(size_bytes)} B"
    return _scaled(size_bytes, _SIZES)


def duration(seconds: float | None) -> str:
    """Return a duration in its two largest units, such as `41m 12s`; less than a second is `0s`, and None is `?`."""
    if seconds is None:
        return "?"
    left = max(0, int(seconds))
    for index, (unit_s, unit) in enumerate(_DURATIONS[:-1]):
        if left >= unit_s:
            smaller_s, smaller = _DURATIONS[index + 1]
            return f"{left // unit_s}{unit} {left % unit_s // smaller_s}{smaller}"
    return f"{left}s"


def shortened(text: str, width: int) -> str:
    """Shorten a text to `width` characters. The end of a name says more than its beginning, so the end stays."""
    return text if len(text) <= width else f"{_ELLIPSIS}{text[len(text) - width + 1 :]}" if width > 1 else _ELLIPSIS


def plural(number: int, noun: str) -> str:
    """Return a noun as it follows a number: `file` for 1, and else `files`."""
    return noun if number == 1 else f"{noun}{'es' if noun.endswith(('s', 'sh', 'ch', 'x')) else 's'}"


def counted(number: int, noun: str) -> str:
    """Return a number in full with its noun, such as `1 file` and `18,234 files`."""
    return f"{number:,} {plural(number, noun)}"


def about(number: int, noun: str) -> str:
    """Return a number with at most four digits and its noun, such as `1 file` and `18.2 k files`."""
    return f"{amount(number)} {plural(number, noun)}"


def printable(text: str) -> str:
    r"""Escape invisible characters, including line ends, as in JSON: `\n`, `\u001b`, `\u202e`.

    Letters of all languages, symbols, plain spaces and backslashes stay: the result is for people, not for parsers.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)


def printable_lines(text: str) -> str:
    """Escape like `printable`, but keep line ends, for text whose lines come from this library."""
    return "\n".join(map(printable, text.split("\n")))


def _scaled(number: float, units: tuple[tuple[int, str], ...]) -> str:
    """Return a number with three significant digits in the largest unit of which there is at least one."""
    for factor, unit in units:
        scaled = number / factor
        if abs(scaled) >= 1 or unit == units[-1][1]:
            digits = 0 if abs(scaled) >= 99.95 else 1
            return f"{scaled:,.{digits}f} {unit}"
    raise AssertionError(units)
