"""Whole columns become what the row-by-row model makes of each record: 10,000 random records of random schemas."""

from __future__ import annotations

import datetime
import decimal
import json
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.rows import Rows
from kafka2parquet.schema.connect_schema import (
    DATE,
    DECIMAL,
    DECIMAL_PRECISION,
    TIME,
    TIMESTAMP,
    ConnectField,
    ConnectSchema,
)
from kafka2parquet.transforms import TransformChain
from kafka2parquet.transforms.kafka_connect import make
from tests.support.batches import batch_of
from tests.unit.transforms.kafka_connect.java_values import comparable, rows_of
from tests.unit.transforms.kafka_connect.row_model import Kind, Moment, Record, Thrown, float32_of, midnight, transformed

RECORDS = 40
EXAMPLES = 250
_NAMES = ("a", "b", "c", "s.a")
_TYPES = ("int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string")
_PATTERNS = (
    "yyyy-MM-dd",
    "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'",
    "yyyy-MM-dd'T'HH:mm:ssX",
    "yyyy-MM-dd HH:mm:ssXXX",
    "yyyyMMddHHmmss",
    "yy/M/d h:mm a",
    "EEE, dd MMM yyyy HH:mm:ss",
    "MMMM d yyyy",
    "yyyy-DDD kk",
)
_FLOATS = (0.0, 1.5, -2.25, 1e7, 9.99e-4, 1e300, -1e20, 3e9, 300.75, 0.1, float("inf"), float("nan"), -0.5)
_SHORT_FLOATS = tuple(map(float32_of, (0.0, 1.5, -2.25, 16777216.0, 0.1, -2.5e-05, 3.4028235e38, 1e-3, 9999999.0)))
_DAY = datetime.date(2000, 1, 1)
_TEXTS = (
    *("", "x", "7", "-7", "+12", "128", "-129", "70000", "1.5", "1e3", "true", "TRUE", "yes", " 3", "2.5d", "NaN", "0x1"),
    *("9223372036854775808", "2024-02-29", "2024-2-30", "2024-01-01T10:11:12.345Z", "2024-01-01T10:11:12Z", "20240131235959"),
    *("2024-01-01 10:11:12+02:30", "24/1/2 3:04 PM", "Mon, 01 Jan 2024 00:00:01", "march 3 2021 and more", "1999-365 24"),
)
_POOLS: dict[str, tuple[Any, ...]] = {
    "int8": (0, 1, -1, 127, -128),
    "int16": (0, 1, 300, -129, 32767),
    "int32": (0, 1, 70000, -2147483648),
    "int64": (0, 1, -1, 1700000000123, -1500, 2**31, 2**53 + 1, 10**12, 951782400000),
    "float32": _SHORT_FLOATS,
    "float64": _FLOATS,
    "boolean": (True, False),
    "string": _TEXTS,
    "bytes": (b"", b"a", b"ab", b"abc", b"\x00\xff" * 3),
    "decimal": tuple(map(decimal.Decimal, ("0.00", "1.99", "-1.99", "12345.60", "123456789012345678901.23"))),
    "date": tuple(midnight(_DAY + datetime.timedelta(days)) for days in (0, 1, -20000, 9000)),
    "time": (Moment(0), Moment(1), Moment(86399999), Moment(45296789)),
    "timestamp": tuple(map(Moment, (0, 1, -1, 86400000, 86400001, 1700000000123, -5000000000))),
    "array": ([], [1], [1, 2]),
    "map": ({}, {"k": 1}),
}
_LOGICAL = {
    "decimal": ("bytes", DECIMAL, {"scale": "2", DECIMAL_PRECISION: "30"}),
    "date": ("int32", DATE, {}),
    "time": ("int32", TIME, {}),
    "timestamp": ("int64", TIMESTAMP, {}),
}
#: What the values of one field of JSON can be, as far as one column holds them. No column is learned of empty ones alone.
_JSON_POOLS: tuple[tuple[Any, ...], ...] = (
    _POOLS["int64"],
    (0, 1, -300, 70000, 2**33, 1700000000123, 1.5, -0.25, 1e-7, 1e300, -2.75e15 - 0.5),
    _TEXTS,
    (True, False),
    ([1], [2, 3]),
    ({"x": 1, "y": "t"}, {"x": 2}),
)


