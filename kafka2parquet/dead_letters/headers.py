"""The headers of a dead letter that say what happened to its record (Kafka Connect's `DeadLetterQueueReporter`)."""

from __future__ import annotations

from collections.abc import Sequence

from kafka2parquet.dead_letters.connect_report import FailureReporter
from kafka2parquet.records import Reject

Headers = Sequence[tuple[str, bytes | None]]

PREFIX = "__connect.errors."


def context_headers(reject: Reject, reporter: FailureReporter) -> Headers:
    """Return the ten headers that follow the record's own; those of an earlier failure stay before them."""
    failure = reporter.failure(reject)
    # Connect has a Java stack trace here: its first line, and where in the log the record is instead of where in the code.
    stacktrace = f"{failure}\n\tat {reject.topic_partition}, offset {reject.offset}, stage {reject.stage.value} (kafka2parquet)"
    texts: tuple[tuple[str, str | None], ...] = (
        ("topic", reject.topic_partition.topic),
        ("partition", str(reject.topic_partition.partition)),
        ("offset", str(reject.offset)),
        ("connector.name", reporter.connector),
        ("task.id", str(reporter.task)),
        ("stage", failure.stage.value),
        ("class.name", failure.class_name),
        ("exception.class.name", failure.exception),
        ("exception.message", failure.message),
        ("exception.stacktrace", stacktrace),
    )
    return [(PREFIX + name, None if text is None else text.encode()) for name, text in texts]
