"""The types of columns in a file: the types that query engines handle best, or the types that Confluent's sink writes.

| Arrow | own | connect |
| --- | --- | --- |
| timestamp of any unit | microseconds | milliseconds |
| time of any unit | microseconds | milliseconds |
| int8, int16 | INT32 annotated as INT(8), INT(16) | INT32 |
| map whose keys are not text | map | list of structs with `key` and `value` |
| decimal of more than 38 digits | 38 digits, text where the scale alone is more than that | as it is |

Spark reads no file with a time in milliseconds or a decimal of more than 38 digits, Polars none with such a decimal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.util.bisection import bisect_failures

ParquetTypes = Literal["own", "connect"]

_MOST_DIGITS = 38
#: Matches the text of each type that is written as another type, at any depth. Checking each of many fields would cost more.
_OTHERS = re.compile("time|int8|int16|decimal|map<")

#: What the text of a type has whose values may be too far from zero for the file.
_BOUNDED = re.compile(r"timestamp\[m?s\b|decimal256")
#: The latest timestamps that microseconds can hold, in the timestamps' own unit.
_MOST = {"s": ((1 << 63) - 1) // 1_000_000, "ms": ((1 << 63) - 1) // 1000}


@attrs.frozen(eq=False)
class Fitted:
    """A table with the file's types.

    Attributes:
        table: the rows that fit.
        refused: the reason for each row that doesn't fit, by its index.
    """

    table: pa.Table
    refused: Mapping[int, str]


def written_schema(schema: pa.Schema, types: ParquetTypes) -> pa.Schema:
    """Return the schema that a table of `schema` has in its file."""
    return pa.schema([_written_field(field, types) for field in schema], metadata=schema.metadata)


def fit(table: pa.Table, schema: pa.Schema) -> Fitted:
    """Convert a table to its `written_schema`. Digits beyond the written precision are cut off.

    Leaves out rows with a time or number that is too large for the type. For example, a timestamp in milliseconds may be
    beyond the year 294247, the last year in microseconds, and a decimal may have more than 38 digits. Such a timestamp is not
    written in milliseconds either, because DuckDB reads all timestamps as microseconds and would refuse the whole file.
    """
    if schema.equals(table.schema) and not any(map(_has_milliseconds, schema.types)):
        return Fitted(table, {})
    try:
        return Fitted(_cast(table, schema), {})
    except pa.ArrowInvalid:
        refused = _misfits(table, schema)
    rows = np.delete(np.arange(table.num_rows), list(refused))
    return Fitted(_cast(table.take(pa.array(rows)), schema), refused)


def unwritable_rows(table: pa.Table, schema: pa.Schema) -> Mapping[int, str]:
    """Finds the rows that `fit` refuses, with the reason for each by its index.

    Columns whose values are in bounds are not cast, so that `fit` can cast them later, once their final type is known.
    """
    try:
        for column, type_ in zip(table.columns, schema.types, strict=True):
            if not _is_in_bounds(column):
                _cast_column(column, type_)
    except pa.ArrowInvalid:
        return _misfits(table, schema)
    return {}


def _written_field(field: pa.Field, types: ParquetTypes) -> pa.Field:
    return field.with_type(_written_type(field.type, types))


def _written_type(type_: pa.DataType, types: ParquetTypes) -> pa.DataType:
    if pa.types.is_nested(type_) and _OTHERS.search(str(type_)) is None:
        return type_
    if pa.types.is_struct(type_):
        return pa.struct([_written_field(field, types) for field in type_])
    if pa.types.is_map(type_):
        key, item = _written_field(type_.key_field, types), _written_field(type_.item_field, types)
        if types == "connect" and not pa.types.is_string(key.type):
            entry = pa.struct([key.with_name("key"), item.with_name("value")])
            return pa.list_(pa.field("element", entry, nullable=False))
        return pa.map_(key, item)
    if pa.types.is_list(type_):
        return pa.list_(_written_field(type_.value_field, types))
    if pa.types.is_large_list(type_):
        return pa.large_list(_written_field(type_.value_field, types))
    if pa.types.is_timestamp(type_):
        return pa.timestamp("us" if types == "own" else "ms", type_.tz)
    if pa.types.is_time(type_):
        return pa.time64("us") if types == "own" else pa.time32("ms")
    if types == "connect":
        return pa.int32() if type_ in (pa.int8(), pa.int16()) else type_
    if pa.types.is_decimal(type_) and type_.precision > _MOST_DIGITS:
        return pa.decimal128(_MOST_DIGITS, type_.scale) if type_.scale <= _MOST_DIGITS else pa.string()
    return type_


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [_cast_column(column, type_) for column, type_ in zip(table.columns, schema.types, strict=True)]
    return pa.Table.from_arrays(columns, schema=schema)


def _cast_column(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    given = column
    if column.type != type_:
        column = column.cast(options=pc.CastOptions(type_, allow_time_truncate=True))
    if _has_milliseconds(type_) and not _is_in_bounds(given):
        for chunk in column.chunks:
            _check_milliseconds(chunk)
    return column


def _is_in_bounds(column: pa.ChunkedArray) -> bool:
    """Whether no cast to a type of the file can fail; False where only the cast itself shows."""
    return _BOUNDED.search(str(column.type)) is None or all(map(_is_array_in_bounds, column.chunks))


def _is_array_in_bounds(array: pa.Array) -> bool:
    """Looks at the values below null structs and outside of slices, too, because Arrow casts these as well."""
    type_ = array.type
    if pa.types.is_timestamp(type_) and type_.unit in _MOST:
        ends = pc.min_max(array.view(pa.int64()))
        least, most = ends["min"].as_py(), ends["max"].as_py()
        return least is None or (-_MOST[type_.unit] <= least and most <= _MOST[type_.unit])
    if pa.types.is_struct(type_):
        return all(_is_array_in_bounds(array.field(number)) for number in range(type_.num_fields))
    if pa.types.is_map(type_):
        return _is_array_in_bounds(array.keys) and _is_array_in_bounds(array.items)
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return _is_array_in_bounds(array.values)
    return _BOUNDED.search(str(type_)) is None


def _has_milliseconds(type_: pa.DataType) -> bool:
    """Return whether a type contains timestamps in milliseconds, at any depth."""
    if pa.types.is_nested(type_):
        return "timestamp[ms" in str(type_)
    return bool(pa.types.is_timestamp(type_) and type_.unit == "ms")


def _check_milliseconds(array: pa.Array) -> None:
    """Raise `pyarrow.ArrowInvalid` for timestamps that microseconds can't hold."""
    if pa.types.is_struct(array.type):
        children = array.flatten()
    elif pa.types.is_map(array.type):
        children = [array.keys, array.items]
    elif pa.types.is_nested(array.type):
        children = [array.flatten()]
    else:
        children = []
    for child in children:
        if _has_milliseconds(child.type):
            _check_milliseconds(child)
    if not children:
        array.cast(pa.timestamp("us", array.type.tz))


def _misfits(table: pa.Table, schema: pa.Schema) -> dict[int, str]:
    """Return the reasons for the rows that can't be cast, by index, found by bisection."""
    found: dict[int, str] = {}
    for field, column in zip(schema, table.columns, strict=True):

        def cast(start: int, length: int, column: pa.ChunkedArray = column, type_: pa.DataType = field.type) -> None:
            # `take` instead of `slice`: Arrow casts all elements of a sliced list, even those outside the slice. Can be a slice
            # once Arrow only casts the elements inside.
            _cast_column(column.take(pa.array(np.arange(start, start + length))), type_)

        for row, _, outcome in bisect_failures(len(column), cast, pa.ArrowInvalid):
            if isinstance(outcome, pa.ArrowInvalid):
                found.setdefault(row, f"field {field.name}: {outcome}")
    return found
