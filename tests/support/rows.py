"""Rows made of columns."""

from __future__ import annotations

import pyarrow as pa

from kafka2parquet.rows import Rows
from kafka2parquet.schema.connect_schema import ConnectSchema
from tests.support.batches import batch_of


def rows_of(
    table: pa.Table, *, first_offset: int = 0, value_schema: ConnectSchema | None = None, tombstones: bool = False
) -> Rows:
    """Makes rows with these columns at consecutive offsets; their Kafka timestamps are 1000 times the offsets."""
    offsets = range(first_offset, first_offset + table.num_rows)
    batch = batch_of([b"value of %d" % offset for offset in offsets], first_offset, [offset * 1000 for offset in offsets])
    return Rows(batch, batch.offsets, batch.timestamps_ms, table, value_schema, tombstones=tombstones)
