"""Required fields in null structs have no nulls, at any depth."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet.schema.required_fields import without_needless_nulls


def _required(name: str, type_: pa.DataType) -> pa.Field:
    return pa.field(name, type_, nullable=False)


LEAVES = pa.struct(
    [_required("text", pa.string()), _required("decimal", pa.decimal128(9, 2)), _required("list", pa.list_(pa.int8()))]
)
VALUE = {"text": "a", "decimal": 1, "list": [1]}


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        (LEAVES, [VALUE, None, VALUE]),
        (pa.struct([("inner", LEAVES)]), [{"inner": VALUE}, {"inner": None}, None]),
        (pa.struct([_required("inner", LEAVES)]), [{"inner": VALUE}, None]),
        (pa.list_(LEAVES), [[VALUE, None], None, [], [None]]),
        (pa.map_(pa.string(), LEAVES), [[("a", VALUE), ("b", None)], None]),
        (
            pa.struct([_required("map", pa.map_(pa.string(), LEAVES)), ("n", pa.int8())]),
            [{"map": [("a", None)], "n": None}, None],
        ),
    ],
)
@pytest.mark.parametrize("start", [0, 1])
def test_parquet_takes_them_and_gives_the_same_back(type_: pa.DataType, values: list[object], start: int) -> None:
    """Parquet can write arrays without such nulls and returns the same values, in slices, too."""
    array = pa.array(values, type_)[start:]
    made = without_needless_nulls(array)
    made.validate(full=True)
    assert array.to_pylist() == made.to_pylist()
    file = io.BytesIO()
    pq.write_table(pa.table({"column": made}), file)
    assert array.to_pylist() == pq.read_table(file).column(0).to_pylist()


def test_nothing_is_made_where_nothing_has_to_be() -> None:
    """An array without such nulls is returned as it is."""
    array = pa.array([{"a": [1, None]}, None], pa.struct([("a", pa.list_(pa.int8()))]))
    assert array is without_needless_nulls(array)
