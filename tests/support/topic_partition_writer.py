"""Which records Confluent's sink puts into which file: its TopicPartitionWriter, written down again record by record.

It knows nothing of this library: neither batches nor columns. What may share a file is asked of a function, so that tests say
for their few schemas what Confluent's rules make of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs


@attrs.frozen
class Sent:
    """A record as it was produced.

    Attributes:
        folder: its encoded partition.
        schema: the version of its schema; None for one without value.
        row: its fields.
    """

    offset: int
    time_ms: int
    folder: str
    schema: int | None
    row: Mapping[str, Any]


@attrs.define
class File:
    """A file with its folder, the schema of its first record, and its records."""

    folder: str
    schema: int | None
    records: list[Sent] = attrs.Factory(list)

    @property
    def offsets(self) -> list[int]:
        return [record.offset for record in self.records]


def files_of(
    records: Iterable[Sent],
    *,
    flush_size: int,
    may_join: Callable[[int, int], bool],
    interval_ms: int = 0,
    tombstones: str | None = None,
) -> list[File]:
    """Returns the files of one topic-partition in the order of closing; files that are open at the end are closed too.

    Args:
        records: in the order of their offsets.
        flush_size: `flush.size`.
        may_join: whether a record of the first schema may join a file of the second one.
        interval_ms: `rotate.interval.ms`; where it is set, a change of the folder closes files too.
        tombstones: `tombstone.encoded.partition`, where records without value are written: such a change doesn't count.
    """
    closed: list[File] = []
    opened: dict[str, File] = {}
    count, base_ms, last_folder = 0, 0, ""

    def close() -> None:
        nonlocal count
        closed.extend(opened.values())
        opened.clear()
        count = 0

    for record in records:
        if count and interval_ms:
            changed = record.folder != last_folder and tombstones not in (record.folder, last_folder)
            if changed or record.time_ms - base_ms >= interval_ms:
                close()
        if not count:
            base_ms = record.time_ms
        file = opened.get(record.folder)
        if file is not None and not _fits(record.schema, file.schema, may_join):
            close()
            base_ms = record.time_ms
        opened.setdefault(record.folder, File(record.folder, record.schema)).records.append(record)
        count, last_folder = count + 1, record.folder
        if count >= flush_size:
            close()
    close()
    return closed


def _fits(record: int | None, file: int | None, may_join: Callable[[int, int], bool]) -> bool:
    if record is None or file is None:
        return record is file
    return may_join(record, file)
