"""AvroConverter: Avro values in Confluent's wire format."""

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
    """Values are Avro behind the id of their schema in a registry.

    Columns are those that Confluent's AvroConverter and its S3 sink make; a union of several types is a struct with one field
    for each. Values that aren't records are written to one column, `value`. Rows of different schemas stay apart. Rejected are
    values that aren't of their schema, whose schema the registry doesn't have, or whose schema Parquet has no types for:
    recursive records, and records without fields.

    Needs `pip install kafka2parquet[avro]`: pyruhvro decodes batches, and fastavro, one by one, what is left. Where pyruhvro
    can't be installed, fastavro does it all, many times slower.
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
            registry: where the schemas are.
            is_key: whether it converts keys.
            mapping: how types become columns; by default as Confluent's converter does.
            subject_names: the subject whose versions the schemas have: `topic` is `<topic>-value` or `<topic>-key`, `record`
                the full name of the record, and `topic_record` `<topic>-<full name of the record>`.

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
        """Names the settings."""
        return f"avro-{self._mapping}"

    def prepare(self, schema: RegisteredSchema) -> PayloadDecoder:
        """The decoder of a schema."""
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
        """The full name of a record, enum or fixed."""
        try:
            parsed = parse_json(schema.text, max_levels=MAX_SCHEMA_LEVELS)
        except ValueError:
            return None
        if not isinstance(parsed, dict) or not isinstance(parsed.get("name"), str):
            return None
        name, namespace = parsed["name"], parsed.get("namespace")
        return f"{namespace}.{name}" if namespace and "." not in name else name
