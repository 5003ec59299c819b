"""Schemas and values as Kafka Connect's JsonConverter writes them: one record at a time."""

from __future__ import annotations

import base64
import binascii
import decimal
import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import attrs

from kafka2parquet.converters.decimals import written_decimal
from kafka2parquet.converters.json_record import BYTE_ORDER_MARK
from kafka2parquet.schema.connect_schema import DAY_MS, DECIMAL, TIME, TYPES, ConnectField, ConnectSchema
from kafka2parquet.schema.field_paths import join_path

_MAX_DEPTH = 64
#: Where the schema of the values stands in that of a collection.
_VALUES_IN = {"map": "values", "array": "items"}
_RANGES = {f"int{bits}": range(-(2 ** (bits - 1)), 2 ** (bits - 1)) for bits in (8, 16, 32, 64)}
_EXACT = decimal.Context(prec=200, traps=[decimal.Inexact, decimal.InvalidOperation])
#: Zeros before a number, outside of text: Jackson skips them, JSON has no such numbers.
_LEADING_ZEROS = re.compile(r'("(?:[^"\\]|\\.)*")|(?<![\w.+-])(-?)0+(?=\d)')
_JAVA_CLASSES = {
    bool: "java.lang.Boolean",
    int: "java.lang.Long",
    decimal.Decimal: "java.lang.Double",
    str: "java.lang.String",
    list: "java.util.ArrayList",
    dict: "java.util.HashMap",
}


class NotConvertible(Exception):  # noqa: N818  # an answer, not a fault
    """The message can't be converted; the text says why."""


def load(message: bytes) -> Any:
    """Parse a JSON document; numbers with a fraction become `Decimal`, so that none of their digits is lost.

    Raises:
        NotConvertible: it isn't one.
    """
    try:
        text = message.decode().removeprefix(BYTE_ORDER_MARK)
        try:
            return _parse(text)
        except json.JSONDecodeError:
            return _parse(_LEADING_ZEROS.sub(r"\1\2", text))
    except (ValueError, RecursionError) as error:
        raise NotConvertible(f"Converting byte[] to Kafka Connect data failed due to serialization error: {error}") from None


