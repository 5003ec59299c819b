"""The transforms that come with the library."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import io
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from kafka2parquet.errors import ConfigurationError, UsageError
from kafka2parquet.transforms import (
    Cast,
    Drop,
    Filter,
    Flatten,
    InsertField,
    Keep,
    Mask,
    Rename,
    ToTimestamp,
    Transform,
    value_in,
)
from tests.support.rows import rows_of

USERS: list[dict[str, Any]] = [
    {"id": 1, "user": {"name": "Ann", "home": {"city": "Paris", "zip": "75001"}}},
    {"id": 2, "user": None},
    {"id": 3, "user": {"name": None, "home": None}},
]
#: Struct and fields required, as schemas of a registry have them.
REQUIRED = pa.schema(
    [
        pa.field(
            "user", pa.struct([pa.field("age", pa.string(), nullable=False), pa.field("name", pa.string(), nullable=False)])
        ),
    ]
)


def _table(rows: list[dict[str, Any]] = USERS, schema: pa.Schema | None = None) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


def _written(table: pa.Table) -> list[dict[str, Any]]:
    """Returns the rows as read back from a Parquet file."""
    file = io.BytesIO()
    pq.write_table(table, file)
    read: list[dict[str, Any]] = pq.read_table(io.BytesIO(file.getvalue())).to_pylist()
    return read


def _result(transform: Transform, table: pa.Table) -> pa.Table:
    transformed = transform.apply(rows_of(table))
    assert [] == list(transformed.rejects)
    transformed.rows.table.validate(full=True)
    return transformed.rows.table


def _kept(transform: Transform, table: pa.Table) -> list[int]:
    offsets: list[int] = transform.apply(rows_of(table)).rows.offsets.to_pylist()
    return offsets


def _rejected(transform: Transform, table: pa.Table) -> list[tuple[int, str]]:
    return [(reject.offset, reject.reason) for reject in transform.apply(rows_of(table)).rejects]


class TestFilter:
    """Filter drops rows without an error."""

    NUMBERS = pa.table({"n": [1, None, 3], "user": [{"age": 5}, None, {"age": 7}], "s": ["a", "b", None]})
    OTHERS = pa.table({"f": [1.0, 1.5, 1e15], "b": [b"x", b"\xff", None]})

    @pytest.mark.parametrize(
        ("condition", "kept"),
        [
            (pc.field("n") > 1, [2]),
            (pc.field("user", "age") >= 5, [0, 2]),
            (pc.field("s").is_null(), [2]),
            ((pc.field("n") == 1) | (pc.field("s") == "b"), [0, 1]),
            (pc.field("n").is_valid() | (pc.field("s") == "b"), [0, 1, 2]),
            (pc.scalar(True), [0, 1, 2]),
            (pc.scalar(False), []),
        ],
    )
    def test_expression(self, condition: pc.Expression, kept: list[int]) -> None:
        """The condition is an expression over columns, and a row for which it is null is dropped."""
        assert kept == _kept(Filter(condition), self.NUMBERS)

    @pytest.mark.parametrize(
        ("condition", "kept"),
        [
            (pc.field("x") == 1, []),
            (pc.field("x").is_null(), [0, 1, 2]),
            (pc.field("x").isin(["a"]) | (pc.field("n") == 3), [2]),
            (pc.field("x").isin([1]) | pc.field("y").isin(["a"]) | (pc.field("n") == 3), [2]),
            (pc.field("user", "x").is_null() & pc.field("user").is_valid(), [0, 2]),
            (pc.field("z", "x").is_null(), [0, 1, 2]),
            (pc.match_substring(pc.field("x"), "a") | pc.field("n").is_valid(), [0, 2]),
        ],
    )
    def test_expression_over_missing_columns(self, condition: pc.Expression, kept: list[int]) -> None:
        """A missing column is null in an expression, because the first batches of a topic may lack it."""
        assert kept == _kept(Filter(condition), self.NUMBERS)

    @pytest.mark.parametrize(
        ("condition", "culprit", "rejects", "kept"),
        [
            (pc.field("n") == "a", "n is int64", [0, 2], []),
            (pc.field("n", "deeper") == 1, "n is int64", [0, 2], []),
            (pc.field("n"), "n is int64", [0, 2], []),
            ((pc.field("n") == "a") | (pc.field("s") == "b"), "n is int64", [0, 2], [1]),
            (pc.match_substring(pc.field("user", "age"), "5") | pc.field("s").is_null(), "user.age is int64", [0, 2], []),
            ((pc.field("user") == "x") | pc.field("n").is_null(), "user is struct<age: int64>", [0, 2], [1]),
        ],
    )
    def test_expression_that_doesn_t_fit(
        self, condition: pc.Expression, culprit: str, rejects: list[int], kept: list[int]
    ) -> None:
        """Rows with a value of an unsuitable type are rejects; for other rows the condition is null."""
        transformed = Filter(condition).apply(rows_of(self.NUMBERS))
        assert (rejects, kept) == ([one.offset for one in transformed.rejects], transformed.rows.offsets.to_pylist())
        assert all(one.reason.startswith(f"{culprit}, which the condition of Filter (") for one in transformed.rejects)

    def test_expression_that_two_columns_don_t_fit(self) -> None:
        """Rows with a value in either unsuitable column are rejects."""
        table = pa.table({"a": [1, None, None], "b": [None, 2, None]})
        condition = (pc.field("a") == "x") | (pc.field("b") == "x") | (pc.field("a").is_null() & pc.field("b").is_null())
        transformed = Filter(condition).apply(rows_of(table))
        assert ([0, 1], [2]) == ([one.offset for one in transformed.rejects], transformed.rows.offsets.to_pylist())

    def test_value_that_an_expression_can_t_be_computed_with(self) -> None:
        """A row for which the condition can't be computed is rejected, and the other rows are filtered."""
        table = pa.table({"s": ["1", "x", None, "2"]})
        transformed = Filter(pc.field("s").cast(pa.int64()) > 1).apply(rows_of(table))
        assert ([1], [3]) == ([one.offset for one in transformed.rejects], transformed.rows.offsets.to_pylist())

    def test_missing_column_as_condition(self) -> None:
        """A missing column that is the condition itself is null."""
        assert [] == _kept(Filter(pc.field("no such")), self.NUMBERS)

    def test_function(self) -> None:
        """The condition may be any function from tables to booleans."""
        assert [2] == _kept(Filter(lambda table: pc.greater(table["n"], 1)), self.NUMBERS)

    def test_function_with_a_wrong_result(self) -> None:
        """A function has to return one boolean for each row."""
        with pytest.raises(UsageError, match=r"has to return one boolean for each of 3 rows"):
            Filter(lambda table: pa.array([True])).apply(rows_of(self.NUMBERS))

    def test_filtered_rows_are_not_rejects(self) -> None:
        """Filtered rows are dropped silently."""
        assert [] == _rejected(Filter(pc.scalar(False)), self.NUMBERS)

    @pytest.mark.parametrize(
        ("field", "values", "keep", "kept"),
        [
            ("n", ["1", "3"], True, [0, 2]),
            ("f", ["1"], True, [0]),
            ("f", ["1000000000000000"], True, [2]),
            ("b", ["x"], True, [0]),
            ("b", ["x"], False, [1, 2]),
            ("n", ["1"], False, [1, 2]),
            ("s", ["a"], True, [0]),
            ("user.age", ["7"], True, [2]),
            ("no.such", ["7"], True, []),
            ("no.such", ["7"], False, [0, 1, 2]),
        ],
    )
    def test_values(self, field: str, values: list[str], keep: bool, kept: list[int]) -> None:
        """The condition may be a list of texts for a field; nulls don't match any of them."""
        table = pa.table([*self.NUMBERS.columns, *self.OTHERS.columns], [*self.NUMBERS.column_names, "f", "b"])
        assert kept == _kept(Filter(value_in(field, values, keep=keep)), table)

    @pytest.mark.parametrize("keep", [True, False])
    @pytest.mark.parametrize("values", [[{"x": 1}, None], [[1], None]])
    def test_values_without_a_text(self, values: list[object], keep: bool) -> None:
        """Rows with a list or struct are rejects, and never dropped silently."""
        transformed = Filter(value_in("a", ["1"], keep=keep)).apply(rows_of(pa.table({"a": values})))
        (reject,) = transformed.rejects
        assert (0, [] if keep else [1]) == (reject.offset, transformed.rows.offsets.to_pylist())
        assert reject.reason.startswith("a is ")

    @pytest.mark.parametrize(("keep", "kept"), [({}, [0]), ({"keep": "false"}, [1, 2])])
    def test_properties(self, keep: dict[str, str], kept: list[int]) -> None:
        """The properties are `field`, `values` and `keep`."""
        assert kept == _kept(Filter.from_config({"field": "s", "values": "a, c", **keep}), self.NUMBERS)

    def test_fingerprint_distinguishes_conditions(self) -> None:
        """Conditions that select different rows have different fingerprints."""
        filters = [
            Filter(pc.field("n") > 1),
            Filter(pc.field("n") > 2),
            Filter.from_config({"field": "n", "values": "1"}),
            Filter.from_config({"field": "n", "values": "1", "keep": "false"}),
        ]
        assert 4 == len({one.fingerprint for one in filters})


