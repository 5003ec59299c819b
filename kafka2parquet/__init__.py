"""Drains Kafka topics into time-partitioned Parquet files, every record exactly once.

Build a `SinkTask` from its parts, or load a Kafka Connect configuration: `build_task(load_connect_config("sink.json"))`.
"""

from kafka2parquet.aio import AsyncSinkTask
from kafka2parquet.backoff import ConverterRetry
from kafka2parquet.clock import Clock, SystemClock
from kafka2parquet.connect.build import build_runner, build_task
from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.worker import load_worker_config
from kafka2parquet.consumers.base import Consumer
from kafka2parquet.consumers.kafka_python.consumer import KafkaPythonConsumer
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
from kafka2parquet.converters.registry.base import RegisteredSchema, SchemaRegistry
from kafka2parquet.converters.registry.confluent import ConfluentSchemaRegistry
from kafka2parquet.converters.string import ByteArrayConverter, StringConverter
from kafka2parquet.dead_letters.base import DeadLetterQueue
from kafka2parquet.dead_letters.connect_report import FailureReporter
from kafka2parquet.dead_letters.kafka_queue import KafkaDeadLetterQueue
from kafka2parquet.dead_letters.log import RejectLog
from kafka2parquet.dead_letters.reject_limit import RejectLimit
from kafka2parquet.dead_letters.tolerance import Tolerance
from kafka2parquet.delivery.budget import MemoryBudget
from kafka2parquet.delivery.calls import RetryPolicy
from kafka2parquet.delivery.settings import DeliverySettings, FileSettings, ObjectTags, RejectPolicy
from kafka2parquet.errors import (
    AccessError,
    ConfigurationError,
    DeliveryError,
    Kafka2ParquetError,
    RecordError,
    TransientError,
    UsageError,
)
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.parquet.writer import ParquetWriter
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.partitioners.composite import CompositePartitioner
from kafka2parquet.partitioners.default import DefaultPartitioner
from kafka2parquet.partitioners.field import FieldPartitioner
from kafka2parquet.partitioners.per_record import PerRecordPartitioner
from kafka2parquet.partitioners.schema_name import SchemaNamePartitioner
from kafka2parquet.partitioners.time import DailyPartitioner, HourlyPartitioner, TimeBasedPartitioner
from kafka2parquet.partitioners.timestamps import RecordFieldTimestamp, RecordTimestamp, WallclockTimestamp
from kafka2parquet.rotation.base import RotationPolicy
from kafka2parquet.rotation.policies import (
    CompressedBytesRotation,
    EncodedPartitionRotation,
    FirstOf,
    MaxOpenFilesRotation,
    PerRecordRotation,
    RecordCountRotation,
    RecordTimeRotation,
    ScheduledRotation,
)
from kafka2parquet.runner import TaskRunner
from kafka2parquet.schema.column_rules import ColumnRules
from kafka2parquet.schema.compatibility import CompatibilityMode
from kafka2parquet.schema.contract import SchemaVersion
from kafka2parquet.schema.learned import LearnedSchema
from kafka2parquet.step_result import StepResult
from kafka2parquet.storage.base import Storage
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.task import SinkTask
from kafka2parquet.transforms.base import MapTable, TableTransform, Transform
from kafka2parquet.version import VERSION

__version__ = VERSION

__all__ = [
    "AccessError",
    "AsyncSinkTask",
    "AvroConverter",
    "AvroMapping",
    "BooleanConverter",
    "ByteArrayConverter",
    "Clock",
    "ColumnRules",
    "CompatibilityMode",
    "CompositePartitioner",
    "CompressedBytesRotation",
    "ConfigurationError",
    "ConfluentSchemaRegistry",
    "Consumer",
    "ConverterRetry",
    "DailyPartitioner",
    "DeadLetterQueue",
    "DefaultPartitioner",
    "DeliveryError",
    "DeliverySettings",
    "DoubleConverter",
    "EncodedPartitionRotation",
    "FailureReporter",
    "FieldPartitioner",
    "FileSettings",
    "FirstOf",
    "FloatConverter",
    "FsspecStorage",
    "HourlyPartitioner",
    "IntegerConverter",
    "JsonConverter",
    "JsonEnvelopeConverter",
    "JsonSchemaConverter",
    "JsonSchemaMapping",
    "Kafka2ParquetError",
    "KafkaDeadLetterQueue",
    "KafkaPythonConsumer",
    "LearnedSchema",
    "LongConverter",
    "MapTable",
    "MaxOpenFilesRotation",
    "MemoryBudget",
    "MetadataColumns",
    "ObjectNaming",
    "ObjectTags",
    "ParquetWriter",
    "Partitioner",
    "PerRecordConverter",
    "PerRecordPartitioner",
    "PerRecordRotation",
    "ProtobufConverter",
    "ProtobufMapping",
    "RecordConverter",
    "RecordCountRotation",
    "RecordError",
    "RecordFieldTimestamp",
    "RecordTimeRotation",
    "RecordTimestamp",
    "RecordViews",
    "RegisteredSchema",
    "RejectLimit",
    "RejectLog",
    "RejectPolicy",
    "RetryPolicy",
    "RotationPolicy",
    "ScheduledRotation",
    "SchemaContract",
    "SchemaNamePartitioner",
    "SchemaRegistry",
    "SchemaVersion",
    "SchemaVersions",
    "ShortConverter",
    "SinkTask",
    "StepResult",
    "Storage",
    "StringConverter",
    "SystemClock",
    "TableTransform",
    "TaskRunner",
    "TimeBasedPartitioner",
    "Tolerance",
    "Transform",
    "TransientError",
    "UsageError",
    "WallclockTimestamp",
    "__version__",
    "build_runner",
    "build_task",
    "load_connect_config",
    "load_worker_config",
]
