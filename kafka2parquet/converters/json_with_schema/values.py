"""Converts schemas and values that Kafka Connect's JsonConverter has written, one record at a time."""

from __future__ import annotations

import base64
import binascii
import decimal
import json
import math
import re
import struct
from collections.abc import Mapping
from typing import Any, NoReturn

import attrs

from kafka2parquet.converters.json.numbers import is_float
from kafka2parquet.converters.json.parse_record import BYTE_ORDER_MARK
from kafka2parquet.converters.map_entries import unique_entries
from kafka2parquet.schema.connect_schema import DAY_MS, DECIMAL, TIME, TYPES, ConnectField, ConnectSchema
from kafka2parquet.schema.decimal_values import decimal_of, decimal_of_bytes
from kafka2parquet.schema.field_paths import join_path
from kafka2parquet.schema.refused import SchemaRefused
from kafka2parquet.util.json_depth import MAX_VALUE_LEVELS, refuse_deep

_MAX_DEPTH = 64
#: The member of a collection's schema that has the schema of its values.
_VALUES_IN = {"map": "values", "array": "items"}
_RANGES = {f"int{bits}": range(-(2 ** (bits - 1)), 2 ** (bits - 1)) for bits in (8, 16, 32, 64)}
#: Zeros before a number, outside of text. Jackson skips them, but JSON doesn't allow them.
#: (A text matches without its end, so that no text is scanned twice.)
_LEADING_ZEROS = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*"?)|(?<![\w.+-])(-?)0+(?=\d)', re.DOTALL)
_LEADING_ZERO = re.compile(r"0\d")
_NO_JSON = "Converting byte[] to Kafka Connect data failed due to serialization error"
#: Stands for numbers that are closer to 0 than any Decimal.
_TINY = decimal.Decimal("1e-999999")
#: Integers with more digits don't fit 64 bits.
_MAX_WHOLE_DIGITS = 20
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


class MalformedJson(NotConvertible):
    """The message is not a readable JSON document."""


def load(message: bytes) -> Any:
    """Parse a JSON document. Numbers with a fraction become `Decimal`, so that no digits are lost.

    Raises:
        MalformedJson: the message is not a readable JSON document.
    """
    try:
        refuse_deep(message, MAX_VALUE_LEVELS)
        text = message.decode().removeprefix(BYTE_ORDER_MARK)
        try:
            return _parse(text)
        except json.JSONDecodeError as error:
            if _LEADING_ZERO.match(text, max(error.pos - 1, 0)) is None:  # Python stops after the zero
                raise
            return _parse(_LEADING_ZEROS.sub(r"\1\2", text))
    except (ValueError, RecursionError) as error:
        raise MalformedJson(f"{_NO_JSON}: {error}") from None


def _parse(text: str) -> Any:
    return DECODER.decode(text)


def text_of(document: Any) -> str:
    """Write a document from `load` as JSON text, with all digits of its numbers."""
    if isinstance(document, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{text_of(member)}" for name, member in document.items()) + "}"
    if isinstance(document, list):
        return "[" + ",".join(map(text_of, document)) + "]"
    return str(document) if isinstance(document, decimal.Decimal) else json.dumps(document)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _parse_int(text: str) -> int | decimal.Decimal:
    return decimal.Decimal(text) if text == "-0" else int(text)  # an int can't be -0


def _parse_float(text: str) -> decimal.Decimal:
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:  # the exponent is out of Decimal's range
        if float(text):
            raise ValueError("a number whose exponent is too large") from None
        return _TINY if any(digit in "123456789" for digit in text.lower().partition("e")[0]) else decimal.Decimal(0)


#: Keeps all digits of numbers with a fraction or an exponent.
DECODER = json.JSONDecoder(parse_float=_parse_float, parse_int=_parse_int, parse_constant=_refuse_constant)


def open_envelope(document: Any) -> tuple[Any, Any]:
    """Return the schema and the payload of an envelope.

    Raises:
        NotConvertible: the document isn't an object with exactly these two members.
    """
    if not isinstance(document, dict) or document.keys() != {"schema", "payload"}:
        raise NotConvertible(
            'JsonConverter with schemas.enable requires "schema" and "payload" fields and may not contain additional fields.'
            " If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration."
        )
    return document["schema"], document["payload"]


