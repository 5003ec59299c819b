"""Properties: names and texts before they are checked. Also reads files, and the format of Java properties."""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import attrs

from kafka2parquet.problems import Problem

#: The name of a file that stands for standard input.
STANDARD_INPUT = "-"
_PROPERTY = re.compile(r"(?P<name>(?:\\.|[^\\=:\s])*)\s*[=:\s]?\s*(?P<value>.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CONTINUED = re.compile(r"(?:^|[^\\])(?:\\\\)*\\$")
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


@attrs.frozen
class Properties:
    """Names and texts of properties, before they are checked.

    Attributes:
        values: trimmed texts by name; properties that are null are left out.
        findings: problems that kept properties from being read, warnings about suspicious content, and notes about variables.
        unread: names of the properties that could not be read.
        missing: names of the properties whose variables can't be looked up, if that is allowed.
        looked_up: name of the property, variable and value, for each variable that was looked up.
    """

    values: Mapping[str, str] = attrs.field(repr=False)
    findings: tuple[Problem, ...] = ()
    unread: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    looked_up: tuple[tuple[str, str, str], ...] = attrs.field(default=(), repr=False)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems that kept properties from being read."""
        return tuple(finding for finding in self.findings if finding.kind.is_fatal)


def read_text(path: str | os.PathLike[str]) -> str:
    """Read a text file in UTF-8, or in UTF-16 with a byte order mark, as editors and shells on Windows write it.

    Raises:
        OSError: the file can't be read.
        UnicodeDecodeError: the text has another encoding.
    """
    return _decoded(Path(path).read_bytes())


def read_source(path: str | os.PathLike[str]) -> str:
    """Read a text file as `read_text` does, or standard input to its end if the path is `-`.

    Raises:
        OSError: the file can't be read.
        UnicodeDecodeError: the text has another encoding.
    """
    return _decoded(sys.stdin.buffer.read()) if os.fspath(path) == STANDARD_INPUT else read_text(path)


def source_name(path: str | os.PathLike[str]) -> str:
    """Return the name of a file for messages."""
    return "standard input" if os.fspath(path) == STANDARD_INPUT else os.fspath(path)


def _decoded(content: bytes) -> str:
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if is_utf16 else "utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_java_properties(text: str) -> dict[str, str]:
    """Parse a text in the format of `java.util.Properties`, and trim the values."""
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
