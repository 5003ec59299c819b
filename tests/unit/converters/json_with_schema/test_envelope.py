"""The envelope converter turns messages with schema and payload into rows, rejects and tombstones."""

from __future__ import annotations

import base64
import datetime
import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka2parquet.converters.json_with_schema import payloads as json_payloads
from kafka2parquet.converters.json_with_schema.columns import TypedJsonColumns, is_typed_json
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.converters.json_with_schema.payloads import JsonPayloads
from kafka2parquet.converters.json_with_schema.values import NotConvertible, load, schema_from_json, value_from_json
from kafka2parquet.converters.payload_decoder import PayloadsRefused
from kafka2parquet.rows import Converted
from tests.support.batches import batch_of
from tests.support.odd_payloads import ODD, assert_like_alone, payloads_with

DECIMAL = "org.apache.kafka.connect.data.Decimal"
DATE = "org.apache.kafka.connect.data.Date"
TIME = "org.apache.kafka.connect.data.Time"
TIMESTAMP = "org.apache.kafka.connect.data.Timestamp"
NO_ENVELOPE = (
    'JsonConverter with schemas.enable requires "schema" and "payload" fields and may not contain additional fields.'
    " If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration."
)
ORDER = {
    "type": "struct",
    "name": "Order",
    "version": 3,
    "fields": [
        {"field": "id", "type": "int32"},
        {"field": "note", "type": "string", "optional": True},
        {"field": "at", "type": "int64", "name": TIMESTAMP, "version": 1},
    ],
}


def envelope(schema: Any, payload: Any) -> bytes:
    """Makes a message as Connect writes it, without white space."""
    return json.dumps({"schema": schema, "payload": payload}, separators=(",", ":")).encode()


def order(number: Any, note: str | None = None) -> bytes:
    return envelope(ORDER, {"id": number, "note": note, "at": 1000})


def convert(*messages: bytes, null_is_default: bool = True) -> Converted:
    return JsonEnvelopeConverter(replace_null_with_default=null_is_default).convert(batch_of(messages))


def value_of(message: bytes, **settings: Any) -> tuple[pa.DataType, Any]:
    """Returns the type and the value of a message whose payload is not a struct."""
    converted = convert(message, **settings)
    assert [] == list(converted.rejects)
    column = converted.rows.table.column("value")
    return column.type, column[0].as_py()