class TestRename:
    """Rename gives fields other names."""

    def test_columns_and_nested_fields(self) -> None:
        """Renamed fields keep their positions and structs, and paths have the old names."""
        renamed = _result(Rename({"id": "number", "user": "person", "user.home.zip": "post code", "no.such": "x"}), _table())
        assert [
            {"number": 1, "person": {"name": "Ann", "home": {"city": "Paris", "post code": "75001"}}},
            {"number": 2, "person": None},
            {"number": 3, "person": {"name": None, "home": None}},
        ] == renamed.to_pylist()

    def test_swap(self) -> None:
        """Two fields can swap their names."""
        assert {"b": [1], "a": [2]} == _result(Rename({"a": "b", "b": "a"}), pa.table({"a": [1], "b": [2]})).to_pydict()

    def test_name_that_is_taken(self) -> None:
        """Two fields with the same name are merged, and a row with values in both is rejected."""
        transformed = Rename({"a": "b"}).apply(
            rows_of(pa.table({"a": [1, None, 3, None], "c": [5] * 4, "b": [None, 2, 4, None]}))
        )
        assert [{"b": 1, "c": 5}, {"b": 2, "c": 5}, {"b": None, "c": 5}] == transformed.rows.table.to_pylist()
        assert [(2, "Rename would make two columns called b.")] == [(one.offset, one.reason) for one in transformed.rejects]

    def test_name_that_is_taken_inside_a_struct(self) -> None:
        """Two fields with the same name inside a struct are merged, and null structs don't have values."""
        structs = [{"a": 1, "b": None}, {"a": None, "b": 2}, {"a": 3, "b": 4}, None]
        transformed = Rename({"s.a": "b"}).apply(rows_of(pa.table({"s": structs})))
        assert [{"b": 1}, {"b": 2}, None] == transformed.rows.table["s"].to_pylist()
        assert [(2, "Rename would make two columns called s.b.")] == [(one.offset, one.reason) for one in transformed.rejects]

    def test_name_that_is_taken_by_another_type(self) -> None:
        """The merged field has the type of the renamed field, whichever came first."""
        transformed = Rename({"a": "b"}).apply(rows_of(pa.table({"b": ["x", None], "a": [None, 1]})))
        assert ([{"b": 1}], [0]) == (transformed.rows.table.to_pylist(), [one.offset for one in transformed.rejects])
        assert "Rename: two types meet in one column: b: int64 and string." == transformed.rejects[0].reason

    def test_name_that_is_taken_by_a_struct_of_other_fields(self) -> None:
        """Merged structs have the fields of both, and only a row with a value of the wrong type is rejected."""
        table = pa.table(
            {
                "a": pa.array([{"x": 1}, None, None, None]),
                "b": pa.array([None, {"y": "2", "x": None}, {"y": "3", "x": "no"}, None]),
            }
        )
        transformed = Rename({"a": "b"}).apply(rows_of(table))
        assert [{"x": 1, "y": None}, {"x": None, "y": "2"}, None] == transformed.rows.table["b"].to_pylist()
        assert ["Rename: two types meet in one column: b.x: int64 and string."] == [one.reason for one in transformed.rejects]

    def test_name_that_is_taken_by_nothing_but_nulls(self) -> None:
        """Merging with a column of nulls keeps all values."""
        assert {"b": [1]} == _result(Rename({"a": "b"}), pa.table({"b": pa.nulls(1), "a": [1]})).to_pydict()

    def test_slices(self) -> None:
        """Structs are renamed correctly if they start in the middle of their memory."""
        assert [None, {"n": None, "home": None}] == _result(Rename({"user.name": "n"}), _table().slice(1))["user"].to_pylist()

    def test_required_fields_stay_required(self) -> None:
        """Required fields stay required, and can be written if their struct is null."""
        renamed = _result(Rename({"user.name": "n"}), _table([{"user": {"age": "5", "name": "x"}}, {"user": None}], REQUIRED))
        assert not renamed.schema.field("user").type.field("n").nullable
        assert [{"user": {"age": "5", "n": "x"}}, {"user": None}] == _written(renamed)

    def test_properties(self) -> None:
        """The property is `renames`, with the syntax of Kafka Connect's ReplaceField."""
        assert {"x": [1], "y": [2]} == _result(
            Rename.from_config({"renames": "a:x, b:y"}), pa.table({"a": [1], "b": [2]})
        ).to_pydict()


