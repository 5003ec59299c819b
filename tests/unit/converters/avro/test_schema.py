"""Avro schemas become the same Connect schemas as in Confluent's AvroData."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from kafka2parquet.converters.avro.node import AvroMapping
from kafka2parquet.converters.avro.schema import plan_avro
from kafka2parquet.converters.registry.base import RegisteredSchema
from kafka2parquet.schema.connect_schema import DATE, DECIMAL, TIME, TIMESTAMP, ConnectSchema
from kafka2parquet.schema.refused import SchemaRefused


def _schema(
    schema: object,
    *references: tuple[str, RegisteredSchema],
    version: int | None = None,
    mapping: AvroMapping | None = None,
) -> ConnectSchema:
    return plan_avro(RegisteredSchema(1, "AVRO", json.dumps(schema), references, version), mapping).schema


def _record(*types: Any, name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": f"f{i}", "type": t} for i, t in enumerate(types)], **more}


def _field(avro_type: object, *, mapping: AvroMapping | None = None, **more: Any) -> ConnectSchema:
    field = {"name": "f", "type": avro_type, **more}
    return _schema({"type": "record", "name": "R", "fields": [field]}, mapping=mapping).fields[0].schema


@pytest.mark.parametrize(
    ("avro_type", "expected"),
    [
        ("boolean", ConnectSchema("boolean")),
        ("int", ConnectSchema("int32")),
        ({"type": "int", "connect.type": "int8"}, ConnectSchema("int8")),
        ({"type": "int", "connect.type": "int16"}, ConnectSchema("int16")),
        ("long", ConnectSchema("int64")),
        ("float", ConnectSchema("float")),
        ("double", ConnectSchema("double")),
        ("string", ConnectSchema("string")),
        ("bytes", ConnectSchema("bytes")),
        ({"type": "string", "avro.java.string": "String"}, ConnectSchema("string", parameters={"avro.java.string": "String"})),
        ({"type": "int", "logicalType": "date"}, ConnectSchema("int32", name=DATE, version=1)),
        ({"type": "int", "logicalType": "time-millis"}, ConnectSchema("int32", name=TIME, version=1)),
        ({"type": "long", "logicalType": "timestamp-millis"}, ConnectSchema("int64", name=TIMESTAMP, version=1)),
        ({"type": "long", "logicalType": "timestamp-micros"}, ConnectSchema("int64")),
        ({"type": "long", "logicalType": "time-micros"}, ConnectSchema("int64")),
        ({"type": "long", "logicalType": "local-timestamp-millis"}, ConnectSchema("int64")),
        ({"type": "long", "logicalType": "date"}, ConnectSchema("int64")),
        ({"type": "string", "logicalType": "uuid"}, ConnectSchema("string")),
        (
            {"type": "fixed", "name": "n.F", "size": 3},
            ConnectSchema("bytes", name="n.F", parameters={"connect.fixed.size": "3"}),
        ),
        (
            {"type": "fixed", "name": "F", "size": 12, "logicalType": "duration"},
            ConnectSchema("bytes", name="F", parameters={"connect.fixed.size": "12"}),
        ),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
            ConnectSchema("bytes", name=DECIMAL, version=1, parameters={"scale": "2", "connect.decimal.precision": "10"}),
        ),
        (
            {"type": "bytes", "logicalType": "decimal"},
            ConnectSchema("bytes", name=DECIMAL, version=1, parameters={"scale": "0"}),
        ),
        (
            {"type": "fixed", "name": "F", "size": 4, "logicalType": "decimal", "precision": 9},
            ConnectSchema(
                "bytes",
                name=DECIMAL,
                version=1,
                parameters={"connect.fixed.size": "4", "scale": "0", "connect.decimal.precision": "9"},
            ),
        ),
        (
            {"type": "enum", "name": "E", "namespace": "n", "symbols": ["A", "B"], "doc": "d", "default": "A"},
            ConnectSchema(
                "string",
                name="n.E",
                parameters={
                    "io.confluent.connect.avro.Enum": "n.E",
                    "io.confluent.connect.avro.Enum.A": "A",
                    "io.confluent.connect.avro.Enum.B": "B",
                    "io.confluent.connect.avro.enum.doc.E": "d",
                    "io.confluent.connect.avro.enum.default.E": "A",
                },
            ),
        ),
        ({"type": "array", "items": ["null", "int"]}, ConnectSchema("array", values=ConnectSchema("int32", optional=True))),
        ({"type": "map", "values": "int"}, ConnectSchema("map", keys=ConnectSchema("string"), values=ConnectSchema("int32"))),
        (
            {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "MapEntry",
                    "namespace": "io.confluent.connect.avro",
                    "fields": [{"name": "key", "type": "int"}, {"name": "value", "type": "string"}],
                },
            },
            ConnectSchema("map", keys=ConnectSchema("int32"), values=ConnectSchema("string")),
        ),
        (["null", "int"], ConnectSchema("int32", optional=True)),
        (["int", "null"], ConnectSchema("int32", optional=True)),
        (["int"], ConnectSchema("int32")),
        ({"type": {"type": "int"}}, ConnectSchema("int32")),
    ],
)
def test_types_become_those_of_connect(avro_type: object, expected: ConnectSchema) -> None:
    """Each Avro type becomes its Connect type."""
    assert expected == _field(avro_type)


def test_union_becomes_a_struct_with_a_field_for_each_type() -> None:
    """A union becomes a struct whose fields are named by the types."""
    nested = {"type": "record", "name": "n.A", "fields": [{"name": "x", "type": "int"}]}
    found = _field(["null", "string", {"type": "array", "items": "int"}, nested])
    assert "io.confluent.connect.avro.Union" == found.name
    assert found.optional
    assert ["string", "array", "A"] == [field.name for field in found.fields]
    assert all(field.schema.optional for field in found.fields)
    found = _field(["string", nested], mapping=AvroMapping(enhanced_schema_support=True))
    assert not found.optional
    assert ["string", "n.A"] == [field.name for field in found.fields]


def test_record_has_its_full_name_and_the_version_of_the_registry() -> None:
    """A record has its full name, and only the outermost record has the registry's version."""
    schema = _record("int", _record("int", name="B"), name="A", namespace="n")
    found = _schema(schema, version=7)
    assert ("n.A", 7) == (found.name, found.version)
    assert ("n.B", None) == (found.fields[1].schema.name, found.fields[1].schema.version)


