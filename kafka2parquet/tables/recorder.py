"""TableRecorder: collects on the follower's thread what a table's status shows.

The follower's thread replaces the status as a whole, and other threads read it once. So no lock is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from kafka2parquet.clock import Clock
from kafka2parquet.errors import TransientError
from kafka2parquet.status import TablePartitionStatus, TableStatus
from kafka2parquet.tables.progress import FollowedPartition
from kafka2parquet.util.secrets import without_credentials


class TableRecorder:
    """Records one follower."""

    def __init__(self, table: str, topic: str, clock: Clock) -> None:
        """Begin before the first round.

        Args:
            table: the table's name.
            topic: the topic.
            clock: source of time.
        """
        self._clock = clock
        now = clock.now()
        self._status = TableStatus(without_credentials(table), topic, now, "starting", now)

    # ---- on the follower's thread

    def follows(self, interval_s: float) -> None:
        """Record that a loop begins, with this pause between two rounds, in seconds."""
        self._status = attrs.evolve(
            self._status, state="starting", started_at=self._clock.now(), interval_s=interval_s, up=None, error=""
        )

    def step(self, partitions: Sequence[FollowedPartition]) -> None:
        """Record positions that were just read from the table: Kafka, the store and the catalogue have answered."""
        self._status = attrs.evolve(
            self._status,
            state="running",
            last_step_at=self._clock.now(),
            up=True,
            error="",
            partitions=tuple(map(_status_of, partitions)),
        )

    def registered(self, files: int, rows: int) -> None:
        """Count what a transaction has added to the table, and note when."""
        self._status = attrs.evolve(
            self._status,
            last_transaction_at=self._clock.now(),
            files=self._status.files + files,
            rows=self._status.rows + rows,
        )

    def completed(self) -> None:
        """Record the end of a complete round, after its last step."""
        self._status = attrs.evolve(self._status, last_round_at=self._status.last_step_at)

    def failed(self, error: Exception) -> None:
        """Record the error that has ended a round. A follower waits for the end of an outage; other errors end its loop."""
        state = self._status.state if isinstance(error, TransientError) else "failed"
        self._status = attrs.evolve(self._status, state=state, last_step_at=self._clock.now(), up=False, error=str(error))

    def stopped(self) -> None:
        """Record the end of a loop that was stopped."""
        self._status = attrs.evolve(self._status, state="stopped")

    # ---- on any thread

    def status(self) -> TableStatus:
        """Return the status now. Never blocks."""
        return attrs.evolve(self._status, at=self._clock.now())


def _status_of(partition: FollowedPartition) -> TablePartitionStatus:
    finding = partition.finding
    return TablePartitionStatus(
        partition.topic_partition,
        partition.position,
        partition.committed,
        partition.lag_offsets,
        "" if finding is None else f"{finding.kind.value}: {finding.text}",
    )
