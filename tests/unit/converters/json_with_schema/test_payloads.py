"""Several tasks may share one decoder of payloads."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from kafka2parquet.converters.json_with_schema.columns import TypedJsonColumns
from kafka2parquet.converters.json_with_schema.payloads import JsonPayloads
from kafka2parquet.converters.json_with_schema.values import NotConvertible, schema_from_json, value_from_json
from kafka2parquet.converters.payload_decoder import PayloadsRefused

SCHEMA = schema_from_json({"type": "struct", "fields": [{"field": "id", "type": "int32"}]})


def test_outcomes_are_found_out_again_where_another_task_has_cleared_them() -> None:
    """An outcome is computed again if another task, which shares the decoder, has cleared it."""
    payloads = JsonPayloads(TypedJsonColumns(SCHEMA), lambda document: value_from_json(SCHEMA, document))
    refused = decode(payloads, b'{"id":1}', b'{"id":2.0}', b'{"id":"x"}')
    assert [False, True, True] == refused.suspects.tolist()
    assert [{"id": 1}] == refused.others.to_pylist()
    decode(payloads, b'{"id":3}', b'{"id":"y"}')
    for _ in range(2):
        assert {"id": 2} == payloads.decode_one(b'{"id":2.0}')
        with pytest.raises(NotConvertible, match="Invalid type for INT32"):
            payloads.decode_one(b'{"id":"x"}')


def decode(payloads: JsonPayloads, *values: bytes) -> Any:
    with pytest.raises(PayloadsRefused) as refusal:
        payloads.decode(pa.array(values, pa.binary_view()))
    return refusal.value
