"""Short ways to ordinary Kafka clients, for tests that need a topic filled or read."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

LIMIT_S = 30.0


def unique(prefix: str) -> str:
    """Returns a name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def wait_until(condition: Callable[..., Any], what: str, limit_s: float = LIMIT_S) -> Any:
    """Polls the condition, a function without required arguments, until it holds, and returns its value."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {limit_s} s for: {what}")
        time.sleep(0.02)
    return value


@contextmanager
def admin_client(bootstrap: str) -> Iterator[KafkaAdminClient]:
    """Makes kafka-python's admin client."""
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        yield client
    finally:
        client.close()


def make_topic(bootstrap: str, partitions: int = 1, configs: dict[str, str] | None = None) -> str:
    """Makes a topic with a unique name; a broker may need a moment to know the topic."""
    name = unique("topic")
    with admin_client(bootstrap) as admin:
        admin.create_topics([NewTopic(name=name, num_partitions=partitions, replication_factor=1, topic_configs=configs)])
        wait_until(lambda: len(admin.describe_topics([name])[0]["partitions"]) == partitions, "the new topic")
    return name


@contextmanager
def python_producer(bootstrap: str, **settings: Any) -> Iterator[KafkaProducer]:
    """Makes kafka-python's producer."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, **{"linger_ms": 5, **settings})
    try:
        yield producer
    finally:
        producer.close(timeout=5)


@contextmanager
def python_consumer(bootstrap: str, *topics: str, **settings: Any) -> Iterator[KafkaConsumer]:
    """Makes kafka-python's consumer, which reads from the beginning without automatic commits."""
    defaults = {"auto_offset_reset": "earliest", "enable_auto_commit": False}
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, **{**defaults, **settings})
    try:
        if topics:
            # kafka-python that joins a group before it knows the topic may never get an assignment
            wait_until(lambda: all(consumer.partitions_for_topic(topic) for topic in topics), "the topics' partitions")
            consumer.subscribe(topics)
        yield consumer
    finally:
        consumer.close(autocommit=False)


def fill(bootstrap: str, topic: str, values: Sequence[bytes | None], partition: int = 0, **settings: Any) -> list[int]:
    """Produces values with kafka-python and returns their offsets."""
    with python_producer(bootstrap, **settings) as producer:
        sent = [producer.send(topic, value, partition=partition) for value in values]
        return [each.get(timeout=LIMIT_S).offset for each in sent]


def drain(consumer: KafkaConsumer, count: int) -> list[Any]:
    """Polls until a number of records have come."""
    records: list[Any] = []

    def enough() -> bool:
        for polled in consumer.poll(timeout_ms=200).values():
            records.extend(polled)
        return len(records) >= count

    wait_until(enough, f"{count} records")
    return records


def read(bootstrap: str, topic: str, count: int, offset: int = 0, partition: int = 0, **settings: Any) -> list[Any]:
    """Reads records of one partition from an offset on."""
    with python_consumer(bootstrap, **settings) as consumer:
        consumer.assign([TopicPartition(topic, partition)])
        consumer.seek(TopicPartition(topic, partition), offset)
        return drain(consumer, count)
