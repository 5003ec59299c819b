"""CommitSender: the outcome of each commit, also of those whose answers were lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import kafka.errors as kafka_errors
import pytest
from kafka.structs import OffsetAndMetadata
from kafka.structs import TopicPartition as KafkaTopicPartition

from kafka2parquet.consumers.base import Assignment, CommitRefused, CommitSucceeded, ConsumerEvent
from kafka2parquet.consumers.kafka_python.commits import CommitSender, Outcome
from kafka2parquet.consumers.kafka_python.shared_state import Commit
from kafka2parquet.errors import KafkaAuthorizationError
from kafka2parquet.records import TopicPartition

ASSIGNMENT = Assignment(TopicPartition("t", 0), 1)
NAME = KafkaTopicPartition("t", 0)
COMMIT = Commit(ASSIGNMENT, 7, "meta", 3)
SUCCESS = CommitSucceeded(ASSIGNMENT, 7, "meta")


class Client:
    """A client that stores commits, and may raise before or after that."""

    def __init__(self) -> None:
        self._coordinator = self
        self.stored: dict[KafkaTopicPartition, OffsetAndMetadata] = {}
        self.before: Exception | None = None
        self.after: Exception | None = None
        self.requests = 0

    def commit(self, offsets: Mapping[KafkaTopicPartition, OffsetAndMetadata], timeout_ms: int) -> None:
        self.requests += 1
        if self.before is not None:
            raise self.before
        self.stored.update(offsets)
        if self.after is not None:
            raise self.after

    def fetch_committed_offsets(self, names: Sequence[KafkaTopicPartition], timeout_ms: int) -> dict[Any, OffsetAndMetadata]:
        return {name: self.stored[name] for name in names if name in self.stored}


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def events() -> list[ConsumerEvent]:
    return []


@pytest.fixture
def sender(client: Client, events: list[ConsumerEvent]) -> CommitSender:
    sender = CommitSender(client, events.append)
    sender.put(COMMIT)
    return sender


def test_a_commit_succeeds(client: Client, sender: CommitSender, events: list[ConsumerEvent]) -> None:
    """Offset, metadata and leader epoch are stored, and the success is reported once."""
    assert Outcome.GO_ON is sender.send()
    assert OffsetAndMetadata(7, "meta", 3) == client.stored[NAME]
    assert [SUCCESS] == events
    assert not sender.is_busy


def test_a_commit_during_a_rebalance_is_sent_again(client: Client, sender: CommitSender, events: list[ConsumerEvent]) -> None:
    """A commit stays queued while the group rebalances."""
    client.before = kafka_errors.RebalanceInProgressError()
    assert Outcome.GO_ON is sender.send()
    assert ([], True) == (events, sender.is_busy)
    client.before = None
    sender.send()
    assert [SUCCESS] == events


def test_a_refused_commit_makes_the_member_rejoin(client: Client, sender: CommitSender, events: list[ConsumerEvent]) -> None:
    """A commit of an old generation will never be stored; it is refused when its assignment has ended."""
    client.before = kafka_errors.IllegalGenerationError()
    assert Outcome.REJOIN is sender.send()
    sender.refuse({ASSIGNMENT}, "revoked")
    assert [CommitRefused(ASSIGNMENT, 7, "meta", "revoked")] == events
    assert not sender.is_busy


def test_a_lost_answer_is_read_back(client: Client, sender: CommitSender, events: list[ConsumerEvent]) -> None:
    """A commit that was stored succeeds without a second request."""
    client.after = kafka_errors.KafkaTimeoutError()
    assert Outcome.GO_ON is sender.send()
    assert [] == events
    assert Outcome.GO_ON is sender.send()
    assert ([SUCCESS], 1) == (events, client.requests)


def test_a_commit_that_is_not_stored_may_arrive(client: Client, sender: CommitSender, events: list[ConsumerEvent]) -> None:
    """A commit without an answer that Kafka doesn't have makes the member rejoin before it commits anything else."""
    client.before = kafka_errors.KafkaTimeoutError()
    sender.send()
    assert Outcome.REJOIN is sender.send()
    assert ([], True) == (events, sender.is_busy)


def test_a_missing_right_is_raised(client: Client, sender: CommitSender) -> None:
    """A permanent refusal becomes one of this library's errors."""
    client.before = kafka_errors.GroupAuthorizationFailedError("sink")
    with pytest.raises(KafkaAuthorizationError, match="READ on the group sink"):
        sender.send()