class TestDropAndKeep:
    """Drop and Keep decide which columns are written."""

    def test_drop(self) -> None:
        """Columns and nested fields are removed, and missing fields are ignored."""
        dropped = _result(Drop(["id", "user.home.zip", "no.such", "user.no"]), _table())
        assert [
            {"user": {"name": "Ann", "home": {"city": "Paris"}}},
            {"user": None},
            {"user": {"name": None, "home": None}},
        ] == dropped.to_pylist()

    def test_drop_all_fields_of_a_struct(self) -> None:
        """An empty struct can't be written, so it goes too, and so on outwards."""
        assert ["id"] == _result(Drop(["user.home.zip", "user.home.city", "user.name"]), _table()).column_names

    def test_drop_struct_and_field(self) -> None:
        """A field that was removed with its struct is ignored."""
        assert ["id"] == _result(Drop(["user.home", "user", "user.home.city"]), _table()).column_names

    def test_drop_all(self) -> None:
        """Rows without columns are still rows after Drop."""
        assert (3, 0) == _result(Drop(["id", "user"]), _table()).shape

    def test_drop_column_whose_name_has_dots(self) -> None:
        """A column with dots in its name, as Flatten creates it, is found by its name."""
        assert ["a"] == _result(Drop(["a.b"]), pa.table({"a": [{"b": 1}], "a.b": [2]})).column_names

    def test_keep(self) -> None:
        """Named columns stay in order, structs with all of their fields, and other columns are removed."""
        kept = _result(Keep(["user.home", "id", "no.such"]), _table())
        assert ["id", "user"] == kept.column_names
        assert [{"home": {"city": "Paris", "zip": "75001"}}, None, {"home": None}] == kept["user"].to_pylist()

    def test_keep_struct_and_field(self) -> None:
        """If a struct and one of its fields are named, the whole struct stays."""
        assert _table().select(["user"]) == _result(Keep(["user", "user.name"]), _table())

    def test_keep_nothing_that_is_there(self) -> None:
        """Rows without columns are still rows after Keep."""
        assert (3, 0) == _result(Keep(["other"]), _table()).shape

    def test_properties(self) -> None:
        """The property `fields` is a comma-separated list."""
        table = pa.table({"a": [1], "b": [2], "c": [3]})
        assert (["c"], ["a", "b"]) == (
            _result(Drop.from_config({"fields": "a, b"}), table).column_names,
            _result(Keep.from_config({"fields": "a, b"}), table).column_names,
        )


