"""Every type of Kafka Connect, and its values as the JSON that Connect's JsonConverter writes."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.readers.zoo import FLOAT_MAX, FLOAT_MIN, TEXTS, UTC, ZooType

_DATA = "org.apache.kafka.connect.data"
_EPOCH = datetime.date(1970, 1, 1)

Schema = dict[str, Any]


def _of(kind: str, *, optional: bool = True, **more: Any) -> Schema:
    return {"type": kind, "optional": optional, **more}


def _logical(kind: str, name: str, **parameters: str) -> Schema:
    return _of(kind, name=f"{_DATA}.{name}", version=1, parameters=parameters)


def _decimal(precision: int, scale: int) -> Schema:
    return _logical("bytes", "Decimal", scale=str(scale), **{"connect.decimal.precision": str(precision)})


def _array(items: Schema) -> Schema:
    return _of("array", items=items)


def _map(keys: Schema, values: Schema) -> Schema:
    return _of("map", keys={**keys, "optional": False}, values=values)


def _struct(**fields: Schema) -> Schema:
    return _of("struct", fields=[{"field": name, **schema} for name, schema in fields.items()])


def _digits(precision: int, scale: int) -> tuple[Decimal | None, ...]:
    most, least = (9,) * precision, (1,)
    return (
        *(Decimal((sign, digits, -scale)) for digits in ((0,), least, most) for sign in (0, 1) if digits != (0,) or not sign),
        None,
    )


_INT32, _STRING = _of("int32"), _of("string")
_AT = _logical("int64", "Timestamp")
_POINT = _struct(x=_INT32, at=_AT, n=_decimal(9, 2))
_TIME = datetime.datetime(2026, 5, 17, 12, 30, 15, 123000, UTC)

CONNECT_ZOO = (
    ZooType("boolean", _of("boolean"), (True, False, None)),
    ZooType("int8", _of("int8"), (0, 127, -128, None)),
    ZooType("int16", _of("int16"), (0, 32_767, -32_768, None)),
    ZooType("int32", _INT32, (0, 2**31 - 1, -(2**31), None)),
    ZooType("int32, required", _of("int32", optional=False), (0, 1, -1)),
    ZooType("int64", _of("int64"), (0, 2**63 - 1, -(2**63), None)),
    ZooType("float", _of("float"), (0.5, FLOAT_MAX, -FLOAT_MAX, FLOAT_MIN, -0.0, None)),
    ZooType("double", _of("double"), (0.1, 1.7976931348623157e308, -1.7976931348623157e308, 5e-324, -0.0, None)),
    ZooType("string", _STRING, TEXTS),
    ZooType("bytes", _of("bytes"), (b"", bytes(range(256)), b"text", None)),
    ZooType("bytes of a fixed size", _of("bytes", parameters={"connect.fixed.size": "3"}), (b"abc", b"\0\xff\x80", None)),
    ZooType("Decimal, 9 digits", _decimal(9, 2), _digits(9, 2)),
    ZooType("Decimal, 18 digits", _decimal(18, 4), _digits(18, 4)),
    ZooType("Decimal, 38 digits", _decimal(38, 10), _digits(38, 10)),
    ZooType("Decimal, 38 digits, scale 0", _decimal(38, 0), _digits(38, 0)),
    ZooType("Decimal, 38 digits, scale 38", _decimal(38, 38), _digits(38, 38)),
    ZooType("Decimal, no digits given", _logical("bytes", "Decimal", scale="2"), _digits(38, 2)),
    ZooType("Decimal, 64 digits", _decimal(64, 2), _digits(38, 2)),
    ZooType("Date", _logical("int32", "Date"), (_EPOCH, datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None)),
    ZooType(
        "Time",
        _logical("int32", "Time"),
        (datetime.time(), datetime.time(0, 0, 0, 1000), datetime.time(23, 59, 59, 999000), None),
    ),
    ZooType(
        "Timestamp",
        _AT,
        (
            datetime.datetime(1970, 1, 1, tzinfo=UTC),
            datetime.datetime(1969, 12, 31, 23, 59, 59, 999000, UTC),
            datetime.datetime(1, 1, 1, tzinfo=UTC),
            datetime.datetime(9999, 12, 31, 23, 59, 59, 999000, UTC),
            _TIME,
            None,
        ),
    ),
    ZooType("array of int32", _array(_INT32), ([1, 2, 3], [None], [1, None, 3], [], None)),
    ZooType("array of string, required", _array(_of("string", optional=False)), (["a"], ["", "é"], [], None)),
    ZooType("array of arrays", _array(_array(_STRING)), ([["a", None], [], None], [[]], [], None)),
    ZooType(
        "array of structs",
        _array(_POINT),
        ([{"x": 1, "at": _TIME, "n": Decimal("1.50")}, None, {"x": None, "at": None, "n": None}], [], None),
    ),
    ZooType("map of string to int64", _map(_STRING, _of("int64")), ({"a": 1, "": None, "é": 2**63 - 1}, {}, None)),
    ZooType("map of int32 to string", _map(_INT32, _STRING), ({1: "a", -1: None}, {}, None)),
    ZooType("map of arrays", _map(_STRING, _array(_INT32)), ({"a": [1, None], "b": [], "c": None}, {}, None)),
    ZooType("map of structs", _map(_STRING, _POINT), ({"a": {"x": 1, "at": None, "n": None}, "b": None}, {}, None)),
    ZooType("struct", _POINT, ({"x": 1, "at": _TIME, "n": Decimal("-0.01")}, {"x": None, "at": None, "n": None}, None)),
    ZooType(
        "struct in struct in struct",
        _struct(a=_struct(b=_struct(c=_array(_map(_STRING, _AT))))),
        (
            {"a": {"b": {"c": [{"k": _TIME, "n": None}, None, {}]}}},
            {"a": {"b": {"c": []}}},
            {"a": {"b": {"c": None}}},
            {"a": {"b": None}},
            {"a": None},
            None,
        ),
    ),
)


def payload(schema: Schema, value: Any) -> Any:
    """The value as Connect's JsonConverter writes it."""
    if value is None:
        return None
    kind, name = schema["type"], schema.get("name", "").removeprefix(f"{_DATA}.")
    if kind == "struct":
        return {field["field"]: payload(field, value[field["field"]]) for field in schema["fields"]}
    if kind == "array":
        return [payload(schema["items"], item) for item in value]
    if kind == "map":
        pairs = [(payload(schema["keys"], key), payload(schema["values"], item)) for key, item in value.items()]
        return dict(pairs) if schema["keys"]["type"] == "string" else [list(pair) for pair in pairs]
    if name == "Decimal":
        unscaled = int("".join(map(str, value.as_tuple().digits))) * (-1 if value.is_signed() else 1)
        return _base64(unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True))
    if name == "Date":
        return (value - _EPOCH).days
    if name == "Time":
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000
    if name == "Timestamp":
        return (value - datetime.datetime(1970, 1, 1, tzinfo=UTC)) // datetime.timedelta(milliseconds=1)
    return _base64(value) if kind == "bytes" else value


def message(columns: Mapping[str, Schema], row: Mapping[str, Any]) -> bytes:
    """The message of a row, with its schema in front."""
    fields = [{"field": name, **schema} for name, schema in columns.items()]
    values = {name: payload(schema, row[name]) for name, schema in columns.items()}
    return json.dumps({"schema": {"type": "struct", "fields": fields}, "payload": values}, separators=(",", ":")).encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
