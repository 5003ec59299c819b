"""Tools for your tests: consumer and storage in memory, an embedded broker, and a manual clock.

Contract tests for your own parts are in `kafka2parquet.testing.contracts`, which needs pytest.
"""

import kafka2parquet.consumers.kafka_python  # noqa: F401  # has to run before any module imports a part of kafka-python
from kafka2parquet.testing.broker.broker import EmbeddedBroker
from kafka2parquet.testing.inline_executor import InlineExecutor
from kafka2parquet.testing.manual_clock import ManualClock
from kafka2parquet.testing.memory_consumer import MemoryConsumer, MemoryKafka, MemoryRecord
from kafka2parquet.testing.memory_storage import MemoryStorage

__all__ = [
    "EmbeddedBroker",
    "InlineExecutor",
    "ManualClock",
    "MemoryConsumer",
    "MemoryKafka",
    "MemoryRecord",
    "MemoryStorage",
]
