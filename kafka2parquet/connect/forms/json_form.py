"""Reads JSON with `//` and `/* */` comments, and with `#` comments before it."""

from __future__ import annotations

import json
import re

from kafka2parquet.connect.forms.document import Document, repeated
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.util.json_depth import MAX_SCHEMA_LEVELS, parse_json

_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_NOT_NEWLINE = re.compile(r"[^\n]")
_HASH_LINES_BEFORE = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)+")
#: Hints about common mistakes, by the characters at which the parser stops.
_HINTS = {
    '\\"': 'this was copied from a script or another text that escapes quotes; replace each \\" with "',
    "'": "JSON uses \" around names and texts, not '",
    "“": 'these quotes are typographic; replace each “ and ” with "',
    "”": 'these quotes are typographic; replace each “ and ” with "',
}
_MORE = "there is more text after the object; keep one object, or put several connectors between [ and ], with commas"
_ARRAY = re.compile(r"\[\s*[\[{\"\]]")


def is_json(text: str) -> bool:
    """Return whether a text begins like a JSON object, or an array of objects or texts."""
    bare = strip_comments(text).lstrip()
    return bare.startswith("{") or _ARRAY.match(bare) is not None


def read_json(text: str) -> Document:
    """Read JSON with comments.

    Raises:
        ConfigurationError: the text is not valid; the message has line and column.
    """
    bare = strip_comments(text)
    warnings: list[Problem] = []

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        warnings.extend(repeated([name for name, _ in pairs]))
        return dict(pairs)

    try:
        content = parse_json(bare, max_levels=MAX_SCHEMA_LEVELS, object_pairs_hook=unique, parse_float=str, parse_int=str)
    except json.JSONDecodeError as error:
        raise ConfigurationError(_syntax_error(bare, error)) from None
    except ValueError as error:
        raise ConfigurationError(f"This JSON can't be read: {error}.") from None
    return Document(content, tuple(warnings))


def strip_comments(text: str) -> str:
    """Blank out the comments of JSON; everything else keeps its line and column."""

    def blank(match: re.Match[str]) -> str:
        token = match.group()
        return token if token.startswith('"') else _NOT_NEWLINE.sub(" ", token)

    before = _HASH_LINES_BEFORE.match(text)
    if before is not None:
        text = _NOT_NEWLINE.sub(" ", before[0]) + text[before.end() :]
    return _STRING_OR_COMMENT.sub(blank, text)


def _syntax_error(text: str, error: json.JSONDecodeError) -> str:
    place, reason = error.pos, error.msg
    if text[place : place + 1] == ",":  # Python 3.13 and later stop here, earlier versions after it
        place = len(text) - len(text[place + 1 :].lstrip())
    if text[place : place + 1] in ("}", "]") and text[:place].rstrip().endswith(","):
        reason = f"the last entry before {text[place]} is followed by a comma; remove it"
    else:
        place = error.pos
        reason = _MORE if reason == "Extra data" else reason
        reason = next((hint for begin, hint in _HINTS.items() if text.startswith(begin, place)), reason)
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    return f"Line {line}, column {column}: this is not valid JSON: {reason}."
