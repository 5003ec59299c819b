"""Escapes the text of records, keys and names for logs and terminals.

Text from outside may contain escape sequences that control a terminal, line ends that forge log lines, and invisible characters
that reverse the order of letters.
"""

from __future__ import annotations

import json


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