def test_properties_of_connect_are_kept() -> None:
    """A schema that Connect's own converter wrote becomes the original schema."""
    found = _schema(
        {
            **_record({"type": "int", "connect.default": 5, "connect.doc": "d"}, name="A"),
            "connect.name": "my-name",
            "connect.version": 3,
            "connect.parameters": {"p": "q"},
        },
        version=9,
    )
    assert ("my-name", 3, {"p": "q"}) == (found.name, found.version, found.parameters)
    assert ConnectSchema("int32", default=5, doc="d") == found.fields[0].schema
    assert _schema(_record("int", name="io.confluent.connect.avro.ConnectDefault")).name is None


def test_documentation_is_kept_unless_it_is_not_wanted() -> None:
    """Documentation is kept in parameters, as in Confluent's converter, unless it is switched off."""
    schema = {"type": "record", "name": "R", "doc": "of R", "fields": [{"name": "f", "type": "int", "doc": "of f"}]}
    assert {"connect.record.doc": "of R", "io.confluent.connect.avro.field.doc.f": "of f"} == _schema(schema).parameters
    assert {} == _schema(schema, mapping=AvroMapping(connect_meta_data=False)).parameters


@pytest.mark.parametrize(
    ("avro_type", "default", "expected"),
    [
        ("int", 5, 5),
        ("string", "x", "x"),
        ("double", 1, 1.0),
        ("bytes", "\u00ff", b"\xff"),
        ({"type": "fixed", "name": "F", "size": 2}, "ab", b"ab"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}, "\u0001\u0000", Decimal("2.56")),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", "B"),
        ({"type": "array", "items": "int"}, [1, 2], [1, 2]),
        ({"type": "map", "values": "int"}, {"a": 1}, [("a", 1)]),
        (_record("int", "string", name="A"), {"f0": 1, "f1": "x"}, {"f0": 1, "f1": "x"}),
        (["int", "string"], 5, {"int": 5, "string": None}),
        # values that don't fit are not used as defaults
        ("int", "5", None),
        ("int", 2**31, None),
        ("boolean", 1, None),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "C", None),
        ({"type": "fixed", "name": "F", "size": 2}, "a", None),
        (_record("int", name="A"), {}, None),
        # that of a union with null is dropped
        (["int", "null"], 5, None),
    ],
)
def test_defaults(avro_type: object, default: object, expected: object) -> None:
    """Defaults become values of their columns."""
    found = _field(avro_type, default=default)
    assert expected == found.default
    nullable = isinstance(avro_type, list) and "null" in avro_type
    assert nullable is ("io.confluent.connect.avro.field.default" not in found.parameters)


def test_nullable_type_may_have_a_default_of_connect() -> None:
    """An optional type may have a `connect.default`."""
    found = _field(["null", {"type": "int", "connect.default": 5}], default=None)
    assert ConnectSchema("int32", optional=True, default=5) == found


@pytest.mark.parametrize(
    ("logical", "expected"),
    [
        ("time-micros", pa.time64("us")),
        ("timestamp-millis", pa.timestamp("ms", "UTC")),
        ("timestamp-micros", pa.timestamp("us", "UTC")),
        ("timestamp-nanos", pa.timestamp("ns", "UTC")),
        ("local-timestamp-millis", pa.timestamp("ms")),
        ("local-timestamp-micros", pa.timestamp("us")),
        ("something-else", pa.int64()),
    ],
)
def test_finer_times_are_times_if_that_is_wanted(logical: str, expected: pa.DataType) -> None:
    """With the setting, times finer than milliseconds become Arrow's time types."""
    found = _field({"type": "long", "logicalType": logical}, mapping=AvroMapping(logical_types="arrow"))
    assert expected == found.arrow_type
    assert "int64" == found.type


