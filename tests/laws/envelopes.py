"""JSON messages that carry their schema: schemas of real producers and malformed ones, with payloads that nearly fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from tests.laws.json_texts import anything, encoded, mostly

_DECIMAL = "org.apache.kafka.connect.data.Decimal"
_DATA = "org.apache.kafka.connect.data."


def _field(field: Any, type_: str | Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"field": field, "optional": True, **({"type": type_} if isinstance(type_, str) else type_), **more}


def _struct(*fields: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "struct", "optional": False, "fields": list(fields), **more}


#: Schemas that a connector writes.
ORDINARY: tuple[Mapping[str, Any], ...] = (
    _struct(_field("a", "int64"), _field("b", "string"), _field("c", "boolean"), name="shop.Order", version=1),
    _struct(_field("a", "double"), _field("b", "string"), _field("ts", "int64"), name="shop.Order", version=2),
    _struct(_field("a", "int32", optional=False), _field("b", "string", default="x"), name="shop.Line"),
    _struct(_field("a", "float"), _field("n", _struct(_field("x", "int8"), _field("y", "string"))), _field("b", "bytes")),
    _struct(_field("l", {"type": "array", "items": {"type": "int32"}}), _field("a", "int16")),
    _struct(_field("n", {"type": "map", "keys": {"type": "string"}, "values": {"type": "double"}}), _field("b", "string")),
    _struct(
        _field("a", "bytes", name=_DECIMAL, parameters={"scale": "2", "connect.decimal.precision": "10"}),
        _field("ts", "int64", name=f"{_DATA}Timestamp"),
        _field("b", "int32", name=f"{_DATA}Date"),
        _field("c", "int32", name=f"{_DATA}Time"),
        name="shop.Price",
    ),
    _struct(_field("n", {"type": "map", "keys": {"type": "int32"}, "values": {"type": "string", "optional": True}})),
    {"type": "string", "optional": True},
    {"type": "int64", "optional": True, "name": "plain"},
)
_NAMES: tuple[Any, ...] = ("", "\ud800", "\0", "_kafka_offset", "a.b", "x" * 300, 1, None, {}, ["a"])
_DIGITS = ("0", "x", "-1", "38", "76", "77", "9" * 11)
_PARAMETERS: tuple[Any, ...] = (
    *({}, [], "x", *({"scale": scale} for scale in ("x", 2, None, "-84", "127", "\u0661"))),
    *({"scale": "0", "connect.decimal.precision": digits} for digits in _DIGITS),
)
_VERSIONS: tuple[Any, ...] = (0, -1, 1.0, "1", 10**30)
_DEFAULTS: tuple[Any, ...] = ("x", 1.5, 10**30, [], {})
#: Schemas that nobody should write.
_MALFORMED: tuple[Any, ...] = (
    *(None, 1, "struct", [], {}, {"type": None}, {"type": ["null", "string"]}, {"type": "struct"}, _struct()),
    *(_struct(_field(name, "string")) for name in _NAMES),
    *(_struct(_field("a", "string"), _field(other, "string")) for other in "aA"),
    *(_struct(_field("a", "bytes", name=_DECIMAL, parameters=parameters)) for parameters in _PARAMETERS),
    *(_struct(_field("a", "int32", version=version)) for version in _VERSIONS),
    *(_struct(_field("a", "int32", default=default)) for default in _DEFAULTS),
    *(_struct(_field("a", type_)) for type_ in ("nope", "int128", "", "array", "map")),
    _struct(_field("a", {"type": "array", "items": {"type": "array", "items": {"type": "struct", "fields": []}}})),
    _struct(_field("a", {"type": "map", "keys": {"type": "map"}, "values": {"type": "string"}})),
    *(_struct(_field("a", "double"), name=name) for name in ("", "a/b", "../x", "x" * 300, "\ud800", 1)),
    json.loads('{"type":"array","items":' * 70 + '{"type":"int8"}' + "}" * 70),
)

_LARGE = st.integers(-(2**65), 2**65) | st.sampled_from([2**31, 2**53 + 1, 2**63 - 1, 253402300800000])
_INTEGERS = mostly(st.integers(-100, 100), _LARGE, one_in=8)
_PLAIN: Mapping[str, st.SearchStrategy[str]] = {
    "string": st.text(max_size=6).map(json.dumps),
    "bytes": st.sampled_from(['"AQ=="', '"AQI="', '""', '"f39/f39/f38="', '"****"', f'"{"A" * 400}"', "1.25", "12"]),
    "boolean": st.sampled_from(["true", "false"]),
    "double": (st.floats(allow_nan=False, allow_infinity=False) | _INTEGERS).map(repr),
    "float": (st.floats(allow_nan=False, allow_infinity=False, width=32) | st.sampled_from([1e39, 0.1, 16777217])).map(repr),
}


def _payloads(schema: Any) -> st.SearchStrategy[str]:
    """Generates texts of payloads: most have the schema's type, but not always its range."""
    return mostly(_fitting(schema), anything, one_in=25)


def _fitting(schema: Any) -> st.SearchStrategy[str]:
    if not isinstance(schema, Mapping):
        return anything
    kind = schema.get("type")
    if kind == "struct":
        fields = [field for field in schema.get("fields") or () if isinstance(field, Mapping)]
        names = [json.dumps(field.get("field"), default=str) for field in fields]
        return st.tuples(*map(_payloads, fields)).map(
            lambda texts: "{" + ",".join(f"{name}:{text}" for name, text in zip(names, texts, strict=True)) + "}"
        )
    if kind == "array":
        return st.lists(_payloads(schema.get("items")), max_size=3).map(lambda items: f"[{','.join(items)}]")
    if kind == "map":
        keys = schema.get("keys")
        if isinstance(keys, Mapping) and keys.get("type") == "string":
            return _payloads(schema.get("values")).map(lambda text: f'{{"k":{text}}}')
        return st.tuples(_payloads(keys), _payloads(schema.get("values"))).map(lambda pair: f"[[{pair[0]},{pair[1]}]]")
    if isinstance(kind, str) and kind in _PLAIN:
        return _PLAIN[kind]
    return _INTEGERS.map(str)


@st.composite
def envelopes(draw: st.DrawFn) -> bytes:
    """Generates messages with schema and payload. One schema in ten is malformed, and some messages have other members."""
    which = draw(st.integers(0, 19))
    schema = draw(st.sampled_from(_MALFORMED if which in (18, 19) else ORDINARY))
    members = [f'"schema":{json.dumps(schema)}', f'"payload":{draw(_payloads(schema))}']
    if which == 17:
        members.append(draw(st.sampled_from(['"x":1', '"schema":null', '"payload":1'])))
    elif which == 16:
        members.reverse()
    elif which == 15:
        return encoded(draw(anything))
    return encoded("{" + ",".join(members) + "}")
