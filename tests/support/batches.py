"""Consumed batches made of values."""

from __future__ import annotations

from collections.abc import Sequence

from kafka2parquet.records import ConsumedBatch, TopicPartition


def batch_of(
    values: Sequence[bytes | None],
    first_offset: int = 0,
    timestamps_ms: Sequence[int] | None = None,
    topic: str = "topic",
) -> ConsumedBatch:
    """Records with these values at consecutive offsets; their keys are null, and their times 0 by default."""
    times = [0] * len(values) if timestamps_ms is None else timestamps_ms
    return ConsumedBatch.of_values(TopicPartition(topic, 0), values, first_offset=first_offset, timestamps_ms=times)
