"""AssignmentTracker: the net changes of rebalances."""

from __future__ import annotations

import itertools

import pytest
from kafka.structs import TopicPartition as KafkaTopicPartition

from kafka2parquet.consumers.base import Assignment
from kafka2parquet.consumers.kafka_python.assignments import AssignmentChange, AssignmentTracker
from kafka2parquet.records import TopicPartition

FIRST, SECOND = KafkaTopicPartition("t", 0), KafkaTopicPartition("t", 1)


class Client:
    """The parts of a kafka-python consumer that the tracker uses."""

    def __init__(self) -> None:
        self.assigned: set[KafkaTopicPartition] = set()
        self.paused: list[KafkaTopicPartition] = []
        self.positions: dict[KafkaTopicPartition, int] = {}

    def assignment(self) -> set[KafkaTopicPartition]:
        return self.assigned

    def pause(self, *partitions: KafkaTopicPartition) -> None:
        self.paused += partitions

    def seek(self, partition: KafkaTopicPartition, offset: int) -> None:
        self.positions[partition] = offset


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def tracker(client: Client) -> AssignmentTracker:
    return AssignmentTracker(client, itertools.count(1))


def assign(client: Client, tracker: AssignmentTracker, *partitions: KafkaTopicPartition) -> None:
    """Complete a rebalance that results in these partitions."""
    client.assigned = set(partitions)
    tracker.on_partitions_assigned(partitions)


def token(partition: KafkaTopicPartition, epoch: int) -> Assignment:
    return Assignment(TopicPartition(*partition), epoch)


def test_new_partitions_are_paused_and_reported(client: Client, tracker: AssignmentTracker) -> None:
    """A new partition is paused at a position before anything can be fetched, and gets a new epoch."""
    assign(client, tracker, FIRST, SECOND)

    assert [AssignmentChange((), (token(FIRST, 1), token(SECOND, 2)))] == tracker.take_changes()
    assert [FIRST, SECOND] == client.paused
    assert {FIRST: 0, SECOND: 0} == client.positions


def test_a_partition_that_comes_back_in_one_rebalance_causes_no_change(client: Client, tracker: AssignmentTracker) -> None:
    """An eager assignor revokes all partitions first, but only the difference is reported."""
    assign(client, tracker, FIRST, SECOND)
    tracker.take_changes()
    tracker.on_partitions_revoked([FIRST, SECOND])
    assign(client, tracker, FIRST)

    assert [AssignmentChange((token(SECOND, 2),), ())] == tracker.take_changes()


def test_a_cooperative_revocation_is_reported_at_once(client: Client, tracker: AssignmentTracker) -> None:
    """With a cooperative assignor a revoked partition has already left the assignment."""
    assign(client, tracker, FIRST, SECOND)
    tracker.take_changes()
    client.assigned = {FIRST}
    tracker.on_partitions_revoked([SECOND])

    assert [AssignmentChange((token(SECOND, 2),), ())] == tracker.take_changes()


def test_a_lost_partition_comes_back_with_a_new_epoch(client: Client, tracker: AssignmentTracker) -> None:
    """A partition that was lost in between is another assignment."""
    assign(client, tracker, FIRST)
    tracker.on_partitions_lost([FIRST])
    assign(client, tracker, FIRST)

    assert [
        AssignmentChange((), (token(FIRST, 1),)),
        AssignmentChange((token(FIRST, 1),), ()),
        AssignmentChange((), (token(FIRST, 2),)),
    ] == tracker.take_changes()


def test_a_partition_that_disappears_without_a_callback_is_noticed(client: Client, tracker: AssignmentTracker) -> None:
    """Partitions that left the assignment between two polls are reported by the next look."""
    assign(client, tracker, FIRST)
    tracker.take_changes()
    client.assigned = set()

    assert [AssignmentChange((token(FIRST, 1),), ())] == tracker.take_changes()
    assert [] == tracker.take_changes()


def test_all_partitions_can_be_dropped(client: Client, tracker: AssignmentTracker) -> None:
    """Before the group is left, all partitions are given up."""
    assign(client, tracker, FIRST, SECOND)
    tracker.take_changes()
    tracker.drop_all()

    (change,) = tracker.take_changes()
    assert {token(FIRST, 1), token(SECOND, 2)} == set(change.gone)
