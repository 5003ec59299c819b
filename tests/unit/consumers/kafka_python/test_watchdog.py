"""Watchdog: problems that kafka-python doesn't report."""

from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest
from kafka.structs import MemberState
from kafka.structs import TopicPartition as KafkaTopicPartition

from kafka2parquet.consumers.kafka_python.watchdog import Watchdog
from kafka2parquet.errors import KafkaAuthorizationError
from kafka2parquet.records import TopicPartition


class Client:
    """A client whose cluster has the topic `t` with one partition."""

    def __init__(self) -> None:
        self._cluster = self
        self.unauthorized_topics: set[str] = set()
        self.leaders: dict[KafkaTopicPartition, int] = {KafkaTopicPartition("t", 0): 1}
        self.updates = 0
        self.ids: dict[str, uuid.UUID] = {}
        self.cluster_id: str | None = None

    def group_metadata(self) -> SimpleNamespace:
        return SimpleNamespace(state=MemberState.STABLE)

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0} if topic == "t" else set()

    def leader_for_partition(self, name: KafkaTopicPartition) -> int | None:
        return self.leaders.get(name)

    def request_update(self) -> None:
        self.updates += 1

    def topic_id(self, topic: str) -> uuid.UUID | None:
        return self.ids.get(topic)


def test_a_hidden_topic_is_an_error() -> None:
    """The error names the topics of the subscription that may not be described, and the missing right."""
    client = Client()
    client.unauthorized_topics = {"t", "other"}

    with pytest.raises(KafkaAuthorizationError, match=r"partitions of t\. The principal needs READ on the topic t\."):
        Watchdog(client, ["t"]).check_rights()


def test_only_topics_of_the_subscription_need_rights() -> None:
    """Hidden topics that are not read don't matter."""
    client = Client()
    client.unauthorized_topics = {"other"}

    Watchdog(client, ["t"]).check_rights()


@pytest.mark.parametrize(("leader", "expected"), [(1, True), (-1, False), (None, False)])
def test_a_partition_without_a_leader_requests_new_metadata(leader: int | None, expected: bool) -> None:
    """New metadata is requested as long as the leader is unknown or missing."""
    client = Client()
    client.leaders = {} if leader is None else {KafkaTopicPartition("t", 0): leader}

    assert expected == Watchdog(client, ["t"]).has_leader(TopicPartition("t", 0))
    assert (0 if expected else 1) == client.updates


def test_ids_have_kafkas_notation() -> None:
    """A topic's id is URL-safe base64 without padding, and unknown ids are empty."""
    client = Client()
    watchdog = Watchdog(client, ["t"])
    assert ("", "") == (watchdog.topic_id("t"), watchdog.cluster_id())

    client.ids["t"], client.cluster_id = uuid.UUID(int=(1 << 128) - 1), "cluster"
    assert ("_" * 21 + "w", "cluster") == (watchdog.topic_id("t"), watchdog.cluster_id())


def test_a_stable_group_is_not_stuck() -> None:
    """A group that is stable never makes the member leave."""
    assert not Watchdog(Client(), ["t"]).is_stuck()
