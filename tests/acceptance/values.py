"""Values of cases: as messages on the wire, and beside what was read back."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from kafka2parquet.schema.connect_schema import DECIMAL

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MILLISECOND = datetime.timedelta(milliseconds=1)


def envelope(value: Any, schema: Mapping[str, Any] | None) -> bytes:
    """Makes a message as Kafka Connect's JsonConverter does, with the schema first."""
    message = {"schema": schema, "payload": payload(value, schema)}
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def payload(value: Any, schema: Mapping[str, Any] | None = None) -> Any:
    """Converts a value of a case to the payload of an envelope; values that don't fit the schema stay unchanged."""
    kind = schema.get("type") if schema is not None else None
    if isinstance(value, dict):
        if value.keys() & _FORMS.keys():
            return _form_payload(value, schema)
        fields = {field["field"]: field for field in schema["fields"]} if schema is not None and kind == "struct" else {}
        of_values = schema["values"] if schema is not None and kind == "map" else None
        return {name: payload(item, fields.get(name, of_values)) for name, item in value.items()}
    if isinstance(value, list):
        items = schema["items"] if schema is not None and kind == "array" else None
        return [payload(item, items) for item in value]
    return value


def _form_payload(value: Mapping[str, Any], schema: Mapping[str, Any] | None) -> Any:
    known = plain(value)
    if isinstance(known, bytes):
        return base64.b64encode(known).decode()
    if isinstance(known, decimal.Decimal):
        if schema is None or schema.get("name") != DECIMAL:
            return float(known)
        unscaled = int(known.scaleb(int(schema["parameters"]["scale"]), decimal.Context(prec=200)))
        return base64.b64encode(unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True)).decode()
    if isinstance(known, datetime.datetime):
        return (known - _EPOCH) // _MILLISECOND
    if isinstance(known, datetime.date):
        return (known - _EPOCH.date()).days
    if isinstance(known, datetime.time):
        return _milliseconds_of_day(known)
    if "$map" in value:
        of_keys = (schema or {}).get("keys") or {"type": "string"}
        entries = [(payload(key, of_keys), payload(item, (schema or {}).get("values"))) for key, item in value["$map"]]
        return dict(entries) if of_keys["type"] == "string" else [list(entry) for entry in entries]
    return known


def _milliseconds_of_day(time: datetime.time) -> int:
    return (datetime.datetime.combine(_EPOCH.date(), time) - datetime.datetime(1970, 1, 1)) // _MILLISECOND


def _date(value: Any) -> datetime.date:
    return datetime.date.fromisoformat(value) if isinstance(value, str) else _EPOCH.date() + datetime.timedelta(days=value)


def _time(value: Any) -> datetime.time:
    if isinstance(value, str):
        return datetime.time.fromisoformat(value.ljust(12, "0") if "." in value else value)
    passed: datetime.timedelta = value * _MILLISECOND
    return (datetime.datetime(1970, 1, 1) + passed).time()


#: Values that JSON can't write, by the member that marks them.
_FORMS: Mapping[str, Callable[[Any], Any]] = {
    "$bytes": base64.b64decode,
    "$decimal": decimal.Decimal,
    "$date": _date,
    "$time": _time,
    "$timestamp_ms": lambda value: _EPOCH + value * _MILLISECOND,
    "$float32": float,
    "$map": lambda value: [(plain(key), plain(item)) for key, item in value],
}


def plain(value: Any) -> Any:
    """Converts a value of a case to a Python value; maps become lists of pairs."""
    if isinstance(value, dict):
        for form, read in _FORMS.items():
            if form in value:
                return read(value[form])
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def python_values(array: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Converts a column to Python values; a float32 becomes the shortest decimal that means it."""
    return [_python(value, array.type) for value in array.to_pylist()]


def python_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Converts a table to rows, with values as in `python_values`."""
    columns = {name: python_values(column) for name, column in zip(table.column_names, table.columns, strict=True)}
    return [{name: column[row] for name, column in columns.items()} for row in range(table.num_rows)]


def _python(value: Any, type_: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_float32(type_):
        return float(str(np.float32(value)))
    if pa.types.is_struct(type_):
        return {field.name: _python(value[field.name], field.type) for field in type_}
    if pa.types.is_map(type_):
        return [(_python(key, type_.key_type), _python(item, type_.item_type)) for key, item in value]
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return [_python(item, type_.value_type) for item in value]
    return value


def same(expected: Any, seen: Any) -> bool:
    """Returns whether a value of a case equals the value that was read back.

    A member that the case doesn't mention must be null. Times and dates may be written as numbers, maps as objects.
    """
    expected = plain(expected)
    if isinstance(expected, dict) and isinstance(seen, list) and all(isinstance(entry, tuple) for entry in seen):
        seen = dict(seen)
    if isinstance(expected, dict) and isinstance(seen, dict):
        return expected.keys() <= seen.keys() and all(same(expected.get(name), item) for name, item in seen.items())
    if isinstance(expected, list) and isinstance(seen, list):
        if expected and all(isinstance(entry, tuple) for entry in (*expected, *seen)):
            expected, seen = sorted(expected, key=repr), sorted(seen, key=repr)
        return len(expected) == len(seen) and all(map(same, expected, seen))
    if isinstance(expected, tuple) and isinstance(seen, tuple):
        return len(expected) == len(seen) and all(map(same, expected, seen))
    if isinstance(expected, int) and not isinstance(expected, bool):
        seen = _number(seen)
    return (type(expected) is type(seen) and bool(expected == seen)) or _same_number(expected, seen)


def _number(value: Any) -> Any:
    """Converts a time to Kafka Connect's number."""
    if isinstance(value, datetime.datetime):
        return (value - _EPOCH) // _MILLISECOND
    if isinstance(value, datetime.date):
        return (value - _EPOCH.date()).days
    return _milliseconds_of_day(value) if isinstance(value, datetime.time) else value


def _same_number(expected: Any, seen: Any) -> bool:
    numbers = (int, float, decimal.Decimal)
    if isinstance(expected, bool) or isinstance(seen, bool):
        return False
    if not isinstance(expected, numbers) or not isinstance(seen, numbers):
        return False
    if isinstance(expected, decimal.Decimal) or isinstance(seen, decimal.Decimal):
        return decimal.Decimal(str(expected)) == decimal.Decimal(str(seen))
    return expected == seen
