"""read_flushes: the published files of a topic as an Arrow table, read from their names and footers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from kafka2parquet.audit.metadata import read_all_metadata
from kafka2parquet.audit.read import topic_prefixes
from kafka2parquet.object_names import ObjectName, ObjectNaming
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.storage.base import Storage, listed
from kafka2parquet.util.arguments import Name, checked

#: One row for each file. What only the footer knows is null if the footer can't be read or is another tool's.
SCHEMA = pa.schema(
    {
        "topic": pa.string(),
        "partition": pa.int32(),
        "folder": pa.string(),
        "key": pa.string(),
        "role": pa.string(),
        "rows": pa.int64(),
        "bytes": pa.int64(),
        "first_offset": pa.int64(),
        "last_offset": pa.int64(),
        "min_time": pa.timestamp("ms", "UTC"),
        "max_time": pa.timestamp("ms", "UTC"),
        "is_anchor": pa.bool_(),
        "flush_start": pa.int64(),
        "flush_end": pa.int64(),
        "flush_rows": pa.int64(),
        "reason": pa.string(),
        "opened_at": pa.timestamp("ms", "UTC"),
        "group_id": pa.string(),
        "cluster_id": pa.string(),
        "topic_id": pa.string(),
        "leader_epoch": pa.int32(),
        "fingerprint": pa.string(),
    }
)


@checked
def read_flushes(storage: Storage, topic: Name, *, naming: ObjectNaming | None = None) -> pa.Table:
    """Return a table with a row for each published file of a topic. Blocks: two listings, and a read for each footer.

    The columns are `topic`, `partition`, `folder` (the encoded partition; null for rejects), `key`, `role` (`values`, `keys`,
    `headers` or `rejects`), `rows` and `bytes` of the file (null if the storage doesn't report sizes), `first_offset` and
    `last_offset` of its rows, `min_time` and `max_time` (the least and the greatest time of its rows, as the partitioner sees
    times; null if no row has a time, and for files of older versions); and of its flush `flush_start` and `flush_end` (the
    offsets [flush_start, flush_end)), `flush_rows`, `reason`, `opened_at`, `group_id`, `cluster_id`, `topic_id`,
    `leader_epoch` and `fingerprint`. `is_anchor` is true for one file of each flush, so count flushes by it. The rows are
    ordered by partition and offset.

    Args:
        storage: where the files are.
        topic: the topic.
        naming: how the files are named, as the sink was built with; by default as Kafka Connect's sinks name files below
            `topics`.

    Raises:
        StorageUnavailableError: the store doesn't answer.
        AccessError: the store refuses access.
    """
    return flushes_table(storage, naming if naming is not None else ObjectNaming(), topic)


def flushes_table(
    storage: Storage, naming: ObjectNaming, topic: str, wanted: Callable[[ObjectName], bool] = lambda name: True
) -> pa.Table:
    """Return the table of `read_flushes`, with only those files whose names are wanted."""
    found: dict[str, tuple[ObjectName, int | None]] = {}
    for prefix in topic_prefixes(naming, topic):
        for key, size_bytes in listed(storage, prefix):
            name = naming.parse(key)
            if name is not None and name.topic == topic and wanted(name):
                found[key] = name, size_bytes
    keys = sorted(found, key=lambda key: (found[key][0].partition, found[key][0].first_offset, key))
    metadata = read_all_metadata(storage, keys)
    rows = [_row(key, *found[key], metadata[key]) for key in keys if metadata[key] is not None]
    return pa.Table.from_pylist(rows, SCHEMA)


def _row(key: str, name: ObjectName, size_bytes: int | None, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "topic": name.topic,
        "partition": name.partition,
        "folder": name.encoded_partition,
        "key": key,
        "bytes": size_bytes,
    }
    try:
        footer = FlushFooter.from_metadata(metadata)
    except ValueError:
        return row
    if footer is None:
        return row
    return row | {
        "role": footer.role,
        "rows": footer.file_rows,
        "first_offset": footer.first_offset if footer.first_offset >= 0 else None,
        "last_offset": footer.last_offset if footer.last_offset >= 0 else None,
        "min_time": footer.min_time_ms,
        "max_time": footer.max_time_ms,
        "is_anchor": footer.is_anchor,
        "flush_start": footer.start,
        "flush_end": footer.end,
        "flush_rows": footer.flush_rows,
        "reason": footer.reason,
        "opened_at": footer.opened_at_ms,
        "group_id": footer.group_id,
        "cluster_id": footer.cluster_id,
        "topic_id": footer.topic_id,
        "leader_epoch": footer.leader_epoch,
        "fingerprint": footer.fingerprint,
    }
