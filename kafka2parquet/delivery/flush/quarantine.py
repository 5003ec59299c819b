"""Writes rejected records as rows of a Parquet file, with everything needed to inspect them or to send them again."""

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
    """One row for each reject, with the bytes of the record as the producer sent them."""
    has_time = [_has_writable_time(reject) for reject in rejects]
    columns = [
        [reject.topic_partition.topic for reject in rejects],
        [reject.topic_partition.partition for reject in rejects],
        [reject.offset for reject in rejects],
        [reject.timestamp_ms if writable else None for reject, writable in zip(rejects, has_time, strict=True)],
        [reject.key for reject in rejects],
        [reject.value for reject in rejects],
        [reject.headers for reject in rejects],
        [reject.stage.value for reject in rejects],
        [_reason(reject, writable) for reject, writable in zip(rejects, has_time, strict=True)],
        [reject.exception or None for reject in rejects],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, REJECTS_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=REJECTS_SCHEMA)


def _reason(reject: Reject, has_writable_time: bool) -> str:
    if has_writable_time:
        return reject.reason
    return f"{reject.reason} (its timestamp, {reject.timestamp_ms} ms, is too large for a column of times)"


def _has_writable_time(reject: Reject) -> bool:
    return reject.timestamp_ms is None or -_MOST_MS <= reject.timestamp_ms <= _MOST_MS
