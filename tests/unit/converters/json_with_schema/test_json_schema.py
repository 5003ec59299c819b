"""The JSON Schema converter turns values in the registry's wire format into rows and rejects."""

from __future__ import annotations

import decimal
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.json_with_schema.json_schema import JsonSchemaConverter
from kafka2parquet.converters.json_with_schema.json_schema_plan import ONE_OF, JsonSchemaMapping
from kafka2parquet.converters.json_with_schema.payloads import JsonPayloads
from kafka2parquet.rows import Converted
from tests.support.batches import batch_of
from tests.support.odd_payloads import ODD, assert_like_alone, payloads_with
from tests.support.registries import FakeRegistry, framed, registered

REASON = "Converting byte[] to Kafka Connect data failed due to serialization error of topic topic: "
ORDER = {
    "title": "Order",
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "note": {"oneOf": [{"type": "null"}, {"type": "string"}]},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"count": {"type": "integer"}}}},
        "price": {
            "type": "number",
            "connect.type": "bytes",
            "title": "org.apache.kafka.connect.data.Decimal",
            "connect.parameters": {"scale": "2"},
            "default": 1.5,
        },
    },
}


def value(document: Any, schema_id: int = 1) -> bytes:
    return framed(schema_id, json.dumps(document).encode())


def convert(*values: bytes, schema: Any = ORDER, mapping: JsonSchemaMapping | None = None) -> Converted:
    registry = FakeRegistry({1: registered(json.dumps(schema), "JSON", version=4)})
    return JsonSchemaConverter(registry, mapping=mapping).convert(batch_of(values))


def one_value(schema: Any, document: Any) -> Any:
    """Converts one value of a property `a` with a given schema."""
    converted = convert(value({"a": document}), schema={"type": "object", "properties": {"a": schema}})
    assert [] == list(converted.rejects)
    return converted.rows.table.column("a")[0].as_py()


def test_makes_columns_of_objects() -> None:
    """Properties become columns by name, and members that aren't in the schema are left out."""
    converted = convert(value({"id": 7, "note": "x", "lines": [{"count": 1}], "more": 1}), value({"id": 8, "lines": []}))
    price = decimal.Decimal("1.50")
    assert [
        {"id": 7, "note": "x", "lines": [{"count": 1}], "price": price},
        {"id": 8, "note": None, "lines": [], "price": price},
    ] == converted.rows.table.to_pylist()
    schema = converted.rows.value_schema
    assert schema is not None
    assert ("Order", 4) == (schema.name, schema.version)
    assert schema.arrow_schema == converted.rows.table.schema


@pytest.mark.parametrize(
    ("schema", "document", "expected"),
    [
        ({"type": "string", "connect.type": "bytes"}, "AJw=", b"\0\x9c"),
        ({"type": "object", "connect.type": "map", "additionalProperties": {"type": "integer"}}, {"x": 1}, [("x", 1)]),
        (
            {
                "type": "array",
                "connect.type": "map",
                "items": {"type": "object", "properties": {"key": {"type": "integer"}, "value": {"type": "string"}}},
            },
            [{"key": 1, "value": "x"}],
            [(1, "x")],
        ),
    ],
)
def test_values(schema: Any, document: Any, expected: Any) -> None:
    """Values of types that JSON doesn't have are converted."""
    assert expected == one_value(schema, document)


@pytest.mark.parametrize(
    ("document", "index", "expected"),
    [
        (True, 0, True),
        (1, 1, 1),
        (1.5, 2, 1.5),
        ("x", 3, "x"),
        ({"a": 1, "b": 2}, 5, {"a": 1, "b": 2}),
        ({"a": 1}, 4, {"a": 1}),
    ],
)
def test_a_union_has_the_first_type_that_fits(document: Any, index: int, expected: Any) -> None:
    """A union has the first type that fits, or the struct with the most members; its other fields are null."""
    number = {"type": "integer"}
    types = [
        {"type": "boolean"},
        number,
        {"type": "number"},
        {"type": "string"},
        {"type": "object", "properties": {"a": number}},
        {"type": "object", "properties": {"a": number, "b": number}},
    ]
    found = one_value({"oneOf": types}, document)
    assert {f"{ONE_OF}.field.{i}": expected if i == index else None for i in range(6)} == found


def test_values_that_are_not_objects_become_one_column() -> None:
    """Other values become the column `value`, and an allowed null is a tombstone."""
    converted = convert(value(1), value(None), value(2), schema={"type": ["integer", "null"]})
    assert {"value": [1, 2]} == converted.rows.table.to_pydict()
    assert converted.tombstones is not None
    assert [1] == converted.tombstones.to_pylist()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"\1", "Unknown magic byte!"),
        (framed(1, b""), "Converting byte[] to Kafka Connect data failed due to serialization error: "),
        (framed(1, b"{"), "Converting byte[] to Kafka Connect data failed due to serialization error: "),
        (value([]), "Invalid type for STRUCT: class java.util.ArrayList"),
        (value({"id": "x", "lines": []}), "Invalid type for INT64: class java.lang.String, in the field id"),
        (value({"lines": []}), "Invalid null value for required INT64 field, in the field id"),
        (
            value({"id": 1, "lines": [{"count": 1.5}]}),
            "Invalid type for INT64: class java.lang.Double, in the field lines[].count",
        ),
        (value({"id": 1, "lines": [], "price": 1.234}), "field price: a number that doesn't fit a decimal of scale 2"),
    ],
)
def test_rejects_what_does_not_fit(broken: bytes, reason: str) -> None:
    """A value that doesn't fit is rejected with the reason, and its neighbours are rows."""
    good = value({"id": 1, "lines": []})
    converted = convert(good, broken, good)
    assert [0, 2] == converted.rows.offsets.to_pylist()
    (reject,) = converted.rejects
    assert f"{REASON}{reason}" == reject.reason[: len(REASON) + len(reason)]


