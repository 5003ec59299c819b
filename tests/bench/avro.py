"""The benchmark's events as Avro, in Confluent's wire format."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import fastavro

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Event",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "event_type", "type": "string"},
        {"name": "occurred_at", "type": "string"},
        {
            "name": "user",
            "type": {
                "type": "record",
                "name": "User",
                "fields": [
                    {"name": "id", "type": "long"},
                    {"name": "country", "type": "string"},
                    {"name": "is_member", "type": "boolean"},
                ],
            },
        },
        {
            "name": "product",
            "type": {
                "type": "record",
                "name": "Product",
                "fields": [
                    {"name": "sku", "type": "string"},
                    {"name": "price", "type": "double"},
                    {"name": "quantity", "type": "long"},
                ],
            },
        },
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "duration_ms", "type": "long"},
        {"name": "referrer", "type": ["null", "string"], "default": None},
        {"name": "coupon", "type": ["null", "string"], "default": None},
    ],
}


def encoded(events: Iterable[bytes], schema_id: int) -> Iterator[bytes]:
    """The same events, which are JSON, as Avro behind the id of their schema."""
    schema = fastavro.parse_schema(SCHEMA)
    header = b"\0" + schema_id.to_bytes(4, "big")
    for event in events:
        file = io.BytesIO()
        file.write(header)
        fastavro.schemaless_writer(file, schema, json.loads(event))
        yield file.getvalue()
