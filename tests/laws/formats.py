"""The formats of record values: for each a converter, values of an ordinary producer, and what other libraries read of them."""

from __future__ import annotations

import base64
import binascii
import datetime
import decimal
import json
import struct
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import attrs
import pyarrow as pa
from hypothesis import strategies as st

from kafka2parquet import AvroConverter, JsonConverter, ProtobufConverter
from kafka2parquet.converters import (
    BooleanConverter,
    ByteArrayConverter,
    DoubleConverter,
    JsonEnvelopeConverter,
    JsonSchemaConverter,
    JsonSchemaMapping,
    LongConverter,
    RecordConverter,
    SchemaContract,
    SchemaVersions,
    StringConverter,
)
from kafka2parquet.schema import LearnedSchema
from kafka2parquet.storage import Storage
from tests.laws.envelopes import envelopes
from tests.laws.json_texts import TIME, TIME_MS, documents, encoded
from tests.laws.registered import (
    AVRO_SCHEMAS,
    JSON_SCHEMAS,
    JSON_SCHEMAS_ORDINARY,
    PROTOBUF_SCHEMAS,
    avro_values,
    json_schema_values,
    protobuf_values,
    read_avro,
    read_protobuf,
    unframed,
)
from tests.support.registries import FakeRegistry

GIVEN_SCHEMA = pa.schema(
    [
        ("a", pa.int32()),
        ("b", pa.string()),
        ("c", pa.bool_()),
        ("n", pa.struct([("x", pa.int64()), ("y", pa.string())])),
        ("l", pa.list_(pa.float32())),
        ("ts", pa.timestamp("ms", "UTC")),
        ("day", pa.date32()),
        ("amount", pa.decimal128(10, 2)),
        ("d", pa.float64()),
    ]
)
PINNED_SCHEMA = pa.schema(
    [
        ("a", pa.int64()),
        ("b", pa.string()),
        ("c", pa.bool_()),
        ("n", pa.struct([("x", pa.float64()), ("y", pa.string())])),
        ("l", pa.list_(pa.int64())),
        ("ts", pa.string()),
    ]
)


@attrs.frozen
class Format:
    """The format of the values of a topic.

    Attributes:
        converter: makes a new one; what it keeps goes to that storage.
        values: as producers write them.
        read: the columns of a value as another library reads them; raises ValueError where the value can't be read, or where
            nobody says what it should become.
        learned: whether the outcome of a record depends on the records before it.
        strict: whether a value that `read` refuses must not become a row.
        only_columns: whether members that the schema doesn't have are left out.
    """

    converter: Callable[[Storage], RecordConverter]
    values: st.SearchStrategy[bytes]
    read: Callable[[bytes], Any]
    learned: bool = False
    strict: bool = False
    only_columns: bool = False


# ---- reading


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a member is named twice")
    return document


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def fraction(text: str) -> decimal.Decimal | str:
    """Returns a number of JSON; one that is beyond all numbers as its text, which a column of texts may have."""
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        return text


def _integer(text: str) -> int | decimal.Decimal:
    return int(text) if len(text) < 4000 else decimal.Decimal(text)