def test_references_are_resolved() -> None:
    """References are resolved by full name and by name in the same namespace, also if two of them share one."""
    common = RegisteredSchema(1, "AVRO", json.dumps({"type": "enum", "name": "n.E", "symbols": ["A"]}))
    first = RegisteredSchema(2, "AVRO", json.dumps(_record("E", name="n.A")), (("n.E", common),))
    second = RegisteredSchema(3, "AVRO", json.dumps(_record("n.E", name="m.B")), (("n.E", common),))
    found = _schema(_record("A", "m.B", name="n.R"), ("n.A", first), ("m.B", second))
    assert ["n.A", "m.B"] == [field.schema.name for field in found.fields]
    assert ["n.E", "n.E"] == [field.schema.fields[0].schema.name for field in found.fields]


def test_types_are_used_again_by_name() -> None:
    """A type can be used again by name, with a namespace or within the enclosing record's namespace."""
    found = _schema({**_record(_record("int", name="A"), "A", ["null", "n.A"], {"type": "A"}, name="R"), "namespace": "n"})
    assert {"n.A"} == {field.schema.name for field in found.fields}


def test_values_that_are_not_records_have_schemas_too() -> None:
    """Schemas of values that are not records are translated, too."""
    assert ConnectSchema("string", version=2) == _schema("string", version=2)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (_record(["null", "R"]), "R contains itself"),
        (_record({"type": "array", "items": "R"}), "R contains itself"),
        (_record(), "R has no fields"),
        (_record("null"), "null outside a union"),
        (_record(["null"]), "only null"),
        (_record([]), "a union has no types"),
        (_record([["int", "null"], "string"]), "a union in a union"),
        (_record(["null", {"type": ["null", "int"]}]), "a union in a union"),
        (_record("X"), "the type 'X' is unknown"),
        (_record({"type": "X"}), "the type 'X' is unknown"),
        (_record({"type": "array"}), "has no items"),
        (_record({"type": "map"}), "has no values"),
        (_record(5), "5 is not a type"),
        (_record({"name": "x"}), "is not a type"),
        (_record({"type": "fixed", "name": "F"}), "the size of F"),
        (_record({"type": "fixed", "name": "F", "size": 0}), "the size of F"),
        (_record({"type": "enum", "name": "E", "symbols": ["a b"]}), "the symbols of E"),
        (_record({"type": "enum", "name": "E", "symbols": ["A", "A"]}), "the symbols of E"),
        (_record({"type": "int", "connect.type": "int64"}), "connect.type is 'int64'"),
        ({**_record("int"), "connect.parameters": {"a": 1}}, "connect.parameters"),
        (_record({"type": "bytes", "logicalType": "decimal", "precision": "9"}), "the precision of a decimal is '9'"),
        (_record(_record("int", name="A"), _record("string", name="A")), "A is defined twice"),
        (_record(["int", {"type": "int", "logicalType": "date"}]), "several types of a union have the name int"),
        ({"type": "record", "name": "R", "fields": [{"name": "a-b", "type": "int"}]}, "the fields of R"),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}] * 2}, "two fields with the same name"),
        ({"type": "record", "fields": []}, "is not the name of a type"),
        ({"type": "record", "name": "a..b", "fields": []}, "is not the name of a type"),
    ],
)
def test_schemas_without_columns_are_refused(schema: object, reason: str) -> None:
    """A schema without columns is refused with the reason."""
    with pytest.raises(SchemaRefused, match=reason):
        _schema(schema)


def test_text_that_is_not_a_schema_is_refused() -> None:
    """Any text that is not a schema is refused."""
    for text in ("{", "", "[" * 100_000):
        with pytest.raises(SchemaRefused):
            plan_avro(RegisteredSchema(1, "AVRO", text))


def test_small_schema_of_millions_of_columns_is_refused() -> None:
    """A schema whose records each contain ten of the previous record is refused."""
    schema: Any = "int"
    references: tuple[tuple[str, RegisteredSchema], ...] = ()
    for depth in range(7):
        text = json.dumps(_record(*[schema] * 10, name=f"R{depth}"))
        references = ((f"R{depth}", RegisteredSchema(depth, "AVRO", text, references)),)
        schema = f"R{depth}"
    with pytest.raises(SchemaRefused, match="more than 10000 parts"):
        _schema(schema, *references)


def test_deep_schema_is_refused() -> None:
    """A deep schema is refused instead of overflowing the stack."""
    schema: Any = "int"
    for _ in range(200):
        schema = {"type": "array", "items": schema}
    with pytest.raises(SchemaRefused, match="nested too deeply"):
        _schema(schema)
