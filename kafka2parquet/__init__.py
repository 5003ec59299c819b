"""Drains Kafka topics into time-partitioned Parquet files, every record exactly once.

Build a `SinkTask` from its parts, or load a Kafka Connect configuration: `build_task(load_connect_config("sink.json"))`.

Here is what most tasks are built of. The rest is in public packages (`kafka2parquet.consumers`, `.converters`, `.partitioners`,
`.rotation`, `.storage`, `.transforms`, `.dead_letters`, `.schema`, `.connect`, `.testing`) and public modules
(`kafka2parquet.events`, `.errors`, `.records`, `.rows`, `.clock`).
"""

from kafka2parquet.aio import AsyncSinkTask
from kafka2parquet.backoff import ConverterRetry, RetryPolicy
from kafka2parquet.connect import build_runner, build_task, load_connect_config, load_worker_config
from kafka2parquet.consumers import KafkaPythonConsumer
from kafka2parquet.converters import AvroConverter, ConfluentSchemaRegistry, JsonConverter, MetadataColumns, ProtobufConverter
from kafka2parquet.dead_letters import KafkaDeadLetterQueue
from kafka2parquet.delivery.budget import MemoryBudget
from kafka2parquet.delivery.settings import DeliverySettings, FileSettings, ObjectTags, RejectPolicy
from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.parquet.writer import ParquetWriter
from kafka2parquet.partitioners import (
    DailyPartitioner,
    DefaultPartitioner,
    FieldPartitioner,
    HourlyPartitioner,
    TimeBasedPartitioner,
)
from kafka2parquet.rotation import CompressedBytesRotation, FirstOf, RecordCountRotation, RecordTimeRotation, ScheduledRotation
from kafka2parquet.runner import TaskRunner
from kafka2parquet.step_result import StepResult
from kafka2parquet.storage import FsspecStorage
from kafka2parquet.task import SinkTask
from kafka2parquet.version import VERSION

__version__ = VERSION

__all__ = [
    "AsyncSinkTask",
    "AvroConverter",
    "CompressedBytesRotation",
    "ConfluentSchemaRegistry",
    "ConverterRetry",
    "DailyPartitioner",
    "DefaultPartitioner",
    "DeliverySettings",
    "FieldPartitioner",
    "FileSettings",
    "FirstOf",
    "FsspecStorage",
    "HourlyPartitioner",
    "JsonConverter",
    "Kafka2ParquetError",
    "KafkaDeadLetterQueue",
    "KafkaPythonConsumer",
    "MemoryBudget",
    "MetadataColumns",
    "ObjectNaming",
    "ObjectTags",
    "ParquetWriter",
    "ProtobufConverter",
    "RecordCountRotation",
    "RecordTimeRotation",
    "RejectPolicy",
    "RetryPolicy",
    "ScheduledRotation",
    "SinkTask",
    "StepResult",
    "TaskRunner",
    "TimeBasedPartitioner",
    "__version__",
    "build_runner",
    "build_task",
    "load_connect_config",
    "load_worker_config",
]
