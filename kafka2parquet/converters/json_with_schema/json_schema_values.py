"""Converts single JSON values that have a JSON Schema, as Confluent's JsonSchemaData does."""

from __future__ import annotations

import decimal
from typing import Any

from kafka2parquet.converters.json_with_schema.json_schema_plan import OneOfSchema
from kafka2parquet.converters.json_with_schema.values import NotConvertible, at_field, value_from_json
from kafka2parquet.converters.map_entries import unique_entries
from kafka2parquet.schema.connect_schema import INTEGERS, ConnectSchema
from kafka2parquet.schema.field_paths import join_path


def value_of(schema: ConnectSchema, node: Any, path: str = "") -> Any:
    """Convert a JSON value to a value that pyarrow accepts.

    Args:
        schema: the schema of the value.
        node: the value, parsed by `load`.
        path: the path of the value, for messages.

    Raises:
        NotConvertible: the value doesn't fit.
    """
    if node is None or schema.type not in ("struct", "array", "map"):
        return value_from_json(schema, node, path=path)
    if isinstance(schema, OneOfSchema):
        return _union(schema, node, path)
    if schema.type == "struct" and isinstance(node, dict):
        return {
            field.name: value_of(field.schema, node.get(field.name), join_path(path, field.name)) for field in schema.fields
        }
    if schema.type == "array" and schema.values is not None and isinstance(node, list):
        return [value_of(schema.values, item, f"{path}[]") for item in node]
    if schema.type == "map" and schema.keys is not None and schema.values is not None:
        return _map(schema.keys, schema.values, _entries(schema, node, path), path)
    return value_from_json(schema, node, path=path)  # raises, and says what the value is instead


def _map(keys: ConnectSchema, values: ConnectSchema, entries: list[tuple[Any, Any]], path: str) -> list[tuple[Any, Any]]:
    return unique_entries(
        [(value_of(keys, key, f"{path}{{}}"), value_of(values, value, f"{path}{{}}")) for key, value in entries]
    )


def _entries(schema: ConnectSchema, node: Any, path: str) -> list[tuple[Any, Any]]:
    """Return the entries of a map: of an object for text keys, otherwise of an array of objects with `key` and `value`."""
    if isinstance(node, dict) and schema.keys is not None and schema.keys.type == "string":
        return list(node.items())
    if isinstance(node, list) and all(isinstance(entry, dict) for entry in node):
        return [(entry.get("key"), entry.get("value")) for entry in node]
    raise NotConvertible(f"{at_field(path)}Found invalid map entry")


def _union(schema: OneOfSchema, node: Any, path: str) -> dict[str, Any]:
    """Pick the type of a union: the first type that a simple value has, or the struct with the most members of an object."""
    simple = next((field for field in schema.fields if _is_simple(field.schema, node)), None)
    if simple is not None:
        return {simple.name: value_of(simple.schema, node, path)}
    structs = [field for field in schema.fields if field.schema.type == "struct" and isinstance(node, dict)]
    if not structs:
        raise NotConvertible(f"{at_field(path)}Did not find matching oneof field for data")
    best = max(structs, key=lambda field: len(field.schema.field_schemas.keys() & node.keys()))
    return {best.name: value_of(best.schema, node, path)}


def _is_simple(schema: ConnectSchema, node: Any) -> bool:
    if schema.type == "boolean" or isinstance(node, bool):
        return schema.type == "boolean" and isinstance(node, bool)
    if schema.type in INTEGERS:
        return isinstance(node, int)
    if schema.type in ("float", "double"):
        return isinstance(node, int | decimal.Decimal)
    if schema.type == "string":
        return isinstance(node, str)
    if schema.type == "bytes":
        return isinstance(node, str | decimal.Decimal)
    return (schema.type == "array" and isinstance(node, list)) or (schema.type == "map" and isinstance(node, dict))
