"""OtherFile: a file that another tool wrote under a name like the sink's, such as Confluent's sink before a migration.

Files of another tool that end before the sink's first offset of a partition are *history*: they were there when the sink took
over, and nothing about them is wrong. A name is not a proof of offsets. So their rows are never counted, a file has to be a
readable Parquet file, and its rows have to fit between the offset in its name and the sink's first offset. If the offsets in
the file have holes, the file may still reach further: nobody but the tool that wrote the file knows.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterable, Mapping

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.object_names import ObjectName
from kafka2parquet.records import TopicPartition
from kafka2parquet.storage.base import Storage
from kafka2parquet.storage.footer_metadata import read_footer
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS

_THREADS = 16


@attrs.frozen
class OtherFile:
    """A Parquet file that another tool wrote.

    Attributes:
        partition: partition of the topic, as the name says.
        first_offset: offset of the first row, as the name says.
        rows: number of rows.
    """

    partition: int
    first_offset: int
    rows: int

    def is_before(self, offset: int | None) -> bool:
        """Return whether the file is history for a sink whose files begin at an offset; False without an offset."""
        return offset is not None and self.first_offset + max(1, self.rows) <= offset


def sink_starts(begun: Iterable[tuple[int, int]], committed: Mapping[TopicPartition, int]) -> Mapping[int, int]:
    """Return where the sink's files begin in each partition of a topic; the committed offset of a partition without files.

    Args:
        begun: partition and first offset of files of the sink, in any order.
        committed: committed offsets of the topic's partitions.
    """
    starts: dict[int, int] = {}
    for partition, offset in begun:
        starts[partition] = min(starts.get(partition, offset), offset)
    return {**{each.partition: offset for each, offset in committed.items()}, **starts}


def read_other(storage: Storage, key: str, name: ObjectName) -> OtherFile | None:
    """Describe a file of another tool; None if it isn't a readable Parquet file. Blocks: one request or two.

    Args:
        storage: where the file is. If it can't read the ends of objects (`read_tail`), nothing is known.
        key: key of the file.
        name: the parts of the key.
    """
    read_tail: Callable[[str, int], bytes | None] | None = getattr(storage, "read_tail", None)
    footer = None if read_tail is None else read_footer(lambda length: read_tail(key, length))
    if not footer:
        return None
    try:
        rows: int = pq.read_metadata(pa.BufferReader(footer)).num_rows
    except (*ARROW_DATA_ERRORS, OSError):
        return None
    return OtherFile(name.partition, name.first_offset, rows)


def read_others(storage: Storage, names: Mapping[str, ObjectName]) -> Mapping[str, OtherFile]:
    """Describe the files of another tool that are readable Parquet files, by key. Blocks: a request or two for each."""
    with concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="kafka2parquet-audit") as pool:
        found = pool.map(lambda each: read_other(storage, *each), names.items())
        return {key: other for key, other in zip(names, found, strict=True) if other is not None}
