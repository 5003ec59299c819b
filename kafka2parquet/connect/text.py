"""Reading configurations as people write them: JSON with comments, or Java properties."""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import attrs

from kafka2parquet.json_depth import MAX_SCHEMA_LEVELS, parse_json

_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_NOT_NEWLINE = re.compile(r"[^\n]")
_PROPERTY = re.compile(r"(?P<name>(?:\\.|[^\\=:\s])*)\s*[=:\s]?\s*(?P<value>.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CONTINUED = re.compile(r"(?:^|[^\\])(?:\\\\)*\\$")
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


@attrs.frozen
class Properties:
    """Names and values as they were written, before anything is known of them.

    Attributes:
        values: trimmed texts; a property that was null is left out.
        problems: what could not be read.
        warnings: what was read and is suspicious.
        unread: names of the properties that the problems are about, if they are about one.
    """

    values: Mapping[str, str] = attrs.field(repr=False)
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a file in UTF-8, or in UTF-16 with the byte order mark that editors and shells on Windows put before it.

    Raises:
        OSError: it can't be read.
        UnicodeDecodeError: it is in another encoding.
    """
    content = Path(path).read_bytes()
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if is_utf16 else "utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_properties(text: str) -> Properties:
    """Read the text of a connector configuration: JSON (with `//` and `/* */` comments) or Java properties."""
    bare = strip_comments(text)
    if not bare.lstrip().startswith("{"):
        return Properties(parse_java_properties(text))
    repeated: list[str] = []

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        repeated.extend(name for name in dict.fromkeys(names) if names.count(name) > 1)
        return dict(pairs)

    try:
        document = parse_json(bare, max_levels=MAX_SCHEMA_LEVELS, object_pairs_hook=unique, parse_float=str, parse_int=str)
    except json.JSONDecodeError as error:
        return Properties({}, (_syntax_error(bare, error),))
    except ValueError as error:
        return Properties({}, (f"This JSON can't be read: {error}.",))
    read = flatten(document)
    return attrs.evolve(read, warnings=tuple(f"{name} is given more than once; the last one counts." for name in repeated))


def _syntax_error(text: str, error: json.JSONDecodeError) -> str:
    place, reason = error.pos, error.msg
    if text[place : place + 1] == ",":  # where Python 3.13 and later stop; others stop behind it
        place = len(text) - len(text[place + 1 :].lstrip())
    if text[place : place + 1] in ("}", "]") and text[:place].rstrip().endswith(","):
        reason = f"there is a comma before {text[place]}, behind the last entry; remove it"
    else:
        place = error.pos
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    return f"Line {line}, column {column}: this is not valid JSON: {reason}."


def flatten(document: Mapping[str, object]) -> Properties:
    """Take the properties out of a mapping, either flat or as `{"name": …, "config": {…}}`."""
    problems = []
    unread = []
    config = document.get("config")
    if isinstance(config, Mapping):
        properties = dict(config)
        name = document.get("name")
        if name is not None and properties.setdefault("name", name) != name:
            problems.append(f"name: the name beside `config` is {name!r}, the one in it {properties['name']!r}; keep one.")
    else:
        properties = dict(document)
    values = {}
    for key, value in properties.items():
        if isinstance(value, Mapping | list | tuple):
            unread.append(key)
            problems.append(f"{key}: the value is an object or a list; write a text, with commas between several values.")
        elif value is not None:
            values[key] = (str(value).lower() if isinstance(value, bool) else str(value)).strip()
    return Properties(values, tuple(problems), unread=tuple(unread))


def strip_comments(text: str) -> str:
    """JSON without its comments; everything else keeps its line and column."""

    def blank(match: re.Match[str]) -> str:
        token = match.group()
        return token if token.startswith('"') else _NOT_NEWLINE.sub(" ", token)

    return _STRING_OR_COMMENT.sub(blank, text)


def parse_java_properties(text: str) -> dict[str, str]:
    """The properties of a text in the format of `java.util.Properties`, with values trimmed."""
    properties = {}
    lines = iter(text.splitlines())
    for raw in lines:
        line = raw.strip()
        if not line or line[0] in "#!":
            continue
        while _CONTINUED.search(line):
            line = line[:-1] + next(lines, "").strip()
        match = _PROPERTY.match(line)
        if match:
            properties[_unescape(match["name"])] = _unescape(match["value"]).strip()
    return properties


def _unescape(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        code = match.group(1)
        return chr(int(code[1:], 16)) if len(code) > 1 else _CONTROL.get(code, code)

    return _ESCAPE.sub(plain, text)
