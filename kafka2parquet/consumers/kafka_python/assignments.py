"""What a rebalance changes for us: kafka-python revokes all partitions and assigns most of them again; only the rest counts."""

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
    """Partitions that are not ours any more, and partitions that are now."""

    gone: tuple[Assignment, ...]
    gained: tuple[Assignment, ...]


class AssignmentTracker(ConsumerRebalanceListener):  # type: ignore[misc]
    """Follows the assignment and notes net changes.

    kafka-python calls it on its own thread while the poll thread is inside `poll`; the poll thread reads the changes
    afterwards. A partition that is taken away and given back in one rebalance keeps its position in kafka-python, and causes
    no change here. One that was away in between, or that we lost, gets a new epoch. New partitions are paused before anything
    of them can be fetched.
    """

    def __init__(self, client: Any, epochs: itertools.count[int]) -> None:
        self._client = client
        self._epochs = epochs
        self._owned: dict[Any, Assignment] = {}
        self._changes: deque[AssignmentChange] = deque()

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """With an eager assignor the assignment still holds them, with a cooperative one they are out of it."""
        assigned = self._client.assignment()
        self._drop(partition for partition in revoked if partition not in assigned)

    def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        """Return the group went on without us."""
        self._drop(lost)

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Return a rebalance is complete."""
        now = set(self._client.assignment())
        self._drop(set(self._owned) - now)
        gained = sorted(now - set(self._owned))
        if not gained:
            return
        self._client.pause(*gained)
        for partition in gained:
            # any position: without one, each poll would look for a committed offset and raise where there is none
            self._client.seek(partition, 0)
            self._owned[partition] = Assignment(TopicPartition(*partition), next(self._epochs))
        self._changes.append(AssignmentChange((), tuple(self._owned[partition] for partition in gained)))

    def drop_all(self) -> None:
        """Give up all partitions; to be followed by leaving the group."""
        self._drop(list(self._owned))

    def take_changes(self) -> list[AssignmentChange]:
        """Return the changes since the last call, in order; also notes what has left the assignment without a callback."""
        self._drop(set(self._owned) - set(self._client.assignment()))
        changes = []
        while self._changes:
            changes.append(self._changes.popleft())
        return changes

    def _drop(self, partitions: Iterable[Any]) -> None:
        gone = tuple(self._owned.pop(partition) for partition in list(partitions) if partition in self._owned)
        if gone:
            self._changes.append(AssignmentChange(gone, ()))
