"""The lattice: joins of types, and tables that are brought to them."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.schema.lattice import SchemaConflict, any_field, conform, is_any, merge_schemas, unify

LEAVES = st.sampled_from([pa.null(), pa.bool_(), pa.int64(), pa.float64(), pa.string()])
TYPES = st.recursive(
    LEAVES,
    lambda inner: (
        inner.map(pa.list_)
        | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3).map(lambda fields: pa.struct(list(fields.items())))
    ),
    max_leaves=5,
)


def _field(name: str) -> st.SearchStrategy[pa.Field]:
    return st.just(any_field(name)) | TYPES.map(lambda type_: pa.field(name, type_))


SCHEMAS = st.sets(st.sampled_from("abc")).flatmap(lambda names: st.tuples(*map(_field, sorted(names)))).map(pa.schema)


def joined(*schemas: pa.Schema) -> pa.Schema:
    united = schemas[0]
    for schema in schemas[1:]:
        united = merge_schemas(united, schema, conflicts_become_any=True)
    return united


def in_order(schema: pa.Schema | pa.DataType) -> list[tuple[str, str]]:
    """Names and types without the order of fields."""
    return sorted((field.name, described(field)) for field in schema)


def described(field: pa.Field) -> str:
    if is_any(field):
        return "any"
    if pa.types.is_list(field.type):
        return f"list<{described(field.type.value_field)}>"
    return str(in_order(field.type)) if pa.types.is_struct(field.type) else str(field.type)


@given(SCHEMAS, SCHEMAS, SCHEMAS)
def test_joins_do_not_depend_on_the_order_of_records(first: pa.Schema, second: pa.Schema, third: pa.Schema) -> None:
    """With `any` for conflicts every two schemas have a join, whatever came first."""
    assert in_order(joined(first, second, third)) == in_order(joined(third, joined(second, first)))
    assert in_order(joined(first, first, second, first)) == in_order(joined(first, second))


def test_types_without_a_join_are_a_conflict() -> None:
    """It says where, and what stood on both sides."""
    left, right = pa.schema([("a", pa.list_(pa.int64()))]), pa.schema([("a", pa.list_(pa.string()))])
    with pytest.raises(SchemaConflict) as raised:
        merge_schemas(left, right)

    assert ("a[]", pa.int64(), pa.string()) == (raised.value.path, raised.value.left, raised.value.right)


def test_columns_that_are_any_have_no_conflicts() -> None:
    """They were one already, before the other type came."""
    united = unify([pa.schema([("a", pa.int64())]), pa.schema([any_field("a")]), pa.schema([("a", pa.list_(pa.bool_()))])])

    assert united.equals(pa.schema([any_field("a")]), check_metadata=True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, None]), ["1", None]),
        (pa.array([1.5, 1e300]), ["1.5", "1e+300"]),
        (pa.array([True]), ["true"]),
        (pa.array([{"x": 1, "y": "é"}, {"x": None, "y": ""}, None]), ['{"x":1,"y":"é"}', '{"y":""}', None]),
        (pa.array([[1, None], []]), ["[1,null]", "[]"]),
    ],
)
def test_rows_of_earlier_types_become_text(values: pa.Array, expected: list[str | None]) -> None:
    """Rows that share a file with later ones, of which their column is text."""
    assert expected == conform(pa.table({"a": values}), pa.schema([any_field("a")]))["a"].to_pylist()


def test_lists_of_nothing_but_nulls_keep_their_lengths() -> None:
    """The parser gives them too few elements, as long as no type of theirs is known."""
    from kafka2parquet.converters.json_columns import parse_objects

    unknown, known = pa.schema([("a", pa.list_(pa.null()))]), pa.schema([("a", pa.list_(pa.int64()))])
    values = [{"a": [None, None]}, {"a": None}, {"a": [None]}]
    table = parse_objects(pa.array([json.dumps(value).encode() for value in values], pa.binary_view()), unknown)

    brought = conform(table, known)
    brought.validate(full=True)
    assert values == brought.to_pylist()
