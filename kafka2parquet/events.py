"""The events that hooks receive. Each event is a frozen object, so that metrics, logs and user code see the same facts."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from kafka2parquet.records import Reject, TopicPartition

__all__ = [
    "BoundaryAdopted",
    "ConverterRetried",
    "DataLost",
    "Event",
    "FilePublished",
    "FlushCut",
    "Hook",
    "IntentCommitted",
    "LogTruncated",
    "OffsetCommitted",
    "PartitionStarted",
    "PartitionStopped",
    "RecordRejected",
    "StorageRetried",
    "TaggingFailed",
]


@attrs.frozen
class Event:
    """Something that happened to a topic-partition."""

    topic_partition: TopicPartition


@attrs.frozen
class PartitionStarted(Event):
    """Reading of the partition started, or restarted, at `offset`."""

    offset: int


@attrs.frozen
class PartitionStopped(Event):
    """The partition was revoked or lost. Its next owner reads the `dropped_rows` unpublished rows again."""

    dropped_rows: int


@attrs.frozen
class RecordRejected(Event):
    """A record was rejected and left out, as the settings allow."""

    reject: Reject


@attrs.frozen
class DataLost(Event):
    """Records of [start, end) disappeared from the log before they were written, and the settings say to continue."""

    start: int
    end: int


@attrs.frozen
class LogTruncated(Event):
    """The log was truncated at `offset` and then grew again, and the settings say to continue at `position`.

    The newer records at the offsets [offset, position) are skipped. The files hold, or will hold, the older records at these
    offsets, as far as those were read before they were lost.
    """

    offset: int
    position: int


@attrs.frozen
class FlushCut(Event):
    """A flush was cut: [start, end) is complete, and staging comes next."""

    start: int
    end: int
    rows: int
    files: int
    reason: str


@attrs.frozen
class IntentCommitted(Event):
    """The intent is committed: Kafka stores the boundary of the flush that is published next."""

    start: int
    end: int


@attrs.frozen
class FilePublished(Event):
    """A file is visible. `created` is False if the same file existed already."""

    key: str
    rows: int
    size_bytes: int
    is_anchor: bool
    created: bool


@attrs.frozen
class BoundaryAdopted(Event):
    """Another owner published a flush from `start` to `end`. This task adopts that end and reads again from `start`."""

    start: int
    end: int


@attrs.frozen
class OffsetCommitted(Event):
    """The group's committed offset moved to `offset`. All earlier records are durable."""

    offset: int
    rows: int


@attrs.frozen
class StorageRetried(Event):
    """A call to the store failed; the next attempt follows in `retry_in_s` seconds."""

    error: Exception
    attempt: int
    retry_in_s: float


@attrs.frozen
class ConverterRetried(Event):
    """A schema registry or the store doesn't answer, so records wait for conversion; retried in `retry_in_s` seconds."""

    error: Exception
    attempt: int
    retry_in_s: float


@attrs.frozen
class TaggingFailed(Event):
    """A published object could not be tagged, and the settings say to continue."""

    key: str
    error: Exception


Hook = Callable[[Event], None]
"""A function that receives each event, on the thread that drives the task. Must return at once. An exception ends the task."""
