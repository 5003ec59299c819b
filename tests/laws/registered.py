"""Values in the registry's wire format: Avro, Protobuf and JSON Schema, with schemas that are usable and others."""

from __future__ import annotations

import datetime
import functools
import io
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import fastavro
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from hypothesis import strategies as st

from kafka2parquet.converters.protobuf.files import compile_file
from kafka2parquet.converters.registry.base import RegisteredSchema
from tests.laws.json_texts import documents, encoded
from tests.support.registries import framed, registered

_DECIMAL = "org.apache.kafka.connect.data.Decimal"


def _record(**fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": name, "type": type_} for name, type_ in fields.items()]}


# ---- Avro

_AVRO_ORDINARY: tuple[Any, ...] = (
    _record(a="int", b=["null", "string"], ts="long"),
    _record(a="double", b="string", c="boolean", l={"type": "array", "items": "long"}),
    _record(a=["null", "float"], n={"type": "record", "name": "N", "fields": [{"name": "x", "type": "int"}]}, b="bytes"),
    _record(
        a={"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        ts={"type": "long", "logicalType": "timestamp-millis"},
        b={"type": "int", "logicalType": "date"},
        c={"type": "int", "logicalType": "time-millis"},
    ),
    _record(n={"type": "map", "values": ["null", "double"]}, b={"type": "enum", "name": "E", "symbols": ["FR", "DE"]}),
    _record(a={"type": "fixed", "name": "F", "size": 4}, b="string"),
    "string",
    "long",
)
_AVRO_EXTREME: tuple[Any, ...] = (
    _record(),
    _record(a=["null", "int", "string", _record(x="int") | {"name": "U"}]),
    {"type": "record", "name": "R", "fields": [{"name": "n", "type": ["null", "R"]}]},
    *(_record(**{name: "string"}) for name in ("", "\ud800", "a.b", "_kafka_offset", "x" * 300)),
    *(
        _record(a={"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})
        for precision, scale in ((10, 2**40), (10, -3), (0, 0), (-1, 0), (77, 2), (60, 2), ("x", 2), (64, 127), (5, -2), (3, 5))
    ),
    *(_record(a={"type": "bytes", "connect.parameters": {"connect.fixed.size": size}}) for size in ("x", "-5", "9" * 11)),
    _record(a={"type": "bytes", "connect.name": _DECIMAL, "connect.parameters": {"scale": "x"}}),
    _record(a="int") | {"connect.version": 10**30},
    _record(a="int") | {"name": ["x"]},
    _record(a="int") | {"doc": "\ud800"},
    _record(a={"type": "record", "name": "Empty", "fields": []}),
    {"type": "record", "name": "R", "fields": [{"name": "a", "type": "double", "default": 10**400}]},
    _record(a="int", A="int"),
    json.loads('{"type":"array","items":' * 50 + '"int"' + "}" * 50),
    *("nope", {}, [], None, 1),
)


def _registry(ordinary: Sequence[Any], extreme: Sequence[Any], schema_type: str) -> dict[Any, RegisteredSchema]:
    return {number: registered(json.dumps(schema), schema_type) for number, schema in enumerate((*ordinary, *extreme), 1)}


AVRO_SCHEMAS = _registry(_AVRO_ORDINARY, _AVRO_EXTREME, "AVRO")
_PARSED = {number: fastavro.parse_schema(schema) for number, schema in enumerate(_AVRO_ORDINARY, 1)}

_SCALARS: Mapping[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1) | st.sampled_from([1_767_225_600_000, 2**53 + 1]),
    "float": st.floats(width=32),
    "double": st.floats(),
    "string": st.text(max_size=6) | st.sampled_from(["FR", "a/../b", "x\0y", "2026-01-01"]),
    "bytes": st.binary(max_size=6),
    "boolean": st.booleans(),
    "null": st.none(),
}
_LOGICAL: Mapping[str, st.SearchStrategy[Any]] = {
    "decimal": st.decimals(-9_999_999, 9_999_999, places=2),
    "timestamp-millis": st.datetimes(timezones=st.just(datetime.timezone.utc)).map(
        lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)
    ),
    "date": st.dates(),
    "time-millis": st.times().map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000, fold=0)),
}


def _avro_values(schema: Any) -> st.SearchStrategy[Any]:
    if isinstance(schema, list):
        return st.one_of([_avro_values(branch) for branch in schema])
    if isinstance(schema, str):
        return _SCALARS[schema]
    if "logicalType" in schema:
        return _LOGICAL[schema["logicalType"]]
    kind = schema["type"]
    if kind == "record":
        return st.fixed_dictionaries({field["name"]: _avro_values(field["type"]) for field in schema["fields"]})
    if kind == "array":
        return st.lists(_avro_values(schema["items"]), max_size=3)
    if kind == "map":
        return st.dictionaries(st.text(max_size=3), _avro_values(schema["values"]), max_size=3)
    if kind == "enum":
        return st.sampled_from(schema["symbols"])
    return st.binary(min_size=schema["size"], max_size=schema["size"])


