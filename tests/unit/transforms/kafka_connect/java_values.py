"""Values as the facts file writes those of Java: the name of the class, and the value as text."""

from __future__ import annotations

import base64
import datetime
import decimal
from typing import Any

import numpy as np
import pyarrow as pa

from kafka2parquet.schema.connect_schema import ConnectSchema

_NAMES = {"float": "float32", "double": "float64"}


def of_java(dumped: Any) -> Any:
    """Converts a value of the facts to Python: times become milliseconds, and maps and structs lose nulls."""
    if dumped is None:
        return None
    class_name, value = dumped
    if class_name in ("Map", "Struct"):
        return {name: of_java(member) for name, member in value.items() if member is not None}
    if class_name == "List":
        return [of_java(member) for member in value]
    if class_name == "BigDecimal":
        return decimal.Decimal(value)
    if class_name == "byte[]":
        return base64.b64decode(value)
    if class_name in ("Float", "Double"):
        return comparable(float(np.float32(value) if class_name == "Float" else value))
    if class_name == "Boolean":
        return value == "true"
    return value if class_name == "String" else int(value)


def of_arrow(value: Any, type_: pa.DataType) -> Any:
    """Converts a value from Arrow to the same form as `of_java`."""
    if value is None:
        return None
    if pa.types.is_struct(type_):
        return {field.name: of_arrow(value[field.name], field.type) for field in type_ if value[field.name] is not None}
    if pa.types.is_map(type_):
        return {key: of_arrow(member, type_.item_type) for key, member in value}
    if pa.types.is_list(type_):
        return [of_arrow(member, type_.value_type) for member in value]
    if isinstance(value, datetime.datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, datetime.date):
        return (value - datetime.date(1970, 1, 1)).days * 86_400_000
    if isinstance(value, datetime.time):
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000
    return comparable(value) if isinstance(value, float) else value


def comparable(value: float) -> Any:
    """Makes a value that equals itself: NaN becomes text."""
    return value if value == value else "NaN"


def rows_of(table: pa.Table) -> list[Any]:
    """Returns the rows of a table, with times in milliseconds since 1970, because Python's own times end in the year 9999."""
    columns = {}
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_timestamp(field.type):
            columns[field.name] = column.cast(pa.timestamp("ms")).cast(pa.int64()).to_pylist()
        elif pa.types.is_date32(field.type):
            columns[field.name] = [None if days is None else days * 86_400_000 for days in column.cast(pa.int32()).to_pylist()]
        else:
            columns[field.name] = [of_arrow(value, field.type) for value in column.to_pylist()]
    return [{name: values[row] for name, values in columns.items() if values[row] is not None} for row in range(table.num_rows)]


def of_schema(schema: ConnectSchema) -> dict[str, Any]:
    """Returns the compared parts of a schema: types, names and what is optional, at every level."""
    described: dict[str, Any] = {"type": _NAMES.get(schema.type, schema.type)}
    if schema.optional:
        described["optional"] = True
    if schema.name is not None:
        described["name"] = schema.name
    if schema.type == "struct":
        described["fields"] = [[field.name, of_schema(field.schema)] for field in schema.fields]
    if schema.values is not None:
        described["items"] = of_schema(schema.values)
    if schema.keys is not None:
        described["keys"] = of_schema(schema.keys)
    return described


def of_java_schema(dumped: dict[str, Any]) -> dict[str, Any]:
    """Returns the compared parts of a schema in the facts file."""
    described: dict[str, Any] = {name: dumped[name] for name in ("type", "optional", "name") if name in dumped}
    if "fields" in dumped:
        described["fields"] = [[name, of_java_schema(schema)] for name, schema in dumped["fields"]]
    for part in ("items", "keys"):
        if dumped.get(part) is not None:
            described[part] = of_java_schema(dumped[part])
    return described
