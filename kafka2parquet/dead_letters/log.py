"""RejectLog: writes a line to the log for each reject, as Kafka Connect's `LogReporter` does."""

from __future__ import annotations

import logging

import attrs

from kafka2parquet.arguments import checked
from kafka2parquet.dead_letters.report import FailureReporter
from kafka2parquet.events import Event, RecordRejected
from kafka2parquet.printable import printable
from kafka2parquet.records import Reject

_LOG = logging.getLogger(__name__)


@checked
@attrs.frozen
class RejectLog:
    """A hook that logs rejects at level ERROR: Connect's line, then exception and reason. Never key, value or headers.

    Attributes:
        reporter: knows connector, task and classes.
        with_records: tell topic, partition, offset and timestamp too (`errors.log.include.messages`).
    """

    reporter: FailureReporter
    with_records: bool = False

    def __call__(self, event: Event) -> None:
        """Log the event if it is a `RecordRejected`."""
        if isinstance(event, RecordRejected):
            _LOG.error("%s\n%s", self.line(event.reject), printable(str(self.reporter.failure(event.reject))))

    def line(self, reject: Reject) -> str:
        """Connect's line for a reject."""
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
