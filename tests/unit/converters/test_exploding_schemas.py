"""Small schemas with huge meanings are refused or handled, within seconds and bounded memory."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kafka2parquet.converters.avro.converter import AvroConverter
from kafka2parquet.converters.json_with_schema.json_schema import JsonSchemaConverter
from kafka2parquet.converters.protobuf.converter import ProtobufConverter
from kafka2parquet.converters.registry.base import RegisteredSchema
from kafka2parquet.converters.registry.converter import RegisteredConverter
from kafka2parquet.rows import Converted
from tests.support.batches import batch_of
from tests.support.registries import FakeRegistry, framed, registered

#: Many times what they need, so that a busy machine doesn't fail them; what explodes takes minutes and gigabytes.
_MOST_CPU_S = 5.0
_MOST_MIB = 100


def _convert(converter: Callable[[FakeRegistry], RegisteredConverter], schema: RegisteredSchema, payload: bytes) -> Converted:
    made = converter(FakeRegistry({1: schema}))
    tracemalloc.start()
    began_s = time.process_time()
    converted = made.convert(batch_of([framed(1, payload)]))
    took_s, (_, peak) = time.process_time() - began_s, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took_s < _MOST_CPU_S
    assert peak >> 20 < _MOST_MIB
    return converted


def _reason(converted: Converted) -> str:
    assert 1 == len(converted.rejects)
    return converted.rejects[0].reason


def _avro(schema: Any, references: dict[str, RegisteredSchema] | None = None) -> RegisteredSchema:
    return registered(json.dumps(schema), "AVRO", references)


def _record(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": key, "type": type_} for key, type_ in fields.items()]}


def _json(schema: Any, references: dict[str, RegisteredSchema] | None = None) -> RegisteredSchema:
    return registered(json.dumps(schema), "JSON", references)


def _proto(text: str, references: dict[str, RegisteredSchema] | None = None) -> RegisteredSchema:
    return registered(f'syntax="proto3"; {text}', "PROTOBUF", references)


def _ten_of_ten() -> Iterator[str]:
    yield "message M {" + "".join(f"L7 f{i} = {i};" for i in range(1, 11)) + "}"
    yield "message L0 { int32 a = 1; }"
    for level in range(1, 8):
        yield f"message L{level} {{" + "".join(f"L{level - 1} f{i} = {i};" for i in range(1, 11)) + "}"


def test_protobuf_messages_of_messages() -> None:
    """Eight message types with ten fields of the next type, a hundred million columns, are refused."""
    assert "the schema has more than 10000 parts" in _reason(_convert(ProtobufConverter, _proto("".join(_ten_of_ten())), b"\0"))


def test_protobuf_messages_nested_deeply() -> None:
    """Deeply nested messages, which neither Parquet nor Python's stack can hold, are refused."""
    text = "message M { L300 a = 1; } message L0 { int32 a = 1; }"
    text += "".join(f"message L{level} {{ L{level - 1} a = 1; }}" for level in range(1, 301))
    assert "nested too deeply" in _reason(_convert(ProtobufConverter, _proto(text), b"\0"))


def test_protobuf_maps_and_oneofs_count() -> None:
    """Messages inside maps and oneofs count for the limit, too."""
    text = "message M { map<string, L5> a = 1; } message L0 { int32 a = 1; }"
    for level in range(1, 6):
        fields = "".join(f"L{level - 1} f{i} = {i};" for i in range(1, 11))
        text += f"message L{level} {{ oneof o {{ {fields} }} map<string, L{level - 1}> m = 11; repeated L{level - 1} r = 12; }}"
    assert "the schema has more than 10000 parts" in _reason(_convert(ProtobufConverter, _proto(text), b"\0"))


def test_protobuf_references_in_diamonds() -> None:
    """A file that two schemas refer to is read once."""
    last = _proto("package p0; message L { int32 a = 1; }")
    for level in range(1, 31):
        side = _proto(f'import "l{level - 1}.proto"; package p{level}; message L {{ p{level - 1}.L a = 1; }}',
                      {f"l{level - 1}.proto": last})  # fmt: skip
        last = _proto(f'import "s{level}.proto"; import "t{level}.proto"; package q{level};',
                      {f"s{level}.proto": side, f"t{level}.proto": _proto("", {f"l{level - 1}.proto": last})})  # fmt: skip
        last = _proto(f"package p{level}; message L {{ int32 a = 1; }}", {f"s{level}.proto": side, f"q{level}.proto": last})
    converted = _convert(ProtobufConverter, _proto("message M { int32 a = 1; }", {"l30.proto": last}), b"\0\x08\x07")
    assert [{"a": 7}] == converted.rows.table.to_pylist()


def test_avro_records_of_records() -> None:
    """Records that repeatedly name each other are refused."""
    types: list[Any] = ["L0", _record("L0", a="int")][1:]
    fields: dict[str, Any] = {"x": types[0]}
    for level in range(1, 8):
        fields[f"l{level}"] = _record(f"L{level}", **{f"f{i}": f"L{level - 1}" for i in range(10)})
    assert "the schema has more than 10000 parts" in _reason(_convert(AvroConverter, _avro(_record("M", **fields)), b"\0"))


