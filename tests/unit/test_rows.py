"""Rows of several schemas read like rows of one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.records import View
from kafka2parquet.rows import MixedRows, PartitionedRows, Rows, without_columns
from tests.support.batches import batch_of


def groups_of(numbers: list[int]) -> list[Rows]:
    """Makes rows with consecutive offsets in numbered groups; each group has a column named after its number."""
    count = len(numbers)
    batch = batch_of([None] * count, timestamps_ms=[1000 + row for row in range(count)])
    groups = []
    for number in sorted(set(numbers)):
        mask = pa.array([each == number for each in numbers])
        offsets = batch.offsets.filter(mask)
        views: dict[View, pa.Table] = {"keys": pa.table({"key": offsets})}
        groups.append(Rows(batch, offsets, batch.timestamps_ms.filter(mask), pa.table({f"c{number}": offsets}), views=views))
    return groups


def plain(rows: Rows | MixedRows) -> list[tuple[int, int, dict[str, int]]]:
    """Returns offset, time and the columns that aren't null."""
    return [
        (row.offset, row.timestamp_ms or 0, {name: value for name, value in row.values.items() if value is not None})
        for row in rows.each()
    ]


def expected(numbers: list[int], offsets: list[int]) -> list[tuple[int, int, dict[str, int]]]:
    return [(offset, 1000 + offset, {f"c{numbers[offset]}": offset}) for offset in offsets]


NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=30)


@given(NUMBERS, st.data())
def test_rows_of_several_schemas_keep_their_order(numbers: list[int], data: st.DataObject) -> None:
    """Each row keeps its values and its place when rows are merged, sliced and filtered."""
    rows = MixedRows.of(groups_of(numbers))
    everything = list(range(len(numbers)))
    assert expected(numbers, everything) == plain(rows)
    start = data.draw(st.integers(0, len(numbers)))
    length = data.draw(st.one_of(st.none(), st.integers(0, len(numbers))))
    part = rows.slice(start, length)
    inside = everything[start:] if length is None else everything[start : start + length]
    assert expected(numbers, inside) == plain(part)
    mask = data.draw(st.lists(st.booleans(), min_size=len(inside), max_size=len(inside)))
    kept = part.filter(pa.array(mask, pa.bool_()))
    wanted = [offset for offset, keep in zip(inside, mask, strict=True) if keep]
    assert expected(numbers, wanted) == plain(kept)
    assert wanted == kept.offsets.to_pylist()
    places = np.flatnonzero(mask)
    if len(places):
        assert expected(numbers, wanted) == plain(part.combined().take(places))
    if wanted:
        assert [{f"c{numbers[offset]}": offset} for offset in wanted] == [
            {name: value for name, value in row.items() if value is not None} for row in kept.table.to_pylist()
        ]
        assert wanted == kept.view("keys")["key"].to_pylist()


@given(NUMBERS)
def test_partitioned_rows_of_several_schemas_keep_their_folders(numbers: list[int]) -> None:
    """Merged groups keep the folder of each row."""
    parts = []
    for group in groups_of(numbers):
        folders = [f"f{offset % 3}" for offset in group.offsets.to_pylist()]
        distinct = tuple(dict.fromkeys(folders))
        codes = pa.array([distinct.index(folder) for folder in folders], pa.int32())
        parts.append(PartitionedRows(group, distinct, codes, group.timestamps_ms))
    merged = PartitionedRows.merged(parts)
    assert [f"f{offset % 3}" for offset in range(len(numbers))] == [
        merged.encoded_partitions[code] for code in merged.codes.to_pylist()
    ]
    assert [1000 + offset for offset in range(len(numbers))] == merged.timestamps_ms.to_pylist()
    assert expected(numbers, list(range(len(numbers)))) == plain(merged.rows)


def test_rows_of_several_schemas_may_have_no_columns() -> None:
    """Rows without columns keep their number, in a table and in a part of it."""
    batch = batch_of([b"{}", b"{}", b"{}"], 0)
    rows = Rows(batch, batch.offsets, batch.timestamps_ms, without_columns(3))
    assert [3, 2, 1, 0] == [rows.slice(start).table.num_rows for start in range(4)]
    mixed = MixedRows.of([rows.slice(start, 1) for start in range(3)])

    assert 3 == mixed.table.num_rows
    assert 2 == mixed.take(np.array([0, 2])).table.num_rows