class TestMask:
    """Mask hides values."""

    def test_null(self) -> None:
        """By default values of any type become null."""
        assert {"id": [None] * 3, "user": [None] * 3} == _result(Mask(["id", "user"]), _table()).to_pydict()

    def test_null_keeps_the_type(self) -> None:
        """A nulled column keeps its type, so that files with and without masking can be read together."""
        assert _table().schema == _result(Mask(["user.home.city"]), _table()).schema

    def test_replacement(self) -> None:
        """The replacement is parsed as the field's type, and nulls stay."""
        masked = _result(Mask(["a", "s.b"], replacement="7"), pa.table({"a": [1, None], "s": [{"b": "x"}, None]}))
        assert {"a": [7, None], "s": [{"b": "7"}, None]} == masked.to_pydict()

    def test_replacement_that_doesn_t_fit(self) -> None:
        """If the replacement doesn't fit, rows with a value are rejected, and nothing is written unmasked."""
        reason = "a is int64, which the replacement '***' can't become."
        assert [(0, reason)] == _rejected(Mask(["a"], replacement="***"), pa.table({"a": [1, None]}))

    @pytest.mark.parametrize("values", [[[1], None], [{"x": 1}, None]])
    def test_replacement_of_a_list_or_struct(self, values: list[object]) -> None:
        """A list or a struct can't be replaced."""
        transformed = Mask(["a"], replacement="x").apply(rows_of(pa.table({"a": values})))
        assert ([0], {"a": [None]}) == ([one.offset for one in transformed.rejects], transformed.rows.table.to_pydict())

    @pytest.mark.parametrize(
        ("values", "text"),
        [
            (pa.array(["x"]), b"x"),
            (pa.array(["x"]).dictionary_encode(), b"x"),
            (pa.array([b"\xff"]), b"\xff"),
            (pa.array([b"\xff"], pa.binary(1)), b"\xff"),
            (pa.array([12]), b"12"),
            (pa.array([True]), b"true"),
        ],
    )
    def test_hash(self, values: pa.Array, text: bytes) -> None:
        """A hash is the SHA-256 of texts, bytes, or the texts of other values; nulls stay."""
        masked = _result(Mask(["a"], hashed="sha256"), pa.table({"a": values}))
        assert {"a": [hashlib.sha256(text).hexdigest()]} == masked.to_pydict()

    def test_hash_with_a_key(self) -> None:
        """With a key the hash is an HMAC, so guessed values can't be recognized."""
        masked = _result(Mask(["a"], hashed="sha256", key="secret"), pa.table({"a": ["x", None]}))
        assert {"a": [hmac.new(b"secret", b"x", hashlib.sha256).hexdigest(), None]} == masked.to_pydict()

    def test_hash_of_a_struct(self) -> None:
        """A struct can't be hashed, so rows with a struct are rejected."""
        transformed = Mask(["user"], hashed="sha256").apply(rows_of(_table()))
        assert ([0, 2], [None]) == ([one.offset for one in transformed.rejects], transformed.rows.table["user"].to_pylist())
        assert "can't be hashed. Name the fields in it" in transformed.rejects[0].reason

    def test_hash_is_that_of_the_number(self) -> None:
        """A number has the same hash in an integer column and in a column that another record made double."""
        integers, floats = (
            _result(Mask(["a"], hashed="sha256"), pa.table({"a": pa.array([1_700_000_000_000], type_)}))
            for type_ in (pa.int64(), pa.float64())
        )
        assert integers == floats

    def test_required_field_in_a_null_struct(self) -> None:
        """A masked text stays required, and can be written where its struct is null."""
        table = _table([{"user": {"age": "5", "name": "x"}}, {"user": None}], REQUIRED)
        masked = _result(Mask(["user.age"], replacement="0"), table)
        assert [{"user": {"age": "0", "name": "x"}}, {"user": None}] == _written(masked)

    def test_key_is_not_shown_in_the_fingerprint(self) -> None:
        """The fingerprint depends on the key without showing it."""
        names = [Mask(["a"], hashed="sha256", key=key).fingerprint for key in ("secret", "other")]
        assert ("secret" in names[0], names[0] == names[1]) == (False, False)

    def test_properties(self) -> None:
        """The properties are `replacement`, or `hash` with `hash.key`."""
        table = pa.table({"a": ["x"]})
        assert {"a": ["***"]} == _result(Mask.from_config({"fields": "a", "replacement": "***"}), table).to_pydict()
        keyed = Mask.from_config({"fields": "a", "hash": "sha256", "hash.key": "k"})
        assert {"a": [hmac.new(b"k", b"x", hashlib.sha256).hexdigest()]} == _result(keyed, table).to_pydict()


