"""Numbers at the limits of their types are exact or rejected, in all formats that have schemas."""

from __future__ import annotations

import base64
import functools
import json
import math
import time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import message_factory
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.avro.converter import AvroConverter
from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.converters.json_with_schema.json_schema import JsonSchemaConverter
from kafka2parquet.converters.protobuf.converter import ProtobufConverter
from kafka2parquet.converters.protobuf.files import compile_file
from kafka2parquet.rows import Converted
from kafka2parquet.schema.lattice import any_field
from tests.support.batches import batch_of
from tests.support.registries import FakeRegistry, framed, registered

DECIMAL = "org.apache.kafka.connect.data.Decimal"
_MOST_CPU_S = 5.0


def in_bytes(unscaled: int) -> bytes:
    """Encodes an unscaled number as all formats do."""
    return unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True)


def zigzag(number: int) -> bytes:
    """Encodes a long of Avro."""
    number, made = number << 1 ^ number >> 63, b""
    while number > 0x7F:
        made, number = made + bytes([number & 0x7F | 0x80]), number >> 7
    return made + bytes([number])


def envelope_decimal(content: bytes, parameters: dict[str, str]) -> Converted:
    text = base64.b64encode(content).decode()
    return envelopes({"type": "bytes", "name": DECIMAL, "parameters": parameters}, json.dumps(text))


def envelopes(schema: dict[str, Any], *values: str) -> Converted:
    """Converts structs with one field `v`, whose values are given as JSON."""
    of_struct = json.dumps({"type": "struct", "fields": [{"field": "v", **schema}]})
    messages = [f'{{"schema":{of_struct},"payload":{{"v":{value}}}}}'.encode() for value in values]
    return JsonEnvelopeConverter().convert(batch_of(messages))


def json_schema(schema: dict[str, Any], *values: str) -> Converted:
    """Converts objects with one property `v`, whose values are given as JSON."""
    text = json.dumps({"type": "object", "properties": {"v": schema}})
    converter = JsonSchemaConverter(FakeRegistry({1: registered(text, "JSON")}))
    return converter.convert(batch_of([framed(1, f'{{"v":{value}}}'.encode()) for value in values]))


def json_schema_decimal(content: bytes, parameters: dict[str, str]) -> Converted:
    schema = {"type": "number", "title": DECIMAL, "connect.type": "bytes", "connect.parameters": parameters}
    return json_schema(schema, json.dumps(base64.b64encode(content).decode()))


def avro(type_: Any, *payloads: bytes) -> Converted:
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "v", "type": type_}]})
    converter = AvroConverter(FakeRegistry({1: registered(text, "AVRO")}))
    return converter.convert(batch_of([framed(1, payload) for payload in payloads]))


def avro_decimal(content: bytes, parameters: dict[str, str]) -> Converted:
    given = {"precision": int(parameters.get("connect.decimal.precision", "0")), "scale": int(parameters["scale"])}
    return avro({"type": "bytes", "logicalType": "decimal", **given}, zigzag(len(content)) + content)


def protobuf_decimal(content: bytes, parameters: dict[str, str], *, precision: int = 0) -> Converted:
    options = {"scale": parameters["scale"], "precision": parameters.get("connect.decimal.precision", "")}
    listed = ", ".join(f'{{key: "{key}", value: "{value}"}}' for key, value in options.items())
    schema = (
        'syntax = "proto3"; import "confluent/type/decimal.proto"; import "confluent/meta.proto";'
        f" message M {{ confluent.type.Decimal v = 1 [(confluent.field_meta) = {{params: [{listed}]}}]; }}"
    )
    scale = int(parameters["scale"])
    fields = {"v": {"value": content, "scale": scale, "precision": precision}}
    return protobuf(schema, fields)


def protobuf(text: str, *messages: dict[str, Any]) -> Converted:
    message_class, converter = _protobuf(text)
    return converter.convert(batch_of([framed(1, b"\0" + message_class(**fields).SerializeToString()) for fields in messages]))


@functools.cache
def _protobuf(text: str) -> tuple[Any, ProtobufConverter]:
    schema = registered(text)
    return message_factory.GetMessageClass(compile_file(schema).message((0,))), ProtobufConverter(FakeRegistry({1: schema}))


def values(converted: Converted) -> list[Any]:
    return converted.rows.table.column("v").to_pylist() if len(converted.rows) else []


def parameters_of(precision: int | None, scale: int) -> dict[str, str]:
    return {"scale": str(scale), **({} if precision is None else {"connect.decimal.precision": str(precision)})}


