"""Fixtures for pytest. Enable them in a `conftest.py`: `pytest_plugins = ["kafka2parquet.testing.fixtures"]`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kafka2parquet.testing.broker.broker import EmbeddedBroker
from kafka2parquet.testing.memory_consumer import MemoryKafka


@pytest.fixture
def kafka2parquet_broker() -> Iterator[EmbeddedBroker]:
    """A Kafka broker for one test, in this process. Its address is `kafka2parquet_broker.bootstrap`."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def memory_kafka() -> MemoryKafka:
    """Topics and consumer groups in memory, for one test. `MemoryConsumer(memory_kafka, ...)` reads the topics."""
    return MemoryKafka()