@st.composite
def avro_values(draw: st.DrawFn) -> bytes:
    """Generates values of a usable schema, or bytes under the id of an unusable or missing schema."""
    if draw(st.integers(0, 14)) == 14:
        return framed(draw(st.integers(1, len(AVRO_SCHEMAS) + 2)), draw(st.binary(max_size=6)))
    number = draw(st.integers(1, len(_AVRO_ORDINARY)))
    return framed(number, _written(_PARSED[number], draw(_avro_values(_AVRO_ORDINARY[number - 1]))))


def _written(parsed: Any, value: Any) -> bytes:
    file = io.BytesIO()
    fastavro.schemaless_writer(file, parsed, value)
    return file.getvalue()


def read_avro(value: bytes) -> Any:
    """Reads the value with fastavro.

    Raises:
        ValueError: it can't be read, or its schema is one that nobody can use.
    """
    number, payload = unframed(value)
    if number not in _PARSED:
        raise ValueError(f"schema {number}")
    try:
        return fastavro.schemaless_reader(io.BytesIO(payload), _PARSED[number], None)
    except Exception as error:  # whatever it raises at broken bytes
        raise ValueError(str(error)) from error


def unframed(value: bytes) -> tuple[int, bytes]:
    """Returns the number of the schema, and the payload.

    Raises:
        ValueError: the value has no schema number.
    """
    if len(value) < 5 or value[0]:
        raise ValueError("the value has no schema id")
    return struct.unpack(">I", value[1:5])[0], value[5:]


# ---- JSON Schema


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


