"""What the facts file and the row-by-row model don't say of Kafka's transforms: reasons, properties, columns of JSON."""

from __future__ import annotations

import decimal
import json
from typing import Any

import attrs
import pyarrow as pa
import pytest

from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.records import Stage
from kafka2parquet.rows import Rows
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from kafka2parquet.transforms import Drop, Rename, TransformChain
from kafka2parquet.transforms.base import Transformed
from kafka2parquet.transforms.kafka_connect import JAVA, PROPERTIES, make
from tests.support.batches import batch_of

_SCHEMA = ConnectSchema("struct", name="N", fields=(ConnectField("a", ConnectSchema("int64", optional=True)),))


def _json_rows(*documents: Any) -> Rows:
    return JsonConverter().convert(batch_of([json.dumps(document).encode() for document in documents])).rows


def _rows(columns: dict[str, Any], schema: ConnectSchema | None = None) -> Rows:
    table = pa.table(columns, schema=schema.arrow_schema if schema is not None else None)
    batch = batch_of([b"x"] * len(table))
    return Rows(batch, batch.offsets, batch.timestamps_ms, table, schema)


def _apply(rows: Rows, name: str, **properties: str) -> Transformed:
    named = {key.replace("_", "."): text for key, text in properties.items()}
    return TransformChain([make(name, "Value", named)]).apply(rows)


def test_a_text_that_is_not_a_number_is_a_reject_that_names_the_field() -> None:
    """The reject has stage, offset and field; other rows continue, including rows without the field."""
    made = _apply(_json_rows({"a": "1"}, {"a": "x"}, {"b": 1}, {"a": None}), "Cast", spec="a:int32")
    assert made.rows.table.column("a").to_pylist() == [1, None, None]
    (reject,) = made.rejects
    assert (reject.offset, reject.stage, reject.reason) == (1, Stage.TRANSFORM, "a: a text that can't become int32.")


@pytest.mark.parametrize(
    ("name", "properties", "reason"),
    [
        ("Cast", {"spec": "a:int8"}, "a is list<element: int64>, which can't become int8."),
        ("MaskField", {"fields": "a", "replacement": "x"}, "which MaskField can't mask by the replacement."),
        ("TimestampConverter", {"field": "a", "target.type": "unix"}, "which is not a time"),
        ("TimestampConverter", {"target.type": "unix"}, "Set field."),
        ("Cast", {"spec": "int8"}, "a value with fields can't become int8"),
    ],
)
def test_a_value_of_the_wrong_type_is_a_reject_with_the_reason(name: str, properties: dict[str, str], reason: str) -> None:
    """The reason says what the value is and what it can't become."""
    made = TransformChain([make(name, "Value", properties)]).apply(_json_rows({"a": [1]}))
    (reject,) = made.rejects
    assert reason.replace("element", "").replace("item", "") in reject.reason.replace("element", "").replace("item", "")


def test_a_whole_number_is_the_same_whether_another_record_brought_a_fraction() -> None:
    """Text, overflow and replacement of 3,000,000,000 are those of an integer in both columns."""
    alone, beside = _json_rows({"a": 3_000_000_000}), _json_rows({"a": 3_000_000_000}, {"a": 1.5})
    for properties in ({"spec": "a:string"}, {"spec": "a:int32"}, {"spec": "a:boolean"}):
        chain = TransformChain([make("Cast", "Value", properties)])
        assert chain.apply(alone).rows.table["a"][0] == chain.apply(beside).rows.table["a"][0]
    masked = _apply(beside, "MaskField", fields="a", replacement="1.5")
    assert masked.rows.table["a"].to_pylist() == [1, 1.5]
    times = _apply(beside, "TimestampConverter", field="a", target_type="unix", unix_precision="seconds")
    assert times.rows.table["a"].to_pylist() == [3_000_000_000]
    assert [reject.offset for reject in times.rejects] == [1]


def test_properties_that_the_class_lacks_are_ignored() -> None:
    """Unknown properties are ignored, as in Kafka, which only logs them."""
    made = _apply(_json_rows({"a": 1}), "HoistField", field="h", fields="x")
    assert made.rows.table.to_pylist() == [{"h": {"a": 1}}]
    assert set(JAVA) == set(PROPERTIES)


def test_older_names_of_include_and_exclude_still_count() -> None:
    """Names of properties from Kafka 3 still work, and newer names take precedence."""
    rows = _json_rows({"a": 1, "b": 2})
    assert _apply(rows, "ReplaceField", blacklist="a").rows.table.column_names == ["b"]
    assert _apply(rows, "ReplaceField", whitelist="a").rows.table.column_names == ["a"]
    assert _apply(rows, "ReplaceField", whitelist="a", include="b").rows.table.column_names == ["b"]


