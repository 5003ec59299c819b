"""Columns are compared bit for bit, whatever their types and chunks are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from kafka2parquet.compaction.comparing import same

QUIET, PAYLOAD = np.array([0x7FF8000000000000, 0x7FF8000000000001], np.int64).view(np.float64)
LISTS = pa.list_(pa.float64())


def column(values: list[object], type_: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, type_)], type_)


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([1.0, QUIET, None, -0.0], pa.float64()),
        ([1.5, float("nan"), None], pa.float32()),
        ([[QUIET, None], None, []], LISTS),
        ([{"a": QUIET, "b": "x"}, None, {"a": None, "b": None}], pa.struct([("a", pa.float64()), ("b", pa.string())])),
        ([[("k", QUIET)], None, [("l", None)]], pa.map_(pa.string(), pa.float64())),
        ([[{"m": [QUIET]}], []], pa.large_list(pa.struct([("m", LISTS)]))),
        ([b"x", None, b""], pa.binary()),
        ([1, None], pa.decimal128(20, 3)),
    ],
)
def test_equal_columns(values: list[object], type_: pa.DataType) -> None:
    """Equal columns are the same, also in other chunks and as slices."""
    whole = column(values, type_)
    pieces = pa.chunked_array([whole.chunk(0).slice(number, 1) for number in range(len(values))], type_)
    padded = column([*values, *values], type_).slice(len(values))
    assert same(whole, pieces)
    assert same(whole, padded)


@pytest.mark.parametrize(
    ("one", "other", "type_"),
    [
        ([0.0], [-0.0], pa.float64()),
        ([[0.0]], [[-0.0]], LISTS),
        ([{"a": 0.0}], [{"a": -0.0}], pa.struct([("a", pa.float64())])),
        ([[("k", 0.0)]], [[("k", -0.0)]], pa.map_(pa.string(), pa.float64())),
        ([None], [0.0], pa.float64()),
        ([[None]], [[]], LISTS),
        (["a"], ["b"], pa.string()),
    ],
)
def test_different_columns(one: list[object], other: list[object], type_: pa.DataType) -> None:
    """Columns whose bits differ are not the same, even if the values are equal as numbers."""
    assert not same(column(one, type_), column(other, type_))


def test_nan_with_another_payload() -> None:
    """A NaN is the same as itself, and not the same as a NaN with other bits."""
    quiet, payload = (pa.chunked_array([pa.array(np.array([number]))]) for number in (QUIET, PAYLOAD))
    assert same(quiet, quiet)
    assert not same(quiet, payload)
