"""AssignmentTracker: the net changes of a rebalance.

kafka-python revokes all partitions and assigns most of them again. Only the difference counts.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable
from typing import Any

import attrs
from kafka import ConsumerRebalanceListener

from kafka2parquet.consumers.base import Assignment
from kafka2parquet.records import TopicPartition


@attrs.frozen
class AssignmentChange:
    """The partitions that a rebalance took away, and those that it added."""

    gone: tuple[Assignment, ...]
    gained: tuple[Assignment, ...]


class AssignmentTracker(ConsumerRebalanceListener):  # type: ignore[misc]
    """Follows the assignment and records net changes.

    kafka-python calls the listener on its own thread while the poll thread is inside `poll`. The poll thread reads the changes
    afterwards. A partition that is revoked and assigned again in one rebalance keeps its position in kafka-python and causes no
    change. A partition that was lost, or assigned to another member for a while, gets a new epoch. New partitions are paused
    before any of their records can be fetched.
    """

    def __init__(self, client: Any, epochs: itertools.count[int]) -> None:
        self._client = client
        self._epochs = epochs
        self._owned: dict[Any, Assignment] = {}
        self._changes: deque[AssignmentChange] = deque()

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """Drop the revoked partitions that have left the assignment.

        With an eager assignor the assignment still contains the revoked partitions; with a cooperative one it doesn't.
        """
        assigned = self._client.assignment()
        self._drop(partition for partition in revoked if partition not in assigned)

    def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        """Drop the lost partitions: the group continued without this member."""
        self._drop(lost)

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Record the net changes of a completed rebalance, and pause new partitions."""
        now = set(self._client.assignment())
        self._drop(set(self._owned) - now)
        gained = sorted(now - set(self._owned))
        if not gained:
            return
        self._client.pause(*gained)
        for partition in gained:
            # Any position will do. Without one, each poll would look for a committed offset, and raise if there isn't any.
            self._client.seek(partition, 0)
            self._owned[partition] = Assignment(TopicPartition(*partition), next(self._epochs))
        self._changes.append(AssignmentChange((), tuple(self._owned[partition] for partition in gained)))

    def drop_all(self) -> None:
        """Drop all partitions. The caller leaves the group next."""
        self._drop(list(self._owned))

    def take_changes(self) -> list[AssignmentChange]:
        """Return the changes since the last call, including partitions that left the assignment without a callback."""
        self._drop(set(self._owned) - set(self._client.assignment()))
        changes = []
        while self._changes:
            changes.append(self._changes.popleft())
        return changes

    def _drop(self, partitions: Iterable[Any]) -> None:
        gone = tuple(self._owned.pop(partition) for partition in list(partitions) if partition in self._owned)
        if gone:
            self._changes.append(AssignmentChange(gone, ()))
