"""ExtractField and HoistField: one field as the whole row, and the whole row as one field."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.records import DATA_EXCEPTION, Stage
from kafka2parquet.rows import Transformed
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from kafka2parquet.transforms import ExtractField, HoistField, Transform, TransformChain
from tests.support.rows import rows_of

USERS = [
    {"id": 1, "user": {"name": "Ann", "home": {"city": "Paris"}}},
    {"id": 2, "user": None},
    {"id": 3, "user": {"name": None, "home": None}},
]
HOME = ConnectSchema("struct", optional=True, name="org.example.Home", fields=(ConnectField("city", ConnectSchema("string")),))
EVENT = ConnectSchema(
    "struct",
    name="org.example.Event",
    fields=(
        ConnectField("home", HOME),
        ConnectField("count", ConnectSchema("int32", doc="How many.")),
    ),
)


def _apply(transform: Transform, table: pa.Table, schema: ConnectSchema | None = None) -> Transformed:
    transformed = TransformChain([transform]).apply(rows_of(table, value_schema=schema))
    transformed.rows.table.validate(full=True)
    return transformed


def _users(transform: Transform) -> tuple[list[int], list[dict[str, Any]], list[int]]:
    """Returns offsets and rows that continue, and offsets of rejects."""
    transformed = _apply(transform, pa.Table.from_pylist(USERS))
    rows = transformed.rows
    return rows.offsets.to_pylist(), rows.table.to_pylist(), [reject.offset for reject in transformed.rejects]


def _events() -> pa.Table:
    return pa.Table.from_pylist([{"home": {"city": "Paris"}, "count": 5}], EVENT.arrow_schema)


class TestExtractField:
    """ExtractField replaces the row with one of its fields."""

    def test_fields_of_a_struct_become_the_columns(self) -> None:
        """The struct's fields become the only columns, and a null struct has nothing to write."""
        assert ([0, 2], [{"name": "Ann", "home": {"city": "Paris"}}, {"name": None, "home": None}], [1]) == _users(
            ExtractField("user")
        )

    def test_field_inside_of_structs(self) -> None:
        """A field inside structs has a dotted path, and is null if a struct around it is null."""
        assert ([0], [{"city": "Paris"}], [1, 2]) == _users(ExtractField("user.home"))

    def test_field_that_is_not_a_struct(self) -> None:
        """A field that is not a struct becomes the column `value`."""
        assert ([0], [{"value": "Ann"}], [1, 2]) == _users(ExtractField("user.name"))

    def test_list(self) -> None:
        """A list becomes a single value."""
        transformed = _apply(ExtractField("a"), pa.table({"a": [[1, 2], []]}))
        assert [{"value": [1, 2]}, {"value": []}] == transformed.rows.table.to_pylist()

    def test_null_is_a_reject(self) -> None:
        """The reason names the field and a way to drop such rows."""
        (reject,) = _apply(ExtractField("user"), pa.Table.from_pylist(USERS)).rejects
        assert (
            Stage.TRANSFORM,
            "user is null, so nothing is left to write. on.null=drop leaves such rows out.",
            DATA_EXCEPTION,
            b"value of 1",
        ) == (reject.stage, reject.reason, reject.exception, reject.value)

    def test_null_can_be_left_out(self) -> None:
        """With `drop` such rows are dropped silently."""
        assert ([0], [{"city": "Paris"}], []) == _users(ExtractField("user.home", on_null="drop"))

    @pytest.mark.parametrize(("path", "rows", "tombstones"), [("user.home", [0], [1, 2]), ("user.work", [], [0, 1, 2])])
    def test_tombstones(self, path: str, rows: list[int], tombstones: list[int]) -> None:
        """With `tombstone` a null or missing field turns the row into a tombstone without a schema."""
        transformed = _apply(ExtractField(path, on_null="tombstone"), pa.Table.from_pylist(USERS))
        found: dict[bool, list[int]] = {False: [], True: []}
        for group in transformed.groups:
            found[group.tombstones] += group.offsets.to_pylist()
        assert {False: rows, True: tombstones} == found

    @pytest.mark.parametrize(("on_null", "rejects"), [("reject", [0, 1, 2]), ("drop", [])])
    def test_missing_field(self, on_null: Any, rejects: list[int]) -> None:
        """A missing field counts as null, because later rows may have it."""
        assert ([], rejects) == _users(ExtractField("user.work", on_null=on_null))[::2]

    def test_column_whose_name_has_dots(self) -> None:
        """A column with dots in its name, as Flatten creates it, is found by its name."""
        transformed = _apply(ExtractField("a.b"), pa.table({"a": [{"b": 1}], "a.b": [2]}))
        assert [{"value": 2}] == transformed.rows.table.to_pylist()

    def test_struct_without_fields(self) -> None:
        """Rows whose struct doesn't have fields are still rows."""
        table = pa.table({"a": pa.array([{}, {}], pa.struct([]))})
        assert (2, 0) == _apply(ExtractField("a"), table).rows.table.shape

    def test_schema_of_a_struct(self) -> None:
        """A struct keeps the schema and the name with which it was sent."""
        rows = _apply(ExtractField("home"), _events(), EVENT).rows
        assert (HOME, HOME.arrow_schema) == (rows.value_schema, rows.table.schema)

    def test_schema_of_another_field(self) -> None:
        """Another field has the schema of a value that is not a struct."""
        rows = _apply(ExtractField("count"), _events(), EVENT).rows
        assert rows.value_schema is not None
        assert ConnectSchema("int32", doc="How many.").arrow_schema == rows.table.schema
        assert rows.value_schema.arrow_schema == rows.table.schema

    def test_schema_is_the_same_object_for_all_batches(self) -> None:
        """All batches get the same schema object, which makes comparisons cheap."""
        chain = TransformChain([ExtractField("home")])
        first, second = (chain.apply(rows_of(_events(), value_schema=EVENT)).rows.value_schema for _ in range(2))
        assert first is second

    def test_properties(self) -> None:
        """The properties are `field` and `on.null`."""
        assert ([0], [{"city": "Paris"}], []) == _users(ExtractField.from_config({"field": "user.home", "on.null": "drop"}))

    @pytest.mark.parametrize(
        ("properties", "message"),
        [
            ({}, "ExtractField needs field"),
            ({"field": "a..b"}, "has to be a dotted path of names"),
            ({"field": "a", "on.null": "fail"}, "on_null has to be 'reject', 'drop' or 'tombstone', not 'fail'"),
            ({"field": "a", "skip": "b"}, "skip is not a property of ExtractField"),
        ],
    )
    def test_wrong_properties(self, properties: dict[str, str], message: str) -> None:
        """Wrong properties are refused when the configuration is read."""
        with pytest.raises(ConfigurationError, match=message):
            ExtractField.from_config(properties)

    def test_fingerprint_distinguishes_settings(self) -> None:
        """Settings with other results have other fingerprints."""
        transforms = [ExtractField("a"), ExtractField("b"), ExtractField("a", on_null="drop")]
        assert 3 == len({transform.fingerprint for transform in transforms})