FORMATS = [envelope_decimal, json_schema_decimal, avro_decimal, protobuf_decimal]


@pytest.mark.parametrize("convert", FORMATS)
@pytest.mark.parametrize(
    ("precision", "scale", "unscaled", "expected"),
    [
        (0, 0, 12345, Decimal(12345)),
        (5, -2, -123, Decimal(-12300)),
        (5, -2, 99999, Decimal(9999900)),
        (3, 5, 123, Decimal("0.00123")),
        (3, 5, -1, Decimal("-0.00001")),
        (64, 127, 15 * 10**126, "1.5"),
        (64, 127, -(10**130), "-1000"),
        (64, 127, 0, "0"),
        (None, 100, 7, f"0.{'0' * 99}7"),
        (100, 2, 10**75, Decimal(10**73)),
        (None, 60, 1, Decimal(1).scaleb(-60)),
    ],
)
def test_decimals_of_oracle_and_others(convert: Any, precision: int | None, scale: int, unscaled: int, expected: Any) -> None:
    """A decimal becomes a decimal that holds the number, or text if there is none, and never raw bytes."""
    converted = convert(in_bytes(unscaled), parameters_of(precision, scale))
    assert ([expected], []) == (values(converted), list(converted.rejects))


@pytest.mark.parametrize("convert", FORMATS)
@pytest.mark.parametrize(
    ("precision", "scale", "content", "reason"),
    [
        (5, -2, in_bytes(10**5), "more than 7 digits"),
        (3, 5, in_bytes(10**5), "more than 5 digits"),
        (100, 2, in_bytes(10**76), "more than 76 digits"),
        (64, 127, in_bytes(10**1001), "more than 1000 digits"),
        (10, 2, b"", "a decimal without digits"),
        (10, 2, b"\x7f" * 1_000_000, "more than 1000 digits"),
    ],
)
def test_decimals_that_do_not_fit(convert: Any, precision: int, scale: int, content: bytes, reason: str) -> None:
    """Decimals that don't fit are rejects, in a time that doesn't grow with the square of their digits."""
    began_s = time.process_time()
    converted = convert(content, parameters_of(precision, scale))
    assert time.process_time() - began_s < _MOST_CPU_S
    assert (0, 1) == (len(converted.rows), len(converted.rejects))
    assert reason in converted.rejects[0].reason


def test_fixed_decimal_of_negative_scale() -> None:
    """A fixed decimal with a negative scale has the scaled numbers in its column."""
    type_ = {"type": "fixed", "name": "F", "size": 8, "logicalType": "decimal", "precision": 9, "scale": -3}
    converted = avro(type_, (5).to_bytes(8, "big"), (-7).to_bytes(8, "big", signed=True))
    assert [Decimal(5000), Decimal(-7000)] == values(converted)


def test_null_decimals_beside_text() -> None:
    """Null decimals stay null beside decimals that become text."""
    type_ = ["null", {"type": "bytes", "logicalType": "decimal", "precision": 64, "scale": 127}]
    assert [None, f"0.{'0' * 126}3"] == values(avro(type_, b"\0", b"\2\2\3"))


def test_protobuf_decimal_of_more_digits_than_it_says() -> None:
    """A decimal with more digits than its precision is a reject, where Confluent's converter rounds it."""
    converted = protobuf_decimal(in_bytes(123456), parameters_of(10, 2), precision=5)
    assert ([], 1) == (values(converted), len(converted.rejects))
    assert "more digits than its precision of 5" in converted.rejects[0].reason


def test_default_beyond_a_float() -> None:
    """A default beyond a float's range is ignored like any other default that doesn't fit; it doesn't become infinite."""
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "v", "type": "float", "default": 1e39}]})
    converted = AvroConverter(FakeRegistry({1: registered(text, "AVRO")})).convert(batch_of([framed(1, b"\0" * 4)]))
    assert converted.rows.value_schema is not None
    assert None is converted.rows.value_schema.fields[0].schema.default


JSON_FLOATS = [
    (envelopes, {"type": "float"}, {"type": "double"}),
    (json_schema, {"type": "number", "connect.type": "float32"}, {"type": "number"}),
]


