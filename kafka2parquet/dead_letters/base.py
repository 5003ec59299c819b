"""DeadLetterQueue: what the engine needs of a place for rejected records outside of the delivery."""

from __future__ import annotations

from typing import Protocol

from kafka2parquet.records import Reject


class DeadLetterFuture(Protocol):
    """One dead letter on its way. Belongs to the thread that sent it."""

    def done(self) -> bool:
        """Return whether it is durable. Never blocks; False while the other side is down, for as long as that takes.

        Raises:
            Kafka2ParquetError: it is refused for good; whoever commits past the record now would lose it.
        """

    def result(self) -> None:
        """Nothing, of a letter that is done; raises what `done` raises."""


class DeadLetterQueue(Protocol):
    """Keeps rejected records, at least once each. The owner doesn't commit past a record before its letter is done."""

    @property
    def pending_bytes(self) -> int:
        """Bytes of keys, values and headers that wait in memory, for the memory budget."""

    def prepare(self) -> DeadLetterFuture:
        """Begin to connect and to check what can be checked, so that a mistake shows before the first reject does.

        Never blocks: the answer says when it is ready, or raises why it never will be. Calling it is not required.
        """

    def send(self, reject: Reject) -> DeadLetterFuture:
        """Send a record with its raw bytes. Never blocks."""

    def close(self, timeout_s: float) -> None:
        """Send what waits, for at most `timeout_s` seconds, and release everything. Blocks so long. May be called twice."""
