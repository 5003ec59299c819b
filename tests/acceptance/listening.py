"""What a run listens to beside the store: dead letters, and warnings in the log."""

from __future__ import annotations

import logging

from kafka2parquet.dead_letters.base import Sending
from kafka2parquet.records import Reject


class KeptDeadLetters:
    """A `DeadLetterQueue` that keeps what it is sent; it outlives tasks, as a topic does.

    Attributes:
        sent: the dead letters, in order.
        pending_bytes: nothing ever waits.
    """

    def __init__(self) -> None:
        self.sent: list[Reject] = []
        self.pending_bytes = 0

    def prepare(self) -> Sending:
        """See `DeadLetterQueue.prepare`."""
        return _Sent()

    def send(self, reject: Reject) -> Sending:
        """See `DeadLetterQueue.send`."""
        self.sent.append(reject)
        return _Sent()

    def close(self, timeout_s: float) -> None:
        """See `DeadLetterQueue.close`."""


class _Sent:
    """A dead letter that is durable."""

    def done(self) -> bool:
        return True

    def result(self) -> None:
        return None


class Warnings(logging.Handler):
    """Collects what the library warns of, while it is entered."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())

    def __enter__(self) -> None:
        logging.getLogger("kafka2parquet").addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("kafka2parquet").removeHandler(self)