@pytest.mark.parametrize(("convert", "single", "double"), JSON_FLOATS)
def test_numbers_beyond_a_float(convert: Any, single: dict[str, Any], double: dict[str, Any]) -> None:
    """Numbers beyond a float's range are rejects, whatever is beside them."""
    for schema, too_large in ((single, ["1e39", "-3.5e38", "9" * 40]), (double, ["1e309", "-1e1000000", "9" * 400])):
        converted = convert(schema, "0.5", *too_large, "1")
        assert [0.5, 1.0] == values(converted)
        assert [1, 2, 3] == [reject.offset for reject in converted.rejects]
        assert all("out of the range of FLOAT" in reject.reason for reject in converted.rejects)


@pytest.mark.parametrize(("convert", "single", "double"), JSON_FLOATS)
def test_integers_that_a_float_changes(convert: Any, single: dict[str, Any], double: dict[str, Any]) -> None:
    """Integers that a float would round are rejects; other numbers in a float column are not."""
    kept = ["9007199254740992", "1152921504606847000", "-1152921504606846976", "9007199254740993.0", "1e300", "1" + "0" * 22]
    converted = convert(double, *kept, "9007199254740993", "-1152921504606846977")
    assert [float(number) for number in kept] == values(converted)
    assert [6, 7] == [reject.offset for reject in converted.rejects]
    assert "the integer 9007199254740993 is not exact as FLOAT64" in converted.rejects[0].reason
    kept = ["16777216", "123456792", "123456790", "0.1", "16777217.0"]
    converted = convert(single, *kept, "16777217")
    assert [float(np.float32(number)) for number in kept] == values(converted)
    assert [5] == [reject.offset for reject in converted.rejects]


@pytest.mark.parametrize("number", ["1e99999999999999999999", "9" * 5000, "1" + "0" * 5000 + ".0", "NaN", "Infinity"])
@pytest.mark.parametrize("type_", ["int8", "int64", "float", "double", "string"])
def test_numbers_that_python_has_not(number: str, type_: str) -> None:
    """NaN and infinities are refused at any place in the JSON."""
    good = envelopes({"type": type_}, '"1"' if type_ == "string" else "1")
    converted = envelopes({"type": type_}, number)
    assert (1, 0, 1) == (len(good.rows), len(converted.rows), len(converted.rejects))
    message = f'{{"schema":null,"payload":{{"v":{number}}}}}'.encode()
    assert 1 == len(JsonEnvelopeConverter().convert(batch_of([message, number.encode()])).rejects[-1:])


def test_payloads_without_schema_keep_their_digits() -> None:
    """Numbers keep their digits in columns that became text."""
    schema = pa.schema([any_field("v")])
    converter = JsonEnvelopeConverter(schemaless=JsonConverter(schema))
    message = b'{"schema":null,"payload":{"v":[1.10,12345678901234567890.123456789,{"b":1e3}]}}'
    assert ['[1.10,12345678901234567890.123456789,{"b":1E+3}]'] == values(converter.convert(batch_of([message])))


def test_numbers_nearer_to_zero_than_python_has() -> None:
    """Numbers closer to zero than any Decimal become the float 0, and are not integers."""
    assert [0.0] == values(envelopes({"type": "double"}, "1e-99999999999999999999", "x"))
    assert [0.0] == values(envelopes({"type": "double"}, "0e99999999999999999999", "x"))
    assert [] == values(envelopes({"type": "int64"}, "1e-99999999999999999999"))


EDGES = [*(sign * (2**bits + more) for sign in (1, -1) for bits in (0, 7, 15, 24, 31, 53, 63) for more in (-1, 0, 1))]
TYPES = ["int8", "int16", "int32", "int64", "float", "double"]


@given(
    st.sampled_from(TYPES),
    st.lists(
        st.sampled_from([str(edge) for edge in EDGES])
        | st.integers(-(2**70), 2**70).map(str)
        | st.floats(allow_nan=False, allow_infinity=False).map(repr)
        | st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr)
        | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str)
        | st.sampled_from(["-0", "-0.0", "0e5", "1e3", "3.4028235677973366e38", "5e-324", "1e-400", "1.0"]),
        min_size=1,
        max_size=5,
    ),
)
def test_json_numbers_are_exact_or_rejects(type_: str, numbers: list[str]) -> None:
    """Each JSON number has the outcome that a model of single numbers predicts."""
    expected: dict[int, Any] = {}
    for offset, text in enumerate(numbers):
        found = _expected(type_, text)
        if found is not None:
            expected[offset] = found
    converted = envelopes({"type": type_}, *numbers)
    found_values = converted.rows.table.column("v").to_pylist() if len(converted.rows) else []
    assert repr(list(expected.values())) == repr(found_values)
    assert [offset for offset in range(len(numbers)) if offset not in expected] == [one.offset for one in converted.rejects]


