"""Sends commits and finds out the outcome of each. Kafka may have carried out a commit even if the request failed."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Collection
from typing import Any

import kafka.errors as kafka_errors
from kafka.structs import OffsetAndMetadata
from kafka.structs import TopicPartition as KafkaTopicPartition

from kafka2parquet.consumers.base import Assignment, CommitRefused, CommitSucceeded, CommittedOffset, ConsumerEvent
from kafka2parquet.consumers.kafka_python.connection.errors import REFUSED_COMMITS, translate
from kafka2parquet.consumers.kafka_python.shared_state import Commit
from kafka2parquet.consumers.kafka_python.wait_log import COORDINATOR_ADVICE, WaitLog

_LOG = logging.getLogger(__name__)
_COMMIT_TIMEOUT_MS = 10_000
_READ_BACK_TIMEOUT_MS = 5_000


class Outcome(enum.Enum):
    """What the poll thread has to do next after `CommitSender.send`."""

    GO_ON = "go on"
    REJOIN = "leave the group and join again"


class CommitSender:
    """The commits of one client. All calls come from the poll thread. `send` blocks while a request is in flight."""

    def __init__(self, client: Any, emit: Callable[[ConsumerEvent], None]) -> None:
        self._client = client
        self._emit = emit
        self._queued: dict[Assignment, Commit] = {}
        self._unknown: dict[Assignment, Commit] = {}
        self._waiting = WaitLog("store offsets of the group", COORDINATOR_ADVICE)

    def put(self, commit: Commit) -> None:
        """Queue a commit for the next `send`."""
        self._queued[commit.assignment] = commit

    @property
    def is_busy(self) -> bool:
        """Whether a commit is queued, or its outcome is unknown."""
        return bool(self._queued or self._unknown)

    def refuse(self, gone: Collection[Assignment], reason: str) -> None:
        """Refuse the commits of assignments that have ended."""
        for commits in (self._queued, self._unknown):
            for assignment in [assignment for assignment in commits if assignment in gone]:
                commit = commits.pop(assignment)
                self._emit(CommitRefused(assignment, commit.offset, commit.metadata, reason))

    def send(self) -> Outcome:
        """Resolve unknown outcomes, or else commit everything that is queued in one request.

        A commit whose answer was lost is read back. If Kafka doesn't have the commit, it may still arrive at any time. Only a
        new generation of the group rules that out, so this member rejoins before it commits anything else.

        Raises:
            Kafka2ParquetError: Kafka refuses access permanently.
        """
        if self._unknown:
            return self._resolve()
        if not self._queued:
            return Outcome.GO_ON
        offsets = {
            kafka_name(assignment): OffsetAndMetadata(commit.offset, commit.metadata, commit.leader_epoch)
            for assignment, commit in self._queued.items()
        }
        self._waiting.begin()
        try:
            self._client.commit(offsets, timeout_ms=_COMMIT_TIMEOUT_MS)
        except kafka_errors.RebalanceInProgressError:
            return Outcome.GO_ON  # the next poll joins the rebalance; commits of partitions that stay here are then sent again
        except REFUSED_COMMITS as error:
            _LOG.info("Commits were refused: %s", error)
            return Outcome.REJOIN
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            fatal = translate(error, "committing offsets")
            if fatal is not None:
                raise fatal from error
            _LOG.info("The outcome of a commit is unknown; reading the committed offsets back: %r", error)
            self._waiting.failed(error)
            self._unknown, self._queued = self._queued, {}
            return Outcome.GO_ON
        self._waiting.succeeded()
        committed, self._queued = self._queued, {}
        for commit in committed.values():
            self._emit(CommitSucceeded(commit.assignment, commit.offset, commit.metadata))
        return Outcome.GO_ON

    def _resolve(self) -> Outcome:
        try:
            stored = read_committed(self._client, list(self._unknown), _READ_BACK_TIMEOUT_MS)
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            fatal = translate(error, "reading offsets back")
            if fatal is not None:
                raise fatal from error
            self._waiting.failed(error)
            return Outcome.GO_ON
        self._waiting.succeeded()
        for assignment, commit in list(self._unknown.items()):
            found = stored.get(assignment)
            if found is not None and (found.offset, found.metadata) == (commit.offset, commit.metadata):
                del self._unknown[assignment]
                self._emit(CommitSucceeded(assignment, commit.offset, commit.metadata))
        return Outcome.REJOIN if self._unknown else Outcome.GO_ON


def read_committed(client: Any, assignments: Collection[Assignment], timeout_ms: int) -> dict[Assignment, CommittedOffset]:
    """Return the committed offset of each partition that has one, with one request. Blocks.

    Raises:
        kafka.errors.KafkaError: Kafka did not answer.
    """
    names = {kafka_name(assignment): assignment for assignment in assignments}
    stored = client._coordinator.fetch_committed_offsets(list(names), timeout_ms=timeout_ms)
    return {
        names[name]: CommittedOffset(found.offset, found.metadata or "", found.leader_epoch)
        for name, found in stored.items()
        if found.offset >= 0
    }


def kafka_name(assignment: Assignment) -> KafkaTopicPartition:
    """Return kafka-python's name for an assigned topic-partition."""
    return KafkaTopicPartition(assignment.topic_partition.topic, assignment.topic_partition.partition)
