"""Converts Avro values in Confluent's wire format."""

from __future__ import annotations

import contextlib
import functools

from kafka2parquet.converters.avro.columns import ColumnDecoder, is_readable
from kafka2parquet.converters.avro.node import AvroMapping
from kafka2parquet.converters.avro.scan import malformed_payloads
from kafka2parquet.converters.avro.schema import plan_avro
from kafka2parquet.converters.payload_decoder import PayloadDecoder
from kafka2parquet.converters.registry.base import RegisteredSchema, SchemaRegistry
from kafka2parquet.converters.registry.converter import RegisteredConverter, SubjectNames
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.util.arguments import checked
from kafka2parquet.util.json_depth import MAX_SCHEMA_LEVELS, parse_json


@checked
class AvroConverter(RegisteredConverter):
    """Converts Avro values that follow the id of their schema in a registry.

    The columns are the same as those of Confluent's AvroConverter and its S3 sink; a union of several types becomes a struct
    with one field for each type. Values that aren't records are written to a single column, `value`. Rows of different schemas
    stay apart. A value is rejected if it doesn't fit its schema, if the registry doesn't have the schema, or if Parquet has no
    types for the schema, as for recursive records and records without fields.

    Needs `pip install kafka2parquet[avro]`: pyruhvro decodes batches, and fastavro decodes the remaining values one by one.
    Where pyruhvro can't be installed, fastavro decodes all values, many times slower.
    """

    schema_type = "AVRO"
    refusal = "Failed to deserialize data for topic {topic} to Avro: "

    def __init__(
        self,
        registry: SchemaRegistry,
        *,
        is_key: bool = False,
        mapping: AvroMapping | None = None,
        subject_names: SubjectNames = "topic",
    ) -> None:
        """Make a converter.

        Args:
            registry: looks up schemas.
            is_key: whether the converter converts keys.
            mapping: how types become columns; by default as in Confluent's converter.
            subject_names: the subject that gives schemas their versions: `topic` means `<topic>-value` or `<topic>-key`,
                `record` the full name of the record, and `topic_record` `<topic>-<full name of the record>`.

        Raises:
            ConfigurationError: fastavro isn't installed.
        """
        super().__init__(registry, is_key=is_key, subject_names=subject_names)
        try:
            from kafka2parquet.converters.avro.values import value_reader
        except ImportError as error:
            raise ConfigurationError(f"Avro needs 'pip install kafka2parquet[avro]': {error}.") from error
        self._value_reader = value_reader
        self._mapping = mapping if mapping is not None else AvroMapping()

    @property
    def fingerprint(self) -> str:
        """Identifies the settings."""
        return f"avro-{self._mapping}"

    def prepare(self, schema: RegisteredSchema) -> PayloadDecoder:
        """Make the decoder of a schema."""
        node = plan_avro(schema, self._mapping)
        null_becomes_default = self._mapping.null_becomes_default
        decode_one = self._value_reader(node, null_becomes_default=null_becomes_default)
        decode = malformed = None
        if is_readable(node, null_becomes_default=null_becomes_default):
            with contextlib.suppress(ImportError):
                decode = ColumnDecoder(node, null_becomes_default=null_becomes_default).decode
                malformed = functools.partial(malformed_payloads, node)
        return PayloadDecoder(node.schema, decode_one, decode, malformed)

    def record_name(self, schema: RegisteredSchema) -> str | None:
        """Return the full name of a record, enum or fixed; None for other schemas."""
        try:
            parsed = parse_json(schema.text, max_levels=MAX_SCHEMA_LEVELS)
        except ValueError:
            return None
        if not isinstance(parsed, dict) or not isinstance(parsed.get("name"), str):
            return None
        name, namespace = parsed["name"], parsed.get("namespace")
        return f"{namespace}.{name}" if namespace and "." not in name else name
