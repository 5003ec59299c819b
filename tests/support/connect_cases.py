"""Acceptance cases of Kafka Connect's sink as data, and their records as Arrow values."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from kafka2parquet.records import ConsumedBatch, Rows, TopicPartition

#: What isn't built (yet); the cases that need it are left out.
_NOT_BUILT = {"key_header_files"}
_FOLDER = Path(os.environ.get("CASES") or Path(__file__).parents[1] / "cases")
_TYPES = {
    "boolean": pa.bool_(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "bytes": pa.binary(),
}
_LOGICAL_TYPES = {
    "org.apache.kafka.connect.data.Timestamp": pa.timestamp("ms", "UTC"),
    "org.apache.kafka.connect.data.Date": pa.date32(),
    "org.apache.kafka.connect.data.Time": pa.time32("ms"),
}


def cases(name: str, *functions: str) -> list[Any]:
    """The cases of a file that are about some functions, as parameters of a test; `make acceptance` runs those tests."""
    found = json.loads((_FOLDER / f"{name}.json").read_text())["cases"]
    return [
        pytest.param(case, id=case["id"], marks=pytest.mark.acceptance)
        for case in found
        if case.get("function") in functions and not _NOT_BUILT & set(case.get("requires", ()))
    ]


def base_config() -> dict[str, str]:
    """The configuration that the cases change."""
    base = json.loads((_FOLDER / "base.json").read_text())
    return {**base["config"], **base["supporting_config"]}


def rows_of(record: dict[str, Any]) -> Rows:
    """One record as converted rows."""
    table = table_of(record["value"], record["value_schema"])
    batch = ConsumedBatch(
        topic_partition=TopicPartition("test-topic", record["partition"]),
        offsets=pa.array([record["offset"]], pa.int64()),
        timestamps_ms=pa.array([record["timestamp"]], pa.int64()),
        timestamp_types=pa.array([0], pa.int8()),
        keys=pa.nulls(1, pa.binary_view()),
        values=pa.nulls(1, pa.binary_view()),
        headers=pa.nulls(1, pa.binary_view()),
        first_offset=record["offset"],
        next_offset=record["offset"] + 1,
    )
    return Rows(batch, batch.offsets, batch.timestamps_ms, table)


def table_of(value: dict[str, Any], schema_name: str | None) -> pa.Table:
    """One value as a table, with the types of its schema, or those that JSON suggests."""
    plain = _plain(value)
    if schema_name is None:
        return pa.Table.from_pylist([plain])
    schemas = json.loads((_FOLDER / "schemas.json").read_text())["schemas"]
    fields = [(field["field"], _arrow_type(field)) for field in schemas[schema_name]["connect"]["fields"]]
    return pa.Table.from_pylist([plain], pa.schema(fields))


def _arrow_type(schema: dict[str, Any]) -> pa.DataType:
    logical = _LOGICAL_TYPES.get(schema.get("name", ""))
    if logical is not None:
        return logical
    if schema["type"] == "struct":
        return pa.struct([(field["field"], _arrow_type(field)) for field in schema["fields"]])
    if schema["type"] == "array":
        return pa.list_(_arrow_type(schema["items"]))
    if schema["type"] == "map":
        return pa.map_(_arrow_type(schema["keys"]), _arrow_type(schema["values"]))
    return _TYPES[schema["type"]]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if "$timestamp_ms" in value:
            return pa.scalar(value["$timestamp_ms"], pa.timestamp("ms", "UTC")).as_py()
        return {name: _plain(item) for name, item in value.items()}
    return value
