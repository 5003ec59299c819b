"""Keys by a converter as one column."""

from __future__ import annotations

import io
import json
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.converters.json_envelope import JsonEnvelopeConverter
from kafka2parquet.converters.record_keys import key_column
from kafka2parquet.records import Reject, Stage
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
    """The column as it comes out of a file."""
    batch = attrs.evolve(batch_of([b"{}"] * len(given)), keys=pa.array(given, pa.binary_view()))
    column, rejects = key_column(batch, JsonEnvelopeConverter())
    file = io.BytesIO()
    pq.write_table(pa.table({"key": column}), file)
    return pq.read_table(file).column("key").to_pylist(), list(rejects)


def test_required_fields_beside_records_without_key() -> None:
    """No key is no struct."""
    assert ([None, {"a": 1}, None], []) == keys(None, envelope(REQUIRED, {"a": 1}), None)


def test_keys_of_several_schemas() -> None:
    """What a schema lacks is null, whatever is required within."""
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
    """Those of another type than the first are rejects."""
    found, rejects = keys(
        envelope({"type": "int32"}, 1), envelope({"type": "string"}, "x"), envelope({"type": "int64"}, 2), b"x"
    )
    assert [1, None, 2, None] == found
    assert {(1, Stage.KEY), (3, Stage.KEY)} == {(reject.offset, reject.stage) for reject in rejects}
    assert any("its type is another one" in reject.reason for reject in rejects)
