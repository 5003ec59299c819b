"""Recognizes patterns of strftime, such as `%Y/%m/%d`, in the place of Joda patterns, and translates them to Joda's letters."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

#: Joda's letters for each directive.
_LETTERS = {
    "Y": "YYYY",
    "y": "yy",
    "G": "xxxx",
    "m": "MM",
    "B": "MMMM",
    "b": "MMM",
    "h": "MMM",
    "V": "ww",
    "j": "DDD",
    "d": "dd",
    "e": "d",
    "A": "EEEE",
    "a": "EEE",
    "u": "e",
    "H": "HH",
    "k": "H",
    "I": "hh",
    "l": "h",
    "p": "a",
    "M": "mm",
    "S": "ss",
    "f": "SSSSSS",
    "z": "Z",
    "Z": "z",
    "F": "YYYY-MM-dd",
    "D": "MM/dd/yy",
    "T": "HH:mm:ss",
    "R": "HH:mm",
}
#: The same for directives such as `%-d`, which print no zeros in front.
_WITHOUT_ZEROS = {letter: letters[0] for letter, letters in _LETTERS.items() if letter in "mdHIMSj"}
_DIRECTIVE = re.compile(r"%-?[A-Za-z]")
_PART = re.compile(
    r"(?P<zeros>%-)?(?(zeros)|%)(?P<letter>[A-Za-z])|(?P<percent>%%)|'(?P<quoted>[^']*)'?|(?P<plain>[A-Za-z]+|.)", re.DOTALL
)
_QUOTED = re.compile(r"'[^']*'?")
_WORD = re.compile(r"[A-Za-z%](?:[\w%]*[A-Za-z%])?")


def strftime_directive(pattern: str) -> str | None:
    """The first directive of strftime outside of quotes, such as `%Y`; one inside quotes where nothing else prints a time."""
    found = _DIRECTIVE.search(_QUOTED.sub("", _readable(pattern)))
    return found[0] if found is not None else None


def joda_pattern(pattern: str) -> str | None:
    """Return the Joda pattern that prints the same as a pattern of strftime; None where Joda can't.

    Joda has no letter for some directives, and reads two adjacent fields of the same letter as a single field.
    Where nothing stands in quotes, letters without a percent sign are text, as in strftime.
    """
    readable = _readable(pattern)
    found = list(_parts(readable, letters_are_text="'" not in readable))
    parts = [part for part in found if part]
    merged = any(before[-1] == behind[0] for before, behind in itertools.pairwise(parts))
    return None if None in found or merged else "".join(parts)


def _readable(pattern: str) -> str:
    """Return the pattern, without its quotes where all letters stand in them."""
    return pattern if re.search("[A-Za-z]", _QUOTED.sub("", pattern)) else pattern.replace("'", "")


def _parts(pattern: str, *, letters_are_text: bool) -> Iterator[str | None]:
    text = ""
    for part in _PART.finditer(pattern):
        letter = part["letter"]
        if letter is None:
            plain = "%" if part["percent"] else part["quoted"] or part["plain"] or ""
            if part["plain"] is None or letters_are_text or not plain.isalpha():
                text += plain
                continue
        yield _in_quotes(text)
        text = ""
        if letter is None:
            yield part["plain"]
        else:
            yield (_WITHOUT_ZEROS if part["zeros"] else _LETTERS).get(letter)
    yield _in_quotes(text)


def _in_quotes(text: str) -> str:
    """Text as Joda prints it: words in quotes, quotes doubled."""
    return _WORD.sub(lambda word: f"'{word[0]}'", text.replace("'", "''"))