def _expected(type_: str, text: str) -> Any:
    """Returns the value of a number, or None for a reject."""
    number = Decimal(text)
    if type_.startswith("int"):
        limit = 2 ** (int(type_.removeprefix("int")) - 1)
        return int(number) if number == number.to_integral_value() and -limit <= number < limit else None
    with np.errstate(over="ignore"):
        made = np.float32(float(text)) if type_ == "float" else np.float64(float(text))
    if math.isinf(made):
        return None
    is_integer = text.removeprefix("-").isdecimal()
    if is_integer and int(made) != number and Decimal(str(made)) != number:
        return None
    return float(made)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
def test_unsigned_numbers_of_protobuf_keep_their_bits(numbers: list[int]) -> None:
    """Unsigned 64-bit numbers keep their bits, as in Confluent's converter."""
    schema = 'syntax = "proto3"; message M { uint64 v = 1; fixed64 w = 2; uint32 x = 3; }'
    table = protobuf(schema, *({"v": number, "w": number, "x": number >> 32} for number in numbers)).rows.table
    for name in ("v", "w"):
        assert numbers == [number & (2**64 - 1) for number in table.column(name).to_pylist()]
    assert [number >> 32 for number in numbers] == table.column("x").to_pylist()


@given(st.lists(st.tuples(st.floats(width=32), st.floats()), min_size=1, max_size=4))
def test_floats_of_avro_and_protobuf_are_what_they_were(pairs: list[tuple[float, float]]) -> None:
    """Floats keep their bits, including NaN, infinities and minus zero."""
    schema = 'syntax = "proto3"; message M { optional float f = 1; optional double d = 2; }'
    table = protobuf(schema, *({"f": single, "d": double} for single, double in pairs)).rows.table
    assert repr(pairs) == repr(list(zip(table.column("f").to_pylist(), table.column("d").to_pylist(), strict=True)))
    payloads = [np.float32(single).tobytes() + np.float64(double).tobytes() for single, double in pairs]
    text = {"type": "record", "name": "V", "fields": [{"name": "f", "type": "float"}, {"name": "d", "type": "double"}]}
    found = pa.chunked_array(avro(text, *payloads).rows.table.column("v")).to_pylist()
    assert repr([{"f": single, "d": double} for single, double in pairs]) == repr(found)


def test_key_that_comes_twice_in_a_map() -> None:
    """The last value of a repeated key counts, as in Java; DuckDB can't read maps with repeated keys."""
    integers = {"type": "int32"}
    assert [[(1, 3), (2, 4)]] == values(envelopes({"type": "map", "keys": integers, "values": integers}, "[[1,2],[2,4],[1,3]]"))
    entry = {"type": "object", "properties": {"key": {"type": "integer"}, "value": {"type": "integer"}}}
    schema = {"type": "array", "connect.type": "map", "items": entry}
    given = '[{"key":1,"value":2},{"key":2,"value":4},{"key":1,"value":3}]'
    assert [[(1, 3), (2, 4)]] == values(json_schema(schema, given))
    structs = {"type": "struct", "fields": [{"field": "k", **integers}]}
    found = values(envelopes({"type": "map", "keys": structs, "values": integers}, '[[{"k":1},2],[{"k":1},3]]'))
    assert [[({"k": 1}, 3)]] == found
    entry = {"type": "record", "name": "MapEntry", "connect.internal.type": "MapEntry"}
    for key, written, expected in (
        ("int", zigzag(1), 1),
        ({"type": "array", "items": "int"}, zigzag(1) + zigzag(1) + b"\0", [1]),
    ):
        fields = [{"name": "key", "type": key}, {"name": "value", "type": "int"}]
        payload = zigzag(2) + written + zigzag(2) + written + zigzag(3) + b"\0"
        assert [[(expected, 3)]] == values(avro({"type": "array", "items": {**entry, "fields": fields}}, payload))


def test_integers_of_thousands_of_digits_beside_columns_of_floats() -> None:
    """Integers that Python can't parse do no harm in text and in left-out members."""
    digits = "9" * 5000
    values = [b'{"d":1e300}', b'{"d":1e300,"s":"[%s,"}' % digits.encode(), b'{"d":1,"out":%s}' % digits.encode()]
    schema = pa.schema([("d", pa.float64()), ("s", pa.string())])
    converted = JsonConverter(schema, on_unknown_field="ignore").convert(batch_of(values))
    assert [1e300, 1e300, 1.0] == converted.rows.table["d"].to_pylist()
    assert [] == list(converted.rejects)
