"""Every type of Avro, and its values in Confluent's wire format."""

from __future__ import annotations

import datetime
import io
import json
import struct
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import fastavro

from kafka2parquet.converters.registry.base import RegisteredSchema, SchemaNotFound
from tests.readers.zoo import FLOAT_MAX, FLOAT_MIN, TEXTS, UTC, ZooType

_INFINITY, _NAN = float("inf"), float("nan")
_UUID = "12345678-1234-5678-1234-567812345678"
_AT = datetime.datetime(2026, 5, 17, 12, 30, 15, 123456, UTC)
_LOCAL = _AT.replace(tzinfo=None)
_FIRST, _LAST = datetime.datetime(1, 1, 1, tzinfo=UTC), datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND, _MICROSECOND = datetime.timedelta(milliseconds=1), datetime.timedelta(microseconds=1)


def _logical(kind: str, logical: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": logical, **more}


def _numbers(times: tuple[Any, ...], unit: datetime.timedelta) -> tuple[int | None, ...]:
    """Times as the numbers that Kafka Connect leaves them."""
    return tuple(None if time is None else (time.replace(tzinfo=UTC) - _EPOCH) // unit for time in times)


def _cut(time: datetime.datetime) -> datetime.datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


_MILLIS = (_EPOCH, _EPOCH - _MILLISECOND, _FIRST, _cut(_LAST), _cut(_AT), None)
_MICROS = (_EPOCH, _EPOCH - _MICROSECOND, _FIRST, _LAST, _AT, None)
_LOCAL_MILLIS = tuple(None if time is None else time.replace(tzinfo=None) for time in _MILLIS)
_LOCAL_MICROS = tuple(None if time is None else time.replace(tzinfo=None) for time in _MICROS)
_TIMES = (datetime.time(), datetime.time(0, 0, 0, 1), datetime.time(23, 59, 59, 999999), None)

AVRO_ZOO = (
    ZooType("boolean", "boolean", (True, False, None)),
    ZooType("int", "int", (0, 2**31 - 1, -(2**31), None)),
    ZooType("int as int8", {"type": "int", "connect.type": "int8"}, (0, 127, -128, None)),
    ZooType("long", "long", (0, 2**63 - 1, -(2**63), None)),
    ZooType("float", "float", (0.5, FLOAT_MAX, FLOAT_MIN, -0.0, _INFINITY, -_INFINITY, _NAN, None)),
    ZooType("double", "double", (0.1, 1.7976931348623157e308, 5e-324, -0.0, _INFINITY, -_INFINITY, _NAN, None)),
    ZooType("string", "string", TEXTS),
    ZooType("bytes", "bytes", (b"", bytes(range(256)), None)),
    ZooType("fixed", {"type": "fixed", "name": "Fixed", "size": 3}, (b"abc", b"\0\xff\x80", None)),
    ZooType("enum", {"type": "enum", "name": "Enum", "symbols": ["RED", "GREEN"]}, ("RED", "GREEN", "RED", None)),
    ZooType(
        "decimal of bytes",
        _logical("bytes", "decimal", precision=20, scale=3),
        (Decimal("0.000"), Decimal("99999999999999999.999"), Decimal("-99999999999999999.999"), None),
    ),
    ZooType(
        "decimal of fixed",
        _logical("fixed", "decimal", name="Money", size=8, precision=18, scale=2),
        (Decimal("0.01"), Decimal("-9999999999999999.99"), None),
    ),
    ZooType(
        "decimal, 50 digits",
        _logical("bytes", "decimal", precision=50, scale=2),
        (Decimal("0.01"), Decimal("123456789012345678901234567890123456.78"), None),
    ),
    ZooType("date", _logical("int", "date"), (_EPOCH.date(), _FIRST.date(), _LAST.date(), None)),
    ZooType(
        "time-millis",
        _logical("int", "time-millis"),
        (datetime.time(), datetime.time(0, 0, 0, 1000), datetime.time(23, 59, 59, 999000), None),
    ),
    ZooType("time-micros", _logical("long", "time-micros"), _TIMES, (0, 1, 86_399_999_999, None)),
    ZooType("timestamp-millis", _logical("long", "timestamp-millis"), _MILLIS),
    ZooType("timestamp-micros", _logical("long", "timestamp-micros"), _MICROS, _numbers(_MICROS, _MICROSECOND)),
    ZooType(
        "local-timestamp-millis",
        _logical("long", "local-timestamp-millis"),
        _LOCAL_MILLIS,
        _numbers(_LOCAL_MILLIS, _MILLISECOND),
    ),
    ZooType(
        "local-timestamp-micros",
        _logical("long", "local-timestamp-micros"),
        _LOCAL_MICROS,
        _numbers(_LOCAL_MICROS, _MICROSECOND),
    ),
    ZooType("uuid", _logical("string", "uuid"), (_UUID, None)),
    ZooType("duration", _logical("fixed", "duration", name="Duration", size=12), (b"abcdefghijkl", None)),
    ZooType("array", {"type": "array", "items": ["null", "int"]}, ([1, None], [], None)),
    ZooType("map", {"type": "map", "values": ["null", "long"]}, ({"a": 1, "b": None}, {}, None)),
    ZooType(
        "array of records",
        {"type": "array", "items": {"type": "record", "name": "Item", "fields": [{"name": "a", "type": ["null", "int"]}]}},
        ([{"a": 1}, {"a": None}], [], None),
    ),
    ZooType(
        "record",
        {
            "type": "record",
            "name": "Inner",
            "fields": [
                {"name": "at", "type": ["null", _logical("long", "timestamp-micros")]},
                {"name": "tags", "type": ["null", {"type": "array", "items": "string"}]},
            ],
        },
        ({"at": _AT, "tags": ["a"]}, {"at": None, "tags": None}, None),
        ({"at": (_AT - _EPOCH) // _MICROSECOND, "tags": ["a"]}, {"at": None, "tags": None}, None),
    ),
    ZooType(
        "union of several",
        ["int", "string"],
        ({"int": 1, "string": None}, {"int": None, "string": "a"}, None),
        sent=(1, "a", None),
    ),
)


class ZooRegistry:
    """A registry of the zoo's schemas, and what their producers write."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def schema(self, schema_id: int | uuid.UUID, subject: str | None) -> RegisteredSchema:
        """See `SchemaRegistry.schema`."""
        assert isinstance(schema_id, int)
        if schema_id >= len(self._texts):
            raise SchemaNotFound(f"{schema_id} in {subject}")
        return RegisteredSchema(schema_id, "AVRO", self._texts[schema_id], version=1)

    def message(self, columns: Mapping[str, Any], row: Mapping[str, Any]) -> bytes:
        """The message of a row, behind the id of its schema."""
        record = {
            "type": "record",
            "name": "Zoo",
            "fields": [
                {"name": name, "type": ["null", *(schema if isinstance(schema, list) else [schema])]}
                for name, schema in columns.items()
            ],
        }
        text = json.dumps(record)
        if text not in self._texts:
            self._texts.append(text)
        content = io.BytesIO()
        fastavro.schemaless_writer(content, fastavro.parse_schema(record), dict(row))
        return struct.pack(">bI", 0, self._texts.index(text)) + content.getvalue()
