"""Envelopes with invalid schemas, and schemas that cost more than their records."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from kafka2parquet.converters.json.parse_record import RecordRefused, load_object
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.converters.json_with_schema.values import load, text_of
from kafka2parquet.rows import Converted
from tests.support.batches import batch_of

DECIMAL = "org.apache.kafka.connect.data.Decimal"
_MOST_CPU_S = 5.0
GOOD = b'{"schema":{"type":"struct","fields":[{"field":"a","type":"double"}]},"payload":{"a":1}}'


def convert(*messages: bytes) -> Converted:
    return JsonEnvelopeConverter().convert(batch_of(messages))


def envelope(schema: Any, payload: Any = None) -> bytes:
    return json.dumps({"schema": schema, "payload": payload}).encode()


def backwards(schema: Any, payload: Any = None) -> bytes:
    return json.dumps({"payload": payload, "schema": schema}).encode()


def of(**field: Any) -> dict[str, Any]:
    return {"type": "struct", "fields": [{"field": "a", "type": "bytes", **field}]}


@pytest.mark.parametrize("order", [envelope, backwards])
@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["int32"]},
        {"type": {"type": "int32"}},
        {"type": None},
        {"type": "struct", "fields": []},
        {"type": "struct", "fields": {"a": 1}},
        {"type": "struct", "fields": [5]},
        {"type": "struct", "fields": 5},
        of(field=1),
        of(field=None),
        of(field=["a"]),
        of(field="\ud800"),
        of(name="\ud800"),
        of(doc="\udfff"),
        of(name=DECIMAL, parameters={"scale": "two"}),
        of(name=DECIMAL, parameters={"scale": "9" * 30}),
        of(name=DECIMAL, parameters={"scale": "9" * 5000}),
        of(name=DECIMAL, parameters={"scale": "0", "connect.decimal.precision": "x"}),
        of(parameters={"connect.fixed.size": "x"}),
        of(parameters={"connect.fixed.size": "-1"}),
        of(parameters={"connect.fixed.size": "99999999999"}),
        of(parameters=[1]),
        of(type="int32", default=1e400),
        of(type="float", default=1e39),
        of(type="array"),
        of(type="array", items=[]),
        of(type="map", keys={"type": "string"}),
        {"type": "array", "items": {"type": ["int32"]}},
        {"type": "map", "keys": {"type": {}}, "values": {"type": "int32"}},
    ],
)
def test_schemas_that_are_none_are_rejects(schema: Any, order: Any) -> None:
    """An invalid schema makes its message a reject, whatever is around it and wherever the schema is."""
    message = order(schema, {"a": None}).replace(b"Infinity", b"1e400")
    converted = convert(GOOD, message, GOOD, message)
    assert [1, 3] == [reject.offset for reject in converted.rejects]
    assert 2 == len(converted.rows)


def test_schema_of_any_depth_is_a_row_or_a_reject() -> None:
    """A message with a deep schema is a row or a reject, and never an error."""
    for depth in (10, 63, 65, 500, 100_000):
        schema = '{"type":"array","items":' * depth + '{"type":"string"}' + "}" * depth
        for message in (f'{{"schema":{schema},"payload":[]}}', f'{{"payload":[],"schema":{schema}}}'):
            converted = convert(message.encode())
            assert (depth < 64) == (len(converted.rejects) == 0)


def test_default_with_a_fraction_keeps_the_fast_way() -> None:
    """A default with a fraction keeps its digits and doesn't prevent parsing as columns."""
    schema = {"type": "struct", "fields": [{"field": "a", "type": "double", "optional": True, "default": 0.1}]}
    converter = JsonEnvelopeConverter()
    converted = converter.convert(batch_of([envelope(schema, {"a": None})]))
    assert [0.1] == converted.rows.table.column("a").to_pylist()
    assert converter._readable.find(lambda _: True) is not None


@pytest.mark.parametrize(
    "message", [b'\\"' * 500_000, b'"' * 500_000, b'{"a":"' + b"\\\\" * 500_000, b"0" * 500_000 + b"x", b"-0" * 500_000]
)
def test_text_that_is_not_json_is_refused_in_linear_time(message: bytes) -> None:
    """The search for leading zeros takes linear time in text that is not JSON."""
    began_s = time.process_time()
    assert 1 == len(convert(message).rejects)
    assert time.process_time() - began_s < _MOST_CPU_S


def test_leading_zeros_are_skipped_outside_of_text() -> None:
    """Leading zeros are skipped, as by Jackson, but kept inside text."""
    assert '{"a":12,"b":["007 \\" 08",-5,0.5]}' == text_of(load(b'{"a":0012,"b":["007 \\" 08",-05,00.5]}'))


def test_byte_order_mark() -> None:
    """A byte order mark is skipped, as by Jackson, in any number of messages."""
    converted = convert(*[b"\xef\xbb\xbf" + GOOD] * 3, GOOD)
    assert (4, []) == (len(converted.rows), list(converted.rejects))


def test_schemas_of_many_messages_are_forgotten() -> None:
    """The cache of schemas is bounded, since a thousand large schemas would take gigabytes."""
    converter = JsonEnvelopeConverter()
    for number in range(10):
        schema = {"type": "struct", "fields": [{"field": f"f{number}", "type": "string", "doc": "x" * 1_000_000}]}
        converter.convert(batch_of([envelope(schema, {f"f{number}": "y"})]))
    assert len(converter._schemas._values) <= 4
    assert len(converter._readable._values) <= 4


def test_name_that_comes_twice_among_many_is_found_in_linear_time() -> None:
    """A repeated name is found in linear time among many names."""
    members = ",".join(f'"{number:x}":1' for number in range(60_000))
    began_s = time.process_time()
    with pytest.raises(RecordRefused, match="field ea5f appears twice"):
        load_object(f'{{{members},"ea5f":2}}'.encode())
    assert time.process_time() - began_s < _MOST_CPU_S