def _parse(text: str) -> Any:
    return json.loads(text, parse_float=decimal.Decimal, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def open_envelope(document: Any) -> tuple[Any, Any]:
    """Schema and payload of an envelope.

    Raises:
        NotConvertible: it isn't an object with these two members and no other.
    """
    if not isinstance(document, dict) or document.keys() != {"schema", "payload"}:
        raise NotConvertible(
            'JsonConverter with schemas.enable requires "schema" and "payload" fields and may not contain additional fields.'
            " If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration."
        )
    return document["schema"], document["payload"]


def schema_from_json(node: Any, depth: int = 0) -> ConnectSchema:
    """The schema in an envelope.

    Raises:
        NotConvertible: it isn't one.
    """
    if not isinstance(node, dict) or node.get("type") not in TYPES or depth > _MAX_DEPTH:
        raise NotConvertible(f"the envelope's schema has an unknown type: {_summary(node)}")
    kind, parameters = node["type"], node.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise NotConvertible("the parameters of the envelope's schema are no object")
    version = node.get("version")
    if version is not None and type(version) is not int:
        raise NotConvertible("the version of the envelope's schema is no whole number")
    for attribute in ("name", "doc"):
        if not isinstance(node.get(attribute), str | None):
            raise NotConvertible(f"the {attribute} of the envelope's schema is no text")
    try:
        schema = ConnectSchema(
            type=kind,
            optional=node.get("optional") is True,
            name=node.get("name"),
            version=version,
            doc=node.get("doc"),
            parameters={str(name): str(value) for name, value in parameters.items()},
            fields=tuple(ConnectField(field["field"], schema_from_json(field, depth + 1)) for field in node["fields"])
            if kind == "struct"
            else (),
            keys=schema_from_json(node["keys"], depth + 1) if kind == "map" else None,
            values=schema_from_json(node[_VALUES_IN[kind]], depth + 1) if kind in _VALUES_IN else None,
        )
        names = [field.name for field in schema.fields]
        if len({*names}) < len(names):
            raise NotConvertible("the envelope's schema has two fields of one name")
        default = node.get("default")
        if default is None:
            return schema
        return attrs.evolve(schema, default=value_from_json(schema, default))
    except (KeyError, TypeError, ValueError) as error:
        raise NotConvertible(f"the envelope's schema of type {kind} is incomplete: {error!r}") from None


def value_from_json(schema: ConnectSchema, node: Any, *, null_is_default: bool = True, path: str = "") -> Any:
    """The Python value, as pyarrow takes it, that a payload stands for.

    Args:
        schema: of the payload.
        node: parsed by `load`.
        null_is_default: whether a null becomes the schema's default (`replace.null.with.default`).
        path: where the value stands, for messages.

    Raises:
        NotConvertible: the payload doesn't fit.
    """
    if node is None:
        if schema.default is not None and null_is_default:
            return schema.default
        if schema.optional:
            return None
        raise NotConvertible(f"Invalid null value for required {_connect_name(schema)} field{_in(path)}")
    if schema.type == "struct":
        if not isinstance(node, dict):
            raise _mismatch(schema, node, path)
        return {
            field.name: value_from_json(
                field.schema, node.get(field.name), null_is_default=null_is_default, path=join_path(path, field.name)
            )
            for field in schema.fields
        }
    if schema.type == "array" and schema.values is not None:
        if not isinstance(node, list):
            raise _mismatch(schema, node, path)
        return [value_from_json(schema.values, item, null_is_default=null_is_default, path=f"{path}[]") for item in node]
    if schema.type == "map":
        return _map_from_json(schema, node, null_is_default, path)
    return _primitive_from_json(schema, node, path)


def _map_from_json(schema: ConnectSchema, node: Any, null_is_default: bool, path: str) -> list[tuple[Any, Any]]:
    """Maps with text as keys are objects, all others arrays of pairs."""
    if schema.keys is None or schema.values is None:
        raise _mismatch(schema, node, path)
    if isinstance(node, dict) and schema.keys.type == "string":
        entries = list(node.items())
    elif isinstance(node, list) and all(isinstance(entry, list) and len(entry) == 2 for entry in node):
        entries = [(entry[0], entry[1]) for entry in node]
    else:
        raise _mismatch(schema, node, path)
    return [
        (
            value_from_json(schema.keys, key, null_is_default=null_is_default, path=f"{path}{{}}"),
            value_from_json(schema.values, value, null_is_default=null_is_default, path=f"{path}{{}}"),
        )
        for key, value in entries
    ]


def _primitive_from_json(schema: ConnectSchema, node: Any, path: str) -> Any:
    kind = schema.type
    if schema.name == DECIMAL and kind == "bytes":
        return _decimal_from_json(schema, node, path)
    if kind in _RANGES:
        return _whole(schema, node, path)  # days or milliseconds where the type is a logical one
    if kind in ("float", "double") and isinstance(node, int | decimal.Decimal) and not isinstance(node, bool):
        return float(node)
    if (kind == "boolean" and isinstance(node, bool)) or (kind == "string" and isinstance(node, str)):
        return node
    if kind == "bytes" and isinstance(node, str):
        return _decode_base64(node, path)
    raise _mismatch(schema, node, path)


def _whole(schema: ConnectSchema, node: Any, path: str) -> int:
    if isinstance(node, decimal.Decimal) and node == node.to_integral_value() and abs(node) < 1 << 64:
        node = int(node)
    if not isinstance(node, int) or isinstance(node, bool):
        raise _mismatch(schema, node, path)
    if node not in _RANGES[schema.type]:
        raise NotConvertible(f"{at_field(path)}the number {node} is out of the range of {_connect_name(schema)}")
    if schema.name == TIME and schema.type == "int32" and not 0 <= node < DAY_MS:
        raise NotConvertible(f"{at_field(path)}{node} milliseconds are no time of a day")
    return node


def _decimal_from_json(schema: ConnectSchema, node: Any, path: str) -> decimal.Decimal | bytes:
    try:
        if isinstance(node, str):
            unscaled = _decode_base64(node, path)
            number = decimal.Decimal(int.from_bytes(unscaled, "big", signed=True)).scaleb(-schema.scale, _EXACT)
        elif isinstance(node, int | decimal.Decimal) and not isinstance(node, bool):
            number = decimal.Decimal(node).quantize(decimal.Decimal(1).scaleb(-schema.scale), context=_EXACT)
        else:
            raise _mismatch(schema, node, path)
    except decimal.DecimalException:
        raise NotConvertible(f"{at_field(path)}a number that doesn't fit a decimal of scale {schema.scale}") from None
    try:
        return written_decimal(number, schema)
    except ValueError as error:
        raise NotConvertible(f"{at_field(path)}{error}") from None


def _decode_base64(text: str, path: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotConvertible(f"Invalid bytes field: not base64{_in(path)}") from None


def _mismatch(schema: ConnectSchema, node: Any, path: str) -> NotConvertible:
    java_class = _JAVA_CLASSES.get(type(node), "null")
    return NotConvertible(f"Invalid type for {_connect_name(schema)}: class {java_class}{_in(path)}")


def _connect_name(schema: ConnectSchema) -> str:
    """The type as Connect's messages call it."""
    return {"float": "FLOAT32", "double": "FLOAT64"}.get(schema.type, schema.type.upper())


def _in(path: str) -> str:
    """Behind Connect's own words."""
    return f", in the field {path}" if path else ""


def at_field(path: str) -> str:
    """What messages begin with where Connect has no words."""
    return f"field {path}: " if path else ""


def _summary(node: Any) -> str:
    return str(node.get("type")) if isinstance(node, Mapping) else type(node).__name__
