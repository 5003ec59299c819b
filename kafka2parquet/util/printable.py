"""Escapes the text of records, keys and names for logs and terminals.

Text from outside may hold escape sequences that drive a terminal, line ends that forge lines of a log, and invisible
characters that reverse the order of letters.
"""

from __future__ import annotations

import json


def printable(text: str) -> str:
    r"""Escape all that isn't visible, line ends included, as JSON does: `\n`, `\u001b`, `\u202e`.

    Letters of all languages, symbols and the plain space stay. So does a backslash: the result is for people, not for parsers.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)


def printable_lines(text: str) -> str:
    """Escape like `printable`, and keep line ends: for text whose lines are ours."""
    return "\n".join(map(printable, text.split("\n")))
