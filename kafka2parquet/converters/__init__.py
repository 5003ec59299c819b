"""Converters: from the bytes of keys and values to Arrow columns, or to rejects with a reason.

A subclass of `PerRecordConverter` decodes one record at a time, a subclass of `RecordConverter` whole batches.
"""

from kafka2parquet.converters.avro.converter import AvroConverter
from kafka2parquet.converters.avro.node import AvroMapping
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json.contract import SchemaContract, SchemaVersions
from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.converters.json_with_schema.json_schema import JsonSchemaConverter
from kafka2parquet.converters.json_with_schema.json_schema_plan import JsonSchemaMapping
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.converters.per_record import PerRecordConverter
from kafka2parquet.converters.primitives import (
    BooleanConverter,
    DoubleConverter,
    FloatConverter,
    IntegerConverter,
    LongConverter,
    ShortConverter,
)
from kafka2parquet.converters.protobuf.converter import ProtobufConverter
from kafka2parquet.converters.protobuf.mapping import ProtobufMapping
from kafka2parquet.converters.record_views import RecordViews
from kafka2parquet.converters.registry.base import RegisteredSchema, SchemaNotFound, SchemaRegistry
from kafka2parquet.converters.registry.confluent import ConfluentSchemaRegistry
from kafka2parquet.converters.string import ByteArrayConverter, StringConverter
from kafka2parquet.schema.contract import SchemaVersion

__all__ = [
    "AvroConverter",
    "AvroMapping",
    "BooleanConverter",
    "ByteArrayConverter",
    "ConfluentSchemaRegistry",
    "DoubleConverter",
    "FloatConverter",
    "IntegerConverter",
    "JsonConverter",
    "JsonEnvelopeConverter",
    "JsonSchemaConverter",
    "JsonSchemaMapping",
    "LongConverter",
    "MetadataColumns",
    "PerRecordConverter",
    "ProtobufConverter",
    "ProtobufMapping",
    "RecordConverter",
    "RecordViews",
    "RegisteredSchema",
    "SchemaContract",
    "SchemaNotFound",
    "SchemaRegistry",
    "SchemaVersion",
    "SchemaVersions",
    "ShortConverter",
    "StringConverter",
]