@pytest.mark.parametrize(
    ("schema", "payload", "type_", "value"),
    [
        ({"type": "boolean"}, "true", pa.bool_(), True),
        ({"type": "int8"}, "12", pa.int8(), 12),
        ({"type": "int16"}, "12", pa.int16(), 12),
        ({"type": "int32"}, "12", pa.int32(), 12),
        ({"type": "int64"}, "00000123456789", pa.int64(), 123456789),
        ({"type": "int64"}, "4398046511104", pa.int64(), 4398046511104),
        ({"type": "float"}, "12.5", pa.float32(), 12.5),
        ({"type": "double"}, "12.34", pa.float64(), 12.34),
        ({"type": "double"}, "12", pa.float64(), 12.0),
        ({"type": "bytes"}, '"dGVzdC1zdHJpbmc="', pa.binary(), b"test-string"),
        ({"type": "string"}, '"foo-bar-baz"', pa.string(), "foo-bar-baz"),
        ({"type": "array", "items": {"type": "int32"}}, "[1,2,3]", None, [1, 2, 3]),
        (
            {"type": "map", "keys": {"type": "string"}, "values": {"type": "int32"}},
            '{"key1":12,"key2":15}',
            pa.map_(pa.string(), pa.field("value", pa.int32(), nullable=False)),
            [("key1", 12), ("key2", 15)],
        ),
        (
            {"type": "map", "keys": {"type": "int32"}, "values": {"type": "int32"}},
            "[[1,12],[2,15]]",
            pa.map_(pa.int32(), pa.field("value", pa.int32(), nullable=False)),
            [(1, 12), (2, 15)],
        ),
        (
            {"type": "bytes", "name": DECIMAL, "version": 1, "parameters": {"scale": "2"}},
            '"AJw="',
            pa.decimal128(38, 2),
            Decimal("1.56"),
        ),
        (
            {"type": "bytes", "name": DECIMAL, "version": 1, "parameters": {"scale": "4"}},
            "1.5600",
            pa.decimal128(38, 4),
            Decimal("1.5600"),
        ),
        (
            {"type": "bytes", "name": DECIMAL, "version": 1, "parameters": {"scale": "17"}},
            "1.23456789123456789",
            pa.decimal128(38, 17),
            Decimal("1.23456789123456789"),
        ),
        (
            {"type": "bytes", "name": DECIMAL, "version": 1, "parameters": {"scale": "2"}, "default": "AJw="},
            "null",
            pa.decimal128(38, 2),
            Decimal("1.56"),
        ),
        ({"type": "int32", "name": DATE, "version": 1}, "10000", pa.date32(), datetime.date(1997, 5, 19)),
        ({"type": "int32", "name": TIME, "version": 1}, "14400000", pa.time32("ms"), datetime.time(4)),
        (
            {"type": "int64", "name": TIMESTAMP, "version": 1},
            "1000",
            pa.timestamp("ms", "UTC"),
            datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.timezone.utc),
        ),
    ],
)
def test_values_have_the_types_of_their_schema(schema: Any, payload: str, type_: pa.DataType | None, value: Any) -> None:
    """All types and logical types, and both forms of decimals, are converted; leading zeros are ignored."""
    found_type, found = value_of(b'{"schema":%s,"payload":%s}' % (json.dumps(schema).encode(), payload.encode()))
    assert value == found
    assert type_ is None or type_ == found_type


def test_structs_become_columns() -> None:
    """Columns have the types, names and nulls of the schema, which the rows carry; unknown members are left out."""
    message = envelope(ORDER, {"id": 1, "at": 2, "more": [{}]})
    rows = convert(message).rows
    at = datetime.datetime(1970, 1, 1, 0, 0, 0, 2000, tzinfo=datetime.timezone.utc)
    assert [{"id": 1, "note": None, "at": at}] == rows.table.to_pylist()
    assert [False, True, False] == [field.nullable for field in rows.table.schema]
    assert rows.value_schema is not None
    assert ("Order", 3) == (rows.value_schema.name, rows.value_schema.version)


@pytest.mark.parametrize(
    ("schema", "payload", "value"),
    [
        ({"type": "bytes", "name": DECIMAL, "parameters": {"scale": "2"}}, "AJw=", Decimal("1.56")),
        ({"type": "bytes"}, "AJw=", b"\0\x9c"),
        ({"type": "int64", "name": TIMESTAMP}, 0, datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)),
        ({"type": "int32", "name": DATE}, 0, datetime.date(1970, 1, 1)),
        ({"type": "int32", "name": TIME}, 0, datetime.time()),
        ({"type": "boolean"}, True, True),
    ],
)
def test_nulls_among_values_stay_nulls(schema: Any, payload: Any, value: Any) -> None:
    """Nulls among values of every type stay nulls when a whole column is parsed."""
    node = {"type": "struct", "fields": [{"field": "a", **schema, "optional": True}]}
    found = convert(*(envelope(node, {"a": each}) for each in (payload, None, payload)))
    assert [value, None, value] == found.rows.table["a"].to_pylist()


def test_white_space_and_other_orders_make_no_difference() -> None:
    """White space and the order of members in a message don't matter."""
    payload = {"id": 7, "note": "x", "at": 1}
    spaced = json.dumps({"schema": ORDER, "payload": payload}).encode()
    turned = json.dumps({"payload": payload, "schema": ORDER}).encode()
    broad = json.dumps({"schema": ORDER, "payload": payload}, indent=1).encode() + b"\n"
    converted = convert(envelope(ORDER, payload), spaced, turned, broad)
    assert [7, 7, 7, 7] == converted.rows.table.column("id").to_pylist()
    assert [0, 1, 2, 3] == converted.rows.offsets.to_pylist()


