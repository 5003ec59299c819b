"""Fixtures of kafka2parquet for pytest, which finds them by itself where kafka2parquet is installed.

It is a package of its own, so that a test session that uses none of them doesn't import kafka2parquet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kafka2parquet.testing import EmbeddedBroker, MemoryKafka


@pytest.fixture
def kafka2parquet_broker() -> Iterator[EmbeddedBroker]:
    """A Kafka broker for one test, in this process: `kafka2parquet_broker.bootstrap` is its address."""
    from kafka2parquet.testing import EmbeddedBroker

    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def memory_kafka() -> MemoryKafka:
    """Topics and consumer groups for one test, in memory: `MemoryConsumer(memory_kafka, ...)` reads them."""
    from kafka2parquet.testing import MemoryKafka

    return MemoryKafka()
