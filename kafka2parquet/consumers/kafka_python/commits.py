"""Sends commits and finds out the outcome of each: a request that failed may have been carried out all the same."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Collection
from typing import Any

import kafka.errors as kafka_errors
from kafka.structs import OffsetAndMetadata
from kafka.structs import TopicPartition as KafkaTopicPartition

from kafka2parquet.consumers.base import Assignment, CommitRefused, CommitSucceeded, CommittedOffset, ConsumerEvent
from kafka2parquet.consumers.kafka_python.errors import REFUSED_COMMITS, translate
from kafka2parquet.consumers.kafka_python.shared_state import Commit
from kafka2parquet.consumers.kafka_python.waiting import COORDINATOR_ADVICE, Waiting

_LOG = logging.getLogger(__name__)
_COMMIT_TIMEOUT_MS = 10_000
_READ_BACK_TIMEOUT_MS = 5_000


class Outcome(enum.Enum):
    """What the poll thread has to do after `CommitSender.send`."""

    GO_ON = "go on"
    REJOIN = "leave the group and join again"


class CommitSender:
    """The commits of one client. All calls come from the poll thread; `send` blocks while a request is under way."""

    def __init__(self, client: Any, emit: Callable[[ConsumerEvent], None]) -> None:
        self._client = client
        self._emit = emit
        self._queued: dict[Assignment, Commit] = {}
        self._unknown: dict[Assignment, Commit] = {}
        self._waiting = Waiting("store offsets of the group", COORDINATOR_ADVICE)

    def put(self, commit: Commit) -> None:
        """Queue a commit for the next `send`."""
        self._queued[commit.assignment] = commit

    @property
    def is_busy(self) -> bool:
        """Whether some outcome is not known yet."""
        return bool(self._queued or self._unknown)

    def refuse(self, gone: Collection[Assignment], reason: str) -> None:
        """Drop the commits of assignments that are over."""
        for commits in (self._queued, self._unknown):
            for assignment in [assignment for assignment in commits if assignment in gone]:
                commit = commits.pop(assignment)
                self._emit(CommitRefused(assignment, commit.offset, commit.metadata, reason))

    def send(self) -> Outcome:
        """Resolve what is unknown, then commit what is queued, in one request.

        A commit whose answer was lost is read back. If it isn't there it may still come, at any time: only a new generation of
        the group makes sure that it doesn't, so we rejoin before anything else is committed.

        Raises:
            Kafka2ParquetError: Kafka refuses us for good.
        """
        if self._unknown:
            return self._resolve()
        if not self._queued:
            return Outcome.GO_ON
        offsets = {
            _kafka_name(assignment): OffsetAndMetadata(commit.offset, commit.metadata, commit.leader_epoch)
            for assignment, commit in self._queued.items()
        }
        self._waiting.begin()
        try:
            self._client.commit(offsets, timeout_ms=_COMMIT_TIMEOUT_MS)
        except kafka_errors.RebalanceInProgressError:
            return Outcome.GO_ON  # the next poll takes part in it; what is still ours then is sent again
        except REFUSED_COMMITS as error:
            _LOG.info("Commits were refused: %s", error)
            return Outcome.REJOIN
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            fatal = translate(error, "committing offsets")
            if fatal is not None:
                raise fatal from error
            _LOG.info("A commit has an unknown outcome and will be read back: %r", error)
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
    """Return what the group has stored for each partition that has one, in one request. Blocks.

    Raises:
        kafka.errors.KafkaError: no answer.
    """
    names = {_kafka_name(assignment): assignment for assignment in assignments}
    stored = client._coordinator.fetch_committed_offsets(list(names), timeout_ms=timeout_ms)
    return {
        names[name]: CommittedOffset(found.offset, found.metadata or "", found.leader_epoch)
        for name, found in stored.items()
        if found.offset >= 0
    }


def _kafka_name(assignment: Assignment) -> KafkaTopicPartition:
    return KafkaTopicPartition(assignment.topic_partition.topic, assignment.topic_partition.partition)