def schema_from_json(node: Any, depth: int = 0) -> ConnectSchema:
    """Read the schema in an envelope.

    Raises:
        SchemaRefused: the schema is not valid.
    """
    if depth > _MAX_DEPTH:
        raise SchemaRefused("the envelope's schema is nested too deeply")
    if not isinstance(node, dict) or not isinstance(node.get("type"), str) or node["type"] not in TYPES:
        raise SchemaRefused(f"the envelope's schema has an unknown type: {_summary(node)}")
    kind, parameters = node["type"], node.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise SchemaRefused("the parameters of the envelope's schema are not an object")
    version = node.get("version")
    if version is not None and type(version) is not int:
        raise SchemaRefused("the version of the envelope's schema is not a whole number")
    for attribute in ("name", "doc"):
        if not isinstance(node.get(attribute), str | None):
            raise SchemaRefused(f"the {attribute} of the envelope's schema is not a text")
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
        if kind == "struct" and not names and not depth:
            raise SchemaRefused("the envelope's schema is a struct without fields, which Parquet has no type for")
        if not all(isinstance(name, str) for name in names):
            raise SchemaRefused("the envelope's schema has a field whose name is not text")
        if len({*names}) < len(names):
            raise SchemaRefused("the envelope's schema has two fields with the same name")
        default = node.get("default")
        if default is None:
            return schema
        return attrs.evolve(schema, default=value_from_json(schema, default))
    except NotConvertible as error:
        raise SchemaRefused(f"the default of the envelope's schema doesn't fit: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaRefused(f"the envelope's schema of type {kind} is incomplete: {error!r}") from None


def value_from_json(schema: ConnectSchema, node: Any, *, null_is_default: bool = True, path: str = "") -> Any:
    """Convert a payload to a value that pyarrow accepts.

    Args:
        schema: the schema of the payload.
        node: the payload, parsed by `load`.
        null_is_default: whether a null is replaced by the schema's default (`replace.null.with.default`).
        path: the path of the value, for messages.

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
    """Return the entries of a map. A map with text keys is an object, and any other map is an array of pairs."""
    if schema.keys is None or schema.values is None:
        raise _mismatch(schema, node, path)
    if isinstance(node, dict) and schema.keys.type == "string":
        entries = list(node.items())
    elif isinstance(node, list) and all(isinstance(entry, list) and len(entry) == 2 for entry in node):
        entries = [(entry[0], entry[1]) for entry in node]
    else:
        raise _mismatch(schema, node, path)
    return unique_entries(
        [
            (
                value_from_json(schema.keys, key, null_is_default=null_is_default, path=f"{path}{{}}"),
                value_from_json(schema.values, value, null_is_default=null_is_default, path=f"{path}{{}}"),
            )
            for key, value in entries
        ]
    )


def _primitive_from_json(schema: ConnectSchema, node: Any, path: str) -> Any:
    kind = schema.type
    if schema.name == DECIMAL and kind == "bytes":
        return _decimal_from_json(schema, node, path)
    if kind in _RANGES:
        return _whole(schema, node, path)  # days or milliseconds for logical types
    if kind in ("float", "double") and isinstance(node, int | decimal.Decimal) and not isinstance(node, bool):
        return _float(schema, node, path)
    if (kind == "boolean" and isinstance(node, bool)) or (kind == "string" and isinstance(node, str)):
        return node
    if kind == "bytes" and isinstance(node, str):
        return _decode_base64(node, path)
    raise _mismatch(schema, node, path)


def _whole(schema: ConnectSchema, node: Any, path: str) -> int:
    if isinstance(node, decimal.Decimal) and node.adjusted() < _MAX_WHOLE_DIGITS and node == node.to_integral_value():
        node = int(node)
    if not isinstance(node, int) or isinstance(node, bool):
        raise _mismatch(schema, node, path)
    if node not in _RANGES[schema.type]:
        raise NotConvertible(f"{at_field(path)}the number {node} is out of the range of {_connect_name(schema)}")
    if schema.name == TIME and schema.type == "int32" and not 0 <= node < DAY_MS:
        raise NotConvertible(f"{at_field(path)}{node} milliseconds are not a time of day")
    return node


def _float(schema: ConnectSchema, node: int | decimal.Decimal, path: str) -> float:
    """Return the float nearest to the number. An integer has to be equal to the float, see `is_float`."""
    try:
        number = float(node)
        struct.pack("<f" if schema.type == "float" else "<d", number)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise NotConvertible(f"{at_field(path)}a number out of the range of {_connect_name(schema)}")
    if isinstance(node, int) and not is_float(node, schema.arrow_type):
        raise NotConvertible(f"{at_field(path)}the integer {node} is not exact as {_connect_name(schema)}")
    return number


def _decimal_from_json(schema: ConnectSchema, node: Any, path: str) -> decimal.Decimal | str:
    try:
        if isinstance(node, str):
            return decimal_of_bytes(_decode_base64(node, path), schema)
        if isinstance(node, int | decimal.Decimal) and not isinstance(node, bool):
            return decimal_of(node, schema)
    except ValueError as error:
        raise NotConvertible(f"{at_field(path)}{error}") from None
    raise _mismatch(schema, node, path)


def _decode_base64(text: str, path: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotConvertible(f"Invalid bytes field: not base64{_in(path)}") from None


def _mismatch(schema: ConnectSchema, node: Any, path: str) -> NotConvertible:
    java_class = _JAVA_CLASSES.get(type(node), "null")
    return NotConvertible(f"Invalid type for {_connect_name(schema)}: class {java_class}{_in(path)}")


def _connect_name(schema: ConnectSchema) -> str:
    """Return the name of the type in Connect's messages."""
    return {"float": "FLOAT32", "double": "FLOAT64"}.get(schema.type, schema.type.upper())


def _in(path: str) -> str:
    """Return the end of a message that begins with Connect's own words."""
    return f", in the field {path}" if path else ""


def at_field(path: str) -> str:
    """Return the start of a message that Connect doesn't have."""
    return f"field {path}: " if path else ""


def _summary(node: Any) -> str:
    return str(node.get("type")) if isinstance(node, Mapping) else type(node).__name__
