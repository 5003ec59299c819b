"""Drains Kafka topics into time-partitioned Parquet files, every record exactly once.

Build a `SinkTask` from its parts, or load a Kafka Connect configuration: `build_task(load_connect_config("sink.json"))`.

Here is what most tasks are built of. The rest is in public packages (`kafka2parquet.consumers`, `.converters`, `.partitioners`,
`.rotation`, `.storage`, `.transforms`, `.dead_letters`, `.schema`, `.connect`, `.status`, `.http`, `.testing`) and public
modules (`kafka2parquet.events`, `.errors`, `.records`, `.rows`, `.clock`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from kafka2parquet.version import VERSION

if TYPE_CHECKING:
    from kafka2parquet.aio import AsyncSinkTask
    from kafka2parquet.backoff import ConverterRetry, RetryPolicy
    from kafka2parquet.connect import build_runner, build_task, load_connect_config, load_worker_config
    from kafka2parquet.consumers import KafkaPythonConsumer
    from kafka2parquet.converters import (
        AvroConverter,
        ConfluentSchemaRegistry,
        JsonConverter,
        MetadataColumns,
        ProtobufConverter,
    )
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
    from kafka2parquet.rotation import (
        CompressedBytesRotation,
        FirstOf,
        RecordCountRotation,
        RecordTimeRotation,
        ScheduledRotation,
    )
    from kafka2parquet.runner import TaskRunner
    from kafka2parquet.storage import FsspecStorage
    from kafka2parquet.task.sink_task import SinkTask
    from kafka2parquet.task.step_result import StepResult

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

#: The module of each name above. A name's module is imported when the name is first used, because all of them together import
#: Kafka's client, pyarrow and fsspec.
_MODULES = {
    "AsyncSinkTask": "aio",
    "AvroConverter": "converters",
    "CompressedBytesRotation": "rotation",
    "ConfluentSchemaRegistry": "converters",
    "ConverterRetry": "backoff",
    "DailyPartitioner": "partitioners",
    "DefaultPartitioner": "partitioners",
    "DeliverySettings": "delivery.settings",
    "FieldPartitioner": "partitioners",
    "FileSettings": "delivery.settings",
    "FirstOf": "rotation",
    "FsspecStorage": "storage",
    "HourlyPartitioner": "partitioners",
    "JsonConverter": "converters",
    "Kafka2ParquetError": "errors",
    "KafkaDeadLetterQueue": "dead_letters",
    "KafkaPythonConsumer": "consumers",
    "MemoryBudget": "delivery.budget",
    "MetadataColumns": "converters",
    "ObjectNaming": "object_names",
    "ObjectTags": "delivery.settings",
    "ParquetWriter": "parquet.writer",
    "ProtobufConverter": "converters",
    "RecordCountRotation": "rotation",
    "RecordTimeRotation": "rotation",
    "RejectPolicy": "delivery.settings",
    "RetryPolicy": "backoff",
    "ScheduledRotation": "rotation",
    "SinkTask": "task.sink_task",
    "StepResult": "task.step_result",
    "TaskRunner": "runner",
    "TimeBasedPartitioner": "partitioners",
    "build_runner": "connect",
    "build_task": "connect",
    "load_connect_config": "connect",
    "load_worker_config": "connect",
}
#: The public packages and modules, which are attributes of this package without an import of their own.
_PUBLIC_MODULES = (
    "audit",
    "bounded",
    "clock",
    "compaction",
    "completeness",
    "connect",
    "consumers",
    "converters",
    "dead_letters",
    "errors",
    "events",
    "http",
    "partitioners",
    "records",
    "rotation",
    "rows",
    "schema",
    "status",
    "storage",
    "tables",
    "testing",
    "transforms",
    "units",
)


def __getattr__(name: str) -> object:
    """Import and return a public name of the package, or a public module."""
    if name in _MODULES:
        value = getattr(importlib.import_module(f"kafka2parquet.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
    if name in _PUBLIC_MODULES:
        return importlib.import_module(f"kafka2parquet.{name}")
    raise AttributeError(f"module 'kafka2parquet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PUBLIC_MODULES})
