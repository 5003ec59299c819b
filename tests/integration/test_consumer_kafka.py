"""The kafka-python consumer keeps the consumer contract on Apache Kafka."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from kafka import TopicPartition

from kafka2parquet.testing.contracts.consumer import ConsumerContract, KafkaUnderTest
from tests.support.kafka_clients import admin_client, make_topic, python_producer, unique
from tests.support.kafka_consumers import Consumers


class ApacheKafka(Consumers):
    """A real broker for the consumer contract."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__(bootstrap)
        self._suffix = unique("")

    def make_topic(self, partitions: int) -> str:
        return make_topic(self.bootstrap, partitions)

    def append(self, topic: str, partition: int, values: Sequence[bytes | None]) -> None:
        with python_producer(self.bootstrap, acks="all") as producer:
            for number, value in enumerate(values):
                producer.send(topic, value, b"k%d" % number, partition=partition, timestamp_ms=number)
            producer.flush()

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        with admin_client(self.bootstrap) as admin:
            admin.delete_records({TopicPartition(topic, partition): before_offset})

    def consumer(self, group_id: str, topic: str, **client_settings: Any) -> Any:
        return super().consumer(group_id + self._suffix, topic, **client_settings)


class TestOnApacheKafka(ConsumerContract):
    @pytest.fixture
    def kafka(self, kafka_server: Any) -> Iterator[KafkaUnderTest]:
        with ApacheKafka(kafka_server.bootstrap) as kafka:
            yield kafka
