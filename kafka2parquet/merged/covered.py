"""CoveredFile: a sink's file whose rows are in a merged file, with what its footer says."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

import attrs

from kafka2parquet.parquet.footer import FlushFooter, Role
from kafka2parquet.parquet.footer_fields import key_field, number, text, time_ms
from kafka2parquet.util.display import counted


@attrs.frozen
class CoveredFile:
    """A file of a flush, as its footer describes it.

    Attributes:
        key: the file's key.
        role: what the rows hold: `values`, `keys` or `headers`.
        partition: partition of the topic.
        start: first offset of the file's flush.
        end: offset after the last one of the flush.
        rows: number of rows.
        first_offset: offset of the first row, -1 without rows.
        last_offset: offset of the last row, -1 without rows.
        size_bytes: size of the file.
        fingerprint: fingerprint of the configuration that wrote the file.
        opened_at_ms: when the flush was opened, in milliseconds since the epoch.
        reason: why the flush ended.
        min_time_ms: least time of a row, in milliseconds since the epoch; None without times.
        max_time_ms: greatest time of a row, likewise.
        flush_rows: number of rows of the whole flush, if this file is the flush's anchor; otherwise None.
        flush_files: number of files of the whole flush, likewise.
    """

    key: str = attrs.field(validator=key_field)
    role: Role = attrs.field(validator=attrs.validators.in_([role for role in get_args(Role) if role != "rejects"]))
    partition: int = attrs.field(validator=number())
    start: int = attrs.field(validator=number())
    end: int = attrs.field(validator=number())
    rows: int = attrs.field(validator=number())
    first_offset: int = attrs.field(validator=number(-1))
    last_offset: int = attrs.field(validator=number(-1))
    size_bytes: int = attrs.field(validator=number())
    fingerprint: str = attrs.field(validator=text)
    opened_at_ms: int = attrs.field(validator=number())
    reason: str = attrs.field(validator=text)
    min_time_ms: int | None = attrs.field(default=None, validator=time_ms)
    max_time_ms: int | None = attrs.field(default=None, validator=time_ms)
    flush_rows: int | None = attrs.field(default=None, validator=attrs.validators.optional(number()))
    flush_files: int | None = attrs.field(default=None, validator=attrs.validators.optional(number(1)))

    def __attrs_post_init__(self) -> None:
        """Check that the numbers are consistent.

        Raises:
            ValueError: the numbers contradict each other.
        """
        if self.end <= self.start or self.rows > self.end - self.start:
            raise ValueError(
                f"{self.key}: the flush [{self.start}, {self.end}) can't have a file of {counted(self.rows, 'row')}"
            )
        if self.first_offset >= 0 and not self.start <= self.first_offset <= self.last_offset < self.end:
            raise ValueError(f"{self.key}: offsets {self.first_offset} to {self.last_offset} are not in its flush")
        if (self.flush_rows is None) != (self.flush_files is None):
            raise ValueError(f"{self.key}: only one of flush_rows and flush_files is given")

    @classmethod
    def of(cls, key: str, size_bytes: int, footer: FlushFooter) -> CoveredFile:
        """Describe a file by its footer."""
        return cls(
            key,
            footer.role,
            footer.partition,
            footer.start,
            footer.end,
            footer.file_rows,
            footer.first_offset,
            footer.last_offset,
            size_bytes,
            footer.fingerprint,
            footer.opened_at_ms,
            footer.reason,
            footer.min_time_ms,
            footer.max_time_ms,
            footer.flush_rows if footer.is_anchor else None,
            1 + len(footer.siblings) if footer.siblings is not None else None,
        )

    @property
    def is_anchor(self) -> bool:
        """Whether this file is the anchor of its flush."""
        return self.flush_files is not None

    def agrees_with(self, footer: FlushFooter) -> bool:
        """Return whether a footer describes the same file."""
        return self == CoveredFile.of(self.key, self.size_bytes, footer)

    def footer(self, cluster_id: str, topic_id: str, topic: str) -> FlushFooter:
        """Return the footer of the file, as far as it is known: that of a file that isn't its flush's anchor."""
        return FlushFooter(
            cluster_id,
            topic_id,
            topic,
            self.partition,
            self.start,
            self.end,
            self.rows,
            self.rows,
            self.first_offset,
            self.last_offset,
            self.fingerprint,
            self.opened_at_ms,
            self.reason,
            role=self.role,
            min_time_ms=self.min_time_ms,
            max_time_ms=self.max_time_ms,
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything that is known, as JSON."""
        return {name: value for name, value in attrs.asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> CoveredFile:
        """Parse what `to_json` returned.

        Raises:
            TypeError: a name is missing or unknown.
            ValueError: a value is impossible.
        """
        return cls(**values)


def overlapping(files: Iterable[CoveredFile]) -> Iterator[tuple[CoveredFile, CoveredFile]]:
    """Yield pairs of files of a folder that have rows of the same offsets, although they have the same role."""
    with_rows = [file for file in files if file.rows]
    with_rows.sort(key=lambda file: (file.role, file.partition, file.first_offset))
    for before, file in itertools.pairwise(with_rows):
        if (before.role, before.partition) == (file.role, file.partition) and file.first_offset <= before.last_offset:
            yield before, file
