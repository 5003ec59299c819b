"""Topics of a broker, by Kafka's admin requests."""

from __future__ import annotations

from collections.abc import Sequence

import confluent_kafka
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import NewTopic as ReplicatedTopic
from kafka.admin import NewPartitions, NewTopic

from tests.support.kafka_clients import LIMIT_S, admin_client, wait_until


def create_topic(bootstrap: str, name: str, partitions: int) -> None:
    """Makes a topic, and returns when the broker knows it."""
    with admin_client(bootstrap) as admin:
        admin.create_topics([NewTopic(name=name, num_partitions=partitions, replication_factor=1)])
        wait_until(lambda: len(admin.describe_topics([name])[0]["partitions"]) == partitions, "the new topic")


def create_replicated_topic(bootstrap: str, name: str, replicas: Sequence[Sequence[int]], **configs: str) -> None:
    """Makes a topic, and returns when each partition has all its replicas in sync.

    Args:
        bootstrap: address of some brokers.
        name: of the topic.
        replicas: for each partition the ids of the brokers that hold it, the preferred leader first.
        configs: of the topic, with underscores for dots: `min_insync_replicas`, `unclean_leader_election_enable`.
    """
    named = {key.replace("_", "."): value for key, value in configs.items()}
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    assignment = [list(brokers) for brokers in replicas]
    topic = ReplicatedTopic(name, num_partitions=len(assignment), replica_assignment=assignment, config=named)
    admin.create_topics([topic])[name].result(LIMIT_S)
    for partition, brokers in enumerate(replicas):
        wait_for_replicas(bootstrap, name, partition, leader=brokers[0], in_sync=brokers)


def replicas_of(bootstrap: str, topic: str, partition: int) -> tuple[int, ...]:
    """Returns the ids of the brokers that hold a partition, its leader first."""
    found = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(topic, timeout=LIMIT_S)
    known = found.topics[topic].partitions[partition]
    return (known.leader, *(broker for broker in known.replicas if broker != known.leader))


def wait_for_replicas(bootstrap: str, topic: str, partition: int, *, leader: int, in_sync: Sequence[int]) -> None:
    """Waits until the broker leads the partition, and exactly these brokers are in sync."""
    # librdkafka's client, because kafka-python's admin client gives up where a broker is gone
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def agreed() -> bool:
        found = admin.list_topics(topic, timeout=LIMIT_S).topics[topic].partitions.get(partition)
        return found is not None and (found.leader, sorted(found.isrs)) == (leader, sorted(in_sync))

    wait_until(agreed, f"{topic}-{partition} led by {leader} with {in_sync} in sync")


def wait_for_all_replicas(bootstrap: str, limit_s: float = LIMIT_S) -> None:
    """Waits until each partition of each topic has a leader, and all its replicas in sync."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def whole() -> bool:
        try:
            topics = admin.list_topics(timeout=5).topics.values()
        except confluent_kafka.KafkaException:  # no broker answers
            return False
        partitions = [partition for topic in topics for partition in topic.partitions.values()]
        return all(each.leader >= 0 and sorted(each.isrs) == sorted(each.replicas) for each in partitions)

    wait_until(whole, "all replicas in sync", limit_s)


def add_partitions(bootstrap: str, name: str, total: int) -> None:
    """Adds partitions to a topic."""
    with admin_client(bootstrap) as admin:
        admin.create_partitions({name: NewPartitions(total)})
        wait_until(lambda: len(admin.describe_topics([name])[0]["partitions"]) == total, "the new partitions")


def committed_offsets(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """Returns the group's committed offsets by partition; empty while no broker answers."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, timeout=5).topics[topic].partitions
        asked = [confluent_kafka.TopicPartition(topic, partition) for partition in partitions]
        return {found.partition: found.offset for found in consumer.committed(asked, timeout=5) if found.offset >= 0}
    except confluent_kafka.KafkaException:
        return {}
    finally:
        consumer.close()
