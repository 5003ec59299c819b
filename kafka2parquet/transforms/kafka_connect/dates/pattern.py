"""Splits patterns of Java's SimpleDateFormat into their parts."""

from __future__ import annotations

import attrs

_LETTERS = frozenset("GyYMLwWDdFEuaHkKhmsSzZX")


@attrs.frozen
class Part:
    """A field of a time, or literal text.

    Attributes:
        letter: letter of the field; "" for text.
        count: number of repetitions of the letter.
        text: the literal text.
    """

    letter: str = ""
    count: int = 0
    text: str = ""


def parts_of(pattern: str) -> tuple[Part, ...]:
    """Split a pattern into its parts.

    Raises:
        ValueError: SimpleDateFormat would refuse the pattern.
    """
    parts: list[Part] = []
    place = 0
    while place < len(pattern):
        letter = pattern[place]
        if letter == "'":
            text, place = _quoted(pattern, place + 1)
            parts.append(Part(text=text))
        elif letter.isascii() and letter.isalpha():
            end = place
            while end < len(pattern) and pattern[end] == letter:
                end += 1
            parts.append(_field(letter, end - place))
            place = end
        else:
            parts.append(Part(text=letter))
            place += 1
    return tuple(parts)


def _field(letter: str, count: int) -> Part:
    if letter not in _LETTERS:
        raise ValueError(f"{letter!r} is not a letter of SimpleDateFormat")
    if letter == "X" and count > 3:
        raise ValueError("X is repeated more than three times")
    return Part(letter, count)


def _quoted(pattern: str, place: int) -> tuple[str, int]:
    """Return the quoted text that begins at `place`, and the position after it. Two quotes stand for one."""
    if pattern.startswith("'", place):
        return "'", place + 1
    text = ""
    while True:
        end = pattern.find("'", place)
        if end < 0:
            raise ValueError("a quote isn't closed")
        text += pattern[place:end]
        if not pattern.startswith("'", end + 1):
            return text, end + 1
        text += "'"
        place = end + 2
