"""The column decoder agrees with Protobuf's own decoder on every message."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from google.protobuf import message_factory
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.payload_decoder import PayloadsRefused
from kafka2parquet.converters.protobuf.columns import ColumnDecoder
from kafka2parquet.converters.protobuf.files import compile_file
from kafka2parquet.converters.protobuf.mapping import ProtobufMapping
from kafka2parquet.converters.protobuf.schema import plan_message
from kafka2parquet.converters.protobuf.values import message_value
from tests.support.registries import registered

PROTO = """
syntax = "proto3";
package shop.orders;
import "confluent/meta.proto";
import "confluent/type/decimal.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/type/date.proto";
import "google/type/timeofday.proto";
enum Color { RED = 0; GREEN = 1; BLUE = -1; }
message Inner { int32 number = 1; string text = 2; repeated sint64 numbers = 3; optional Color color = 4; }
message Order {
  int32 i32 = 1; int64 i64 = 2; uint32 u32 = 3; uint64 u64 = 4; sint32 s32 = 5; sint64 s64 = 6;
  fixed32 f32 = 7; fixed64 f64 = 8; sfixed32 sf32 = 9; sfixed64 sf64 = 10;
  float single = 11; double many = 12; bool flag = 13; string text = 14; bytes raw = 15; Color color = 16;
  optional int32 maybe_number = 17; optional string maybe_text = 18; optional Color maybe_color = 19;
  Inner inner = 20; repeated Inner inners = 21; repeated Color colors = 22; repeated string texts = 23;
  repeated fixed64 longs = 24; repeated bool flags = 25;
  map<string, Inner> by_name = 26; map<uint64, Color> by_number = 27; map<bool, bytes> by_flag = 28;
  oneof choice { int32 chosen_number = 29; Inner chosen_inner = 30; string chosen_text = 31; Color chosen_color = 32; }
  google.protobuf.Timestamp at = 33; repeated google.protobuf.Timestamp times = 34;
  google.protobuf.Int32Value wrapped = 35; repeated google.protobuf.StringValue wraps = 36;
  google.protobuf.UInt64Value big = 37;
  google.type.Date day = 38; google.type.TimeOfDay time = 39; google.protobuf.Duration took = 40;
  google.protobuf.Any anything = 41; map<string, google.protobuf.Timestamp> time_by_name = 42;
  confluent.type.Decimal price = 43 [
    (confluent.field_meta) = {params: [{key: "precision", value: "9"}, {key: "scale", value: "2"}]}
  ];
  int32 small = 44 [(confluent.field_meta) = {params: [{key: "connect.type", value: "int8"}]}];
}
"""
COMPILED = compile_file(registered(PROTO))
MESSAGE = COMPILED.message([1])
MESSAGE_CLASS = message_factory.GetMessageClass(MESSAGE)


def bits(size: int, *, signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (size - 1)), 2 ** (size - 1) - 1) if signed else st.integers(0, 2**size - 1)


def values_of(field: Any) -> st.SearchStrategy[Any]:
    """Generates values of a field of each type."""
    if field.type == field.TYPE_ENUM:
        return st.sampled_from([0, 1, -1, 7])
    if field.message_type is not None:
        return messages(field.message_type)
    return {
        field.CPPTYPE_INT32: bits(32, signed=True),
        field.CPPTYPE_INT64: bits(64, signed=True),
        field.CPPTYPE_UINT32: bits(32, signed=False),
        field.CPPTYPE_UINT64: bits(64, signed=False),
        field.CPPTYPE_FLOAT: st.floats(width=32),
        field.CPPTYPE_DOUBLE: st.floats(),
        field.CPPTYPE_BOOL: st.booleans(),
        field.CPPTYPE_STRING: st.binary(max_size=4) if field.type == field.TYPE_BYTES else st.text(max_size=4),
    }[field.cpp_type]


def messages(descriptor: Any) -> st.SearchStrategy[Any]:
    """Generates messages of a type, which mostly respect the ranges of their values."""
    name = descriptor.full_name
    if name == "google.protobuf.Timestamp":
        seconds = st.integers(-70_000_000_000, 260_000_000_000)
        return st.fixed_dictionaries({"seconds": seconds, "nanos": st.integers(0, 999_999_999) | st.just(-1)})
    if name == "google.type.Date":
        return st.fixed_dictionaries({"year": st.integers(0, 9999), "month": st.integers(1, 12), "day": st.integers(1, 30)})
    if name == "google.type.TimeOfDay":
        return st.fixed_dictionaries(
            {"hours": st.integers(0, 24), "minutes": st.integers(0, 59), "nanos": st.integers(0, 10**9)}
        )
    if name == "confluent.type.Decimal":
        return st.fixed_dictionaries({"value": st.binary(max_size=4), "scale": st.integers(0, 3)})
    found: dict[str, st.SearchStrategy[Any]] = {}
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            found[field.name] = st.dictionaries(values_of(key), values_of(value), max_size=2)
        else:
            found[field.name] = st.lists(values_of(field), max_size=3) if field.is_repeated else values_of(field)
    names = st.lists(st.sampled_from(sorted(found)), max_size=5, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: found[name] for name in chosen}))


def encoded() -> st.SearchStrategy[bytes]:
    """Generates one message, or two concatenated messages, which Protobuf merges."""
    written = messages(MESSAGE).map(lambda value: MESSAGE_CLASS(**value).SerializeToString())
    return st.lists(written, min_size=1, max_size=2).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Generates encoded messages with a byte changed or lost."""
    content = draw(encoded())
    position = draw(st.integers(0, max(len(content) - 1, 0)))
    return content[:position] + draw(st.binary(max_size=1)) + content[position + 1 :]


