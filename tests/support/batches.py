"""Consumed batches made of values, and what a converter makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.records import ConsumedBatch, TopicPartition


def batch_of(
    values: Sequence[bytes | None],
    first_offset: int = 0,
    timestamps_ms: Sequence[int] | None = None,
    topic: str = "topic",
) -> ConsumedBatch:
    """Makes records with these values at consecutive offsets, with null keys and by default the time 0."""
    times = [0] * len(values) if timestamps_ms is None else timestamps_ms
    return ConsumedBatch.of_values(TopicPartition(topic, 0), values, first_offset=first_offset, timestamps_ms=times)


def converted(converter: RecordConverter, *batches: list[bytes]) -> tuple[dict[int, Any], dict[int, str]]:
    """Returns rows and reasons of rejects by offset, for consecutive batches."""
    rows: dict[int, Any] = {}
    rejects: dict[int, str] = {}
    offset = 0
    for values in batches:
        made = converter.convert(batch_of(values, offset))
        offset += len(values)
        rows |= dict(zip(made.rows.offsets.to_pylist(), made.rows.table.to_pylist(), strict=True))
        rejects |= {reject.offset: reject.reason for reject in made.rejects}
    return rows, rejects
