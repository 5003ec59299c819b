"""FlushFooter and Layout: what each file's footer records about its flush.

These footers and Kafka's committed offsets are the only state. A footer is one JSON text under one key of the Parquet key-value
metadata, so that people and query engines can read it too (DuckDB: `parquet_kv_metadata`).
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any, Literal, get_args

import attrs
import numpy as np
import numpy.typing as npt

from kafka2parquet.parquet.footer_fields import key_field, number, text, time_ms
from kafka2parquet.util.display import counted

#: Key of the metadata entry, and the format version of its text.
METADATA_KEY = "kafka2parquet"
VERSION = 1


#: What a file's rows hold: record values, keys, headers, or rejected records.
Role = Literal["values", "keys", "headers", "rejects"]

_LAST_MS_OF_THE_YEAR_9999 = 253_402_300_799_999
#: Far more than the decompressed size of the longest layout that is written.
_MOST_LAYOUT_BYTES = 64 << 20

_role = attrs.validators.in_(get_args(Role))


@attrs.frozen
class Sibling:
    """Another file of the same flush, as the anchor lists it.

    Attributes:
        key: the file's object key.
        rows: number of rows in the file.
        file: number of the file in the layout. A file of keys or headers has the number of its file of values.
        role: what the file's rows hold.
    """

    key: str = attrs.field(validator=key_field)
    rows: int = attrs.field(validator=number())
    file: int = attrs.field(validator=number())
    role: Role = attrs.field(default="values", validator=_role)


@attrs.frozen
class FlushFooter:
    """A file's flush, and the file's role in it.

    Attributes:
        cluster_id: id of the Kafka cluster, "" if unknown.
        group_id: id of the consumer group that wrote the file, "" if unknown.
        topic_id: id of the topic, "" if unknown.
        topic: name of the topic.
        partition: partition of the topic.
        start: position at which the flush starts.
        end: position at which the flush ends; it covers [start, end).
        flush_rows: rows in all files of the flush, not counting files of keys and headers.
        file_rows: rows in this file.
        first_offset: offset of this file's first row, -1 if it has no rows.
        last_offset: offset of this file's last row, -1 if it has no rows.
        fingerprint: fingerprint of the configuration that wrote the file.
        opened_at_ms: wall-clock time at which the flush was opened, in milliseconds since the epoch.
        reason: what ended the flush.
        leader_epoch: leader epoch of the record before `end`, -1 if unknown.
        role: what the file's rows hold.
        min_time_ms: least time of this file's rows, in milliseconds since the epoch: the times of `PartitionedRows`, which a
            time-based partitioner used. None if no row has a time, and for files of older versions.
        max_time_ms: greatest time of this file's rows, likewise.
        flush_min_time_ms: least time of all rows of the flush, if this file is the anchor; otherwise None.
        flush_max_time_ms: greatest time of all rows of the flush, likewise.
        siblings: the flush's other files in the order of their first rows, if this file is the anchor; otherwise None.
        layout: which rows are in which file, if this file is the anchor and has siblings; otherwise None.
    """

    cluster_id: str = attrs.field(validator=text)
    topic_id: str = attrs.field(validator=text)
    topic: str = attrs.field(validator=text)
    partition: int = attrs.field(validator=number())
    start: int = attrs.field(validator=number())
    end: int = attrs.field(validator=number())
    flush_rows: int = attrs.field(validator=number())
    file_rows: int = attrs.field(validator=number())
    first_offset: int = attrs.field(validator=number(-1))
    last_offset: int = attrs.field(validator=number(-1))
    fingerprint: str = attrs.field(validator=text)
    opened_at_ms: int = attrs.field(validator=number(most=_LAST_MS_OF_THE_YEAR_9999))
    reason: str = attrs.field(validator=text)
    group_id: str = attrs.field(default="", validator=text)
    leader_epoch: int = attrs.field(default=-1, validator=number(-1))
    role: Role = attrs.field(default="values", validator=_role)
    min_time_ms: int | None = attrs.field(default=None, validator=time_ms)
    max_time_ms: int | None = attrs.field(default=None, validator=time_ms)
    flush_min_time_ms: int | None = attrs.field(default=None, validator=time_ms)
    flush_max_time_ms: int | None = attrs.field(default=None, validator=time_ms)
    siblings: tuple[Sibling, ...] | None = None
    layout: str | None = attrs.field(default=None, repr=False, validator=attrs.validators.optional(text))

    def __attrs_post_init__(self) -> None:
        """Check that the numbers are consistent.

        Raises:
            ValueError: the numbers contradict each other.
        """
        if self.end <= self.start:
            raise ValueError(f"the flush [{self.start}, {self.end}) ends where it starts, or before")
        if self.flush_rows > self.end - self.start or self.file_rows > self.end - self.start:
            raise ValueError(
                f"the flush [{self.start}, {self.end}) can't have {counted(max(self.flush_rows, self.file_rows), 'row')}"
            )
        if self.first_offset >= 0 and not self.start <= self.first_offset <= self.last_offset < self.end:
            raise ValueError(
                f"the offsets {self.first_offset} to {self.last_offset} are not in the flush [{self.start}, {self.end})"
            )

    @property
    def is_anchor(self) -> bool:
        """Whether this file holds the flush's first row and lists the other files."""
        return self.siblings is not None

    @property
    def listed_rows(self) -> int:
        """Rows of this anchor and of the files that it lists, counting each record once."""
        rows = {0: self.file_rows}
        for sibling in self.siblings or ():
            rows.setdefault(sibling.file, sibling.rows)
        return sum(rows.values())

    def to_metadata(self) -> dict[str, str]:
        """Return the key-value metadata for a Parquet footer."""
        values = {name: value for name, value in attrs.asdict(self).items() if value is not None}
        return {METADATA_KEY: json.dumps({"version": VERSION, **values}, separators=(",", ":"))}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str] | None) -> FlushFooter | None:
        """Parse the metadata of a footer; None if this library did not write the file.

        Checks types and ranges, because the text may come from anywhere.

        Raises:
            ValueError: this library wrote the file, but the text is damaged or inconsistent, or has an unknown version.
        """
        text = (metadata or {}).get(METADATA_KEY)
        if text is None:
            return None
        if not text:
            raise ValueError("it is damaged, or this version of pyarrow can't read it")
        try:
            values: dict[str, Any] = json.loads(text)
            version = values.pop("version")
            if version != VERSION:
                raise ValueError(f"it was written by another version of this library, with footers of version {version!r}")
            siblings = values.pop("siblings", None)
            if siblings is not None:
                siblings = tuple(Sibling(**sibling) for sibling in siblings)
            return cls(siblings=siblings, **values)
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"its text is damaged: {type(error).__name__} {error}") from error