def test_schemas_stay_apart() -> None:
    """Each schema has its own rows, in the order of offsets, even if only the version differs."""
    newer = {**ORDER, "version": 4}
    values = [order(1), envelope(newer, {"id": 2, "at": 0}), order(3)]
    groups = convert(*values).groups
    assert [[0, 2], [1]] == [rows.offsets.to_pylist() for rows in groups]
    assert [3, 4] == [rows.value_schema.version for rows in groups if rows.value_schema]


def test_a_null_schema_leaves_the_message_to_the_json_converter() -> None:
    """Without a schema, objects become columns, and other values the column `value`."""
    converted = convert(b'{"schema":null,"payload":{"a":1.5}}', b'{"schema":null,"payload":{"a":2}}')
    assert {"a": [1.5, 2.0]} == converted.rows.table.to_pydict()
    assert (None, [0, 1]) == (converted.rows.value_schema, converted.rows.offsets.to_pylist())
    assert (pa.float64(), 12.24) == value_of(b'{"schema":null,"payload":12.24}')


@pytest.mark.parametrize(
    "message",
    [
        b'{"schema":null,"payload":null}',
        envelope({"type": "string", "optional": True}, None),
        envelope({**ORDER, "optional": True}, None),
    ],
)
def test_null_payloads_are_tombstones(message: bytes) -> None:
    """A null payload is a tombstone if its schema allows null."""
    converted = convert(order(1), message)
    assert converted.tombstones is not None
    assert ([0], [1], []) == (converted.rows.offsets.to_pylist(), converted.tombstones.to_pylist(), list(converted.rejects))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b'{"a":1}', NO_ENVELOPE),
        (b'{"schema":{"type":"boolean"},"payload":true,"extra":1}', NO_ENVELOPE),
        (order(1)[:-1] + b',"extra":{"a":1}}', NO_ENVELOPE),
        (b"[1]", NO_ENVELOPE),
        (b"{", "Converting byte[] to Kafka Connect data failed due to serialization error: "),
        (b"\xff", "Converting byte[] to Kafka Connect data failed due to serialization error: "),
        (b"[" * 100_000, "Converting byte[] to Kafka Connect data failed due to serialization error: "),
        (order(1)[:-2] + b"}", "Converting byte[] to Kafka Connect data failed due to serialization error: "),
        (b'{"schema":{"type":"int32"},"payload":}', "Converting byte[] to Kafka Connect data failed"),
        (envelope({"type": "int32"}, "abc"), "Invalid type for INT32: class java.lang.String"),
        (envelope({"type": "int8"}, 300), "the number 300 is out of the range of INT8"),
        (envelope({"type": "int32"}, 1.5), "Invalid type for INT32: class java.lang.Double"),
        (envelope({"type": "int32", "name": TIME}, 86_400_000), "86400000 milliseconds are not a time of day"),
        (envelope({"type": "boolean"}, 1), "Invalid type for BOOLEAN: class java.lang.Long"),
        (envelope({"type": "string"}, True), "Invalid type for STRING: class java.lang.Boolean"),
        (envelope({"type": "bytes"}, "?"), "Invalid bytes field: not base64"),
        (envelope({"type": "string"}, None), "Invalid null value for required STRING field"),
        (envelope({"type": "array", "items": {"type": "int32"}}, 1), "Invalid type for ARRAY: class java.lang.Long"),
        (order(None), "Invalid null value for required INT32 field, in the field id"),
        (order([]), "Invalid type for INT32: class java.util.ArrayList, in the field id"),
        (envelope(ORDER, {"id": 1}), "Invalid null value for required INT64 field, in the field at"),
        (envelope({"type": "text"}, "a"), "the envelope's schema has an unknown type: text"),
        (envelope({"type": "struct"}, {}), "the envelope's schema of type struct is incomplete: "),
        (envelope({"type": "int32", "version": "1"}, 1), "the version of the envelope's schema is not a whole number"),
        (envelope({"type": "int32", "name": 1}, 1), "the name of the envelope's schema is not a text"),
        (
            envelope({"type": "struct", "fields": [{"field": "a", "type": "int8"}] * 2}, {"a": 1}),
            "the envelope's schema has two fields with the same name",
        ),
        (envelope({"type": "bytes", "name": DECIMAL, "parameters": {"scale": "1"}}, 1.25), "a number that doesn't fit a"),
        (
            envelope({"type": "bytes", "name": DECIMAL, "parameters": {"connect.decimal.precision": "2"}}, 100),
            "a decimal of more than 2 digits",
        ),
    ],
)
def test_rejects_what_does_not_fit(message: bytes, reason: str) -> None:
    """A payload that doesn't fit is rejected with the reason, even where Connect writes 0, false or null."""
    converted = convert(order(1), message, order(2))
    assert [0, 2] == converted.rows.offsets.to_pylist()
    (reject,) = converted.rejects
    assert (1, message) == (reject.offset, reject.value)
    assert reason == reject.reason[: len(reason)]


