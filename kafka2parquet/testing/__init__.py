"""For tests and trials, ours and yours: memory consumer and storage, embedded broker, `drain`, contract checks.

The contract checks need pytest and are imported from their own modules: `consumer_contract`, `storage_contract`.
"""

from kafka2parquet.testing.broker.broker import EmbeddedBroker
from kafka2parquet.testing.draining import drain
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
    "drain",
]
