"""Watchdog: notices problems that kafka-python doesn't report.

These are groups that don't become stable, and topics that are missing, hidden or re-created. Each check can go once
kafka-python reports the problem.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from kafka.structs import MemberState
from kafka.structs import TopicPartition as KafkaTopicPartition

from kafka2parquet.consumers.base import GroupMember
from kafka2parquet.consumers.kafka_python.connection.errors import read_right
from kafka2parquet.consumers.kafka_python.wait_log import COORDINATOR_ADVICE
from kafka2parquet.consumers.topic_ids import topic_id_text
from kafka2parquet.errors import KafkaAuthorizationError
from kafka2parquet.records import TopicPartition

_LOG = logging.getLogger(__name__)
_WARNING_AFTER_S = 30.0
_UNSTABLE_LIMIT_S = 120.0


class Watchdog:
    """Watches the state of one client. All calls come from the poll thread, and none of them blocks."""

    def __init__(self, client: Any, topics: Sequence[str]) -> None:
        self._client = client
        self._topics = topics
        self._started_at = self._stable_at = time.monotonic()
        self._warned_of_state = False
        self._warned_of: set[str] = set()

    def joined(self) -> None:
        """Record that a new membership begins."""
        self._stable_at = time.monotonic()

    def is_stuck(self) -> bool:
        """Return whether the group has been unstable for too long, so that a new join may help. Logs a warning earlier."""
        now = time.monotonic()
        if self._client.group_metadata().state == MemberState.STABLE:
            self._stable_at = now
            self._warned_of_state = False
            return False
        unstable_s = now - self._stable_at
        if unstable_s > _WARNING_AFTER_S and not self._warned_of_state:
            self._warned_of_state = True
            _LOG.warning("The consumer group has not been stable for %.0f s; still trying. %s", unstable_s, COORDINATOR_ADVICE)
        return unstable_s > _UNSTABLE_LIMIT_S

    def member(self, reaches_kafka: bool | None) -> GroupMember:
        """Return this member of the group, as kafka-python knows it."""
        metadata = self._client.group_metadata()
        return GroupMember(metadata.member_id or "", metadata.generation_id, reaches_kafka)

    def check_rights(self) -> None:
        """Raise if a topic may not be described. kafka-python would wait for its partitions forever.

        Raises:
            KafkaAuthorizationError: the principal may not describe a topic.
        """
        hidden = self._client._cluster.unauthorized_topics.intersection(self._topics)
        if hidden:
            raise KafkaAuthorizationError(
                f"Kafka does not show the partitions of {', '.join(sorted(hidden))}. The principal needs {read_right(hidden)}."
            )

    def warn_of_missing_topics(self) -> None:
        """Warn once about each topic that doesn't exist, and keep waiting for it."""
        if time.monotonic() - self._started_at < _WARNING_AFTER_S:
            return
        for topic in self._topics:
            if topic not in self._warned_of and not self._client._cluster.partitions_for_topic(topic):
                self._warned_of.add(topic)
                _LOG.warning("Topic %s does not exist, or may not be described; waiting for it.", topic)

    def has_leader(self, topic_partition: TopicPartition) -> bool:
        """Return whether a broker leads the partition, as far as is known. Requests new metadata if no broker does."""
        leader = self._client._cluster.leader_for_partition(
            KafkaTopicPartition(topic_partition.topic, topic_partition.partition)
        )
        if leader is None or leader < 0:
            self._client._cluster.request_update()
            return False
        return True

    def topic_id(self, topic: str) -> str:
        """Return the topic's id; "" if unknown."""
        return topic_id(self._client, topic)

    def cluster_id(self) -> str:
        """Return the cluster's id; "" if unknown."""
        return cluster_id(self._client)


def topic_id(client: Any, topic: str) -> str:
    """Return a topic's id in Kafka's notation; "" if the broker doesn't send it."""
    return topic_id_text(client._cluster.topic_id(topic))


def cluster_id(client: Any) -> str:
    """Return the cluster's id; "" if unknown."""
    return client._cluster.cluster_id or ""
