"""The memory consumer, and the kafka-python consumer on the embedded broker, keep the consumer contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from kafka2parquet.consumers.base import Consumer
from kafka2parquet.testing import EmbeddedBroker, MemoryConsumer, MemoryKafka, MemoryRecord
from kafka2parquet.testing.contracts.consumer import ConsumerContract, KafkaUnderTest
from tests.support.kafka_consumers import Consumers
from tests.support.other_kafka_python import looks_elsewhere


class InMemory:
    """A `MemoryKafka` as the contract wants it."""

    def __init__(self) -> None:
        self.kafka = MemoryKafka()

    def make_topic(self, partitions: int) -> str:
        self.kafka.create_topic("topic", partitions)
        return "topic"

    def append(self, topic: str, partition: int, values: Sequence[bytes | None]) -> None:
        records = [MemoryRecord(value, b"k%d" % number, number) for number, value in enumerate(values)]
        self.kafka.append(topic, partition, records)

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        self.kafka.delete_records(topic, partition, before_offset)

    def consumer(self, group_id: str, topic: str) -> Consumer:
        return MemoryConsumer(self.kafka, group_id=group_id, topics=[topic])


class Embedded(Consumers):
    """An embedded broker as the contract wants it."""

    def __init__(self, broker: EmbeddedBroker, **client_settings: Any) -> None:
        super().__init__(broker.bootstrap, **client_settings)
        self.broker = broker

    def make_topic(self, partitions: int) -> str:
        self.broker.create_topic("topic", partitions)
        return "topic"

    def append(self, topic: str, partition: int, values: Sequence[bytes | None]) -> None:
        keys = [b"k%d" % number for number in range(len(values))]
        self.broker.append_values(topic, partition, values, np.arange(len(values)), keys=keys)

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        self.broker.delete_records(topic, partition, before_offset)


class TestMemoryConsumer(ConsumerContract):
    @pytest.fixture
    def kafka(self) -> KafkaUnderTest:
        return InMemory()


class TestKafkaPythonConsumer(ConsumerContract):
    @pytest.fixture
    def kafka(self) -> Iterator[KafkaUnderTest]:
        with EmbeddedBroker() as broker, Embedded(broker) as kafka:
            yield kafka


class TestOrdinaryRecords(ConsumerContract):
    """Runs the contract with a kafka-python that makes records instead of columns."""

    @pytest.fixture
    def kafka(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaUnderTest]:
        looks_elsewhere(monkeypatch)
        with EmbeddedBroker() as broker, Embedded(broker) as kafka:
            yield kafka


class TestCooperativeRebalancing(ConsumerContract):
    """Runs the contract with the cooperative assignor, which revokes only partitions that move."""

    @pytest.fixture
    def kafka(self) -> Iterator[KafkaUnderTest]:
        with EmbeddedBroker() as broker, Embedded(broker, partition_assignment_strategy="cooperative-sticky") as kafka:
            yield kafka
