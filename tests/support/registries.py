"""A schema registry in memory, and values in its wire format."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping, MutableMapping

import attrs

from kafka2parquet.converters.registry.base import RegisteredSchema, SchemaNotFound


def registered(
    text: str,
    schema_type: str = "PROTOBUF",
    references: Mapping[str, RegisteredSchema] | None = None,
    version: int | None = 1,
) -> RegisteredSchema:
    """Makes a registered schema."""
    return RegisteredSchema(1, schema_type, text, tuple((references or {}).items()), version)


@attrs.define
class FakeRegistry:
    """A registry with schemas by id that counts requests, and fails while a test says so."""

    schemas: MutableMapping[int | uuid.UUID, RegisteredSchema]
    asked: list[tuple[int | uuid.UUID, str | None]] = attrs.Factory(list)
    error: Exception | None = None

    def schema(self, schema_id: int | uuid.UUID, subject: str | None) -> RegisteredSchema:
        self.asked.append((schema_id, subject))
        if self.error is not None:
            raise self.error
        if schema_id not in self.schemas:
            raise SchemaNotFound(f"schema id {schema_id} is not in the registry")
        return self.schemas[schema_id]


def framed(schema_id: int, payload: bytes) -> bytes:
    """Encodes a value as serializers do: a zero byte, the id, and the payload (with Protobuf's indexes in front)."""
    return struct.pack(">bI", 0, schema_id) + payload
