"""RejectLog: logs rejects as Kafka Connect's `LogReporter` does, but summarizes large numbers of rejects."""

from __future__ import annotations

import logging

import attrs

from kafka2parquet.clock import Clock, SystemClock
from kafka2parquet.dead_letters.connect_report import FailureReporter
from kafka2parquet.events import Event, OffsetCommitted, PartitionStopped, RecordRejected
from kafka2parquet.records import Reject, TopicPartition
from kafka2parquet.util.arguments import Count, checked
from kafka2parquet.util.display import printable

_LOG = logging.getLogger(__name__)


@attrs.define
class _Counted:
    """Rejects of one topic-partition that are counted instead of logged one by one."""

    rejects: int = 0
    first_offset: int = 0
    last_offset: int = 0


@attrs.define
class _Second:
    """The current second and the number of its lines."""

    began_s: float = float("-inf")
    lines: int = 0


@checked
@attrs.frozen
class RejectLog:
    """A hook that logs rejects at level ERROR: Connect's line, then exception and reason, but never key, value or headers.

    Only the first rejects of each second are logged one by one. Further rejects are counted, and one line per topic-partition
    reports their number and range of offsets. This line follows with the first reject of a later second, at the latest when the
    offsets are committed or the partition is given up.

    Use one object per task, on the thread that drives the task.

    Attributes:
        reporter: describes rejects with connector, task and classes.
        with_records: whether to log topic, partition, offset and timestamp too (`errors.log.include.messages`).
        most_per_s: number of rejects per second to log one by one.
        clock: measures the seconds.
    """

    reporter: FailureReporter
    with_records: bool = False
    most_per_s: Count = 10
    clock: Clock = attrs.field(factory=SystemClock, eq=False, repr=False)
    _second: _Second = attrs.field(factory=_Second, init=False, eq=False, repr=False)
    _counted: dict[TopicPartition, _Counted] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def __call__(self, event: Event) -> None:
        """Log or count the event if it is a `RecordRejected`."""
        if isinstance(event, RecordRejected):
            self._rejected(event.reject)
        elif isinstance(event, OffsetCommitted | PartitionStopped):
            self._log_count(event.topic_partition)

    def _rejected(self, reject: Reject) -> None:
        now_s = self.clock.monotonic()
        if now_s >= self._second.began_s + 1:
            for topic_partition in [*self._counted]:
                self._log_count(topic_partition)
            self._second.began_s, self._second.lines = now_s, 0
        if self._second.lines < self.most_per_s:
            self._second.lines += 1
            _LOG.error("%s\n%s", self.line(reject), printable(str(self.reporter.failure(reject))))
            return
        counted = self._counted.setdefault(reject.topic_partition, _Counted(0, reject.offset))
        counted.rejects += 1
        counted.first_offset = min(counted.first_offset, reject.offset)
        counted.last_offset = max(counted.last_offset, reject.offset)

    def _log_count(self, topic_partition: TopicPartition) -> None:
        """Log the number of rejects that were only counted."""
        counted = self._counted.pop(topic_partition, None)
        if counted is not None:
            _LOG.error(
                "Error encountered in task %s-%d. %s: %d more records were rejected, at offsets from %d to %d.",
                self.reporter.connector,
                self.reporter.task,
                topic_partition,
                counted.rejects,
                counted.first_offset,
                counted.last_offset,
            )

    def line(self, reject: Reject) -> str:
        """Return Connect's log line for a reject."""
        failure = self.reporter.failure(reject)
        record = f", where consumed record is {_record(reject)}" if self.with_records else ""
        return (
            f"Error encountered in task {self.reporter.connector}-{self.reporter.task}. Executing stage "
            f"'{failure.stage.value}' with class '{failure.class_name}'{record}."
        )


def _record(reject: Reject) -> str:
    timestamp = "" if reject.timestamp_ms is None else f", timestamp={reject.timestamp_ms}"
    topic_partition = reject.topic_partition
    return f"{{topic='{topic_partition.topic}', partition={topic_partition.partition}, offset={reject.offset}{timestamp}}}"