JSON_SCHEMAS_ORDINARY: tuple[Any, ...] = (
    _object(a={"type": "integer"}, b={"type": "string"}, c={"type": "boolean"}),
    _object(a={"type": "number"}, b={"type": "string"}, ts={"type": "integer"}),
    _object(
        n={"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "string"}}},
        l={"type": "array", "items": {"type": "number"}},
    ),
    _object(a={"type": "integer", "connect.type": "int8"}, b={"enum": ["FR", "DE"]}),
    _object(a={"type": "number", "connect.type": "float32"}, b={"type": "string", "title": "text"}),
)
_PARAMETERS: tuple[Any, ...] = ({"scale": "x"}, {"scale": "2", "connect.decimal.precision": "100"}, {}, {"scale": "127"}, [])
_JSON_SCHEMAS_EXTREME: tuple[Any, ...] = (
    *({}, True, False, None, [], {"type": ["string", "null"]}, {"type": "nope"}, {"$ref": "#"}, {"allOf": [{"$ref": "#"}]}),
    *(_object(**{name: {"type": "string"}}) for name in ("", "\ud800", "_kafka_offset", "a.b", "x" * 300)),
    *(
        _object(a={"type": "number", "title": _DECIMAL, "connect.type": "bytes", "connect.parameters": parameters})
        for parameters in _PARAMETERS
    ),
    _object(a={"type": "number", "default": 10**400}),
    _object(a={"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}),
    _object(a={"type": "array"}),
    _object(a={"type": "object"}),
    _object(a={"type": "integer"}, A={"type": "integer"}),
    {"type": "object", "additionalProperties": {"type": "string"}},
)
JSON_SCHEMAS = _registry(JSON_SCHEMAS_ORDINARY, _JSON_SCHEMAS_EXTREME, "JSON")


@st.composite
def json_schema_values(draw: st.DrawFn) -> bytes:
    """Generates JSON documents under the id of a schema, which they may or may not fit."""
    usable = draw(st.integers(0, 14)) < 14
    number = draw(st.integers(1, len(JSON_SCHEMAS_ORDINARY) if usable else len(JSON_SCHEMAS) + 2))
    return framed(number, encoded(draw(documents)))


# ---- Protobuf

_P3 = """syntax = "proto3";
message M {
  int32 a = 1; string b = 2; bool c = 3; N n = 4; repeated int32 l = 5; int64 ts = 6; map<string, int32> m = 7; bytes y = 8;
  double d = 9; float f = 10; uint64 u = 11; optional string o = 12; E e = 13;
  oneof choice { string card = 14; int64 cash = 15; }
}
message N { int32 x = 1; string y = 2; }
enum E { ZERO = 0; ONE = 1; }
"""
_P2 = 'syntax = "proto2"; message M { optional int64 a = 1; optional string b = 2 [default = "x"]; repeated sint32 l = 3; }'
_PROTOBUF_ORDINARY = (registered(_P3), registered(_P2))
_PROTOBUF_EXTREME = (
    registered('syntax = "proto3"; message M {}'),
    registered('syntax = "proto3"; message M { M n = 1; int32 a = 2; }'),
    registered('syntax = "proto3"; message M { int32 _kafka_offset = 1; }'),
    registered('syntax = "proto3"; message M { int32 id = 1; int32 _id = 2; int32 ID = 3; }'),
    registered('syntax = "proto2"; message M { repeated group G = 1 { optional int32 a = 2; } }'),
    registered('syntax = "proto2"; message M { required string a = 1; extensions 100 to 199; }'),
    registered('syntax = "proto3"; /* \ud800 */ message M { int32 a = 1; }'),
    registered(
        'syntax = "proto3"; import "a\0b"; message M { int32 a = 1; }', references={"a\0b": registered('syntax="proto3";')}
    ),
    registered('syntax = "proto3"; import "../../etc/passwd"; message M { int32 a = 1; }'),
    registered('syntax = "proto3"; message ' + "x" * 300 + " { int32 a = 1; }"),
    registered("not a schema"),
    registered(""),
)
PROTOBUF_SCHEMAS: dict[Any, RegisteredSchema] = dict(enumerate((*_PROTOBUF_ORDINARY, *_PROTOBUF_EXTREME), 1))


@functools.cache
def _message_class(number: int) -> type[Message]:
    message_class: type[Message] = message_factory.GetMessageClass(compile_file(_PROTOBUF_ORDINARY[number - 1]).message([0]))
    return message_class


_INT32 = st.integers(-(2**31), 2**31 - 1)
_INT64 = st.integers(-(2**63), 2**63 - 1)
_MESSAGES: tuple[st.SearchStrategy[Mapping[str, Any]], ...] = (
    st.fixed_dictionaries(
        {},
        optional={
            "a": _INT32,
            "b": st.text(max_size=6),
            "c": st.booleans(),
            "n": st.fixed_dictionaries({"x": _INT32, "y": st.text(max_size=4)}),
            "l": st.lists(_INT32, max_size=3),
            "ts": _INT64 | st.just(1_767_225_600_000),
            "m": st.dictionaries(st.text(max_size=3), _INT32, max_size=3),
            "y": st.binary(max_size=6),
            "d": st.floats(),
            "f": st.floats(width=32),
            "u": st.integers(0, 2**64 - 1),
            "o": st.text(max_size=3),
            "e": st.sampled_from([0, 1, 7]),
            "cash": _INT64,
        },
    ),
    st.fixed_dictionaries({}, optional={"a": _INT64, "b": st.text(max_size=6), "l": st.lists(_INT32, max_size=3)}),
)


@st.composite
def protobuf_values(draw: st.DrawFn) -> bytes:
    """Generates messages of a usable schema, bytes under the id of an unusable or missing one, or odd indexes."""
    which = draw(st.integers(0, 14))
    if which == 14:
        return framed(draw(st.integers(1, len(PROTOBUF_SCHEMAS) + 2)), draw(st.binary(max_size=8)))
    number = draw(st.integers(1, len(_PROTOBUF_ORDINARY)))
    indexes = draw(st.sampled_from([b"\2\2", b"\2\0", b"\x80", b""])) if which == 13 else b"\0"
    return framed(number, indexes + _message_class(number)(**draw(_MESSAGES[number - 1])).SerializeToString())


def read_protobuf(value: bytes) -> Any:
    """Returns the fields that Google's library finds set, by name.

    Raises:
        ValueError: it can't be read, or its schema is one that nobody can use.
    """
    number, payload = unframed(value)
    if not 1 <= number <= len(_PROTOBUF_ORDINARY) or payload[:1] != b"\0":
        raise ValueError(f"schema {number}, or another message of it")
    try:
        message = _message_class(number).FromString(payload[1:])
    except DecodeError as error:
        raise ValueError(str(error)) from error
    return _fields(message)


def _fields(message: Message) -> dict[str, Any]:
    """Returns the fields that are set; a union is a separate struct, as in Confluent's converter."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        union = field.containing_oneof
        if union is None or union.name.startswith("_"):  # that of an optional field
            found[field.name] = _field_value(field, value)
        else:
            found[f"{union.name}_{union.index}"] = {field.name: _field_value(field, value)}
    return found


def _field_value(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return dict(value)
    if isinstance(value, Message):
        return _fields(value)
    if not isinstance(value, str | bytes | int | float):
        return [_fields(item) if isinstance(item, Message) else item for item in value]
    if field.enum_type is not None:
        names = {number: known.name for number, known in field.enum_type.values_by_number.items()}
        return names.get(value, f"UNKNOWN_ENUM_VALUE_{field.enum_type.name}_{value!r}")
    if field.type == FieldDescriptor.TYPE_UINT64 and isinstance(value, int) and value >= 1 << 63:
        return value - (1 << 64)  # the bits are kept in a signed column, as Confluent's converter does
    return value
