"""Converts JSON values in Confluent's wire format that have a JSON Schema in the registry."""

from __future__ import annotations

import json
from typing import Any

from kafka2parquet.converters.json_with_schema.columns import TypedJsonColumns, is_typed_json
from kafka2parquet.converters.json_with_schema.json_schema_plan import JsonSchemaMapping, plan_json_schema
from kafka2parquet.converters.json_with_schema.json_schema_values import value_of
from kafka2parquet.converters.json_with_schema.payloads import JsonPayloads
from kafka2parquet.converters.json_with_schema.values import NotConvertible, load
from kafka2parquet.converters.payload_decoder import PayloadDecoder, PayloadsRefused
from kafka2parquet.converters.registry.base import RegisteredSchema, SchemaRegistry
from kafka2parquet.converters.registry.converter import RegisteredConverter, SubjectNames
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.util.arguments import checked
from kafka2parquet.util.json_depth import MAX_SCHEMA_LEVELS, parse_json


@checked
class JsonSchemaConverter(RegisteredConverter):
    """Converts JSON values that follow the id of their JSON Schema in a registry.

    The columns are the same as those of Confluent's JsonSchemaConverter and its S3 sink: properties by name, in the order of
    `connect.index` or of the document; numbers are double, or the type in `connect.type`; a type that may also be null is
    optional; a union of several types is a struct with one field for each type, with the names
    `io.confluent.connect.json.OneOf.field.0` and so on. Members that aren't in the schema are left out. Messages are validated
    only as far as the columns require.

    A value is rejected if it doesn't fit its schema, or if Parquet has no types for the schema, as for recursive schemas,
    objects without properties, and places where anything is allowed.
    """

    schema_type = "JSON"
    refusal = "Converting byte[] to Kafka Connect data failed due to serialization error of topic {topic}: "

    def __init__(
        self,
        registry: SchemaRegistry,
        *,
        is_key: bool = False,
        mapping: JsonSchemaMapping | None = None,
        subject_names: SubjectNames = "topic",
    ) -> None:
        """Make a converter.

        Args:
            registry: looks up schemas.
            is_key: whether the converter converts keys.
            mapping: how types become columns; by default as in Confluent's converter.
            subject_names: the subject that gives schemas their versions: `topic` means `<topic>-value` or `<topic>-key`,
                `record` the title of the schema, and `topic_record` `<topic>-<title of the schema>`.
        """
        super().__init__(registry, is_key=is_key, subject_names=subject_names)
        self._mapping = mapping if mapping is not None else JsonSchemaMapping()

    @property
    def fingerprint(self) -> str:
        """Identifies the settings."""
        return f"json-schema-{self._mapping}"

    def prepare(self, schema: RegisteredSchema) -> PayloadDecoder:
        """Make the decoder of a schema."""
        made = plan_json_schema(schema, schema.version, self._mapping, _default_value)

        def convert(document: Any) -> Any:
            return value_of(made, document)

        columns = JsonPayloads(TypedJsonColumns(made), convert) if is_typed_json(made) else None

        def decode_one(payload: bytes) -> Any:
            try:
                return columns.decode_one(payload) if columns is not None else convert(load(payload))
            except NotConvertible as error:
                raise PayloadsRefused(str(error)) from None

        return PayloadDecoder(made, decode_one, columns.decode if columns is not None else None)

    def record_name(self, schema: RegisteredSchema) -> str | None:
        """Return the title of the schema; None if it has none."""
        try:
            parsed = parse_json(schema.text, max_levels=MAX_SCHEMA_LEVELS)
        except ValueError:
            return None
        title = parsed.get("title") if isinstance(parsed, dict) else None
        return title if isinstance(title, str) else None


def _default_value(schema: ConnectSchema, node: Any) -> Any:
    try:
        return value_of(schema, load(json.dumps(node).encode()))
    except NotConvertible as error:
        raise ValueError(str(error)) from None
