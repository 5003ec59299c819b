"""Keys are converted to one column."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.converters.record_keys import KeyTypesDifferError, key_column
from kafka2parquet.records import Reject
from kafka2parquet.rows import Rows, without_columns
from tests.support.batches import batch_of

REQUIRED = {"type": "struct", "fields": [{"field": "a", "type": "int32"}]}
DEEP = {
    "type": "struct",
    "fields": [
        {"field": "n", "optional": True, **REQUIRED},
        {"field": "l", "type": "array", "items": REQUIRED},
    ],
}


def envelope(schema: Any, payload: Any) -> bytes:
    return json.dumps({"schema": schema, "payload": payload}).encode()


def keys(*given: bytes | None) -> tuple[list[Any], list[Reject]]:
    """Returns the column of keys after a round trip through a file, and the rejects."""
    batch = attrs.evolve(batch_of([b"{}"] * len(given)), keys=pa.array(given, pa.binary_view()))
    column, rejects = key_column(batch, JsonEnvelopeConverter())
    file = io.BytesIO()
    pq.write_table(pa.table({"key": column}), file)
    return pq.read_table(file).column("key").to_pylist(), list(rejects)


def test_required_fields_beside_records_without_key() -> None:
    """A record without a key has a null struct, even if the struct has required fields."""
    assert ([None, {"a": 1}, None], []) == keys(None, envelope(REQUIRED, {"a": 1}), None)


def test_keys_of_several_schemas() -> None:
    """Fields that a key's schema lacks are null, even if they have required fields inside."""
    found, rejects = keys(
        envelope(DEEP, {"n": None, "l": [{"a": 2}]}),
        envelope(REQUIRED, {"a": 1}),
        None,
        envelope(DEEP, {"n": {"a": 3}, "l": []}),
    )
    assert [] == rejects
    assert [
        {"n": None, "l": [{"a": 2}], "a": None},
        {"n": None, "l": None, "a": 1},
        None,
        {"n": {"a": 3}, "l": [], "a": None},
    ] == found


def test_keys_that_no_column_holds_together() -> None:
    """Keys of conflicting types are split by type, and records without a key are in the first part."""
    given = [envelope({"type": "int32"}, 1), envelope({"type": "string"}, "x"), None, envelope({"type": "int32"}, 2), b"x"]
    given += [envelope({"type": "struct", "fields": [{"field": "value", "type": "int32"}]}, {"value": 3})]
    batch = attrs.evolve(batch_of([b"{}"] * len(given)), keys=pa.array(given, pa.binary_view()))
    with pytest.raises(KeyTypesDifferError) as differ:
        key_column(batch, JsonEnvelopeConverter())
    rows = Rows(batch, batch.offsets, batch.timestamps_ms, without_columns(len(batch)))
    assert [[0, 2, 3, 4], [1], [5]] == [part.offsets.to_pylist() for part in differ.value.parts(rows)]


def test_keys_of_very_many_schemas() -> None:
    """Very many key schemas are joined in one pass."""
    schemas = [
        {"type": "struct", "fields": [{"field": f"f{number % 50}", "type": "int32"}], "version": number + 1}
        for number in range(1500)
    ]
    started = time.process_time()
    found, rejects = keys(*(envelope(schema, {f"f{number % 50}": number}) for number, schema in enumerate(schemas)))
    assert 1500 == len(found)
    assert [] == rejects
    assert time.process_time() - started < 20
