"""Rejected records as the rows of a Parquet file: all that is needed to look at them, or to send them again."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from kafka2parquet.records import Reject

REJECTS_SCHEMA = pa.schema(
    [
        pa.field("topic", pa.string(), nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp", pa.timestamp("ms", "UTC")),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field(
            "headers", pa.list_(pa.struct([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.binary())]))
        ),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("exception", pa.string()),
    ]
)

#: Parquet files hold times in microseconds, in 64 bits.
_MOST_MS = ((1 << 63) - 1) // 1000


def rejects_table(rejects: Sequence[Reject]) -> pa.Table:
    """One row for each reject, with the record's bytes as they were sent."""
    rows = [
        {
            "topic": reject.topic_partition.topic,
            "partition": reject.topic_partition.partition,
            "offset": reject.offset,
            "timestamp": reject.timestamp_ms if _has_writable_time(reject) else None,
            "key": reject.key,
            "value": reject.value,
            "headers": [{"key": key, "value": value} for key, value in reject.headers],
            "stage": reject.stage.value,
            "reason": reject.reason
            if _has_writable_time(reject)
            else f"{reject.reason} (its timestamp, {reject.timestamp_ms} ms, is too large for a column of times)",
            "exception": reject.exception or None,
        }
        for reject in rejects
    ]
    return pa.Table.from_pylist(rows, REJECTS_SCHEMA)


def _has_writable_time(reject: Reject) -> bool:
    return reject.timestamp_ms is None or -_MOST_MS <= reject.timestamp_ms <= _MOST_MS
