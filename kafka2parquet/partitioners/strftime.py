"""Recognizes strftime patterns, such as `%Y/%m/%d`, where a Joda pattern is expected, and translates them to Joda's letters."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

#: Joda's letters by strftime directive.
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
#: Joda's letters by directive without leading zeros, such as `%-d`.
_WITHOUT_ZEROS = {letter: letters[0] for letter, letters in _LETTERS.items() if letter in "mdHIMSj"}
_DIRECTIVE = re.compile(r"%-?[A-Za-z]")
_PART = re.compile(
    r"(?P<zeros>%-)?(?(zeros)|%)(?P<letter>[A-Za-z])|(?P<percent>%%)|'(?P<quoted>[^']*)'?|(?P<plain>[A-Za-z]+|.)", re.DOTALL
)
_QUOTED = re.compile(r"'[^']*'?")
_WORD = re.compile(r"[A-Za-z%](?:[\w%]*[A-Za-z%])?")


def strftime_directive(pattern: str) -> str | None:
    """Return the first strftime directive outside of quotes, such as `%Y`; None if there isn't one.

    Also finds a directive inside quotes if nothing else in the pattern prints a time.
    """
    found = _DIRECTIVE.search(_QUOTED.sub("", _readable(pattern)))
    return found[0] if found is not None else None


def joda_pattern(pattern: str) -> str | None:
    """Return the Joda pattern with the same output as a strftime pattern; None if Joda can't express it.

    Joda lacks letters for some directives, and reads two adjacent fields of the same letter as a single field. If the pattern
    has no quotes, letters without a percent sign are text, as in strftime.
    """
    readable = _readable(pattern)
    found = list(_parts(readable, letters_are_text="'" not in readable))
    parts = [part for part in found if part]
    merged = any(before[-1] == behind[0] for before, behind in itertools.pairwise(parts))
    return None if None in found or merged else "".join(parts)


def _readable(pattern: str) -> str:
    """Return the pattern, without its quotes if all letters are quoted."""
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
    """Quote text for Joda: words in single quotes, with quotes doubled."""
    return _WORD.sub(lambda word: f"'{word[0]}'", text.replace("'", "''"))
