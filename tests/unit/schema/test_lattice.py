"""Types are joined along the lattice, and tables are converted to joined schemas."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.schema.lattice import SchemaConflict, any_field, conform, is_any, merge_schemas, unify

LEARNED = [pa.null(), pa.bool_(), pa.int64(), pa.float64(), pa.string()]
NUMBERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64()]


def _nested(inner: st.SearchStrategy[pa.DataType]) -> st.SearchStrategy[pa.DataType]:
    structs = st.dictionaries(st.sampled_from("xyz"), inner, max_size=3).map(lambda fields: pa.struct(list(fields.items())))
    return inner.map(pa.list_) | structs


def _nested_with_maps(inner: st.SearchStrategy[pa.DataType]) -> st.SearchStrategy[pa.DataType]:
    return _nested(inner) | inner.map(lambda values: pa.map_(pa.string(), values))


def _schemas(types: st.SearchStrategy[pa.DataType]) -> st.SearchStrategy[pa.Schema]:
    def field(name: str) -> st.SearchStrategy[pa.Field]:
        return st.just(any_field(name)) | types.map(lambda type_: pa.field(name, type_))

    return st.sets(st.sampled_from("abc")).flatmap(lambda names: st.tuples(*map(field, sorted(names)))).map(pa.schema)


#: Of types that are learned from JSON.
SCHEMAS = _schemas(st.recursive(st.sampled_from(LEARNED), _nested, max_leaves=5))
ANY_SCHEMAS = _schemas(st.recursive(st.sampled_from([*LEARNED, *NUMBERS]), _nested_with_maps, max_leaves=5))


def joined(*schemas: pa.Schema) -> pa.Schema:
    united = schemas[0]
    for schema in schemas[1:]:
        united = merge_schemas(united, schema, conflicts_become_any=True)
    return united


def in_order(schema: pa.Schema | pa.DataType) -> list[tuple[str, str]]:
    """Removes the order of fields from names and types."""
    return sorted((field.name, described(field)) for field in schema)


def described(field: pa.Field) -> str:
    if is_any(field):
        return "any"
    if pa.types.is_list(field.type):
        return f"list<{described(field.type.value_field)}>"
    if pa.types.is_map(field.type):
        return f"map<{described(field.type.item_field)}>"
    return str(in_order(field.type)) if pa.types.is_struct(field.type) else str(field.type)


@given(ANY_SCHEMAS, ANY_SCHEMAS, ANY_SCHEMAS)
def test_joins_do_not_depend_on_the_order_of_records(first: pa.Schema, second: pa.Schema, third: pa.Schema) -> None:
    """With `any` for conflicts, every two schemas have a join, whatever came first."""
    assert in_order(joined(first, second, third)) == in_order(joined(third, joined(second, first)))
    assert in_order(joined(first, first, second, first)) == in_order(joined(first, second))


def test_types_without_a_join_are_a_conflict() -> None:
    """A conflict has the path of the field and the types on both sides."""
    left, right = pa.schema([("a", pa.list_(pa.int64()))]), pa.schema([("a", pa.list_(pa.string()))])
    with pytest.raises(SchemaConflict) as raised:
        merge_schemas(left, right)

    assert ("a[]", pa.int64(), pa.string()) == (raised.value.path, raised.value.left, raised.value.right)


@pytest.mark.parametrize(
    ("left", "right", "joined_type"),
    [
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.int8(), pa.int16(), pa.int16()),
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.float32(), pa.float32(), pa.float32()),
        (pa.int32(), pa.float32(), pa.float64()),
        (pa.int64(), pa.float64(), pa.float64()),
    ],
)
def test_numbers_are_joined_to_the_wider_type(left: pa.DataType, right: pa.DataType, joined_type: pa.DataType) -> None:
    """Numbers are joined to the wider type, whichever comes first."""
    one, other = pa.schema([("a", left)]), pa.schema([("a", right)])
    assert [joined_type] * 2 == [unify([one, other]).field("a").type, unify([other, one]).field("a").type]


def test_maps_of_structs_that_have_grown() -> None:
    """Rows of the earlier type get null for the new fields, in slices and beside null maps, too."""
    before = pa.map_(pa.string(), pa.struct([("x", pa.int32())]))
    after = pa.map_(pa.string(), pa.struct([("x", pa.int64()), ("y", pa.string())]))
    united = unify([pa.schema([("a", before)]), pa.schema([("a", after)])])
    assert pa.schema([("a", after)]) == united
    rows = [[("k", {"x": 0})], [("l", {"x": 1}), ("m", None)], None, [], [("n", {"x": 2})]]
    brought = conform(pa.table({"a": pa.array(rows, before)}).slice(1), united)
    brought.validate(full=True)
    expected = [[("l", {"x": 1, "y": None}), ("m", None)], None, [], [("n", {"x": 2, "y": None})]]
    assert expected == brought["a"].to_pylist()


def test_columns_that_are_any_have_no_conflicts() -> None:
    """A column of the type any has a join with every type."""
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
    """Rows become text if they share a file with later rows whose column is text."""
    assert expected == conform(pa.table({"a": values}), pa.schema([any_field("a")]))["a"].to_pylist()


def test_lists_of_nothing_but_nulls_keep_their_lengths() -> None:
    """Lists of nulls keep their lengths, although pyarrow's parser gives them too few elements."""
    from kafka2parquet.converters.json.parse_batch import parse_objects

    unknown, known = pa.schema([("a", pa.list_(pa.null()))]), pa.schema([("a", pa.list_(pa.int64()))])
    values = [{"a": [None, None]}, {"a": None}, {"a": [None]}]
    table = parse_objects(pa.array([json.dumps(value).encode() for value in values], pa.binary_view()), unknown)

    brought = conform(table, known)
    brought.validate(full=True)
    assert values == brought.to_pylist()