def test_rejects_values_that_fit_no_type_of_a_union() -> None:
    """A value that fits no type of a union is rejected with Confluent's reason."""
    schema = {"type": "object", "properties": {"a": {"type": ["boolean", "integer"]}}}
    (reject,) = convert(value({"a": "x"}), schema=schema).rejects
    assert f"{REASON}field a: Did not find matching oneof field for data" == reject.reason


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "object"}, "schema id 1: the schema: an object without properties"),
        ({"type": "string", "default": 1}, "schema id 1: the schema: the default doesn't fit: Invalid type for STRING"),
    ],
)
def test_rejects_all_values_of_a_schema_without_columns(schema: Any, reason: str) -> None:
    """All values of such a schema are rejected with the same reason."""
    converted = convert(value({}), value({}), schema=schema)
    assert [True, True] == [reason in reject.reason for reject in converted.rejects]


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "id": st.integers(-(2**63), 2**63 - 1),
                "note": st.none() | st.text(max_size=5),
                "lines": st.lists(st.fixed_dictionaries({"count": st.integers(0, 9) | st.floats(0, 9)}), max_size=2),
                "price": st.none() | st.just("AJw=") | st.integers(0, 99),
            },
        ),
        min_size=1,
        max_size=8,
    )
)
def test_outcome_of_a_record_does_not_depend_on_its_neighbours(documents: list[dict[str, Any]]) -> None:
    """Each value becomes the same row or the same reject, alone and with others."""
    together = CONVERTER.convert(batch_of([value(document) for document in documents]))
    rows = dict(zip(together.rows.offsets.to_pylist(), together.rows.table.to_pylist(), strict=True))
    reasons = {reject.offset: reject.reason for reject in together.rejects}
    for offset, document in enumerate(documents):
        alone = CONVERTER.convert(batch_of([value(document)]))
        assert alone.rows.table.to_pylist() == ([rows[offset]] if offset in rows else [])
        assert [reject.reason for reject in alone.rejects] == ([reasons[offset]] if offset in reasons else [])


CONVERTER = JsonSchemaConverter(FakeRegistry({1: registered(json.dumps(ORDER), "JSON")}))


#: The schema of `tests.support.odd_payloads`.
SEVERAL = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "connect.type": "int32"},
        "note": {"oneOf": [{"type": "null"}, {"type": "string"}]},
        "at": {"type": "integer", "title": "org.apache.kafka.connect.data.Timestamp", "connect.type": "int64"},
        "price": {"oneOf": [{"type": "null"}, {"type": "number"}]},
        "user": {"type": "object", "properties": {"id": {"type": "integer"}}},
        "content": {"oneOf": [{"type": "null"}, {"type": "string", "connect.type": "bytes"}]},
        "items": {
            "oneOf": [
                {"type": "null"},
                {
                    "type": "array",
                    "items": {"type": "object", "properties": {"n": {"type": "integer", "connect.type": "int8"}}},
                },
            ]
        },
    },
}


def several() -> JsonSchemaConverter:
    return JsonSchemaConverter(FakeRegistry({1: registered(json.dumps(SEVERAL), "JSON", version=4)}))


@pytest.mark.parametrize("share", [0.005, 0.1, 0.7])
def test_records_of_all_kinds_do_not_depend_on_their_neighbours(share: float) -> None:
    """Rows and reasons are the same alone and among any share of all kinds of odd payloads."""
    payloads = payloads_with([*ODD.values()], share, 900)
    assert_like_alone(several(), several(), [framed(1, payload) for payload in payloads])


@pytest.mark.parametrize("kind", ["comma at the end", "text for a number", "too large for 32 bits", "missing inside", "null"])
def test_records_that_fit_are_decoded_together(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one bad value in fifty, no other value is decoded alone."""
    decoded = 0

    def counted(self: JsonPayloads, payload: bytes) -> Any:
        nonlocal decoded
        decoded += 1
        return decode_one(self, payload)

    decode_one = JsonPayloads.decode_one
    monkeypatch.setattr(JsonPayloads, "decode_one", counted)
    messages = [framed(1, payload) for payload in payloads_with([ODD[kind]], 0.02, 3000)]
    made = several().convert(batch_of(messages))
    missing = len(messages) - len(made.rows) if kind != "null" else len(made.rejects)
    assert decoded <= missing < 100


def test_subjects_may_be_named_by_the_title() -> None:
    """Subjects may be named by the schema's title, as in record name strategies."""
    registry = FakeRegistry({1: registered(json.dumps(ORDER), "JSON")})
    JsonSchemaConverter(registry, subject_names="record").convert(batch_of([value({"id": 1, "lines": []})]))
    assert [(1, None), (1, "Order")] == registry.asked


def test_properties_that_are_not_required_may_be_missing_if_that_is_wanted() -> None:
    """With the setting, missing properties that aren't required are null."""
    converted = convert(value({"id": 1}), mapping=JsonSchemaMapping(optional_for_nonrequired=True))
    assert [{"id": 1, "note": None, "lines": None}] == converted.rows.table.drop(["price"]).to_pylist()
    assert pa.int64() == converted.rows.table.schema.field("id").type


def test_fingerprint_names_the_settings() -> None:
    """Settings that change columns change the fingerprint."""
    mappings = (JsonSchemaMapping(optional_for_nonrequired=flag) for flag in (False, True))
    one, other = (JsonSchemaConverter(FakeRegistry({}), mapping=mapping) for mapping in mappings)
    assert one.fingerprint != other.fingerprint
