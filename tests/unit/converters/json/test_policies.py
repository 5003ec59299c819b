"""The policies of the JSON converter for records that don't fit and for unknown members."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given

from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema.column_rules import ColumnRules
from kafka2parquet.schema.lattice import any_field
from kafka2parquet.schema.learned import LearnedSchema
from tests.support.batches import batch_of
from tests.unit.converters.json.test_converter import MIXED, SCHEMA, known, outcome


def converted(converter: JsonConverter, *values: bytes) -> tuple[list[dict[str, Any]], list[str]]:
    """Converts one batch, and returns its rows and the reasons of its rejects."""
    result = converter.convert(batch_of(list(values)))
    return result.rows.table.to_pylist(), [reject.reason for reject in result.rejects]


def rescued(row: dict[str, Any]) -> Any:
    """Returns the part that was taken out of a row's record."""
    return json.loads(row["_rescued"]) if row["_rescued"] is not None else None


# ---- rescue


def test_rescues_what_does_not_fit_and_keeps_the_rest() -> None:
    """A misfit becomes null, and the rescue column has it under its path, as it was written."""
    rows, rejects = converted(
        JsonConverter(on_misfit="rescue"),
        b'{"id": 1, "user": {"age": 3}, "items": [{"price": 1}]}',
        b'{"id": 2, "user": {"age": "twelve", "name": "x"}, "items": [{"price": 2}, {"price": [1.10, null]}, 7]}',
    )

    assert [
        {"id": 1, "user": {"age": 3, "name": None}, "items": [{"price": 1}], "_rescued": None},
        {
            "id": 2,
            "user": {"age": None, "name": "x"},
            "items": [{"price": 2}, {"price": None}, None],
            "_rescued": '{"user.age":"twelve","items[1].price":[1.10,null],"items[2]":7}',
        },
    ] == rows
    assert [] == rejects


def test_rescues_what_no_type_is_for() -> None:
    """Integers beyond 64 bits, numbers beyond a double, and list elements of another type are rescued."""
    rows, rejects = converted(
        JsonConverter(on_misfit="rescue"), b'{"a": 1}', b'{"a": 99999999999999999999, "b": 1e999, "c": [1, "x", 2.5, true]}'
    )

    assert {"a": None, "c": [1.0, None, 2.5, None], "_rescued": rows[1]["_rescued"]} == rows[1]
    assert '{"a":99999999999999999999,"b":1e999,"c[1]":"x","c[3]":true}' == rows[1]["_rescued"]
    assert [] == rejects


def test_values_that_are_not_json_objects_are_rejected_under_every_policy() -> None:
    """A value that is not a JSON object is rejected under every policy."""
    for policy in ("reject", "rescue", "string"):
        rows, rejects = converted(JsonConverter(on_misfit=policy), b'{"a": 1}', b'{"a": "x"', b"[1]")
        assert (1, 2) == (len(rows), len(rejects))


def test_members_beyond_the_limit_of_fields_are_rescued() -> None:
    """Members beyond the limit of fields are rescued, so that objects whose keys are data don't stop the topic."""
    learned = LearnedSchema(rules=ColumnRules(max_fields=3))
    rows, rejects = converted(
        JsonConverter(learned=learned, on_misfit="rescue"), b'{"id": 1, "a": {"x": 1}}', b'{"id": 2, "a": {"y": 1, "z": "w"}}'
    )

    assert [None, {"a.y": 1, "a.z": "w"}] == [rescued(row) for row in rows]
    assert (["id", "a"], []) == (learned.schema.names, rejects)


def test_a_member_called_like_the_rescue_column_is_rescued() -> None:
    """A member with the name of the rescue column is rescued."""
    rows, _ = converted(JsonConverter(on_misfit="rescue"), b'{"a": 1, "_rescued": {"x": 1}}')

    assert [{"a": 1, "_rescued": '{"_rescued":{"x":1}}'}] == rows


def test_a_column_called_like_the_rescue_column_is_refused() -> None:
    """A given or learned column with the name of the rescue column is an error."""
    schema = pa.schema([("_rescued", pa.int64())])
    with pytest.raises(ConfigurationError, match="Choose another"):
        JsonConverter(schema, on_misfit="rescue")
    with pytest.raises(ConfigurationError, match="Choose another"):
        converted(JsonConverter(learned=LearnedSchema(schema), on_misfit="rescue"), b"{}")