def test_null_becomes_the_default_only_if_that_is_wanted() -> None:
    """`replace.null.with.default` applies to whole payloads and to fields, at any depth."""
    inner = {"field": "a", "type": "int32", "optional": True, "default": 5}
    schema = {"type": "struct", "fields": [inner, {"field": "s", "type": "struct", "optional": True, "fields": [inner]}]}
    message = envelope(schema, {"s": {}})
    assert [{"a": 5, "s": {"a": 5}}] == convert(message).rows.table.to_pylist()
    assert [{"a": None, "s": {"a": None}}] == convert(message, null_is_default=False).rows.table.to_pylist()
    absent = envelope(schema, {"a": 1})
    assert [{"a": 1, "s": None}] == convert(absent).rows.table.to_pylist()


SEVERAL = {
    **ORDER,
    "fields": [
        *ORDER["fields"],  # type: ignore[misc]  # a list
        {"field": "price", "type": "double", "optional": True},
        {"field": "user", "type": "struct", "fields": [{"field": "id", "type": "int64"}]},
        {"field": "content", "type": "bytes", "optional": True},
        {
            "field": "items",
            "type": "array",
            "optional": True,
            "items": {"type": "struct", "fields": [{"field": "n", "type": "int8"}]},
        },
    ],
}


def messages_with(odd: list[bytes], share: float, count: int) -> list[bytes]:
    """Makes messages of one schema with a share of odd payloads among them."""
    begin = json.dumps({"schema": SEVERAL})[:-1].encode() + b',"payload":'
    return [begin + payload + b"}" for payload in payloads_with(odd, share, count)]


@pytest.mark.parametrize("share", [0.005, 0.1, 0.7])
def test_outcome_of_a_message_does_not_depend_on_its_neighbours(share: float) -> None:
    """Rows and reasons are the same alone and among any share of all kinds of odd payloads."""
    messages = messages_with([*ODD.values()], share, 900)
    assert_like_alone(JsonEnvelopeConverter(), JsonEnvelopeConverter(), messages)


