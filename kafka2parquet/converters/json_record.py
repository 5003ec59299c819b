"""A single JSON record: why it doesn't fit a schema, or which types it has. For the few that the column parser refuses."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import pyarrow as pa

from kafka2parquet.schema.lattice import SchemaConflict, merge

_MAX_DEPTH = 64
_INT64 = range(-(2**63), 2**63)
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


def load_object(value: bytes) -> dict[str, Any]:
    """Parse strict JSON (RFC 8259) that is one object.

    Raises:
        RecordRefused: it is something else.
    """
    try:
        document = json.loads(value.decode(), object_pairs_hook=_unique_names, parse_constant=_refuse_constant)
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeDecodeError as exc:
        raise RecordRefused(f"invalid UTF-8 at byte {exc.start + 1}") from None
    except UnicodeEncodeError:
        raise RecordRefused("invalid JSON: half of a surrogate pair") from None
    except json.JSONDecodeError as exc:
        raise RecordRefused(_syntax_error(exc)) from None
    except RecursionError:
        raise RecordRefused("nested too deeply") from None
    except ValueError:
        raise RecordRefused("a number with too many digits") from None
    if not isinstance(document, dict):
        raise RecordRefused(f"not a JSON object but {_describe_value(document)}")
    return document


def _syntax_error(error: json.JSONDecodeError) -> str:
    if not error.doc.strip(" \t\r\n"):
        return "not a JSON object but empty"
    line = f"line {error.lineno}, " if error.lineno > 1 else ""
    return f"invalid JSON: {error.msg} at {line}column {error.colno}"


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        raise RecordRefused(f"field {next(name for name in names if names.count(name) > 1)} appears twice in one object")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise RecordRefused(f"invalid JSON: {name} is no JSON number")


def schema_of(document: dict[str, Any], known: pa.Schema) -> pa.Schema:
    """The schema of one object, with Arrow's null type where it says nothing about a type.

    Args:
        document: from `load_object`.
        known: what is known of the schema; an integer beyond 64 bits is a double only where a double is known.

    Raises:
        RecordRefused: it holds something that no type is for.
    """
    type_ = _type_of(document, pa.struct(list(known)), "", 0)
    return pa.schema(list(type_))


def _type_of(value: Any, known: pa.DataType, path: str, depth: int) -> pa.DataType:
    if depth > _MAX_DEPTH:
        raise RecordRefused(f"nested more than {_MAX_DEPTH} levels deep")
    if value is None:
        return pa.null()
    if isinstance(value, list):
        element = known.value_type if pa.types.is_list(known) else pa.null()
        return pa.list_(_type_of_elements(value, element, f"{path}[]", depth + 1))
    if isinstance(value, dict):
        members = {
            name: _type_of(member, _member_type(known, name), _join(path, name), depth + 1) for name, member in value.items()
        }
        return pa.struct(list(members.items()))
    if isinstance(value, float) and math.isinf(value):
        raise RecordRefused(f"field {path}: a number too large for a double")
    type_ = _type_of_scalar(value)
    if pa.types.is_integer(type_) and value not in _INT64:
        if not pa.types.is_floating(known):
            raise RecordRefused(f"field {path}: an integer beyond 64 bits")
        return pa.float64()
    return type_


def _type_of_scalar(value: bool | int | float | str) -> pa.DataType:
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        return pa.int64()
    return pa.float64() if isinstance(value, float) else pa.string()


def _member_type(known: pa.DataType, name: str) -> pa.DataType:
    index = known.get_field_index(name) if pa.types.is_struct(known) else -1
    return known.field(index).type if index >= 0 else pa.null()


def _type_of_elements(elements: list[Any], known: pa.DataType, path: str, depth: int) -> pa.DataType:
    merged = pa.null()
    for type_ in dict.fromkeys(_type_of(element, known, path, depth) for element in elements):
        merged = merge(merged, type_, path)
    return merged


def conflict_reason(conflict: SchemaConflict) -> str:
    """Say in words that a record has another type than the schema."""
    return (
        f"field {conflict.path}: {_NAMES.get(conflict.right.id, conflict.right)} where {_expected(conflict.left)} is expected"
    )


def misfit(document: dict[str, Any], schema: pa.Schema, *, ignore_unknown: bool) -> str | None:
    """Why an object doesn't fit a given schema; None when that lies in a value, such as the text of a timestamp.

    Args:
        document: from `load_object`.
        schema: the columns that are asked for.
        ignore_unknown: whether fields outside the schema are fine.
    """
    return _misfit(document, pa.struct(list(schema)), "", ignore_unknown)


def _misfit(value: Any, expected: pa.DataType, path: str, ignore_unknown: bool) -> str | None:
    if value is None:
        return None
    if isinstance(value, dict) and pa.types.is_struct(expected):
        for name, member in value.items():
            index = expected.get_field_index(name)
            if index < 0 and not ignore_unknown:
                return f"field {_join(path, name)} is not in the schema"
            reason = _misfit(member, expected.field(index).type, _join(path, name), ignore_unknown) if index >= 0 else None
            if reason is not None:
                return reason
        return None
    if isinstance(value, list) and pa.types.is_list(expected):
        reasons = (_misfit(element, expected.value_type, f"{path}[]", ignore_unknown) for element in value)
        return next((reason for reason in reasons if reason is not None), None)
    if not _may_hold(expected, value):
        return f"field {path}: {_describe_value(value)} where {_expected(expected)} is expected"
    return None


def _may_hold(expected: pa.DataType, value: Any) -> bool:
    if isinstance(value, bool):
        return bool(pa.types.is_boolean(expected))
    if isinstance(value, int):
        return bool(pa.types.is_integer(expected) or pa.types.is_floating(expected) or pa.types.is_decimal(expected))
    if isinstance(value, float):
        return bool(pa.types.is_floating(expected) or pa.types.is_decimal(expected))
    nested = pa.types.is_struct(expected) or pa.types.is_list(expected)
    number = pa.types.is_integer(expected) or pa.types.is_floating(expected) or pa.types.is_boolean(expected)
    return isinstance(value, str) and not nested and not number


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


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