@st.composite
def _steps(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """Generates a transform and its properties."""
    field, other = draw(st.sampled_from(_NAMES)), draw(st.sampled_from(_NAMES))
    pattern, precision = draw(st.sampled_from(_PATTERNS)), draw(st.sampled_from(("seconds", "milliseconds", "microseconds")))
    target = draw(st.sampled_from(("string", "unix", "Date", "Time", "Timestamp")))
    name, properties = draw(
        st.sampled_from(
            [
                ("Cast", {"spec": f"{field}:{draw(st.sampled_from(_TYPES))}"}),
                ("Cast", {"spec": f"{field}:string,zz:int8"}),
                ("ReplaceField", {"exclude": field, "renames": f"{other}:n"}),
                ("ReplaceField", {"include": f"{field},{other}"}),
                ("ReplaceField", {"renames": f"{field}:a,a:{field}"}),
                ("InsertField", {"topic.field": "t", "offset.field": "o!", "timestamp.field": "ts"}),
                ("InsertField", {"partition.field": field, "static.field": "s", "static.value": "v"}),
                ("MaskField", {"fields": f"{field},zz"}),
                ("MaskField", {"fields": field, "replacement": draw(st.sampled_from(("7", "1.5", "-1.9", "hidden", "300")))}),
                ("HoistField", {"field": "h"}),
                ("ExtractField", {"field": field}),
                ("Flatten", {"delimiter": draw(st.sampled_from((".", "_")))}),
                ("TimestampConverter", {"field": field, "target.type": target, "format": pattern}),
                (
                    "TimestampConverter",
                    {"field": field, "target.type": target, "format": pattern, "unix.precision": precision},
                ),
                ("SetSchemaMetadata", {"schema.name": "N"}),
            ]
        )
    )
    if draw(st.booleans()) and name not in ("HoistField", "Flatten"):
        properties["replace.null.with.default"] = "false"
    return name, properties


@st.composite
def _kinds(draw: st.DrawFn, depth: int = 0) -> dict[str, Kind]:
    """Generates the schema of a struct."""
    kinds = {}
    for name in draw(st.lists(st.sampled_from(_NAMES), min_size=1, max_size=4, unique=True)):
        if depth < 2 and draw(st.integers(0, 5)) == 0:
            kinds[name] = Kind("struct", draw(st.booleans()), fields=draw(_kinds(depth + 1)))
            continue
        type_ = draw(st.sampled_from(tuple(_POOLS)))
        has_default = depth == 0 and type_ in ("int32", "string", "boolean") and draw(st.booleans())
        kinds[name] = Kind(type_, draw(st.booleans()), draw(st.sampled_from(_POOLS[type_])) if has_default else None)
    return kinds


def _values(draw: st.DrawFn, kind: Kind) -> Any:
    if kind.optional and draw(st.integers(0, 4)) == 0:
        return None
    if kind.type == "struct":
        return {name: _values(draw, inner) for name, inner in kind.fields.items()}
    return draw(st.sampled_from(_POOLS[kind.type]))


@st.composite
def _with_schema(draw: st.DrawFn) -> list[Record]:
    kinds = draw(_kinds())
    return [
        Record({name: _values(draw, kind) for name, kind in kinds.items()}, kinds, offset, 1000 * offset)
        for offset in range(RECORDS)
    ]


@st.composite
def _without_schema(draw: st.DrawFn) -> list[Record]:
    names = draw(st.lists(st.sampled_from(_NAMES), max_size=4, unique=True))
    pools = {name: draw(st.sampled_from(_JSON_POOLS)) for name in names}
    records = []
    for offset in range(RECORDS):
        value = {name: draw(st.sampled_from((None, *pool))) for name, pool in pools.items()}
        records.append(Record(value, None, offset, 1000 * offset))
    return records


def _rows(records: list[Record]) -> Rows:
    kinds = records[0].kinds
    times = [record.timestamp_ms for record in records]
    if kinds is None:
        rows = (
            JsonConverter()
            .convert(batch_of([json.dumps(record.value).encode() for record in records], timestamps_ms=times))
            .rows
        )
        assert len(rows) == len(records)
        return rows
    schema = ConnectSchema("struct", fields=_fields(kinds))
    columns = [
        _column([record.value[name] for record in records], kind, field.type)
        for (name, kind), field in zip(kinds.items(), schema.arrow_schema, strict=True)
    ]
    batch = batch_of([b"x"] * len(records), timestamps_ms=times)
    table = pa.Table.from_arrays(columns, schema=schema.arrow_schema)
    return Rows(batch, batch.offsets, batch.timestamps_ms, table, schema)


def _fields(kinds: dict[str, Kind] | Any) -> tuple[ConnectField, ...]:
    return tuple(ConnectField(name, _schema(kind)) for name, kind in kinds.items())


def _schema(kind: Kind) -> ConnectSchema:
    if kind.type == "struct":
        return ConnectSchema("struct", kind.optional, fields=_fields(kind.fields))
    if kind.type == "array":
        return ConnectSchema("array", kind.optional, values=ConnectSchema("int32"))
    if kind.type == "map":
        return ConnectSchema("map", kind.optional, keys=ConnectSchema("string"), values=ConnectSchema("int32"))
    type_, name, parameters = _LOGICAL.get(kind.type, (kind.type, None, {}))
    type_ = {"float32": "float", "float64": "double"}.get(type_, type_)
    return ConnectSchema(type_, kind.optional, name, default=kind.default, parameters=parameters)


def _column(values: list[Any], kind: Kind, type_: pa.DataType) -> pa.Array:
    """Makes a column of the values. Times in structs are Python's, so none is beyond their range."""
    if pa.types.is_nested(type_):
        return pa.array([_python(value, kind) for value in values], type_)
    stored = pa.int64() if pa.types.is_timestamp(type_) else type_
    stored = pa.int32() if kind.type in ("date", "time") else stored
    return pa.array([_number(value, kind) for value in values], stored).cast(type_)


def _number(value: Any, kind: Kind) -> Any:
    if not isinstance(value, Moment):
        return value
    return value.ms // 86_400_000 if kind.type == "date" else value.ms


def _python(value: Any, kind: Kind) -> Any:
    if isinstance(value, dict) and kind.type == "struct":
        return {name: _python(value[name], inner) for name, inner in kind.fields.items()}
    if not isinstance(value, Moment):
        return value
    time = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(milliseconds=value.ms)
    return {"date": time.date(), "time": time.time(), "timestamp": time}[kind.type]


def _compared(value: Any) -> Any:
    """Returns the value in the form of `rows_of`."""
    if isinstance(value, dict):
        return {name: _compared(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_compared(member) for member in value]
    if isinstance(value, Moment):
        return value.ms
    return comparable(value) if isinstance(value, float) else value


def _expected(name: str, properties: dict[str, str], record: Record) -> Any:
    try:
        return _compared(transformed(name, properties, record))
    except Thrown:
        return "refused"


def _check(name: str, properties: dict[str, str], records: list[Record]) -> None:
    made = TransformChain([make(name, "Value", properties)]).apply(_rows(records))
    table = made.rows.table
    rows = [None] * len(table) if made.rows.tombstones else rows_of(table)
    seen: dict[int, Any] = dict(zip(made.rows.offsets.to_pylist(), rows, strict=True))
    seen |= {offset: None for group in made.others for offset in group.offsets.to_pylist()}
    seen |= {reject.offset: "refused" for reject in made.rejects}
    for record in records:
        expected = _expected(name, properties, record)
        assert seen[record.offset] == expected, (name, properties, record)
    if made.rows.value_schema is not None and len(made.rows):
        assert made.rows.table.schema.equals(made.rows.value_schema.arrow_schema)
        made.rows.table.validate(full=True)


_SETTINGS = settings(
    max_examples=EXAMPLES // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@_SETTINGS
@given(_steps(), _with_schema())
def test_records_with_a_schema_become_what_the_model_says(step: tuple[str, dict[str, str]], records: list[Record]) -> None:
    """For columns with a schema, each transform agrees with the model of single records."""
    _check(*step, records)


@_SETTINGS
@given(_steps(), _without_schema())
def test_json_without_a_schema_becomes_what_the_model_says(step: tuple[str, dict[str, str]], records: list[Record]) -> None:
    """For learned columns, each transform agrees with the model of single records."""
    _check(*step, records)
