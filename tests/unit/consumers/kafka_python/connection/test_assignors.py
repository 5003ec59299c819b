"""Assignors by name, and ways to share partitions that kafka-python doesn't speak."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.coordinator.assignors.range import RangePartitionAssignor

from kafka2parquet.consumers.kafka_python.connection.assignors import group_settings
from kafka2parquet.consumers.kafka_python.consumer import KafkaPythonConsumer
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.testing import EmbeddedBroker
from kafka2parquet.testing.contracts.consumer import Reader
from tests.support.kafka_consumers import Consumers

STRATEGY = "partition_assignment_strategy"


@pytest.mark.parametrize("asked", ["range", ["range"], RangePartitionAssignor, (RangePartitionAssignor,)])
def test_names_become_classes(asked: Any) -> None:
    """One or several assignors may be given, by name or as classes."""
    assert {STRATEGY: [RangePartitionAssignor], "client_id": "me"} == group_settings({STRATEGY: asked, "client_id": "me"})


def test_the_classic_protocol_may_be_named() -> None:
    """`group_protocol=classic` is accepted, and not passed on to kafka-python."""
    assert {} == group_settings({"group_protocol": "CLASSIC", "group_remote_assignor": None})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"group_protocol": "consumer"}, "group_protocol=consumer is not supported.* classic group protocol only"),
        ({"group_protocol": "Streams"}, "group_protocol=Streams is not supported"),
        ({"group_remote_assignor": "uniform"}, "group_remote_assignor is not supported"),
        ({STRATEGY: "uniform"}, "no partition assignor 'uniform'. There are range, roundrobin, sticky, cooperative-sticky"),
        ({STRATEGY: []}, "is empty"),
        ({STRATEGY: [int]}, "not a partition assignor of kafka-python"),
        ({STRATEGY: ["range", "cooperative-sticky"]}, "range, cooperative-sticky can't be offered together"),
    ],
)
def test_what_kafka_python_does_not_speak(settings: dict[str, Any], message: str) -> None:
    """An unsupported setting is refused by name when the consumer is created, before it connects."""
    with pytest.raises(ConfigurationError, match=message):
        KafkaPythonConsumer(bootstrap_servers="127.0.0.1:1", group_id="group", topics=["topic"], client_settings=settings)
    with pytest.raises(ConfigurationError, match=message):
        LogReader("127.0.0.1:1", "group", settings)


def test_a_group_that_offers_other_assignors() -> None:
    """If Kafka refuses a member because of its assignors, the error names the setting to change."""
    with EmbeddedBroker() as broker, Consumers(broker.bootstrap) as consumers:
        broker.create_topic("topic")
        first = Reader(consumers.consumer("group", "topic", partition_assignment_strategy="range"))
        first.poll_until(lambda: first.assigned)
        second = Reader(consumers.consumer("group", "topic", partition_assignment_strategy="cooperative-sticky"))
        with pytest.raises(ConfigurationError, match=r"other assignors.*Set partition\.assignment\.strategy"):
            second.poll_until(lambda: second.assigned)