class TestCast:
    """Cast changes the types of fields."""

    @pytest.mark.parametrize(
        ("given", "type_name", "expected"),
        [
            (pa.array(["1", None]), "int32", pa.array([1, None], pa.int32())),
            (pa.array([1, None]), "string", pa.array(["1", None])),
            (pa.array([1.0]), "int8", pa.array([1], pa.int8())),
            (pa.array([1], pa.int32()), "float64", pa.array([1.0])),
            (pa.array(["true", "false"]), "boolean", pa.array([True, False])),
            (pa.array(["2026-05-17"]), "date", pa.array([datetime.date(2026, 5, 17)])),
            (
                pa.array(["2026-05-17T10:00:00+02:00"]),
                "timestamp",
                pa.array([datetime.datetime(2026, 5, 17, 8)], pa.timestamp("us", "UTC")),
            ),
            (pa.array([3]), "decimal(5;2)", pa.array([3]).cast(pa.decimal128(38, 2)).cast(pa.decimal128(5, 2))),
            (pa.array(["3.5"]), "decimal(5;2)", pa.array(["3.5"]).cast(pa.decimal128(5, 2))),
            (pa.nulls(1), "int64", pa.nulls(1, pa.int64())),
        ],
    )
    def test_types(self, given: pa.Array, type_name: str, expected: pa.Array) -> None:
        """Each type can be given by its name."""
        assert pa.table({"a": expected}) == _result(Cast({"a": type_name}), pa.table({"a": given}))

    def test_arrow_types(self) -> None:
        """Any type of Arrow can be given."""
        assert pa.uint16() == _result(Cast({"a": pa.uint16()}), pa.table({"a": [1]})).schema.field("a").type

    def test_nested_field(self) -> None:
        """Structs around the field stay unchanged, and a missing field is ignored."""
        table = pa.table({"s": [{"a": "1", "b": "x"}, None, {"a": None, "b": "y"}]})
        cast = _result(Cast({"s.a": "int32", "s.z": "int8"}), table)
        assert [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}] == cast["s"].to_pylist()

    def test_chunks(self) -> None:
        """Columns with several chunks are cast."""
        table = pa.concat_tables([pa.table({"a": ["1"]}), pa.table({"a": ["2"]})])
        assert {"a": [1, 2]} == _result(Cast({"a": "int64"}), table).to_pydict()

    @pytest.mark.parametrize(
        ("given", "type_name", "offsets"),
        [
            (["1", "x", "2", "1.5", None], "int64", [1, 3]),
            ([1.0, 1.5, float("nan")], "int64", [1, 2]),
            ([1, 300, -129], "int8", [1, 2]),
            ([1 << 60, (1 << 60) + 1], "float64", [0, 1]),
            (["true", "maybe"], "boolean", [1]),
            ([999, 1000], "decimal(5;2)", [1]),
        ],
    )
    def test_misfits_are_rejects(self, given: list[object], type_name: str, offsets: list[int]) -> None:
        """A value that can't be cast without loss is rejected, and never replaced by null."""
        assert offsets == [offset for offset, _ in _rejected(Cast({"a": type_name}), pa.table({"a": given}))]

    def test_reason_names_the_field(self) -> None:
        """The reason names the field and the problem."""
        table = pa.table({"s": [{"a": "1"}, {"a": "x"}]})
        assert [(1, "s.a: a text that can't become int32.")] == _rejected(Cast({"s.a": "int32"}), table)

    def test_required_field_in_a_null_struct(self) -> None:
        """Values in memory under a null are ignored, and the field stays required."""
        ages = pa.array(["5", "garbage"])
        struct = pa.StructArray.from_arrays(
            [ages, ages], fields=list(REQUIRED.field("user").type), mask=pa.array([False, True])
        )
        cast = _result(Cast({"user.age": "int64"}), pa.table({"user": struct}))
        assert [{"user": {"age": 5, "name": "5"}}, {"user": None}] == _written(cast)

    @pytest.mark.parametrize("value", [{"x": 1}, [1]])
    @pytest.mark.parametrize("type_name", ["int64", "boolean", "string", "timestamp", "date", "decimal(5;2)", "bytes"])
    def test_types_that_never_fit(self, value: object, type_name: str) -> None:
        """If types never fit, rows with a value are rejected, and the column gets the new type."""
        transformed = Cast({"a": type_name}).apply(rows_of(pa.table({"a": [value, None]})))
        (reject,) = transformed.rejects
        assert (0, {"a": [None]}) == (reject.offset, transformed.rows.table.to_pydict())
        assert reject.reason.startswith("a is ")
        assert not pa.types.is_nested(transformed.rows.table.schema.field("a").type)

    @pytest.mark.parametrize(
        ("value", "type_name"),
        [
            (1e300, "float32"),
            ("1e400", "float64"),
            ("-1e39", "float32"),
            (5.123, "decimal(5;2)"),
            (float("inf"), "decimal(5;2)"),
            (2.5, "timestamp"),
            (2.5, "date"),
            (1 << 40, "date"),
            (1 << 63, "int64"),
            (float(1 << 63), "int64"),
        ],
    )
    def test_numbers_that_would_be_others(self, value: float, type_name: str) -> None:
        """A number that would change is rejected, and not rounded or replaced by infinity or null."""
        column = pa.array([value], pa.uint64()) if value == 1 << 63 and isinstance(value, int) else pa.array([value])
        assert [0] == [offset for offset, _ in _rejected(Cast({"a": type_name}), pa.table({"a": column}))]

    @pytest.mark.parametrize(
        "type_name", ["int32", "int64", "string", "timestamp", "date", "decimal(20;2)", "float64", "boolean"]
    )
    @pytest.mark.parametrize("number", [0, 7, -1, 1_700_000])
    def test_integer_in_a_column_that_became_double(self, number: int, type_name: str) -> None:
        """An integer becomes the same value, even if another record's fraction made its column double."""
        integers, floats = (
            _result(Cast({"a": type_name}), pa.table({"a": pa.array([number], type_)})) for type_ in (pa.int64(), pa.float64())
        )
        assert integers == floats

    def test_unknown_type(self) -> None:
        """The error about an unknown type lists the known ones."""
        with pytest.raises(ConfigurationError, match=r"'integer' is unknown\. The types are int8, int16,"):
            Cast({"a": "integer"})

    def test_properties(self) -> None:
        """The property is `spec`, with the syntax of Kafka Connect's Cast."""
        cast = _result(Cast.from_config({"spec": "a:int32,b:string"}), pa.table({"a": ["1"], "b": [2]}))
        assert {"a": [1], "b": ["2"]} == cast.to_pydict()

    @pytest.mark.parametrize("spec", ["int32", "a:", ":int32", "a"])
    def test_malformed_spec(self, spec: str) -> None:
        """Each part of the spec needs a field and a type."""
        with pytest.raises(ConfigurationError, match="isn't of the form left:right"):
            Cast.from_config({"spec": spec})


