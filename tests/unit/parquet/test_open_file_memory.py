"""What an open file counts as memory, and that small tables don't pile up in it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.parquet.writer import ParquetWriter
from kafka2parquet.rows import without_columns

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


def test_rows_without_columns_are_not_forgotten_beside_others() -> None:
    """Objects without members come in many tables, which are merged or spilled, before one with members."""
    for tables, spills in ((1, True), (16, False), (40, True)):
        file = ParquetWriter().open()
        for _ in range(tables):
            file.append(without_columns(3))
        if spills:
            file.spill()
        file.append(pa.table({"a": [1, 2]}))
        content = file.finish({}).content

        assert isinstance(content, bytes)
        assert [None] * 3 * tables + [1, 2] == pq.read_table(pa.BufferReader(content)).column("a").to_pylist()