class Layout:
    """Records which offsets of a flush are in which of its files, as runs of rows.

    Files are numbered: 0 is the anchor, followed by the siblings in their order. A run starts at an offset and extends to the
    start of the next run. With the layout, the partition's next owner can write a missing sibling with exactly the same rows,
    even under another configuration.
    """

    def __init__(self, starts: npt.NDArray[np.int64], files: npt.NDArray[np.int64]) -> None:
        self._starts = starts
        self._files = files

    @classmethod
    def of(cls, offsets: npt.NDArray[np.int64], files: npt.NDArray[np.int64]) -> Layout:
        """Build the layout from the file number of each row. `offsets` must be ascending."""
        first_of_run = np.flatnonzero(np.diff(files, prepend=-1))
        return cls(offsets[first_of_run], files[first_of_run])

    def files(self, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the file number of each offset; -1 for an offset before all runs."""
        if not len(self._starts):
            return np.full(len(offsets), -1, np.int64)
        runs = np.searchsorted(self._starts, offsets, side="right") - 1
        return np.where(runs < 0, -1, self._files[np.maximum(runs, 0)])

    def renumbered(self, numbers: list[int]) -> Layout:
        """Return the layout with file number n replaced by `numbers[n]`."""
        return Layout(self._starts, np.array(numbers, dtype=np.int64)[self._files] if len(self._files) else self._files)

    def encode(self) -> str:
        """Encode the layout as text for the footer."""
        steps = np.diff(self._starts, prepend=0)
        text = json.dumps(np.column_stack((steps, self._files)).ravel().tolist(), separators=(",", ":"))
        return base64.b85encode(zlib.compress(text.encode(), 9)).decode()

    @classmethod
    def decode(cls, text: str) -> Layout:
        """Decode the text of a footer.

        Raises:
            ValueError: the text is damaged.
        """
        try:
            content = zlib.decompressobj().decompress(base64.b85decode(text), _MOST_LAYOUT_BYTES)
            pairs = np.array(json.loads(content), dtype=np.int64).reshape(-1, 2)
        except (zlib.error, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"the layout in the footer is damaged: {error}") from error
        starts, files = np.cumsum(pairs[:, 0]), pairs[:, 1]
        if (np.diff(starts) <= 0).any() or (starts < 0).any() or (files < 0).any():
            raise ValueError("the layout in the footer is damaged: its runs do not follow each other")
        return cls(starts, files)
