"""Parses single JSON records, and explains why a record doesn't fit a given schema.

Only the few records that the column parser refuses are parsed here.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, NoReturn

import pyarrow as pa

from kafka2parquet.schema.field_paths import join_path
from kafka2parquet.schema.lattice import is_any
from kafka2parquet.util.json_depth import MAX_VALUE_LEVELS, JsonTooDeep, refuse_deep

#: Most levels of objects and lists in a record.
MAX_DEPTH = 64
#: Has no meaning in front of JSON; Kafka Connect's reader skips it, too.
BYTE_ORDER_MARK = "\ufeff"
_REGISTRY_PREFIX_BYTES = 5
_NAMES = {
    pa.bool_().id: "a boolean",
    pa.int64().id: "an integer",
    pa.float64().id: "a number",
    pa.string().id: "text",
    pa.list_(pa.null()).id: "an array",
    pa.struct([]).id: "an object",
}


class RecordRefused(Exception):  # noqa: N818  # an answer, not a fault
    """The record can't be converted; the text says why, without quoting values."""


_INT64 = range(-(1 << 63), 1 << 63)


class JsonNumber(float):
    """A number with a fraction or an exponent that keeps its original text."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> JsonNumber:
        """Parse the text of a number."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def json_text(value: Any) -> str:
    """Write a value from `load_object` as compact JSON, with its numbers as they were written."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json_text(name)}:{json_text(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    return value.text if isinstance(value, JsonNumber) else json.dumps(value, ensure_ascii=False)


def _hint(value: bytes) -> str:
    """Guess the format of a value that is not JSON."""
    registered = value.startswith(b"\0") and len(value) > _REGISTRY_PREFIX_BYTES
    return "; it begins with byte 0, like Avro, Protobuf or JSON for a schema registry" if registered else ""


def load_object(value: bytes) -> dict[str, Any]:
    """Parse a value that must be a single object in strict JSON (RFC 8259).

    Raises:
        RecordRefused: the value is something else.
    """
    try:
        refuse_deep(value, MAX_VALUE_LEVELS)
        text = value.decode().removeprefix(BYTE_ORDER_MARK)
        document = _DECODER.decode(text) if not text.startswith(BYTE_ORDER_MARK) else json.loads(text)
        if b"\\u" in value:  # only an escape can make half of a surrogate pair
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeDecodeError as exc:
        raise RecordRefused(f"invalid UTF-8 at byte {exc.start + 1}{_hint(value)}") from None
    except UnicodeEncodeError:
        raise RecordRefused("invalid JSON: half of a surrogate pair") from None
    except json.JSONDecodeError as exc:
        raise RecordRefused(f"{_syntax_error(exc)}{_hint(value)}") from None
    except RecursionError:
        raise RecordRefused("nested too deeply") from None
    except JsonTooDeep as exc:
        raise RecordRefused(str(exc)) from None
    except ValueError:
        raise RecordRefused("a number with too many digits") from None
    if not isinstance(document, dict):
        raise RecordRefused(f"not a JSON object but {_describe_value(document)}")
    return document


def why_no_object(value: bytes) -> str:
    """Return why `load_object` refuses a value that is not in braces, is not UTF-8 or has a NUL byte."""
    try:
        load_object(value)
    except RecordRefused as exc:
        return str(exc)
    raise RuntimeError("an object in strict JSON that isn't in braces, or isn't UTF-8")


def _syntax_error(error: json.JSONDecodeError) -> str:
    if not error.doc.strip(" \t\r\n"):
        return "not a JSON object but empty"
    line = f"line {error.lineno}, " if error.lineno > 1 else ""
    return f"invalid JSON: {error.msg} at {line}column {error.colno}"


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise RecordRefused(f"field {next(name for name, count in counts.items() if count > 1)} appears twice in one object")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise RecordRefused(f"invalid JSON: {name} is not a JSON number")


#: Shared, because `json.loads` would make a decoder for each record.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique_names, parse_constant=_refuse_constant, parse_float=JsonNumber)


def skeleton(value: Any) -> Any:
    """Reduce a value from `load_object` to a hashable key. Values with equal keys fit columns or fail for the same reason."""
    kind = type(value)
    if kind is dict:
        return tuple(value), *[skeleton(member) for member in value.values()]
    if kind is list:
        return list, *dict.fromkeys([skeleton(element) for element in value])
    if kind is int:
        return value in _INT64
    return (kind, math.isinf(value)) if kind is JsonNumber else kind


def _type_of_scalar(value: bool | int | float | str) -> pa.DataType:
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        return pa.int64()
    return pa.float64() if isinstance(value, float) else pa.string()


def member_field(known: pa.Schema | pa.DataType | None, name: str) -> pa.Field | None:
    """Return the field of a schema or struct with that name; None if there isn't one."""
    if known is None or (isinstance(known, pa.DataType) and not pa.types.is_struct(known)):
        return None
    index = known.get_field_index(name)
    return known.field(index) if index >= 0 else None


def misfit(document: dict[str, Any], schema: pa.Schema, *, ignore_unknown: bool) -> str | None:
    """Return why an object doesn't fit a given schema; None if only a value can be at fault, such as the text of a timestamp.

    Args:
        document: from `load_object`.
        schema: the expected columns.
        ignore_unknown: whether fields outside the schema are allowed.
    """
    return _misfit(document, pa.field("", pa.struct(list(schema))), "", ignore_unknown)


def _misfit(value: Any, expected: pa.Field, path: str, ignore_unknown: bool) -> str | None:
    if value is None or is_any(expected):
        return None
    if isinstance(value, dict) and pa.types.is_struct(expected.type):
        for name, member in value.items():
            field = member_field(expected.type, name)
            if field is None and not ignore_unknown:
                return f"field {join_path(path, name)} is not in the schema"
            reason = _misfit(member, field, join_path(path, name), ignore_unknown) if field is not None else None
            if reason is not None:
                return reason
        return None
    if isinstance(value, list) and pa.types.is_list(expected.type):
        reasons = (_misfit(element, expected.type.value_field, f"{path}[]", ignore_unknown) for element in value)
        return next((reason for reason in reasons if reason is not None), None)
    if not may_hold(expected.type, value):
        return f"field {path}: {_describe_value(value)} where {_expected(expected.type)} is expected"
    return None


def may_hold(expected: pa.DataType, value: Any) -> bool:
    """Whether a type can hold this kind of JSON value, which is not null. Ignores the range of the type."""
    if isinstance(value, bool):
        return bool(pa.types.is_boolean(expected))
    if isinstance(value, int):
        return bool(pa.types.is_integer(expected) or pa.types.is_floating(expected) or pa.types.is_decimal(expected))
    if isinstance(value, float):
        return bool(pa.types.is_floating(expected) or pa.types.is_decimal(expected))
    nested = pa.types.is_struct(expected) or pa.types.is_list(expected)
    number = pa.types.is_integer(expected) or pa.types.is_floating(expected) or pa.types.is_boolean(expected)
    return isinstance(value, str) and not nested and not number


def _expected(type_: pa.DataType) -> str:
    return _NAMES[type_.id] if pa.types.is_nested(type_) and type_.id in _NAMES else str(type_)


def _describe_value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict):
        return _NAMES[pa.struct([]).id]
    if isinstance(value, list):
        return _NAMES[pa.list_(pa.null()).id]
    return _NAMES[_type_of_scalar(value).id]
