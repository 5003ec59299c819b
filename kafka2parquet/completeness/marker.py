"""Marker: a small JSON object in a folder, which lists the folder's files once the folder is complete."""

from __future__ import annotations

import collections
import json
import re
from collections.abc import Iterable
from typing import Any, get_args

import attrs

from kafka2parquet.parquet.footer import FlushFooter, Role

_NAME = "_SUCCESS"
_NUMBERED = re.compile(rf"{_NAME}(?:-([1-9]\d*))?")
_VERSION = 1

_text = attrs.validators.instance_of(str)
_number = attrs.validators.and_(attrs.validators.instance_of(int), attrs.validators.ge(-1))
_time = attrs.validators.optional(attrs.validators.instance_of(int))


def marker_name(number: int) -> str:
    """Return the name of a folder's marker: `_SUCCESS`, then `_SUCCESS-1` and so on."""
    return f"{_NAME}-{number}" if number else _NAME


def marker_number(name: str) -> int | None:
    """Return the number of the marker with a name; None if the name is not a marker's."""
    match = _NUMBERED.fullmatch(name)
    return None if match is None else int(match[1] or 0)


@attrs.frozen
class MarkedFile:
    """A file that a marker lists.

    Attributes:
        name: the file's name in its folder.
        role: what the file's rows hold: `values`, or the `keys` or `headers` of the rows in another file.
        partition: partition of the topic.
        rows: number of rows.
        first_offset: offset of the first row.
        last_offset: offset of the last row.
        min_time_ms: least time of a row, in milliseconds since the epoch.
        max_time_ms: greatest time of a row, likewise.
    """

    name: str = attrs.field(validator=_text)
    role: Role = attrs.field(validator=attrs.validators.in_(get_args(Role)))
    partition: int = attrs.field(validator=_number)
    rows: int = attrs.field(validator=_number)
    first_offset: int = attrs.field(validator=_number)
    last_offset: int = attrs.field(validator=_number)
    min_time_ms: int | None = attrs.field(validator=_time)
    max_time_ms: int | None = attrs.field(validator=_time)

    @classmethod
    def of(cls, name: str, footer: FlushFooter) -> MarkedFile:
        """Make the entry of a file from its footer."""
        return cls(
            name,
            footer.role,
            footer.partition,
            footer.file_rows,
            footer.first_offset,
            footer.last_offset,
            footer.min_time_ms,
            footer.max_time_ms,
        )


@attrs.frozen
class Marker:
    """Lists files of a folder. All markers of a folder together list each of its files once.

    The content depends on the listed files and on nothing else, so two processes that list the same files write the same
    bytes.

    Attributes:
        topic: name of the topic.
        topic_id: id of the topic, "" if unknown.
        folder: key of the folder.
        number: 0 for the first marker of the folder.
        files: the listed files.
    """

    topic: str = attrs.field(validator=_text)
    topic_id: str = attrs.field(validator=_text)
    folder: str = attrs.field(validator=_text)
    number: int = attrs.field(validator=_number)
    files: tuple[MarkedFile, ...]

    @property
    def rows(self) -> int:
        """Number of rows, without keys and headers, which repeat the rows of values."""
        return sum(file.rows for file in self.files if file.role == "values")

    def to_bytes(self) -> bytes:
        """Return the content of the marker's object: JSON in UTF-8."""
        files = sorted(self.files, key=lambda file: (file.partition, file.first_offset, file.name))
        values = [file for file in files if file.role == "values" and file.rows]
        of_partition: dict[int, list[MarkedFile]] = collections.defaultdict(list)
        for file in values:
            of_partition[file.partition].append(file)
        content = {
            "version": _VERSION,
            "topic": self.topic,
            "topic_id": self.topic_id,
            "folder": self.folder,
            "number": self.number,
            **_summary(values),
            "partitions": [
                {
                    "partition": partition,
                    **_summary(of_partition[partition]),
                    "first_offset": min(file.first_offset for file in of_partition[partition]),
                    "last_offset": max(file.last_offset for file in of_partition[partition]),
                }
                for partition in sorted(of_partition)
            ],
            "listed": [attrs.asdict(file) for file in files],
        }
        return (json.dumps(content, indent=1) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Marker:
        """Parse the content of a marker's object.

        Raises:
            ValueError: this library did not write the content, or the content is damaged or of an unknown version.
        """
        try:
            values: dict[str, Any] = json.loads(content)
            if values["version"] != _VERSION:
                raise ValueError(f"its version {values['version']!r} is unknown")
            files = tuple(MarkedFile(**file) for file in values["listed"])
            marker = cls(values["topic"], values["topic_id"], values["folder"], values["number"], files)
        except (KeyError, TypeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        if marker.to_bytes() != content:
            raise ValueError("its numbers don't add up, or it was edited")
        return marker


def _summary(files: Iterable[MarkedFile]) -> dict[str, Any]:
    """Return the numbers that add up the files of values."""
    files = list(files)
    return {
        "files": len(files),
        "rows": sum(file.rows for file in files),
        "min_time_ms": min((file.min_time_ms for file in files if file.min_time_ms is not None), default=None),
        "max_time_ms": max((file.max_time_ms for file in files if file.max_time_ms is not None), default=None),
    }
