"""What a run listens to beside the store: events, dead letters, and warnings in the log."""

from __future__ import annotations

import logging

import attrs

from kafka2parquet.dead_letters.base import DeadLetterFuture
from kafka2parquet.events import (
    Event,
    FlushCut,
    IntentCommitted,
    OffsetCommitted,
    PartitionStopped,
    RecordRejected,
    StorageRetried,
)
from kafka2parquet.records import Reject, TopicPartition
from tests.acceptance.inline import StepClock


@attrs.frozen
class ClockCut:
    """A flush that ended, with the wall clock at that time.

    Attributes:
        cut: the event.
        at_ms: the wall clock then.
        records_came: whether the step in which it ended brought records.
    """

    cut: FlushCut
    at_ms: int
    records_came: bool


class Listener:
    """A hook that keeps the events that cases ask about.

    Attributes:
        rejects: records that were left out, in order.
        cuts: flushes that ended.
        records_come: whether the step that runs brings records; set from outside.
        retrying: topic-partitions with a call to the store that failed and will be made again.
        restarted_at: where the flushes begin whose calls failed; cleared from outside.
    """

    def __init__(self, clock: StepClock) -> None:
        self.rejects: list[Reject] = []
        self.cuts: list[ClockCut] = []
        self.records_come = False
        self.retrying: set[TopicPartition] = set()
        self.restarted_at: dict[TopicPartition, int] = {}
        self._flush_starts: dict[TopicPartition, int] = {}
        self._clock = clock

    def __call__(self, event: Event) -> None:
        """Keeps an event."""
        tp = event.topic_partition
        if isinstance(event, RecordRejected):
            self.rejects.append(event.reject)
        elif isinstance(event, FlushCut):
            self.cuts.append(ClockCut(event, self._clock.now_ms, self.records_come))
        elif isinstance(event, IntentCommitted):
            self._flush_starts[tp] = event.start
        elif isinstance(event, StorageRetried):
            self.retrying.add(tp)
            self.restarted_at.setdefault(tp, self._flush_starts.get(tp, 0))
        elif isinstance(event, OffsetCommitted | PartitionStopped):
            self.retrying.discard(tp)

    def flush_range(self, tp: TopicPartition) -> tuple[int, int]:
        """Returns the range of the flush that waits for its next attempt."""
        start = self._flush_starts.get(tp, 0)
        ends = [known.cut.end for known in self.cuts if known.cut.topic_partition == tp and known.cut.start == start]
        return start, ends[-1] if ends else start


class KeptDeadLetters:
    """A `DeadLetterQueue` that keeps its letters, and outlives tasks as a topic does.

    Attributes:
        sent: the dead letters, in order.
        pending_bytes: nothing ever waits.
    """

    def __init__(self) -> None:
        self.sent: list[Reject] = []
        self.pending_bytes = 0

    def prepare(self) -> DeadLetterFuture:
        """See `DeadLetterQueue.prepare`."""
        return _Sent()

    def send(self, reject: Reject) -> DeadLetterFuture:
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
    """A context that collects the library's warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())

    def __enter__(self) -> None:
        logging.getLogger("kafka2parquet").addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("kafka2parquet").removeHandler(self)
