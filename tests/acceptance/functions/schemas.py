"""Schemas side by side, and values brought from one to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pyarrow as pa

from kafka2parquet.schema.compatibility import Compatibility, CompatibilityMode, SchemaNotProjectable
from kafka2parquet.schema.compatibility import project as project_column
from kafka2parquet.schema.connect_schema import ConnectSchema
from tests.acceptance.cases import CaseFolder
from tests.acceptance.functions.reading import rows_of_value
from tests.acceptance.outcome import CaseError
from tests.acceptance.values import python_values


def schema_compatibility(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns whether a record of one schema closes a file of another."""
    config = folder.config({"schema.compatibility": given["mode"]})
    mode = CompatibilityMode[config.text("schema.compatibility")]
    record, file = folder.schema(given["record_schema"]), folder.schema(given["file_schema"])
    if record is file and record is not None and not given.get("same_object"):
        file = attrs.evolve(record)
    try:
        result = mode.check(record, file)
    except SchemaNotProjectable as error:
        raise CaseError("SchemaProjectorException", str(error)) from None
    return {"rotate": result is not Compatibility.COMPATIBLE, "result": result.value}


def project(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Projects a value of one schema to another."""
    schema, target = folder.schema(given["from_schema"]), folder.schema(given["to_schema"])
    if schema is None or target is None:
        raise CaseError("SchemaProjectorException", "Switch between schema-based and schema-less data is not supported")
    try:
        return {"value": python_values(project_column(_column(given, schema, folder), schema, target))[0]}
    except SchemaNotProjectable as error:
        raise CaseError("SchemaProjectorException", str(error)) from None


def _column(given: Mapping[str, Any], schema: ConnectSchema, folder: CaseFolder) -> pa.Array:
    """Makes a column of one row from the value."""
    if given["value"] is None:
        return pa.nulls(1, schema.arrow_type)
    table = rows_of_value(given["value"], given["from_schema"], folder).table.combine_chunks()
    return table.to_struct_array().chunk(0) if schema.type == "struct" else table.column(0).chunk(0)
