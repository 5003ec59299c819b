"""Topics of a broker, by Kafka's admin requests."""

from __future__ import annotations

import confluent_kafka
from kafka.admin import NewPartitions, NewTopic

from tests.support.kafka_clients import admin_client, wait_until


def create_topic(bootstrap: str, name: str, partitions: int) -> None:
    """Make a topic; returns when the broker knows it."""
    with admin_client(bootstrap) as admin:
        admin.create_topics([NewTopic(name=name, num_partitions=partitions, replication_factor=1)])
        wait_until(lambda: len(admin.describe_topics([name])[0]["partitions"]) == partitions, "the new topic")


def add_partitions(bootstrap: str, name: str, total: int) -> None:
    """Let a topic grow."""
    with admin_client(bootstrap) as admin:
        admin.create_partitions({name: NewPartitions(total)})
        wait_until(lambda: len(admin.describe_topics([name])[0]["partitions"]) == total, "the new partitions")


def committed_offsets(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """What the group has committed, by partition; nothing while no broker answers."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, timeout=5).topics[topic].partitions
        asked = [confluent_kafka.TopicPartition(topic, partition) for partition in partitions]
        return {found.partition: found.offset for found in consumer.committed(asked, timeout=5) if found.offset >= 0}
    except confluent_kafka.KafkaException:
        return {}
    finally:
        consumer.close()