@pytest.mark.parametrize("kind", ["comma at the end", "text for a number", "too large for 32 bits", "missing inside", "null"])
def test_payloads_that_fit_are_decoded_together(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one bad payload in fifty, hardly any other payload is decoded alone."""
    decoded = 0

    def counted(self: JsonPayloads, payload: bytes) -> Any:
        nonlocal decoded
        decoded += 1
        return decode_one(self, payload)

    decode_one = JsonPayloads.decode_one
    monkeypatch.setattr(JsonPayloads, "decode_one", counted)
    messages = messages_with([ODD[kind]], 0.02, 6000)
    converter = JsonEnvelopeConverter()
    converter.convert(batch_of(messages[:3000]))
    decoded = 0
    made = converter.convert(batch_of(messages[3000:], 3000))
    assert decoded <= 3000 - len(made.rows) < 100


def test_numbers_that_stand_for_bytes_are_read_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """The column parser isn't tried for each decimal written with `decimal.format=NUMERIC`."""
    counts = {"load": 0, "parse_objects": 0}

    def counting(name: str) -> Callable[..., Any]:
        counted = getattr(json_payloads, name)

        def count(*arguments: Any, **settings: Any) -> Any:
            counts[name] += 1
            return counted(*arguments, **settings)

        return count

    for name in counts:
        monkeypatch.setattr(json_payloads, name, counting(name))
    price = {"field": "price", "type": "bytes", "name": DECIMAL, "parameters": {"scale": "2"}}
    schema = {"type": "struct", "fields": [{"field": "id", "type": "int64"}, price]}
    converter = JsonEnvelopeConverter()
    batch = batch_of([envelope(schema, {"id": number, "price": number / 4}) for number in range(2000)])
    converter.convert(batch)
    counts.update(dict.fromkeys(counts, 0))
    made = converter.convert(batch)
    assert [Decimal(number) / 4 for number in range(2000)] == made.rows.table.column("price").to_pylist()
    assert counts["load"] <= 2000 + 10
    assert counts["parse_objects"] < 10


@given(bad=st.sets(st.integers(0, 119)), count=st.integers(1, 120))
def test_finds_bad_records_among_good_ones(bad: set[int], count: int) -> None:
    """Exactly the bad records are rejected, whatever records are around them."""
    converted = convert(*(order("x" if row in bad else row) for row in range(count)))
    good = [row for row in range(count) if row not in bad]
    assert good == converted.rows.offsets.to_pylist()
    assert [row for row in range(count) if row in bad] == [reject.offset for reject in converted.rejects]
    if good:
        assert good == converted.rows.table.column("id").to_pylist()


def test_nulls_of_required_fields_in_absent_structs_come_through_parquet() -> None:
    """Required fields in null structs can be written to Parquet and read back."""
    inner = {"field": "s", "type": "struct", "optional": True, "fields": [{"field": "a", "type": "int32"}]}
    table = convert(*(envelope({"type": "struct", "fields": [inner]}, {"s": s}) for s in ({"a": 1}, None))).rows.table
    table.validate(full=True)
    file = io.BytesIO()
    pq.write_table(table, file)
    assert [{"s": {"a": 1}}, {"s": None}] == pq.read_table(file).to_pylist()


# ------------------------------------------------------------------------------------------- columns and single values

_INTEGERS = st.integers(-(2**33), 2**33) | st.integers(-200, 200)
_NUMBERS = _INTEGERS | st.floats(allow_nan=False, allow_infinity=False)
_TEXTS = st.text(max_size=5) | st.binary(max_size=12).map(lambda content: base64.b64encode(content).decode())
_PRIMITIVES: list[dict[str, Any]] = [
    {"type": kind} for kind in ("boolean", "int8", "int16", "int32", "int64", "float", "double", "string", "bytes")
] + [
    {"type": "int32", "name": DATE},
    {"type": "int32", "name": TIME},
    {"type": "int64", "name": TIMESTAMP},
    {"type": "int64", "name": "io.debezium.time.MicroTimestamp"},
    {"type": "bytes", "name": DECIMAL, "parameters": {"scale": "2", "connect.decimal.precision": "9"}},
    {"type": "int32", "default": 7},
    {"type": "string", "default": "x"},
]


def _schemas() -> st.SearchStrategy[Any]:
    flags = st.booleans()
    primitive = st.tuples(st.sampled_from(_PRIMITIVES), flags).map(lambda pair: {**pair[0], "optional": pair[1]})

    def struct_of(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        fields = st.lists(children, min_size=1, max_size=4).map(
            lambda found: [{**child, "field": f"f{i}"} for i, child in enumerate(found)]
        )
        return st.tuples(fields, flags).map(lambda pair: {"type": "struct", "fields": pair[0], "optional": pair[1]})

    def nested(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        array = st.tuples(children, flags).map(lambda pair: {"type": "array", "items": pair[0], "optional": pair[1]})
        return struct_of(children) | array

    return struct_of(st.recursive(primitive, nested, max_leaves=4)).map(lambda schema: {**schema, "optional": False})


def _payloads(schema: Any) -> st.SearchStrategy[Any]:
    """Generates payloads that mostly fit the schema."""
    kind = schema["type"]
    if kind == "struct":
        members = {field["field"]: _payloads(field) for field in schema["fields"]}
        found: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=members)
    elif kind == "array":
        found = st.lists(_payloads(schema["items"]), max_size=3)
    else:
        found = {"boolean": st.booleans(), "string": _TEXTS, "bytes": _TEXTS}.get(kind, _INTEGERS)
        found = _NUMBERS if kind in ("float", "double") else found
        if schema.get("name") == DECIMAL:
            found = st.binary(min_size=1, max_size=5).map(lambda content: base64.b64encode(content).decode()) | _NUMBERS
    return st.one_of(found, found, found, st.none()) if schema.get("optional") or "default" in schema else found


@given(st.data(), _schemas(), st.booleans())
def test_columns_agree_with_single_values(data: st.DataObject, node: Any, null_is_default: bool) -> None:
    """A payload that the column parser accepts has the same value as when it is decoded alone."""
    schema = schema_from_json(node)
    assert is_typed_json(schema)
    payloads = [json.dumps(payload).encode() for payload in data.draw(st.lists(_payloads(node), min_size=1, max_size=4))]
    try:
        found = TypedJsonColumns(schema, null_is_default=null_is_default).decode(pa.array(payloads, pa.binary_view()))
    except PayloadsRefused:
        return
    found.validate(full=True)
    values = [value_from_json(schema, load(payload), null_is_default=null_is_default) for payload in payloads]
    assert pa.array(values, schema.arrow_type).equals(found)


@given(st.data(), _schemas())
def test_payloads_that_fit_are_parsed_in_columns(data: st.DataObject, node: Any) -> None:
    """Payloads that fit are accepted by the column parser, except decimals written as numbers."""
    schema = schema_from_json(node)
    payload = json.dumps(data.draw(_payloads(node))).encode()
    try:
        pa.array([value_from_json(schema, load(payload))], schema.arrow_type)
    except (NotConvertible, pa.ArrowException, OverflowError):
        return
    if DECIMAL not in json.dumps(node):
        assert 1 == len(TypedJsonColumns(schema).decode(pa.array([payload], pa.binary_view())))


_ODD_PAYLOADS = [
    b"{}",
    b"null",
    b"{",
    b'{"f0":1,}',
    b'{"f0":1} {"f0":1}',
    b'{"f0":"?"}',
    b'{"f0":1.0}',
    b'{"f0":9007199254740993,"z":NaN}',
]


@settings(max_examples=30)  # each payload is decoded alone, too
@given(st.data(), _schemas())
def test_payloads_of_any_schema_do_not_depend_on_their_neighbours(data: st.DataObject, node: Any) -> None:
    """Fitting, foreign and damaged payloads in one batch have the same outcomes as alone."""
    documents = _payloads(node) | _payloads(data.draw(_schemas()))
    one = documents.map(lambda document: json.dumps(document).encode()) | st.sampled_from(_ODD_PAYLOADS)
    begin = json.dumps({"schema": node})[:-1].encode() + b',"payload":'
    messages = [begin + payload + b"}" for payload in data.draw(st.lists(one, min_size=2, max_size=9))]
    assert_like_alone(JsonEnvelopeConverter(), JsonEnvelopeConverter(), messages)