def read_json(value: bytes) -> Any:
    """Reads a JSON text with exact numbers; a leading byte order mark is ignored."""
    try:
        return json.loads(
            value.decode("utf-8-sig"),
            parse_float=fraction,
            parse_int=_integer,
            parse_constant=_refuse,
            object_pairs_hook=_without_repetition,
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _read_object(value: bytes) -> Any:
    document = read_json(value)
    if not isinstance(document, dict):
        raise ValueError("it is not an object")
    return document


def _read_framed_json(value: bytes) -> Any:
    number, payload = unframed(value)
    if not 1 <= number <= len(JSON_SCHEMAS_ORDINARY):
        raise ValueError(f"schema {number}")
    return _properties(JSON_SCHEMAS_ORDINARY[number - 1], _read_object(payload))


def _properties(schema: Mapping[str, Any], value: Any) -> Any:
    """Removes the members of a value that its schema doesn't name."""
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    return {name: _properties(schema["properties"][name], value[name]) for name in schema["properties"] if name in value}


def _read_envelope(value: bytes) -> Any:
    document = _read_object(value)
    schema = document.get("schema")
    if not isinstance(schema, dict):
        raise ValueError("the envelope has no schema")
    return _typed(schema, document.get("payload"))


def _typed(schema: Any, payload: Any) -> Any:
    """Reads base64 in a payload, turns pairs into maps, and replaces nulls by defaults."""
    if not isinstance(schema, dict):
        raise ValueError("the schema is malformed")
    kind = schema.get("type")
    if payload is None:
        return schema.get("default")
    if schema.get("name", "") in ("org.apache.kafka.connect.data.Decimal",):
        scale = int(schema["parameters"]["scale"])
        if not isinstance(payload, str):
            return decimal.Decimal(payload)
        return decimal.Decimal(int.from_bytes(_unbase64(payload), "big", signed=True)).scaleb(-scale)
    if kind == "bytes":
        return _unbase64(payload) if isinstance(payload, str) else payload
    if kind == "struct" and isinstance(payload, dict):
        return {field.get("field"): _typed(field, payload.get(field.get("field"))) for field in schema.get("fields") or ()}
    if kind == "array" and isinstance(payload, list):
        return [_typed(schema.get("items"), item) for item in payload]
    if kind == "map":
        pairs = payload.items() if isinstance(payload, dict) else [tuple(pair) for pair in payload]
        return [(key, _typed(schema.get("values"), item)) for key, item in pairs]
    return payload


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _read_fixed(layout: str) -> Callable[[bytes], Any]:
    def read(value: bytes) -> Any:
        try:
            return {"value": struct.unpack(layout, value)[0]}
        except struct.error as error:
            raise ValueError(str(error)) from error

    return read


# ---- formats


def _json(**settings: Any) -> Format:
    ignores = settings.get("on_unknown_field") == "ignore"  # and what is wrong in members that are ignored
    return Format(
        lambda _: JsonConverter(**settings),
        documents.map(encoded),
        _read_object,
        learned="schema" not in settings and "evolution" not in settings,
        strict=not ignores,
        only_columns=ignores,
    )


def _contract(storage: Storage) -> RecordConverter:
    return JsonConverter(learned=SchemaContract(SchemaVersions(storage), "events"))


def _json_schema() -> RecordConverter:
    return JsonSchemaConverter(FakeRegistry(JSON_SCHEMAS), mapping=JsonSchemaMapping(optional_for_nonrequired=True))


def _width(layout: str) -> st.SearchStrategy[bytes]:
    size = struct.calcsize(layout)
    return st.binary(min_size=size, max_size=size) | st.binary(max_size=9)


FORMATS: Mapping[str, Format] = {
    "json": _json(),
    "json-rescue": _json(on_misfit="rescue"),
    "json-string": _json(on_misfit="string"),
    "json-contract": Format(_contract, documents.map(encoded), _read_object, learned=True, strict=True),
    "json-pinned": _json(learned=LearnedSchema(PINNED_SCHEMA), on_misfit="rescue", evolution="none"),
    "json-given": _json(schema=GIVEN_SCHEMA),
    "json-given-rescue": _json(schema=GIVEN_SCHEMA, on_misfit="rescue"),
    "json-given-epoch": attrs.evolve(
        _json(schema=GIVEN_SCHEMA, timestamps="epoch_ms", on_unknown_field="ignore"),
        values=documents.map(lambda text: encoded(text.replace(TIME, TIME_MS))),
    ),
    "envelope": Format(lambda _: JsonEnvelopeConverter(), envelopes(), _read_envelope, learned=True),
    "json-schema": Format(lambda _: _json_schema(), json_schema_values(), _read_framed_json),
    "avro": Format(lambda _: AvroConverter(FakeRegistry(AVRO_SCHEMAS)), avro_values(), read_avro),
    "protobuf": Format(lambda _: ProtobufConverter(FakeRegistry(PROTOBUF_SCHEMAS)), protobuf_values(), read_protobuf),
    "string": Format(lambda _: StringConverter(), st.text().map(str.encode), lambda value: {"value": value.decode()}),
    "bytes": Format(lambda _: ByteArrayConverter(), st.binary(), lambda value: {"value": value}),
    "long": Format(lambda _: LongConverter(), _width(">q"), _read_fixed(">q")),
    "double": Format(lambda _: DoubleConverter(), _width(">d"), _read_fixed(">d")),
    "boolean": Format(lambda _: BooleanConverter(), st.sampled_from([b"\0", b"\1", b"\2", b"\0\1"]), _read_fixed(">?")),
}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
