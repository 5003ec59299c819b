"""What Java's transforms make of one record, written down without columns: the plainest program that says the same.

Values are Python's. `java.util.Date` is `Moment`, and a null is None. A record has a schema, or it is JSON without one, whose
kinds are those of its values.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import numpy as np

from tests.unit.transforms.kafka_connect.simple_date_format import read_date, written_date

_DAY_MS = 86_400_000
_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_PER_MS = {"milliseconds": 1, "microseconds": 1000, "nanoseconds": 1_000_000}


class Thrown(Exception):  # noqa: N818  # an answer of the model
    """An exception that stands for the one that Java's transform throws."""


@attrs.frozen
class Moment:
    """A value of type `java.util.Date`."""

    ms: int


@attrs.frozen
class Kind:
    """The schema of a field: a Connect type, or `decimal`, `date`, `time` or `timestamp`.

    Attributes:
        type: its name.
        optional: whether it may be null.
        default: what a null stands for; None for nothing.
        fields: of a struct.
    """

    type: str
    optional: bool = True
    default: Any = None
    fields: Mapping[str, Kind] = attrs.field(factory=dict)


@attrs.frozen
class Record:
    """A record with its value and metadata.

    Attributes:
        value: its fields.
        kinds: their schemas; None for JSON without a schema.
    """

    value: Mapping[str, Any]
    kinds: Mapping[str, Kind] | None
    offset: int = 0
    timestamp_ms: int = 0
    topic: str = "topic"
    partition: int = 0


def transformed(name: str, properties: Mapping[str, str], record: Record) -> Any:
    """Returns the value that the transform makes of the record.

    Raises:
        Thrown: it makes none.
    """
    if record.kinds is not None and name != "HoistField" and properties.get("replace.null.with.default", "true") == "true":
        value = {field: _or_default(record.value.get(field), kind) for field, kind in record.kinds.items()}
        record = attrs.evolve(record, value=value)
    return _MODELS[name](properties, record)


def _or_default(value: Any, kind: Kind) -> Any:
    return kind.default if value is None else value


def kind_of(record: Record, field: str) -> Kind:
    """Returns the schema of a field, or the type of a value without a schema."""
    if record.kinds is not None:
        return record.kinds[field]
    return Kind(json_type(record.value.get(field)))


def json_type(value: Any) -> str:
    """Returns the Connect type of a JSON value."""
    if isinstance(value, bool):
        return "boolean"
    names = {int: "int64", float: "float64", str: "string", list: "array", dict: "map", type(None): "null"}
    return names[type(value)]


def _cast(properties: Mapping[str, str], record: Record) -> Any:
    value = dict(record.value)
    for pair in properties["spec"].split(","):
        field, _, target = pair.partition(":")
        kind = None if record.kinds is None else record.kinds.get(field)
        if kind is not None and kind.default is not None:
            cast_value(kind.default, kind.type, target)  # with the schema
        if value.get(field) is not None:
            value[field] = cast_value(value[field], kind_of(record, field).type, target)
    return value


def cast_value(value: Any, kind: str, target: str) -> Any:
    """Casts one value to another type."""
    if kind in ("array", "map", "struct") or (kind == "bytes" and target != "string"):
        raise Thrown
    if target == "string":
        return text_of(value, kind)
    if isinstance(value, Moment):
        value = value.ms // _DAY_MS if kind == "date" else value.ms
    if target in _BITS:
        return _integer(value, _BITS[target])
    if target == "boolean":
        return value.lower() == "true" if isinstance(value, str) else _integer(value, 64) != 0
    number = _parsed_float(value) if isinstance(value, str) else float(value)
    if target == "float32":
        return float32_of(number)
    return number


def float32_of(number: float) -> float:
    """Returns the float32 that is nearest to a number."""
    with np.errstate(over="ignore"):
        return float(np.float32(number))