def test_rescues_what_does_not_fit_a_given_schema() -> None:
    """Values of other types, unknown members, and texts that the column can't read are rescued."""
    schema = pa.schema([("at", pa.timestamp("us", "UTC")), ("n", pa.int8()), ("s", pa.struct([("x", pa.date32())]))])
    rows, rejects = converted(
        JsonConverter(schema, on_misfit="rescue"),
        b'{"at": "2026-05-17T10:00:00Z", "n": 1, "s": {"x": "2026-05-17"}}',
        b'{"at": "noon", "n": 1000, "s": {"x": "2026-13-40", "y": 1}, "other": null}',
        b'{"at": 5, "n": "1", "s": []}',
    )

    assert [None, {"at": "noon", "n": 1000, "s": {"x": "2026-13-40", "y": 1}, "other": None}, {"at": 5, "n": "1", "s": []}] == [
        rescued(row) for row in rows
    ]
    assert [[False, False, False], [True, True, True], [True, True, True]] == [
        [row[name] is None for name in ("at", "n", "s")] for row in rows
    ]
    assert [] == rejects


@given(MIXED)
def test_rescuing_a_batch_is_rescuing_its_records_one_by_one(values: list[bytes]) -> None:
    """Rows, rejects and rescued parts are the same for any split into batches."""
    makes: Sequence[Callable[[], JsonConverter]] = (
        lambda: JsonConverter(on_misfit="rescue"),
        lambda: JsonConverter(SCHEMA, on_misfit="rescue"),
        lambda: JsonConverter(SCHEMA, on_misfit="rescue", on_unknown_field="ignore"),
    )
    for make in makes:
        assert outcome(make(), [[value] for value in values]) == outcome(make(), [values])


@given(MIXED)
def test_rescuing_rejects_only_values_that_are_not_objects(values: list[bytes]) -> None:
    """Only values that are not objects are rejected, and every value of a row is in a column or in the rescue column."""
    result = JsonConverter(on_misfit="rescue").convert(batch_of(values))

    for row, offset in zip(result.rows.table.to_pylist(), result.rows.offsets.to_pylist(), strict=True):
        taken = rescued(row) or {}
        assert leaves(known(json.loads(values[offset]))) == leaves(known({**row, "_rescued": None})) + leaves(
            known(list(taken.values()))
        )
    assert [] == [
        reject.reason for reject in result.rejects if reject.reason.startswith("field ") and "twice" not in reject.reason
    ]


def leaves(value: Any) -> int:
    """Counts the values that are neither lists nor objects."""
    if isinstance(value, dict):
        return sum(map(leaves, value.values()))
    if isinstance(value, list):
        return sum(map(leaves, value))
    return 0 if value is None else 1


# ---- string


def test_a_column_of_two_types_becomes_text() -> None:
    """Text stays as it is, numbers stay as they were written, other values become JSON, and null stays null."""
    learned = LearnedSchema()
    rows, rejects = converted(
        JsonConverter(learned=learned, on_misfit="string"),
        b'{"a": 1.10}',
        b'{"a": "x"}',
        b'{"a": {"b": [1, null, "\xc3\xa9"]}}',
        b'{"a": true}',
        b'{"a": null}',
        b'{"a": 12345678901234567890}',
    )

    assert ["1.10", "x", '{"b":[1,null,"é"]}', "true", None, "12345678901234567890"] == [row["a"] for row in rows]
    assert learned.schema.equals(pa.schema([any_field("a")]), check_metadata=True)
    assert [] == rejects


def test_only_the_member_that_does_not_fit_becomes_text() -> None:
    """Objects and lists around the member keep their types."""
    learned = LearnedSchema()
    rows, _ = converted(
        JsonConverter(learned=learned, on_misfit="string"), b'{"a": [{"b": 1, "c": 1}]}', b'{"a": [{"b": "x"}]}'
    )

    assert [{"a": [{"b": "1", "c": 1}]}, {"a": [{"b": "x", "c": None}]}] == rows


def test_a_column_that_has_become_text_takes_everything_whatever_the_policy() -> None:
    """A column of the type any accepts every value, even if misfits are rejected."""
    learned = LearnedSchema(pa.schema([any_field("a")]))

    for policy in ("reject", "rescue", "string"):
        rows, rejects = converted(JsonConverter(learned=learned, on_misfit=policy), b'{"a": 1}', b'{"a": "1"}', b'{"a": [1.0]}')
        assert (["1", "1", "[1.0]"], []) == ([row["a"] for row in rows], rejects)


def test_a_given_column_may_be_for_whatever_there_is() -> None:
    """A given schema may have columns of the type any beside other columns."""
    schema = pa.schema([any_field("a"), pa.field("n", pa.int8())])
    rows, rejects = converted(JsonConverter(schema), b'{"a": {"k": 1.0}, "n": 1}', b'{"a": "x", "n": 2}', b'{"a": 1, "n": "x"}')

    assert [{"a": '{"k":1.0}', "n": 1}, {"a": "x", "n": 2}] == rows
    assert ["field n: text where int8 is expected"] == rejects


