"""The Consumer protocol: assignment events, record batches, and commits with outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.records import ConsumedBatch, TopicPartition


@attrs.frozen
class Assignment:
    """Token for one period in which a topic-partition is assigned to this consumer.

    A partition that is revoked and assigned again later gets a new epoch. The consumer itself refuses calls with an expired
    token, because a broker fences members, not partitions.
    """

    topic_partition: TopicPartition
    epoch: int


@attrs.frozen
class CommittedOffset:
    """The offset that the group has committed for a partition.

    Attributes:
        offset: next offset to read.
        metadata: the metadata that was committed with the offset.
        leader_epoch: leader epoch of the record before the offset, -1 if unknown.
    """

    offset: int
    metadata: str
    leader_epoch: int = -1


@attrs.frozen
class Assigned:
    """A partition was assigned. It delivers nothing until `Consumer.start`.

    Attributes:
        assignment: token for all further calls.
        committed: the group's committed offset with its metadata; None if the group has not committed an offset.
        log_start: first offset that the log still has.
        log_end: the log's end for readers: the next offset that they will see.
        cluster_id: id of the Kafka cluster, "" if unknown.
        topic_id: id of the topic, "" if unknown. A re-created topic has a new id.
        group_id: id of the consumer group, "" if unknown.
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
    """A partition was revoked or lost. Its offsets can't be committed any more."""

    assignment: Assignment


@attrs.frozen
class CommitSucceeded:
    """A commit is stored."""

    assignment: Assignment
    offset: int
    metadata: str


@attrs.frozen
class CommitRefused:
    """A commit was not stored and never will be, because the assignment has ended. A `Revoked` event precedes or follows."""

    assignment: Assignment
    offset: int
    metadata: str
    reason: str


@attrs.frozen
class PartitionFailed:
    """A partition can't be read beyond its position: corrupt batch, missing offset, truncated log, or re-created topic.

    The partition stays assigned and delivers nothing until `Consumer.start` is called again.
    """

    assignment: Assignment
    error: Kafka2ParquetError


ConsumerEvent = Assigned | Revoked | CommitSucceeded | CommitRefused | PartitionFailed


@attrs.frozen
class LogBounds:
    """News about a log, for the status of a sink. Delivery doesn't depend on it.

    Attributes:
        topic_partition: the topic-partition.
        log_start: first offset that the log still has.
        log_end: the log's end for readers: the next offset that they will see.
        retention_ms: how long the topic keeps records, in milliseconds; None if for ever or unknown.
    """

    topic_partition: TopicPartition
    log_start: int
    log_end: int
    retention_ms: int | None = None


@attrs.frozen
class GroupMember:
    """This member of the group, for the status of a sink.

    Attributes:
        member_id: the id that the group's coordinator gave this member; "" if unknown.
        generation: the group's generation; -1 before the first join.
        reaches_kafka: whether a broker answered lately; None if unknown.
    """

    member_id: str = ""
    generation: int = -1
    reaches_kafka: bool | None = None


@attrs.frozen(eq=False)
class Polled:
    """The result of one poll. The events happened before the batches, so apply the events first.

    Attributes:
        events: what happened to assignments and commits.
        batches: records.
        bounds: news about logs; a consumer may leave them out.
        member: news about the membership; None without news.
    """

    events: Sequence[ConsumerEvent] = ()
    batches: Sequence[ConsumedBatch] = ()
    bounds: Sequence[LogBounds] = ()
    member: GroupMember | None = None


class Consumer(Protocol):
    """Reads the partitions that are assigned to one member of a consumer group.

    All calls come from one thread. Only `poll` and `close` may block.

    An assigned partition delivers nothing until `start`. The batches of a partition have no gaps: the `first_offset` of a batch
    is the `next_offset` of the previous batch, or the offset passed to `start`. After `Revoked`, no batch of that assignment is
    delivered. A partition that is revoked and assigned again in one rebalance keeps its position and causes no event.
    """

    def poll(self, timeout_s: float) -> Polled:
        """Return new events and batches as soon as there are any, and after `timeout_s` seconds at the latest.

        Raises:
            AccessError: Kafka refuses access.
            FencedInstanceError: another process uses the same static member id.
            KafkaUnavailableError: no broker answers, and the settings limit the wait.
        """

    def start(self, assignment: Assignment, offset: int, leader_epoch: int = -1) -> None:
        """Deliver the partition from `offset` on. Call again at any time to go back. Drops what was fetched. Never blocks.

        An expired token is ignored. `leader_epoch` is the leader epoch of the record before `offset`. Unless it is -1, the
        consumer first checks that the log still has this record (KIP-320). If the log is truncated below `offset`, now or while
        it is read, `poll` returns a `PartitionFailed` event with a `LogTruncatedError`.
        """

    def commit(self, assignment: Assignment, offset: int, metadata: str, leader_epoch: int = -1) -> None:
        """Commit `offset`, `metadata` and the leader epoch of the record before `offset` for the group. Never blocks.

        `poll` returns the outcome as an event. Each assignment may have at most one commit in flight. If an answer is lost, the
        adapter first finds out the outcome, and then reports it. `metadata` is ASCII, at most 300 characters.
        """

    def pause(self, assignment: Assignment) -> None:
        """Stop delivering the partition. It keeps its position and stays assigned."""

    def resume(self, assignment: Assignment) -> None:
        """Continue to deliver a paused partition."""

    def close(self, timeout_s: float) -> None:
        """Leave the group and release all resources, without waiting for outcomes of commits. May be called twice."""
