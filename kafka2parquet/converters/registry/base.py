"""The interface to a schema registry."""

from __future__ import annotations

import uuid
from typing import Protocol

import attrs

from kafka2parquet.schema.refused import SchemaRefused
from kafka2parquet.util.arguments import checked


@checked
@attrs.frozen
class RegisteredSchema:
    """A schema from a registry.

    Attributes:
        id: the schema's id in all subjects; -1 if only its GUID is known.
        type: `AVRO`, `PROTOBUF` or `JSON`.
        text: the schema itself.
        references: the schemas that it refers to, each with the name used in the reference.
        version: the schema's version in the requested subject; None if the subject doesn't have it.
    """

    id: int
    type: str
    text: str = attrs.field(repr=False)
    references: tuple[tuple[str, RegisteredSchema], ...] = attrs.field(default=(), repr=False)
    version: int | None = None


class SchemaRegistry(Protocol):
    """Looks up schemas."""

    def schema(self, schema_id: int | uuid.UUID, subject: str | None) -> RegisteredSchema:
        """Return the schema with an id or GUID, with its version in the subject, if a subject is given.

        May block, and may be called on several threads at once. Called once per schema and subject, and again only after an
        error.

        Raises:
            SchemaNotFound: the registry answered that it doesn't have the schema.
            SchemaRegistryUnavailableError: the registry doesn't answer properly; try again later.
            SchemaRegistryAuthenticationError: the registry denies access.
        """


class SchemaNotFound(SchemaRefused):
    """The registry doesn't have the schema, but may have it later."""
