"""The DeadLetterQueue protocol, through which the engine sends rejected records elsewhere."""

from __future__ import annotations

from typing import Protocol

from kafka2parquet.records import Reject


class DeadLetterFuture(Protocol):
    """A dead letter that is being sent. Only the thread that sent it may use the future."""

    def done(self) -> bool:
        """Return whether the dead letter is durable. Never blocks. Returns False for as long as the receiver is down.

        Raises:
            Kafka2ParquetError: the dead letter is refused permanently. Committing past the record would lose it.
        """

    def result(self) -> None:
        """Return None once the dead letter is durable. Raises the errors of `done`."""


class DeadLetterQueue(Protocol):
    """Stores rejected records, at least once each. The engine commits past a record only after its dead letter is done."""

    @property
    def pending_bytes(self) -> int:
        """Bytes of pending keys, values and headers in memory, for the memory budget."""

    def prepare(self) -> DeadLetterFuture:
        """Start to connect and check the settings, so that a mistake shows before the first reject. Optional.

        Never blocks. The returned future is done when the queue is ready, and raises an error if it never will be.
        """

    def send(self, reject: Reject) -> DeadLetterFuture:
        """Start to send a record with its raw bytes. Never blocks."""

    def close(self, timeout_s: float) -> None:
        """Send pending records, blocking for at most `timeout_s` seconds, and release all resources. May be called twice."""