def test_avro_references_in_diamonds() -> None:
    """Each referenced schema is read once, and only the number of resulting columns is limited."""
    last = _avro(_record("L0", a="int"))
    for level in range(1, 31):
        name = f"L{level}"
        last = _avro(_record(name, a=f"L{level - 1}"), {"left": last, "right": last})
    converted = _convert(AvroConverter, _avro(_record("M", a="L30"), {"a": last, "b": last}), b"\2")
    assert 1 == len(converted.rows)


def test_avro_types_that_are_defined_again_and_again() -> None:
    """The same definition may be repeated."""
    inner = _record("L0", **{f"f{i}": "int" for i in range(50)})
    fields = {f"a{i}": inner for i in range(150)}
    assert 1 == len(_convert(AvroConverter, _avro(_record("M", **fields)), b"\2" * 7500).rows)


def test_avro_unions_of_thousands() -> None:
    """A repeated name is found in a union of thousands of types."""
    branches = [{"type": "fixed", "name": f"n{i}.F{i}", "size": 1} for i in range(9000)]
    branches.append({"type": "fixed", "name": "other.F8999", "size": 1})
    assert "several types of a union" in _reason(_convert(AvroConverter, _avro(_record("M", a=branches)), b"\0"))


def test_json_schema_objects_of_objects() -> None:
    """Objects that repeatedly refer to each other with `$ref` are refused."""
    definitions: dict[str, Any] = {"l0": {"type": "string"}}
    for level in range(1, 8):
        properties = {f"f{i}": {"$ref": f"#/definitions/l{level - 1}"} for i in range(10)}
        definitions[f"l{level}"] = {"type": "object", "properties": properties}
    schema = _json({"$ref": "#/definitions/l7", "definitions": definitions})
    assert "the schema has more than 10000 parts" in _reason(_convert(JsonSchemaConverter, schema, b"{}"))


def test_json_schema_references_in_diamonds() -> None:
    """Each referenced document is read once."""
    last = _json({"type": "object", "properties": {"a": {"type": "string"}}})
    for _ in range(40):
        last = _json({"$ref": "left"}, {"left": last, "right": last})
    converted = _convert(JsonSchemaConverter, _json({"$ref": "a"}, {"a": last, "b": last}), b'{"a": "x"}')
    assert [{"a": "x"}] == converted.rows.table.to_pylist()


def test_json_schema_all_of_in_diamonds() -> None:
    """Each `allOf` is merged once, and a property that is required twice is required."""
    bottom = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    definitions: dict[str, Any] = {"l0": bottom}
    for level in range(1, 41):
        definitions[f"l{level}"] = {"allOf": [{"$ref": f"#/definitions/l{level - 1}"}] * 2}
    schema = _json({"$ref": "#/definitions/l40", "definitions": definitions})
    converted = _convert(JsonSchemaConverter, schema, b'{"a": "x"}')
    assert [{"a": "x"}] == converted.rows.table.to_pylist()


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"$ref": "#"}]},
        {"allOf": [{"$ref": "#/definitions/a"}], "definitions": {"a": {"allOf": [{"$ref": "#"}]}}},
        {"properties": {"b": {"allOf": [{"$ref": "#"}]}}, "type": "object"},
    ],
)
def test_json_schema_all_of_in_a_circle(schema: Any) -> None:
    """An `allOf` that contains itself is refused."""
    assert "contains itself" in _reason(_convert(JsonSchemaConverter, _json(schema), b"{}"))


def test_json_schema_all_of_many() -> None:
    """An `allOf` that is too large to merge in quadratic time is refused."""
    schema = _json({"allOf": [{"type": "object", "properties": {f"p{i}": {"type": "string"}}} for i in range(9000)]})
    assert "its allOf combines too many parts" in _reason(_convert(JsonSchemaConverter, schema, b"{}"))


def test_json_schema_all_of_some() -> None:
    """An `allOf` of a usual size works."""
    schema = _json({"allOf": [{"type": "object", "properties": {f"p{i}": {"type": "string"}}} for i in range(200)]})
    assert 1 == len(_convert(JsonSchemaConverter, schema, json.dumps({f"p{i}": "x" for i in range(200)}).encode()).rows)


def test_json_schema_anchors_by_the_thousand() -> None:
    """Thousands of anchors are found without searching the whole document for each."""
    definitions = {f"d{i}": {"$anchor": f"a{i}", "type": "string"} for i in range(4000)}
    properties = {f"p{i}": {"$ref": f"#a{i}"} for i in range(4000)}
    schema = _json({"type": "object", "properties": properties, "definitions": definitions})
    _convert(JsonSchemaConverter, schema, b"{}")


@pytest.mark.parametrize(
    "name", ["a\0b", "x" * 300 + ".proto", "kafka2parquet", "kafka2parquet/root.proto/x", "a/" * 3000 + "b"]
)
def test_names_that_no_file_can_have(name: str) -> None:
    """An impossible file name refuses the schema and isn't reported as a problem of the disk."""
    schema = _proto("message M { int32 a = 1; }", {name: _proto("")})
    assert "schema id 1: " in _reason(_convert(ProtobufConverter, schema, b"\0\x08\x01"))


@pytest.mark.parametrize("size", ["x", "-5", "99999999999", "1e3", ""])
def test_sizes_that_no_column_can_have(size: str) -> None:
    """Parameters with impossible sizes refuse the schema."""
    schema = _avro(_record("M", a={"type": "bytes", "connect.parameters": {"connect.fixed.size": size}}))
    assert "schema id 1: the schema can't be read" in _reason(_convert(AvroConverter, schema, b"\2\1"))
