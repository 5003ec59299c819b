"""Consumed batches made of values."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from kafka2parquet.records import ConsumedBatch, TopicPartition


def batch_of(
    values: Sequence[bytes | None], first_offset: int = 0, timestamps_ms: Sequence[int] | None = None
) -> ConsumedBatch:
    """Records with these values at consecutive offsets; their keys are null."""
    count = len(values)
    return ConsumedBatch(
        topic_partition=TopicPartition("topic", 0),
        offsets=pa.array(range(first_offset, first_offset + count), pa.int64()),
        timestamps_ms=pa.array([0] * count if timestamps_ms is None else timestamps_ms, pa.int64()),
        timestamp_types=pa.array([0] * count, pa.int8()),
        keys=pa.nulls(count, pa.binary_view()),
        values=pa.array(values, pa.binary_view()),
        headers=pa.nulls(count, pa.binary_view()),
        first_offset=first_offset,
        next_offset=first_offset + count,
    )
