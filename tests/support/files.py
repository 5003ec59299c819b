"""Published files, read by another way than the one they were written by."""

from __future__ import annotations

import collections
from pathlib import Path

import pyarrow.parquet as pq


def offsets_by_partition(folder: Path) -> dict[int, collections.Counter[int]]:
    """Counts each offset in the Parquet files below `folder`, for each Kafka partition."""
    counts: dict[int, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    for path in folder.rglob("*.parquet"):
        partition = int(path.name.split("+")[1])
        counts[partition].update(pq.read_table(path, columns=["_kafka_offset"])["_kafka_offset"].to_pylist())
    return counts
