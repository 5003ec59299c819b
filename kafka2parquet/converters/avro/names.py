"""Reads names, fields and other small parts of Avro schemas in JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kafka2parquet.schema.refused import SchemaRefused

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def fields_of(schema: Mapping[str, Any], full_name: str) -> list[dict[str, Any]]:
    """Return the fields of a record.

    Raises:
        SchemaRefused: the record's fields are missing, malformed or not unique.
    """
    fields = schema.get("fields")
    if not isinstance(fields, list) or not all(isinstance(f, dict) and is_name(f.get("name")) and "type" in f for f in fields):
        raise SchemaRefused(f"the fields of {full_name} are not a list of fields with names and types")
    if len({field["name"] for field in fields}) < len(fields):
        raise SchemaRefused(f"{full_name} has two fields with the same name")
    return fields


def full_name_of(schema: Mapping[str, Any], namespace: str) -> tuple[str, str]:
    """Return the full name of a named type, and its namespace.

    Args:
        schema: the type.
        namespace: the namespace of the enclosing type.

    Raises:
        SchemaRefused: the name is not valid in Avro.
    """
    name = schema.get("name")
    if not isinstance(name, str) or not all(map(is_name, name.split("."))):
        raise SchemaRefused(f"{shortened(name)} is not the name of a type")
    if "." in name:
        return name, name.rpartition(".")[0]
    own = schema.get("namespace")
    namespace = own if isinstance(own, str) else namespace
    return (f"{namespace}.{name}" if namespace else name), namespace


def name_of(schema: Mapping[str, Any]) -> str:
    """Return the name of a named type without its namespace."""
    return str(schema["name"]).rpartition(".")[2]


def is_name(name: object) -> bool:
    """Whether something is a valid name in Avro."""
    return isinstance(name, str) and NAME.fullmatch(name) is not None


def is_null(branch: Any) -> bool:
    """Whether a type of a union is null."""
    return branch == "null" or (isinstance(branch, dict) and branch.get("type") == "null")


def shortened(value: object) -> str:
    """Shorten a part of a schema for an error message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