def _integer(value: Any, bits: int) -> int:
    if isinstance(value, str):
        if not re.fullmatch("[+-]?[0-9]+", value) or not -(1 << (bits - 1)) <= int(value) < 1 << (bits - 1):
            raise Thrown
        return int(value)
    if isinstance(value, float):
        if math.isnan(value):
            return 0
        wide = 64 if bits == 64 else 32
        most = (1 << (wide - 1)) - 1
        value = max(-most - 1, min(most, int(value))) if math.isfinite(value) else (most if value > 0 else -most - 1)
    return (int(value) + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def _parsed_float(text: str) -> float:
    text = text.strip("".join(map(chr, range(33))))
    if not re.fullmatch(r"[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[fFdD]?)", text):
        raise Thrown
    return float(text.rstrip("fFdD") if text[-1:] in "fFdD" else text)


def text_of(value: Any, kind: str) -> str:
    """Writes a value as `toString` and Connect do."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return java_float(value, is_short=kind == "float32")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Moment):
        if value.ms < _DAY_MS:
            return written_date(value.ms, "HH:mm:ss.SSS'Z'")
        return written_date(value.ms, "yyyy-MM-dd" if value.ms % _DAY_MS == 0 else "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
    return str(value)


def java_float(value: float, *, is_short: bool) -> str:
    """Writes a number as `Double.toString` or `Float.toString` do since Java 19."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    text = repr(value)
    if is_short:
        text = next(one for one in (f"{value:.{digits}g}" for digits in range(1, 10)) if float32_of(float(one)) == value)
    sign, digits, exponent = decimal.Decimal(text).as_tuple()
    written = "".join(map(str, digits)).rstrip("0") or "0"
    power = len(digits) - 1 + int(exponent)
    start = "-" if sign else ""
    if written == "0":
        return f"{start}0.0"
    if not -3 <= power < 7:
        return f"{start}{written[0]}.{written[1:] or '0'}E{power}"
    if power < 0:
        return f"{start}0.{'0' * (-power - 1)}{written}"
    return f"{start}{written[: power + 1].ljust(power + 1, '0')}.{written[power + 1 :] or '0'}"


def _replace_field(properties: Mapping[str, str], record: Record) -> Any:
    exclude, include = (_items(properties.get(name, "")) for name in ("exclude", "include"))
    renames = dict(pair.split(":") for pair in _items(properties.get("renames", "")))
    names = [name for name in (record.kinds if record.kinds is not None else record.value) if name not in exclude]
    kept = [name for name in names if not include or name in include]
    new = [renames.get(name, name) for name in kept]
    if record.kinds is not None and len(set(new)) < len(new):
        raise Thrown
    return {renames.get(name, name): record.value[name] for name in kept}


def _items(text: str) -> list[str]:
    return [item for item in text.split(",") if item]


def _insert_field(properties: Mapping[str, str], record: Record) -> Any:
    value = dict(record.value)
    time: Any = record.timestamp_ms if record.kinds is None else Moment(record.timestamp_ms)
    given = {"topic": record.topic, "partition": record.partition, "offset": record.offset, "timestamp": time}
    for what, content in {**given, "static": properties.get("static.value")}.items():
        name = properties.get(f"{what}.field")
        if name is not None:
            name = name.rstrip("!?")
            if record.kinds is not None and name in value:
                raise Thrown
            value[name] = content
    return value


def _mask_field(properties: Mapping[str, str], record: Record) -> Any:
    value = dict(record.value)
    for field in properties["fields"].split(","):
        if value.get(field) is not None:
            value[field] = _masked(value[field], kind_of(record, field).type, properties.get("replacement"))
    return value


def _masked(value: Any, kind: str, replacement: str | None) -> Any:
    if replacement is None:
        blanks = {"string": "", "boolean": False, "array": [], "map": {}, "decimal": decimal.Decimal(0)}
        if isinstance(value, Moment):
            return Moment(0)
        if kind in ("bytes", "struct"):
            raise Thrown
        return blanks.get(kind, 0)
    if kind == "string":
        return replacement
    try:
        number = decimal.Decimal(replacement)
    except decimal.InvalidOperation as error:
        raise Thrown from error
    if kind in _BITS:
        return _integer(int(number), _BITS[kind])
    if kind in ("float32", "float64"):
        return float(number)
    if kind == "decimal":
        return number
    raise Thrown


def _hoist_field(properties: Mapping[str, str], record: Record) -> Any:
    return {properties["field"]: dict(record.value)}


def _extract_field(properties: Mapping[str, str], record: Record) -> Any:
    field = properties["field"]
    if record.kinds is not None and field not in record.kinds:
        raise Thrown
    value = record.value.get(field)
    if value is None:
        return None
    has_fields = isinstance(value, dict) and (record.kinds is None or record.kinds[field].type == "struct")
    return value if has_fields else {"value": value}


def _flatten(properties: Mapping[str, str], record: Record) -> Any:
    delimiter = properties.get("delimiter", ".")
    if record.kinds is not None:
        names = list(_leaves(record.kinds, "", delimiter))
        if len(set(names)) < len(names):
            raise Thrown
    flat: dict[str, Any] = {}
    _put_flat(record.value, "", delimiter, flat)
    return flat


def _leaves(kinds: Mapping[str, Kind], prefix: str, delimiter: str) -> Any:
    for name, kind in kinds.items():
        if kind.type == "map":
            raise Thrown
        if kind.type == "struct":
            yield from _leaves(kind.fields, f"{prefix}{name}{delimiter}", delimiter)
        else:
            yield prefix + name


def _put_flat(value: Mapping[str, Any], prefix: str, delimiter: str, flat: dict[str, Any]) -> None:
    for name, member in value.items():
        if isinstance(member, dict):
            _put_flat(member, f"{prefix}{name}{delimiter}", delimiter, flat)
        elif member is not None and prefix + name in flat:
            raise Thrown  # in Java one of the two values is lost
        elif member is not None:
            flat[prefix + name] = member


def _timestamp_converter(properties: Mapping[str, str], record: Record) -> Any:
    value, field = dict(record.value), properties["field"]
    if record.kinds is not None and field not in record.kinds:
        return value
    kind = kind_of(record, field).type
    if record.kinds is not None and kind not in ("string", "int64", "date", "time", "timestamp"):
        raise Thrown
    if value.get(field) is not None:
        precision = properties.get("unix.precision", "milliseconds")
        ms = _to_ms(value[field], kind, properties.get("format"), precision)
        value[field] = _from_ms(ms, properties["target.type"], properties.get("format"), precision)
    return value


def _to_ms(value: Any, kind: str, pattern: str | None, precision: str) -> int:
    if isinstance(value, Moment):
        return value.ms
    if kind == "string" and pattern is not None:
        ms = read_date(value, pattern)
        if ms is None:
            raise Thrown
        return ms
    if kind == "int64":
        return _saturated(value * 1000) if precision == "seconds" else _cut(value, _PER_MS[precision])
    raise Thrown


def _from_ms(ms: int, target: str, pattern: str | None, precision: str) -> Any:
    if target == "string":
        assert pattern is not None
        return written_date(ms, pattern)
    if target == "unix":
        return _cut(ms, 1000) if precision == "seconds" else _saturated(ms * _PER_MS[precision])
    if target == "Date" and ms // _DAY_MS >= 1 << 31:
        raise Thrown  # in Java the number of days wraps, and another date is written
    if target == "Date":
        return Moment(ms // _DAY_MS * _DAY_MS)
    return Moment(ms % _DAY_MS) if target == "Time" else Moment(ms)


def _cut(number: int, divisor: int) -> int:
    return -(-number // divisor) if number < 0 else number // divisor


def _saturated(number: int) -> int:
    return max(-(1 << 63), min((1 << 63) - 1, number))


def _set_schema_metadata(properties: Mapping[str, str], record: Record) -> Any:
    return dict(record.value)


_MODELS: Mapping[str, Callable[[Mapping[str, str], Record], Any]] = {
    "Cast": _cast,
    "ReplaceField": _replace_field,
    "InsertField": _insert_field,
    "MaskField": _mask_field,
    "HoistField": _hoist_field,
    "ExtractField": _extract_field,
    "Flatten": _flatten,
    "TimestampConverter": _timestamp_converter,
    "SetSchemaMetadata": _set_schema_metadata,
}


def midnight(day: datetime.date) -> Moment:
    """Makes a date of Connect."""
    return Moment((day - datetime.date(1970, 1, 1)).days * _DAY_MS)
