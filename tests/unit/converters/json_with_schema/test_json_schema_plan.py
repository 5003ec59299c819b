"""JSON Schemas become the same Connect schemas as in Confluent's JsonSchemaData."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kafka2parquet.converters.json_with_schema.json_schema_plan import (
    ENUM,
    ONE_OF,
    JsonSchemaMapping,
    OneOfSchema,
    plan_json_schema,
)
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from kafka2parquet.schema.refused import SchemaRefused
from tests.support.registries import registered

INT64, STRING = ConnectSchema("int64"), ConnectSchema("string")
OPTIONAL_STRING = ConnectSchema("string", optional=True)


def plan(schema: Any, references: dict[str, Any] | None = None, mapping: JsonSchemaMapping | None = None) -> ConnectSchema:
    others = {name: registered(json.dumps(other), "JSON") for name, other in (references or {}).items()}
    found = registered(json.dumps(schema), "JSON", others)
    return plan_json_schema(found, None, mapping or JsonSchemaMapping(), lambda _, node: node)


def struct(**fields: ConnectSchema) -> ConnectSchema:
    return ConnectSchema("struct", fields=tuple(ConnectField(name, schema) for name, schema in fields.items()))


def objects(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "boolean"}, ConnectSchema("boolean")),
        ({"type": "integer"}, INT64),
        ({"type": "number"}, ConnectSchema("double")),
        ({"type": "string"}, STRING),
        ({"type": "string", "format": "date-time"}, STRING),
        ({"type": "integer", "connect.type": "int8"}, ConnectSchema("int8")),
        ({"type": "integer", "connect.type": "int16"}, ConnectSchema("int16")),
        ({"type": "integer", "connect.type": "int32"}, ConnectSchema("int32")),
        ({"type": "number", "connect.type": "float32"}, ConnectSchema("float")),
        ({"type": "number", "connect.type": "float64"}, ConnectSchema("double")),
        ({"type": "string", "connect.type": "bytes"}, ConnectSchema("bytes")),
        (
            {
                "type": "number",
                "connect.type": "bytes",
                "title": "org.apache.kafka.connect.data.Decimal",
                "connect.version": 1,
                "connect.parameters": {"scale": "2"},
            },
            ConnectSchema("bytes", name="org.apache.kafka.connect.data.Decimal", version=1, parameters={"scale": "2"}),
        ),
        (
            {"type": "integer", "connect.type": "int32", "title": "org.apache.kafka.connect.data.Date", "connect.version": 1},
            ConnectSchema("int32", name="org.apache.kafka.connect.data.Date", version=1),
        ),
        ({"enum": ["a", "b"]}, ConnectSchema("string", parameters={ENUM: "", f"{ENUM}.a": "a", f"{ENUM}.b": "b"})),
        ({"type": "string", "const": "a"}, ConnectSchema("string", parameters={ENUM: "", f"{ENUM}.a": "a"})),
        ({"type": "integer", "enum": [1, 2]}, INT64),
        (
            {"type": ["string", "null"], "enum": ["a", None]},
            ConnectSchema("string", optional=True, parameters={ENUM: "", f"{ENUM}.a": "a"}),
        ),
        ({"type": "array", "items": {"type": "string"}}, ConnectSchema("array", values=STRING)),
        (
            {"type": "object", "connect.type": "map", "additionalProperties": {"type": "integer"}},
            ConnectSchema("map", keys=STRING, values=INT64),
        ),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            ConnectSchema("map", keys=STRING, values=INT64),
        ),
        (
            {"type": "array", "connect.type": "map", "items": objects(key={"type": "integer"}, value={"type": "string"})},
            ConnectSchema("map", keys=INT64, values=STRING),
        ),
        ({"type": ["null", "string"]}, OPTIONAL_STRING),
        ({"type": ["string"]}, STRING),
        ({"oneOf": [{"type": "null"}, {"type": "string"}]}, OPTIONAL_STRING),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, OPTIONAL_STRING),
        ({"oneOf": [{"type": "string"}]}, STRING),
        ({"type": "string", "description": "text", "default": "x"}, ConnectSchema("string", doc="text", default="x")),
        ({"properties": {"a": {"minLength": 1}}}, struct(a=STRING)),
        (
            objects(b={"type": "integer", "connect.index": 1}, a={"type": "string", "connect.index": 0}),
            struct(a=STRING, b=INT64),
        ),
        (objects(b={"type": "integer"}, a={"type": "string"}), struct(b=INT64, a=STRING)),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "oneOf": [{"required": ["a"]}, {"required": []}]},
            struct(a=STRING),
        ),
    ],
)
def test_types(schema: Any, expected: ConnectSchema) -> None:
    """Each keyword has its effect on the type."""
    assert expected == plan(schema)


def test_titles_are_names() -> None:
    """Titles become the names of structs, at any depth."""
    found = plan({**objects(a={**objects(b={"type": "string"}), "title": "Inner"}), "title": "Outer"})
    assert ("Outer", "Inner") == (found.name, found.fields[0].schema.name)


def test_versions_are_those_of_the_registry() -> None:
    """The version is the registry's, unless the schema has its own."""
    text = json.dumps(objects(a={"type": "string"}))
    found = plan_json_schema(registered(text, "JSON"), 7, JsonSchemaMapping(), lambda _, node: node)
    assert (7, None) == (found.version, found.fields[0].schema.version)