class TestFlatten:
    """Flatten turns the fields of structs into columns."""

    def test_nested(self) -> None:
        """Structs are flattened at any depth, and the fields of a null struct are null."""
        assert {
            "id": [1, 2, 3],
            "user.name": ["Ann", None, None],
            "user.home.city": ["Paris", None, None],
            "user.home.zip": ["75001", None, None],
        } == _result(Flatten(), _table()).to_pydict()

    def test_delimiter(self) -> None:
        """The delimiter between names can be chosen."""
        assert ["id", "user_name", "user_home_city", "user_home_zip"] == _result(Flatten("_"), _table()).column_names

    def test_required_field_becomes_optional(self) -> None:
        """A required field becomes optional if its struct may be null."""
        flat = _result(Flatten(), _table([{"user": {"age": "5", "name": "x"}}, {"user": None}], REQUIRED))
        assert flat.schema.field("user.age").nullable
        assert [{"user.age": "5", "user.name": "x"}, {"user.age": None, "user.name": None}] == _written(flat)

    def test_lists_and_maps_stay(self) -> None:
        """Lists and maps stay columns, because their number of values varies."""
        table = pa.table({"l": [[{"a": 1}]], "m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))})
        assert table == _result(Flatten(), table)

    def test_names_that_meet(self) -> None:
        """Two fields with the same name are merged, and a row with values in both is rejected."""
        table = pa.table({"a": [{"b": 1}, None, {"b": 3}], "a_b": [None, 2, 4]})
        transformed = Flatten("_").apply(rows_of(table))
        assert {"a_b": [1, 2]} == transformed.rows.table.to_pydict()
        assert [(2, "Flatten would make two columns called a_b.")] == [(one.offset, one.reason) for one in transformed.rejects]

    def test_properties(self) -> None:
        """The property is `delimiter`, which is a dot by default, as in Kafka Connect."""
        table = pa.table({"a": [{"b": 1}]})
        assert (["a.b"], ["a-b"]) == (
            _result(Flatten.from_config({}), table).column_names,
            _result(Flatten.from_config({"delimiter": "-"}), table).column_names,
        )


class TestInsertField:
    """InsertField adds columns about the origin of a row."""

    def test_all(self) -> None:
        """New columns come after the existing ones, in their order."""
        insert = InsertField(topic="t", partition="p", offset="o", timestamp="ts", static={"region": "eu", "v": 2})
        inserted = insert.apply(rows_of(pa.table({"a": [1, 2]}), first_offset=5)).rows.table
        moments = [datetime.datetime(1970, 1, 1, 0, 0, second, tzinfo=datetime.timezone.utc) for second in (5, 6)]
        assert [
            {"a": 1, "t": "topic", "p": 0, "o": 5, "ts": moments[0], "region": "eu", "v": 2},
            {"a": 2, "t": "topic", "p": 0, "o": 6, "ts": moments[1], "region": "eu", "v": 2},
        ] == inserted.to_pylist()

    def test_column_that_is_there(self) -> None:
        """An existing column is replaced at its position."""
        assert {"a": ["eu"], "b": [2]} == _result(InsertField(static={"a": "eu"}), pa.table({"a": [1], "b": [2]})).to_pydict()

    def test_filtered_rows_keep_their_offsets(self) -> None:
        """The inserted offset is that of the record, and not a count of rows."""
        rows = rows_of(pa.table({"a": [1, 2]}), first_offset=5).filter(pa.array([False, True]))
        assert [6] == InsertField(offset="o").apply(rows).rows.table["o"].to_pylist()

    @pytest.mark.parametrize("arguments", [{}, {"topic": "a", "offset": "a"}])
    def test_bad_names(self, arguments: dict[str, str]) -> None:
        """At least one name is required, and names must be different and not empty."""
        with pytest.raises(ConfigurationError, match="name one column or more, each once"):
            InsertField(**arguments)  # type: ignore[arg-type]

    def test_properties(self) -> None:
        """The properties are those of Kafka Connect's InsertField, including its marks."""
        given = {"topic.field": "t!", "offset.field": "o?", "static.field": "s", "static.value": "x"}
        inserted = _result(InsertField.from_config(given), pa.table({"a": [1]}))
        assert {"a": [1], "t": ["topic"], "o": [0], "s": ["x"]} == inserted.to_pydict()


class TestToTimestamp:
    """ToTimestamp reads times from numbers and texts."""

    NOON = datetime.datetime(2026, 5, 17, 12, tzinfo=datetime.timezone.utc)

    @pytest.mark.parametrize(
        ("values", "settings"),
        [
            (pa.array([1_779_019_200_000]), {}),
            (pa.array([1_779_019_200], pa.int32()), {"unit": "s"}),
            (pa.array([1_779_019_200_000_000_001]), {"unit": "ns"}),
            (pa.array(["2026-05-17T12:00:00Z"]), {}),
            (pa.array(["2026-05-17T14:00:00.000+02:00"]), {}),
            (pa.array(["2026-05-17 14:00:00+0200"]), {}),
            (pa.array(["2026-05-17 12:00"]), {}),
            (pa.array(["2026-05-17T14:00:00"]), {"timezone": "Europe/Paris"}),
            (pa.array(["17.05.2026 12:00:00"]), {"format": "%d.%m.%Y %H:%M:%S"}),
            (pa.array([datetime.datetime(2026, 5, 17, 14)]), {"timezone": "Europe/Paris"}),
            (pa.array([1_779_019_200], pa.timestamp("s", "Asia/Tokyo")), {}),
        ],
    )
    def test_forms(self, values: pa.Array, settings: dict[str, str]) -> None:
        """Times in all forms become microseconds in UTC."""
        times = _result(ToTimestamp(["a"], **settings), pa.table({"a": values}))
        assert pa.table({"a": pa.array([self.NOON], pa.timestamp("us", "UTC"))}) == times

    def test_mixed_texts(self) -> None:
        """Texts with and without an offset may be in one column."""
        table = pa.table({"a": ["2026-05-17T14:00:00+02:00", "2026-05-17T12:00:00", None, "2026-05-17"]})
        assert [self.NOON, self.NOON, None, self.NOON.replace(hour=0)] == _result(ToTimestamp(["a"]), table)["a"].to_pylist()

    def test_dates(self) -> None:
        """A date becomes midnight in the time zone."""
        table = pa.table({"a": [datetime.date(2026, 5, 17)]})
        assert [datetime.datetime(2026, 5, 16, 22, tzinfo=datetime.timezone.utc)] == _result(
            ToTimestamp(["a"], timezone="Europe/Paris"), table
        )["a"].to_pylist()

    def test_changes_of_the_clock(self) -> None:
        """An ambiguous time is the earlier of two moments, and a time in a gap is moved behind the gap."""
        table = pa.table({"a": ["2026-10-25T02:30:00", "2026-03-29T02:30:00"]})
        times = _result(ToTimestamp(["a"], timezone="Europe/Paris"), table)["a"].to_pylist()
        assert ["2026-10-25 00:30", "2026-03-29 01:00"] == [time.strftime("%Y-%m-%d %H:%M") for time in times]

    @pytest.mark.parametrize(
        ("values", "settings", "offsets"),
        [
            (["2026-05-17T12:00:00Z", "yesterday", "2026-02-30T00:00:00Z"], {}, [1, 2]),
            (["17.05.2026", "2026-05-17"], {"format": "%d.%m.%Y"}, [1]),
            ([1, 1 << 62], {"unit": "s"}, [1]),
        ],
    )
    def test_misfits_are_rejects(self, values: list[object], settings: dict[str, str], offsets: list[int]) -> None:
        """A value that is not a time is rejected, and never replaced by null."""
        assert offsets == [offset for offset, _ in _rejected(ToTimestamp(["a"], **settings), pa.table({"a": values}))]

    def test_nested_field(self) -> None:
        """A field inside a struct is converted, and a missing field is ignored."""
        table = pa.table({"s": [{"at": 1_779_019_200_000}, None]})
        assert [{"at": self.NOON}, None] == _result(ToTimestamp(["s.at", "b"]), table)["s"].to_pylist()

    @pytest.mark.parametrize("value", [True, [1], {"x": 1}, b"1", datetime.time(1)])
    def test_types_that_never_fit(self, value: object) -> None:
        """Rows with a value of an unsuitable type are rejects."""
        transformed = ToTimestamp(["a"]).apply(rows_of(pa.table({"a": [value, None]})))
        (reject,) = transformed.rejects
        assert (0, {"a": [None]}) == (reject.offset, transformed.rows.table.to_pydict())
        assert reject.reason.endswith(", which is not a time.")

    def test_numbers_in_a_column_that_became_double(self) -> None:
        """A fraction is a reject, and whole numbers in the same column are converted."""
        transformed = ToTimestamp(["a"]).apply(rows_of(pa.table({"a": [1_779_019_200_000, 1.5, None, float("nan"), 1e300]})))
        assert ([self.NOON, None], [1, 3, 4]) == (
            transformed.rows.table["a"].to_pylist(),
            [one.offset for one in transformed.rejects],
        )

    @pytest.mark.parametrize(
        "values", [pa.array(["1969-12-31T23:59:59.9999999Z"]), pa.array([-100], pa.timestamp("ns", "UTC")), pa.array([-100])]
    )
    def test_digits_are_cut_off_before_1970(self, values: pa.Array) -> None:
        """Before 1970, further digits are cut off too."""
        times = _result(ToTimestamp(["a"], unit="ns"), pa.table({"a": values}))
        assert [-1] == times["a"].cast(pa.int64()).to_pylist()

    @pytest.mark.parametrize("settings", [{"unit": "minutes"}, {"timezone": "Mars/Base"}])
    def test_bad_settings(self, settings: dict[str, str]) -> None:
        """Bad settings are refused by the constructor."""
        with pytest.raises(ConfigurationError, match=r"unit has to be 's', 'ms'|timezone has to be a time zone"):
            ToTimestamp(["a"], **settings)

    def test_properties(self) -> None:
        """The property `unix.precision` is that of Kafka Connect's TimestampConverter."""
        made = ToTimestamp.from_config({"fields": "a", "unix.precision": "seconds"})
        assert [self.NOON] == _result(made, pa.table({"a": [1_779_019_200]}))["a"].to_pylist()


BUILT_IN = (Cast, Drop, Filter, Flatten, InsertField, Keep, Mask, Rename, ToTimestamp)


@pytest.mark.parametrize("transform", BUILT_IN)
def test_unknown_properties(transform: type[Transform]) -> None:
    """The error about an unknown property lists the known ones."""
    with pytest.raises(ConfigurationError, match=f"fieldz is not a property of {transform.__name__}, which has "):
        transform.from_config({"fieldz": "a"})


@pytest.mark.parametrize("transform", [one for one in BUILT_IN if one is not Flatten])
def test_missing_properties(transform: type[Transform]) -> None:
    """Each transform except Flatten requires a field."""
    with pytest.raises(ConfigurationError, match=f"{transform.__name__}"):
        transform.from_config({})
