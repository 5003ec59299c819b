"""Text of records, keys and names as a log or a terminal may show it.

What others have written may hold escape sequences that drive a terminal, line ends that forge lines of a log, and invisible
signs that turn the order of letters around.
"""

from __future__ import annotations

import json


def printable(text: str) -> str:
    r"""Escape all that isn't visible, line ends included, as JSON does: `\n`, `\u001b`, `\u202e`.

    Letters of all languages, signs and the plain blank stay. So does a backslash: the result is for people, not for parsers.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)


def printable_lines(text: str) -> str:
    """Escape like `printable`, and keep line ends: for text whose lines are ours."""
    return "\n".join(map(printable, text.split("\n")))