def test_unions_are_structs_with_a_field_for_each_type() -> None:
    """All fields of a union are optional, and a null among its types makes the struct optional."""
    found = plan({"oneOf": [{"type": "null"}, {"type": "string"}, {"type": "integer"}]})
    fields = (
        ConnectField(f"{ONE_OF}.field.0", OPTIONAL_STRING),
        ConnectField(f"{ONE_OF}.field.1", ConnectSchema("int64", optional=True)),
    )
    assert OneOfSchema("struct", optional=True, name=ONE_OF, fields=fields) == found
    assert found == plan({"type": ["null", "string", "integer"]})


def test_unions_may_have_the_names_of_other_formats() -> None:
    """`generalized.sum.type.support` changes the names of unions and their fields."""
    found = plan({"type": ["string", "integer"]}, mapping=JsonSchemaMapping(generalized_sum_types=True))
    assert ("connect_union", ["connect_union_0", "connect_union_1"]) == (found.name, [field.name for field in found.fields])


def test_properties_that_are_not_required_are_optional_if_that_is_wanted() -> None:
    """`use.optional.for.nonrequired` makes properties optional that aren't required."""
    schema = {**objects(a={"type": "string"}, b={"type": "string"}), "required": ["a"]}
    assert struct(a=STRING, b=STRING) == plan(schema)
    assert struct(a=STRING, b=OPTIONAL_STRING) == plan(schema, mapping=JsonSchemaMapping(optional_for_nonrequired=True))


def test_references_inside_the_document() -> None:
    """References inside the document work by path, by anchor, and by the document's own id."""
    schema = {
        "$id": "http://shop/order.json",
        **objects(
            a={"$ref": "#/definitions/x~1y"},
            b={"$ref": "#text"},
            c={"$ref": "http://shop/order.json#/definitions/x~1y"},
        ),
        "definitions": {"x/y": {"type": "integer"}, "t": {"$anchor": "text", "type": "string"}},
    }
    assert struct(a=INT64, b=STRING, c=INT64) == plan(schema)


def test_references_to_other_documents() -> None:
    """References to other documents work by name and relative to the id, and may point to parts of a document."""
    user = {**objects(id={"$ref": "#/$defs/id"}), "$defs": {"id": {"type": "integer"}}}
    schema = {"$id": "http://shop/order.json", **objects(user={"$ref": "user.json"}, id={"$ref": "user.json#/$defs/id"})}
    expected = struct(user=struct(id=INT64), id=INT64)
    assert expected == plan(schema, {"user.json": user})
    assert expected == plan(schema, {"http://shop/user.json": user})


def test_all_of_puts_properties_together() -> None:
    """`allOf` adds the properties of its parts after the schema's own, and their references keep their documents."""
    base = {**objects(id={"$ref": "#/$defs/id"}), "required": ["id"], "$defs": {"id": {"type": "integer"}}}
    schema = {"title": "T", "allOf": [{"$ref": "base.json"}, objects(name={"type": "string"})]}
    found = plan(schema, {"base.json": base}, JsonSchemaMapping(optional_for_nonrequired=True))
    assert "T" == found.name
    assert {"id": INT64, "name": OPTIONAL_STRING} == found.field_schemas


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (True, "the schema: anything is allowed, which has no column"),
        (1, "the schema: not a schema"),
        (objects(a={}), "a: anything is allowed, which has no column"),
        (objects(a={"type": "null"}), "a: null outside a union has no column"),
        (objects(a={"type": "date"}), "a: Unsupported schema type date"),
        (objects(a={"type": "integer", "connect.type": "int128"}), "a: Unsupported type int128"),
        (objects(a={"type": "array"}), "a: Array schema did not specify the items type"),
        (objects(a={"type": "array", "items": {}}), "a[]: anything is allowed"),
        (objects(a={"type": "object"}), "a: an object without properties, and Parquet has no empty structs"),
        (objects(a={"$ref": "#"}), "a: it contains itself, and Parquet has no recursive types"),
        (objects(a={"allOf": [{"$ref": "#"}]}), "it contains itself, and Parquet has no recursive types"),
        (objects(a={"$ref": "#/definitions/x"}), "'#/definitions/x' refers to nothing"),
        (objects(a={"$ref": "#x"}), "'#x' refers to nothing"),
        (objects(a={"$ref": "b.json"}), "the schema that 'b.json' refers to is not in the registry"),
        ({"definitions": {"a": {"$ref": "#/definitions/a"}}, "$ref": "#/definitions/a"}, "it contains itself"),
        (objects(a={"oneOf": []}), "a: an empty list of schemas or values"),
        (objects(a={"type": "object", "connect.type": "map"}), "a: a map needs a schema as its additionalProperties"),
        (objects(a={"type": "array", "connect.type": "map", "items": {}}), "a: the items of a map need the properties"),
    ],
)
def test_refuses_what_has_no_columns(schema: Any, reason: str) -> None:
    """A schema without columns is refused with the path of the property."""
    with pytest.raises(SchemaRefused) as refused:
        plan(schema)
    assert reason in str(refused.value)


def test_refuses_schemas_that_mean_too_much() -> None:
    """A small schema that names its parts repeatedly is refused."""
    parts = {"p0": {"type": "string"}}
    for i in range(1, 20):
        parts[f"p{i}"] = objects(a={"$ref": f"#/definitions/p{i - 1}"}, b={"$ref": f"#/definitions/p{i - 1}"})
    with pytest.raises(SchemaRefused, match="more than 10000 parts"):
        plan({"definitions": parts, "$ref": "#/definitions/p19"})
