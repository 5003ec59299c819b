"""What lies in the store: objects with the offsets and values of their rows."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.object_names import ObjectName, ObjectNaming
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.records import TopicPartition
from kafka2parquet.storage.base import AlreadyExists, Published
from kafka2parquet.testing import MemoryStorage
from kafka2parquet.testing.memory_storage import StoredObject
from tests.acceptance.values import python_rows

#: The column that identifies the record of a row; asked for by the runner, and left out of what is compared.
OFFSET_COLUMN = "_kafka_offset"


class CountingStorage(MemoryStorage):
    """A store in memory that counts calls that publish and have not ended."""

    def __init__(self) -> None:
        super().__init__()
        self.unfinished = 0

    def publish(self, key: str, file: StagedFile) -> Published | AlreadyExists:
        """See `Storage.publish`."""
        self.unfinished += 1
        try:
            return super().publish(key, file)
        finally:
            self.unfinished -= 1


@attrs.frozen(eq=False)
class Stored:
    """A stored object.

    Attributes:
        key: where it stands.
        topic_partition: whose records it holds.
        folder: its encoded partition.
        role: `values`, `keys` or `headers`.
        offsets: of its rows, in their order.
        values: its rows, without the offset.
        tags: its tags.
        opened_at_ms: wall clock at which its flush was opened; None for what the library didn't write.
    """

    key: str
    topic_partition: TopicPartition
    folder: str
    role: str
    offsets: Sequence[int]
    values: Sequence[Mapping[str, Any]] = attrs.field(repr=False)
    tags: Mapping[str, str]
    opened_at_ms: int | None


def put_existing(storage: MemoryStorage, existing: Mapping[str, Mapping[str, Any]]) -> None:
    """Stores foreign Parquet files that exist before the run."""
    for key, described in existing.items():
        buffer = io.BytesIO()
        pq.write_table(pa.table({OFFSET_COLUMN: pa.array(described["offsets"], pa.int64())}), buffer)
        storage.objects[key] = StoredObject(buffer.getvalue())


def read_objects(
    storage: MemoryStorage, namings: Sequence[ObjectNaming], tombstones: Mapping[TopicPartition, Sequence[int]]
) -> dict[str, Stored]:
    """Reads all objects with data, by key.

    Args:
        storage: where they are.
        namings: how they are called now, and how they were called before.
        tombstones: offsets of the records without value that were read, by topic-partition: no file of values names them.
    """
    found: dict[str, Stored] = {}
    own = tuple(naming.own_prefix() for naming in namings)
    names = {key: name_of_object(namings, key) for key in storage.objects if not key.startswith(own)}
    for key, name in sorted(names.items(), key=lambda item: item[1].view is not None):  # values first: they name offsets
        tp = TopicPartition(name.topic, name.partition)
        table = pq.ParquetFile(pa.BufferReader(storage.objects[key].content)).read()
        view = name.view
        footer = FlushFooter.from_metadata(storage.objects[key].metadata)
        if OFFSET_COLUMN in table.column_names:
            offsets = table[OFFSET_COLUMN].to_pylist()
        else:
            beside = found.get(key.replace(f".{view}.", ".", 1)) if view else None
            offsets = list(beside.offsets) if beside is not None else _offsets(footer, tombstones.get(tp, ()))
        if len(offsets) != table.num_rows:
            raise ValueError(f"the object {key} has {table.num_rows} rows, and {len(offsets)} records belong to it")
        found[key] = Stored(
            key=key,
            topic_partition=tp,
            folder=name.encoded_partition or "",
            role=view or "values",
            offsets=offsets,
            values=python_rows(table.drop_columns([OFFSET_COLUMN] if OFFSET_COLUMN in table.column_names else [])),
            tags=storage.tags.get(key, {}),
            opened_at_ms=footer.opened_at_ms if footer is not None else None,
        )
    return found


def name_of_object(namings: Sequence[ObjectNaming], key: str) -> ObjectName:
    """Parses a key with the first naming that recognises it.

    Raises:
        ValueError: none does.
    """
    found = next((name for naming in namings if (name := naming.parse(key)) is not None), None)
    if found is None:
        raise ValueError(f"the object {key} has a name that the library doesn't know")
    return found


def _offsets(footer: FlushFooter | None, tombstones: Sequence[int]) -> list[int]:
    """Returns the offsets of the rows of a single file: records without value between the first and the last are left out."""
    if footer is None:
        return []
    return [offset for offset in tombstones if footer.first_offset <= offset <= footer.last_offset]
