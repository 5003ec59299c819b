"""Byte order marks in front of JSON, as tools on Windows write them, are skipped, as in Kafka Connect."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pytest

from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.converters.json_with_schema.json_schema import JsonSchemaConverter
from tests.support.batches import batch_of
from tests.support.registries import FakeRegistry, framed, registered

MARK = b"\xef\xbb\xbf"
SCHEMA = pa.schema([("a", pa.int64())])
ENVELOPE = {"type": "struct", "fields": [{"field": "a", "type": "int64"}]}
PROPERTIES = {"type": "object", "properties": {"a": {"type": "integer"}}}


def _envelope(payload: Any, schema: Any = ENVELOPE) -> bytes:
    return json.dumps({"schema": schema, "payload": payload}).encode()


CONVERTERS: Mapping[str, Callable[[], JsonConverter]] = {
    "learned": JsonConverter,
    "given": lambda: JsonConverter(SCHEMA),
    "rescue": lambda: JsonConverter(on_misfit="rescue"),
    "string": lambda: JsonConverter(on_misfit="string"),
}


@pytest.mark.parametrize("name", CONVERTERS)
@pytest.mark.parametrize(
    "values",
    [
        [MARK + b'{"a":1}'],
        [MARK + b'{"a":1}', b'{"a":2}', MARK + b' \n{"a":3}\n'],
        [MARK + b'{"a":1}', b'{"a":true}', MARK + b"nonsense", MARK + b'{"a":2}'],
    ],
)
def test_objects(name: str, values: list[bytes]) -> None:
    """Objects with a mark give the same rows and rejects as without it, alone and among bad values."""
    expected = CONVERTERS[name]().convert(batch_of([value.removeprefix(MARK) for value in values]))
    converted = CONVERTERS[name]().convert(batch_of(values))
    assert expected.rows.table == converted.rows.table
    assert [reject.offset for reject in expected.rejects] == [reject.offset for reject in converted.rejects]


@pytest.mark.parametrize("payload", [{"a": 1}, {"a": "no number"}])
def test_envelopes(payload: Any) -> None:
    """Envelopes with a mark give the same rows and rejects as without it."""
    messages = [_envelope({"a": 5}), _envelope(payload), _envelope({"a": 6})]
    expected, converted = (
        JsonEnvelopeConverter().convert(batch_of([mark + message for message in messages])) for mark in (b"", MARK)
    )
    assert expected.rows.table == converted.rows.table
    assert [reject.reason for reject in expected.rejects] == [reject.reason for reject in converted.rejects]


def test_envelopes_without_a_schema() -> None:
    """A mark in front of an envelope without a schema doesn't reach the JSON converter."""
    assert [{"a": 1}] == JsonEnvelopeConverter().convert(batch_of([MARK + _envelope({"a": 1}, None)])).rows.table.to_pylist()


@pytest.mark.parametrize("payload", [b'{"a":1}', b'{"a":"no number"}'])
def test_json_of_a_registry(payload: bytes) -> None:
    """A mark between the schema's id and the JSON is skipped."""
    registry = FakeRegistry({1: registered(json.dumps(PROPERTIES), "JSON")})
    converter = JsonSchemaConverter(registry)
    expected, converted = (
        converter.convert(batch_of([framed(1, mark + b'{"a":5}'), framed(1, mark + payload)])) for mark in (b"", MARK)
    )
    assert expected.rows.table == converted.rows.table
    assert [reject.reason for reject in expected.rejects] == [reject.reason for reject in converted.rejects]


def test_a_mark_elsewhere_is_not_white_space() -> None:
    """A mark inside a text is a character, and anywhere else it makes the JSON invalid."""
    converted = JsonConverter().convert(
        batch_of([b'{"a":"' + MARK + b'x"}', b'{"a":' + MARK + b'"x"}', MARK * 2 + b'{"a":"x"}'])
    )
    assert [{"a": "\ufeffx"}] == converted.rows.table.to_pylist()
    assert [1, 2] == [reject.offset for reject in converted.rejects]