def test_two_values_for_one_name_are_a_reject() -> None:
    """Two values for one name are rejected; Java would lose one of them without a schema."""
    made = _apply(_json_rows({"a": 1}, {"b": 2}, {"a": 1, "b": 2}), "ReplaceField", renames="a:b")
    assert made.rows.table.to_pylist() == [{"b": 1}, {"b": 2}]
    assert [reject.offset for reject in made.rejects] == [2]


@pytest.mark.parametrize("text", ["2-20101", "20 10101"])
def test_numbers_without_anything_between_them_need_all_of_their_digits(text: str) -> None:
    """Such numbers need all digits, because Java would read some other time out of fewer."""
    made = _apply(_json_rows({"a": text}), "TimestampConverter", field="a", target_type="unix", format="yyyyMMdd")
    assert [reject.reason for reject in made.rejects] == ["a: a text that isn't of the format yyyyMMdd."]


def test_a_year_of_two_digits_lies_between_1947_and_2046() -> None:
    """The range is fixed, unlike Java's, so that a flush that is repeated next year has the same times."""
    rows = _json_rows({"a": "47"}, {"a": "46"})
    made = _apply(rows, "TimestampConverter", field="a", target_type="Date", format="yy")
    assert [day.year for day in made.rows.table["a"].to_pylist()] == [1947, 2046]


def test_letters_that_can_only_be_written_make_texts_rejects() -> None:
    """Weeks and eras can be written, but texts with them are rejects when read."""
    rows = _rows({"a": ["2020-01-01"]})
    made = _apply(rows, "TimestampConverter", field="a", target_type="string", format="YYYY-'W'ww")
    assert "can't be read" in made.rejects[0].reason
    written = _apply(_rows({"a": [0]}), "TimestampConverter", field="a", target_type="string", format="YYYY-'W'ww G")
    assert written.rows.table["a"].to_pylist() == ["1970-W01 AD"]


def test_a_required_field_without_a_value_is_a_reject() -> None:
    """A record without a timestamp is a reject if the timestamp is required."""
    rows = _rows({"a": [1, 2]}, _SCHEMA)
    rows = attrs.evolve(rows, timestamps_ms=pa.array([None, 5], pa.int64()))
    made = _apply(rows, "InsertField", timestamp_field="t!")
    assert [reject.offset for reject in made.rejects] == [0]
    assert not made.rows.table.schema.field("t").nullable


def test_batches_of_one_schema_have_one_schema_afterwards() -> None:
    """Batches of one schema get the same schema object, so that their file doesn't end."""
    for name, properties in (("Cast", {"spec": "a:string"}), ("SetSchemaMetadata", {"schema.name": "M"})):
        chain = TransformChain([make(name, "Value", properties)])
        first, second = (chain.apply(_rows({"a": [1]}, _SCHEMA)).rows.value_schema for _ in range(2))
        assert first is second is not None


def test_names_with_dots_are_names() -> None:
    """Names with dots are names; only ExtractField's second syntax has paths."""
    rows = _rows({"s": [{"a": 1}], "s.a": [2]})
    assert _apply(rows, "ReplaceField", exclude="s.a").rows.table.to_pylist() == [{"s": {"a": 1}}]
    assert _apply(rows, "MaskField", fields="s.a").rows.table.to_pylist() == [{"s": {"a": 1}, "s.a": 0}]
    assert _apply(rows, "ExtractField", field="s.a").rows.table.to_pylist() == [{"value": 2}]
    assert _apply(rows, "ExtractField", field="s.a", field_syntax_version="V2").rows.table.to_pylist() == [{"value": 1}]


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("Cast", {"spec": "string"}, {"value": "5"}),
        ("Cast", {"spec": "value:string"}, None),
        ("HoistField", {"field": "h"}, {"h": 5}),
        ("InsertField", {"topic.field": "t"}, None),
        ("ExtractField", {"field": "value"}, None),
        ("TimestampConverter", {"target.type": "string", "format": "S"}, {"value": "5"}),
        ("MaskField", {"fields": "value"}, None),
        ("SetSchemaMetadata", {"schema.name": "N"}, {"value": 5}),
    ],
)
def test_what_is_extracted_has_no_fields(name: str, properties: dict[str, str], expected: dict[str, Any] | None) -> None:
    """Transforms of fields reject an extracted value, as in Java. Transforms of whole values, and HoistField, accept it."""
    extracted = make("ExtractField", "Value", {"field": "a"})
    made = TransformChain([extracted, make(name, "Value", properties)]).apply(_json_rows({"a": 5}))
    assert made.rows.table.to_pylist() == ([] if expected is None else [expected])
    assert len(made.rejects) == (expected is None)