def comparable(value: Any) -> Any:
    """Makes a value that equals values of the same meaning: maps have no order, and NaN equals itself."""
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return sorted(([key, comparable(item)] for key, item in value), key=lambda entry: repr(entry[0]))
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return repr(value) if isinstance(value, float) else value


def one_by_one(root: Any, payloads: list[bytes]) -> Any:
    """Decodes the rows with Protobuf's own decoder; None for a refused message."""
    schema = root.schema.arrow_schema
    try:
        rows = [message_value(root, MESSAGE_CLASS.FromString(payload)) for payload in payloads]
        return comparable(pa.array(rows, pa.struct(list(schema))).to_pylist())
    except (DecodeError, ValueError, pa.ArrowException):
        return None


MAPPINGS = [
    ProtobufMapping(),
    ProtobufMapping(wrapper_for_nullables=True, int_for_enums=True),
    ProtobufMapping(optional_for_nullables=True, enhanced_schema_support=True, index_for_unions=False),
]
ROOTS = [plan_message(MESSAGE, mapping) for mapping in MAPPINGS]
DECODERS = [ColumnDecoder(COMPILED.files, MESSAGE.full_name, root, MESSAGE_CLASS.FromString) for root in ROOTS]


@pytest.mark.parametrize("index", range(len(MAPPINGS)))
@given(payloads=st.lists(encoded(), min_size=1, max_size=4))
def test_agrees_with_protobuf(index: int, payloads: list[bytes]) -> None:
    """The decoder returns and refuses the same as Protobuf's own decoder."""
    expected = one_by_one(ROOTS[index], payloads)
    try:
        table = DECODERS[index].decode(pa.array(payloads))
    except PayloadsRefused:
        return
    table.validate(full=True)
    assert expected == comparable(table.to_pylist())


@given(payloads=st.lists(damaged(), min_size=1, max_size=4))
def test_damaged_messages_make_sound_columns_or_none(payloads: list[bytes]) -> None:
    """Damaged messages give valid columns or are refused, even if ptars reads them in its own way."""
    try:
        table = DECODERS[0].decode(pa.array(payloads))
    except PayloadsRefused:
        return
    table.validate(full=True)
    assert len(payloads) == len(table)


@given(value=messages(MESSAGE))
def test_takes_what_serializers_write(value: dict[str, Any]) -> None:
    """Every message that a serializer has written, and whose values have types, is decoded as columns."""
    payload = MESSAGE_CLASS(**value).SerializeToString()
    if one_by_one(ROOTS[0], [payload]) is not None:
        assert 1 == len(DECODERS[0].decode(pa.array([payload])))


GOOD = {"day": {"year": 2024, "month": 2, "day": 29}, "time": {"hours": 23}, "price": {"value": b"\1\0", "scale": 2}}
BAD: dict[str, dict[str, Any]] = {
    "no day": {"day": {"year": 2023, "month": 2, "day": 29}},
    "no month": {"day": {"year": 2023, "month": 13, "day": 1}},
    "no year": {"day": {"month": 1, "day": 1}},
    "no time": {"time": {"hours": 24}},
    "no nanoseconds": {"time": {"nanos": 10**9}},
    "no timestamp": {"at": {"seconds": 260_000_000_000}},
    "no timestamp in a list": {"times": [{"seconds": 1}, {"nanos": -1}]},
    "no digits": {"price": {"scale": 2}},
    "many digits": {"price": {"value": b"\1" * 9, "scale": 2}},
    "more digits than it says": {"price": {"value": b"\1\0", "scale": 2, "precision": 2}},
    "digits that would be lost": {"price": {"value": b"\1", "scale": 4}},
    "no int8": {"small": 128},
}
ODD = {
    "two cases": MESSAGE_CLASS(chosen_number=1).SerializeToString() + MESSAGE_CLASS(chosen_text="a").SerializeToString(),
    "a key twice": MESSAGE_CLASS(by_flag={True: b"a"}).SerializeToString() * 2,
}
OTHER_SCALES: list[dict[str, Any]] = [
    {"price": {"value": b"\x0a", "scale": 3}},
    {"price": {"value": b"\1", "scale": -1}},
    {"price": {"value": b"\1"}},
]


@pytest.mark.parametrize("kind", [*BAD, *ODD])
def test_only_messages_that_do_not_fit_are_left_to_others(kind: str) -> None:
    """The messages that don't fit are marked, and all others have their values."""
    payload = ODD[kind] if kind in ODD else MESSAGE_CLASS(**BAD[kind]).SerializeToString()
    good = [MESSAGE_CLASS(**value).SerializeToString() for value in [GOOD, *OTHER_SCALES]]
    with pytest.raises(PayloadsRefused) as refusal:
        DECODERS[0].decode(pa.array([*good, payload, *good, payload]))
    assert refusal.value.suspects is not None
    assert [4, 9] == refusal.value.suspects.nonzero()[0].tolist()
    assert refusal.value.others is not None
    assert one_by_one(ROOTS[0], [*good, *good]) == comparable(refusal.value.others.to_pylist())
    assert (one_by_one(ROOTS[0], [payload]) is None) == (kind in BAD)
