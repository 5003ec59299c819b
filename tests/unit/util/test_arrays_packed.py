"""Tables whose sparse columns are held without their nulls."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from kafka2parquet.util.arrays import PackedTable, Places


def _sparse(count: int, every: int, start: int = 0) -> pa.Table:
    """A column of each kind with a value in some rows, evenly."""
    rows = [number if number % every == start else None for number in range(count)]
    return pa.table(
        {
            "integer": pa.array(rows, pa.int64()),
            "number": pa.array(rows, pa.float64()),
            "text": pa.array([None if row is None else f"text {row}" for row in rows]),
            "time": pa.array(rows, pa.timestamp("ms")),
            "flag": pa.array([None if row is None else row % 2 == 0 for row in rows]),
            "list": pa.array([None if row is None else [row] for row in rows], pa.list_(pa.int64())),
            "whole": pa.array(range(count), pa.int64()),
        }
    )


@pytest.mark.parametrize("every", [2, 5, 100, 10_000])
@pytest.mark.parametrize("window", [(0, 3000), (1, 2990), (700, 1), (700, 300), (5, 0)])
def test_what_is_packed_comes_out_as_it_was(every: int, window: tuple[int, int]) -> None:
    """Unpacking restores the table, also for slices whose buffers begin elsewhere."""
    table = _sparse(3000, every).slice(*window)

    unpacked = PackedTable(table).unpacked()

    unpacked.validate(full=True)
    assert unpacked.equals(table)
    assert unpacked.schema.equals(table.schema, check_metadata=True)


def test_columns_of_several_chunks_come_out_as_they_were() -> None:
    """Columns with a single non-empty chunk are packed, and other columns stay unchanged."""
    table = pa.concat_tables([_sparse(300, 50), _sparse(300, 50, 7)])
    with_empty_chunk = pa.concat_tables([_sparse(300, 50).slice(0, 0), _sparse(300, 50)])

    assert PackedTable(table).unpacked().equals(table)
    assert PackedTable(with_empty_chunk).unpacked().equals(with_empty_chunk)
    assert PackedTable(with_empty_chunk).nbytes < with_empty_chunk.nbytes


def test_columns_without_any_value_take_next_to_nothing() -> None:
    """A column of nulls takes almost no memory, however Arrow stores nulls."""
    table = pa.table({"integer": pa.nulls(10_000, pa.int64()), "text": pa.nulls(10_000, pa.string())})

    packed = PackedTable(table)

    assert packed.unpacked().equals(table)
    assert packed.nbytes < table.nbytes / 10


def test_text_with_nulls_that_take_a_part_of_it() -> None:
    """Nulls may cover bytes of the text buffer, which Arrow allows."""
    offsets = pa.py_buffer(np.arange(0, 1001 * 3, 3, dtype=np.int32))
    valid = pa.py_buffer(np.packbits(np.arange(1000) % 10 == 0, bitorder="little"))
    table = pa.table({"text": pa.Array.from_buffers(pa.string(), 1000, [valid, offsets, pa.py_buffer(b"abc" * 1000)])})

    assert PackedTable(table).unpacked().equals(table)


def test_events_of_many_types_take_a_tenth() -> None:
    """Twenty types of ten columns each."""
    columns = [_sparse(10_000, 20, start).column(name) for start in range(20) for name in ("integer", "number", "text")]
    table = pa.table(columns, names=[str(number) for number in range(len(columns))])

    packed = PackedTable(table)

    assert packed.nbytes < table.nbytes / 5
    assert packed.unpacked().equals(table)


def test_columns_that_are_not_alike_are_not_taken_for_each_other() -> None:
    """Columns with values in different rows are not confused."""
    table = pa.table({str(start): _sparse(1000, 10, start).column("number") for start in range(10)})

    assert PackedTable(table).unpacked().equals(table)


@pytest.mark.parametrize(
    "values", [pa.array([1, 2, 3]), pa.array(["a", "", "c"]), pa.array([1, None, 3]), pa.array([[1], [], None])]
)
@pytest.mark.parametrize("rows", [[0, 1, 2], [1, 4, 9], [9, 0, 4]])
def test_values_are_spread_to_their_rows(values: pa.Array, rows: list[int]) -> None:
    """Each value is placed in its row."""
    spread = Places(np.array(rows), 10).spread(values)

    spread.validate(full=True)
    assert [values[rows.index(row)].as_py() if row in rows else None for row in range(10)] == spread.to_pylist()
