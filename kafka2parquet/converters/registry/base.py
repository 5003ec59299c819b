"""Schemas of a registry, and where they are looked up."""

from __future__ import annotations

import uuid
from typing import Protocol

import attrs

from kafka2parquet.schema.refused import SchemaRefused
from kafka2parquet.util.arguments import checked


@checked
@attrs.frozen
class RegisteredSchema:
    """A schema of a registry.

    Attributes:
        id: of the schema, in all subjects; -1 where only its GUID is known.
        type: `AVRO`, `PROTOBUF` or `JSON`.
        text: the schema itself.
        references: the schemas that it refers to, by the names that it has for them.
        version: its version in the subject that was asked for; None where the subject doesn't have it.
    """

    id: int
    type: str
    text: str = attrs.field(repr=False)
    references: tuple[tuple[str, RegisteredSchema], ...] = attrs.field(default=(), repr=False)
    version: int | None = None


class SchemaRegistry(Protocol):
    """Where schemas are looked up."""

    def schema(self, schema_id: int | uuid.UUID, subject: str | None) -> RegisteredSchema:
        """The schema with that id or GUID, with its version in the subject, if one is named.

        May block, and may be called on several threads at once. Called once for each, and again only after an error.

        Raises:
            SchemaNotFound: the registry answered that it has no such schema.
            SchemaRegistryUnavailableError: it doesn't answer as it should; ask again later.
            SchemaRegistryAuthenticationError: it refuses us.
        """


class SchemaNotFound(SchemaRefused):
    """The registry doesn't have a schema. It may have it later."""
