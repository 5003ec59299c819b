"""What an open file counts as memory, and that small tables don't pile up in it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.parquet.writer import ParquetWriter

ROW = pa.table({"a": [1], "b": ["x"], "c": [{"d": 1.5, "e": None}]})


def test_open_file_counts_more_than_its_values() -> None:
    """A table takes memory for each of its columns, and an encoded one much more than its bytes."""
    file = ParquetWriter().open()
    assert file.memory_bytes == 0
    file.append(ROW)
    buffered = file.memory_bytes
    assert buffered > 4096 > file.buffered_bytes
    assert file.spill_gain_bytes < 0
    file.spill()
    assert file.memory_bytes > 48 * 1024 > buffered
    file.finish({})
    assert file.memory_bytes < 8 * 1024


def test_many_small_tables_become_few() -> None:
    """Appending row after row takes no more memory than appending all at once, but for a few tables."""
    file = ParquetWriter().open()
    for number in range(5000):
        file.append(pa.table({"a": [number], **({"b": [number]} if number >= 4000 else {})}))
    assert file.memory_bytes < file.buffered_bytes + 64 * 3 * 1024
    staged = file.finish({})
    assert isinstance(staged.content, bytes)
    rows = pq.read_table(pa.BufferReader(staged.content))
    assert list(range(5000)) == rows["a"].to_pylist()
    assert [None] * 4000 + list(range(4000, 5000)) == rows["b"].to_pylist()