@given(MIXED)
def test_with_text_for_conflicts_only_broken_json_is_rejected(values: list[bytes]) -> None:
    """Only broken JSON is rejected with `on_misfit="string"`, and batches don't change which records are rows."""
    one_by_one, at_once = JsonConverter(on_misfit="string"), JsonConverter(on_misfit="string")
    rows, rejects = outcome(one_by_one, [[value] for value in values])
    rows_at_once, rejects_at_once = outcome(at_once, [values])

    assert (rows.keys(), rejects) == (rows_at_once.keys(), rejects_at_once)
    assert one_by_one._learned_of("topic").schema.equals(at_once._learned_of("topic").schema, check_metadata=True)


# ---- evolution


@pytest.mark.parametrize(
    ("policy", "evolution", "expected_rows", "expected_rejects"),
    [
        ("reject", "none", [{"a": 1}], ["field b is not in the schema", "field a: a number where int64 is expected"]),
        ("reject", "ignore", [{"a": 1}, {"a": 2}], ["field a: a number where int64 is expected"]),
        (
            "rescue",
            "none",
            [{"a": 1, "_rescued": None}, {"a": 2, "_rescued": '{"b":[1]}'}, {"a": None, "_rescued": '{"a":1.5}'}],
            [],
        ),
        (
            "rescue",
            "ignore",
            [{"a": 1, "_rescued": None}, {"a": 2, "_rescued": None}, {"a": None, "_rescued": '{"a":1.5}'}],
            [],
        ),
    ],
)
def test_a_pinned_schema_does_not_grow(
    policy: Any, evolution: Any, expected_rows: list[dict[str, Any]], expected_rejects: list[str]
) -> None:
    """With a pinned schema, new members are misfits or left out, and integers don't become doubles."""
    learned = LearnedSchema(pa.schema([("a", pa.int64())]))
    converter = JsonConverter(learned=learned, on_misfit=policy, evolution=evolution)

    assert (expected_rows, expected_rejects) == converted(converter, b'{"a": 1}', b'{"a": 2, "b": [1]}', b'{"a": 1.5}')
    assert ["a"] == learned.schema.names


def test_a_schema_can_not_be_pinned_before_there_is_one() -> None:
    """The error says how to get a schema."""
    with pytest.raises(ConfigurationError, match="schema pin"):
        converted(JsonConverter(evolution="none"), b'{"a": 1}')


@pytest.mark.parametrize("arguments", [{"schema": SCHEMA}, {"evolution": "none"}, {"evolution": "ignore"}])
def test_columns_that_do_not_change_can_not_become_text(arguments: dict[str, Any]) -> None:
    """`on_misfit="string"` is refused for given and pinned schemas."""
    with pytest.raises(ConfigurationError, match="any"):
        JsonConverter(on_misfit="string", **arguments)


def test_the_fingerprint_names_the_policies() -> None:
    """Each policy that makes other rows has its own fingerprint, and the default's fingerprint never changes."""
    converters = [
        JsonConverter(),
        JsonConverter(on_misfit="rescue"),
        JsonConverter(on_misfit="rescue", rescue_column="rest"),
        JsonConverter(on_misfit="string"),
        JsonConverter(evolution="none"),
        JsonConverter(evolution="ignore"),
    ]

    assert "json:learned" == converters[0].fingerprint
    assert len(converters) == len({converter.fingerprint for converter in converters})


@pytest.mark.parametrize("policy", ["reject", "rescue", "string"])
def test_what_is_nested_too_deeply_is_rejected(policy: Any) -> None:
    """Values nested too deeply are rejected, even if their column has the type any or they could be rescued."""
    deep = b'{"a": ' + b"[" * 600 + b"1" + b"]" * 600 + b"}"
    learned = LearnedSchema(pa.schema([any_field("a")]))
    known_any = converted(JsonConverter(learned=learned, on_misfit=policy), b'{"a": 1}', deep)[1]
    unknown = converted(JsonConverter(on_misfit=policy), deep)[1]

    assert [["nested more than 128 levels deep"]] * 2 == [known_any, unknown]


def test_members_may_have_any_name() -> None:
    """Members may have any name, even an empty one, and a value under an empty name can be rescued."""
    rows, _ = converted(JsonConverter(on_misfit="rescue"), b'{"": 1, "a.b": 1, "a": {"b": 2}}', b'{"": "x"}')

    assert [
        {"": 1, "a.b": 1, "a": {"b": 2}, "_rescued": None},
        {"": None, "a.b": None, "a": None, "_rescued": '{"[\'\']":"x"}'},
    ] == rows