def test_what_is_extracted_from_an_object_has_fields() -> None:
    """An extracted object is treated like a record."""
    extracted = make("ExtractField", "Value", {"field": "a"})
    made = TransformChain([extracted, make("InsertField", "Value", {"topic.field": "t"})]).apply(_json_rows({"a": {"b": 5}}))
    assert made.rows.table.to_pylist() == [{"b": 5, "t": "topic"}]


def test_a_null_that_is_extracted_makes_the_record_a_tombstone() -> None:
    """The record becomes a tombstone, which `behavior.on.null.values` then handles."""
    made = _apply(_json_rows({"a": 5}, {"b": 5}, {"a": None}), "ExtractField", field="a")
    values, tombstones = made.groups
    assert (values.table.to_pylist(), values.offsets.to_pylist()) == ([{"value": 5}], [0])
    assert (tombstones.tombstones, tombstones.offsets.to_pylist()) == (True, [1, 2])
    assert not made.rejects


def test_nothing_is_written_unmasked() -> None:
    """A value that can't be masked is a reject."""
    made = _apply(_rows({"a": [b"secret", None]}), "MaskField", fields="a")
    assert made.rows.table["a"].to_pylist() == [None]
    assert len(made.rejects) == 1


@pytest.mark.parametrize("type_", [pa.decimal128(4, 2), pa.decimal128(2, 2), pa.decimal128(38, 0), pa.decimal256(60, 5)])
def test_decimals_of_any_precision_are_masked(type_: pa.DataType) -> None:
    """A decimal is masked even if its type has fewer digits than the type of a literal zero."""
    made = _apply(_rows({"a": pa.array([decimal.Decimal("0.25" if type_.scale else 7), None], type_)}), "MaskField", fields="a")
    assert ([0, None], []) == (made.rows.table.column("a").to_pylist(), [*made.rejects])
    assert type_ == made.rows.table.schema.field("a").type


@pytest.mark.parametrize("has_schema", [True, False])
def test_a_value_becomes_fields_where_a_transform_names_its_column(has_schema: bool) -> None:
    """A transform that names or removes the column `value` turns a value into fields for later transforms."""
    schema = ConnectSchema("string") if has_schema else None
    rows = attrs.evolve(_rows({"value": ["7", "8"]}, schema), without_fields=schema is None)
    cast = make("Cast", "Value", {"spec": "a:int32"})
    made = TransformChain([Rename({"value": "a"}), cast]).apply(rows)
    assert ([{"a": 7}, {"a": 8}], []) == (made.rows.table.to_pylist(), [*made.rejects])
    left = TransformChain([Drop(["value"]), cast]).apply(rows)
    assert (2, [], []) == (len(left.rows), left.rows.table.column_names, [*left.rejects])


def test_every_setting_is_in_the_fingerprint() -> None:
    """Each setting changes the fingerprint."""
    variants: list[tuple[str, dict[str, str]]] = [
        ("Cast", {"spec": "a:int8"}),
        ("Cast", {"spec": "a:int16"}),
        ("Cast", {"spec": "a:int8", "replace.null.with.default": "false"}),
        ("ReplaceField", {"exclude": "a"}),
        ("ReplaceField", {"include": "a"}),
        ("ReplaceField", {"renames": "a:b"}),
        ("InsertField", {"topic.field": "a"}),
        ("InsertField", {"topic.field": "a!"}),
        ("InsertField", {"static.field": "a", "static.value": "1"}),
        ("InsertField", {"static.field": "a", "static.value": "2"}),
        ("MaskField", {"fields": "a"}),
        ("MaskField", {"fields": "a", "replacement": "1"}),
        ("Flatten", {}),
        ("Flatten", {"delimiter": ""}),
        ("ExtractField", {"field": "a.b"}),
        ("ExtractField", {"field": "a.b", "field.syntax.version": "V2"}),
        ("SetSchemaMetadata", {"schema.name": "a"}),
        ("SetSchemaMetadata", {"schema.version": "1"}),
        ("TimestampConverter", {"target.type": "unix"}),
        ("TimestampConverter", {"target.type": "unix", "field": "a"}),
        ("TimestampConverter", {"target.type": "unix", "format": "y"}),
        ("TimestampConverter", {"target.type": "unix", "unix.precision": "seconds"}),
    ]
    fingerprints = {make(name, "Value", properties).fingerprint for name, properties in variants}
    assert len(fingerprints) == len(variants)


def test_a_class_without_its_inner_class_is_refused() -> None:
    """A class without its inner class is refused, because Java's `Cast` is abstract."""
    with pytest.raises(ConfigurationError, match=r"Cast\$Value"):
        make("Cast", None, {"spec": "a:int8"})
    with pytest.raises(LookupError):
        make("Unknown", "Value", {})
