"""The Consumer protocol: assignment events, record batches, commits with outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.records import ConsumedBatch, TopicPartition


@attrs.frozen
class Assignment:
    """Token of one period in which a topic-partition belongs to this consumer.

    A partition that is taken away and given back later comes with a new epoch. Calls with a token that is over are refused
    locally, because a broker fences members, not partitions.
    """

    topic_partition: TopicPartition
    epoch: int


@attrs.frozen
class CommittedOffset:
    """What the group has stored for a partition.

    Attributes:
        offset: next offset to read.
        metadata: what was committed with it.
        leader_epoch: of the record before it, -1 where unknown.
    """

    offset: int
    metadata: str
    leader_epoch: int = -1


@attrs.frozen
class Assigned:
    """A partition was gained. It delivers nothing until `Consumer.start`.

    Attributes:
        assignment: token for all further calls.
        committed: the group's committed offset with its metadata; None when there is none.
        log_start: first offset that the log still has.
        log_end: next offset that readers can see.
        cluster_id: id of the Kafka cluster, "" where unknown.
        topic_id: id of the topic (a re-created topic has another), "" where unknown.
        group_id: of the consumer group, "" where unknown.
    """

    assignment: Assignment
    committed: CommittedOffset | None
    log_start: int
    log_end: int
    cluster_id: str = ""
    topic_id: str = ""
    group_id: str = ""


@attrs.frozen
class Revoked:
    """A partition was given up or taken away: nothing of it can be committed any more."""

    assignment: Assignment


@attrs.frozen
class CommitSucceeded:
    """A commit is stored."""

    assignment: Assignment
    offset: int
    metadata: str


@attrs.frozen
class CommitRefused:
    """A commit was not and will not be stored, because the assignment is over. A `Revoked` event follows, or came before."""

    assignment: Assignment
    offset: int
    metadata: str
    reason: str


@attrs.frozen
class PartitionFailed:
    """A partition can't be read any further from where it is: corrupt batch, offset gone, log truncated, topic re-created.

    The partition stays assigned and delivers nothing until `Consumer.start` is called again.
    """

    assignment: Assignment
    error: Kafka2ParquetError


ConsumerEvent = Assigned | Revoked | CommitSucceeded | CommitRefused | PartitionFailed


@attrs.frozen(eq=False)
class Polled:
    """Result of one poll. The events happened before the batches and have to be applied first."""

    events: Sequence[ConsumerEvent] = ()
    batches: Sequence[ConsumedBatch] = ()


class Consumer(Protocol):
    """Reads the partitions of a group. All calls come from one thread; only `poll` and `close` may block.

    An assigned partition delivers nothing until `start`. Batches of one partition arrive gapless: `first_offset` of each is
    `next_offset` of the one before it, or the offset given to `start`. After `Revoked`, no batch of that assignment is
    delivered. A partition that is revoked and given back in one rebalance keeps its position and causes no event.
    """

    def poll(self, timeout_s: float) -> Polled:
        """What happened, and what arrived. Returns as soon as there is anything, at the latest after `timeout_s` seconds.

        Raises:
            AccessError: Kafka refuses us.
            FencedInstanceError: another process has our static member id.
            KafkaUnavailableError: only where a limit for waiting was set.
        """

    def start(self, assignment: Assignment, offset: int, leader_epoch: int = -1) -> None:
        """Deliver the partition from `offset` on; again at any time, to go back. Forgets what was fetched. Never blocks.

        A token that is over is ignored. `leader_epoch` is that of the record before `offset`. Where it is not -1, the log is
        first checked to have that record still (KIP-320). A log that was truncated below `offset` makes a `PartitionFailed`
        with a `LogTruncatedError`, and so does one that is truncated later, while it is read.
        """

    def commit(self, assignment: Assignment, offset: int, metadata: str, leader_epoch: int = -1) -> None:
        """Store `offset`, `metadata` and the leader epoch of the record before `offset` for the group. Never blocks.

        The outcome comes back as an event of `poll`. At most one commit of an assignment may be under way. Unknown outcomes (a
        lost answer) are resolved by the adapter before it says anything. `metadata` is ASCII, at most 300 characters.
        """

    def pause(self, assignment: Assignment) -> None:
        """Stop delivering the partition, without losing its position or its place in the group."""

    def resume(self, assignment: Assignment) -> None:
        """Go on delivering a paused partition."""

    def close(self, timeout_s: float) -> None:
        """Leave the group and release everything; outcomes still under way are not waited for. May be called twice."""