class TestHoistField:
    """HoistField puts the whole row into one field."""

    def test_all_columns_become_one_struct(self) -> None:
        """All columns become one struct in each row."""
        offsets, rows, rejects = _users(HoistField("all"))
        assert ([0, 1, 2], [{"all": row} for row in USERS], []) == (offsets, rows, rejects)

    def test_name_with_dots(self) -> None:
        """A name with dots is one name, not a path."""
        assert ["a.b"] == _apply(HoistField("a.b"), pa.table({"x": [1]})).rows.table.column_names

    def test_schema_is_inside_of_another(self) -> None:
        """The outer schema doesn't have a name, as in Kafka Connect."""
        rows = _apply(HoistField("event"), _events(), EVENT).rows
        expected = ConnectSchema("struct", fields=(ConnectField("event", EVENT),))
        assert (expected, expected.arrow_schema) == (rows.value_schema, rows.table.schema)

    def test_value_that_is_not_a_struct(self) -> None:
        """A value that is not a struct becomes the field itself."""
        text = ConnectSchema("string", optional=True)
        rows = _apply(HoistField("line"), pa.table({"value": ["x"]}), text).rows
        expected = ConnectSchema("struct", fields=(ConnectField("line", text),))
        assert ([{"line": "x"}], expected) == (rows.table.to_pylist(), rows.value_schema)

    def test_schema_is_the_same_object_for_all_batches(self) -> None:
        """All batches get the same schema object, which makes comparisons cheap."""
        chain = TransformChain([HoistField("event")])
        first, second = (chain.apply(rows_of(_events(), value_schema=EVENT)).rows.value_schema for _ in range(2))
        assert first is second

    @pytest.mark.parametrize(
        ("properties", "message"), [({}, "HoistField needs field"), ({"field": " "}, "HoistField: field has to be a text")]
    )
    def test_wrong_properties(self, properties: dict[str, str], message: str) -> None:
        """Wrong properties are refused when the configuration is read."""
        with pytest.raises(ConfigurationError, match=message):
            HoistField.from_config(properties)

    def test_fingerprint_distinguishes_settings(self) -> None:
        """Settings with other results have other fingerprints."""
        assert HoistField("a").fingerprint != HoistField("b").fingerprint

    @given(
        st.lists(
            st.fixed_dictionaries(
                {
                    "a": st.none() | st.integers(-9, 9),
                    "b": st.none() | st.fixed_dictionaries({"c": st.none() | st.text(max_size=2)}),
                }
            ),
            min_size=1,
            max_size=8,
        )
    )
    def test_extracting_undoes_it(self, values: list[dict[str, Any]]) -> None:
        """Extracting the field restores the columns in all rows."""
        schema = pa.schema([("a", pa.int64()), ("b", pa.struct([("c", pa.string())]))])
        table = pa.Table.from_pylist(values, schema)
        rows = rows_of(table)
        transformed = TransformChain([HoistField("x"), ExtractField("x")]).apply(rows)
        assert (table, rows.offsets) == (transformed.rows.table, transformed.rows.offsets)
