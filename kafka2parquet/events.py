"""The events that hooks receive. Each event is a frozen object, so that metrics, logs and user code see the same facts."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Literal

import attrs

from kafka2parquet.records import Reject, TopicPartition

__all__ = [
    "BoundaryAdopted",
    "ConverterRetried",
    "DataLost",
    "Event",
    "FilePublished",
    "FlushCut",
    "FlushDelivered",
    "Hook",
    "IntentCommitted",
    "LogTruncated",
    "OffsetCommitted",
    "PartitionAssigned",
    "PartitionFinished",
    "PartitionPaused",
    "PartitionResumed",
    "PartitionStarted",
    "PartitionStopped",
    "RecordRejected",
    "StorageRetried",
    "TaggingFailed",
]


#: The time of an event that the task has not passed to its hooks yet.
NOT_YET = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)


@attrs.frozen
class Event:
    """Something that happened to a topic-partition, and when. The task sets `at` before it calls the hooks."""

    topic_partition: TopicPartition
    at: datetime.datetime = attrs.field(default=NOT_YET, kw_only=True)


@attrs.frozen
class PartitionAssigned(Event):
    """The group assigned the partition to this task. `committed` is the group's offset, None if there is none.

    The log has the offsets [log_start, log_end) for readers at that time. `PartitionStopped` follows when the assignment ends.
    """

    committed: int | None
    log_start: int
    log_end: int


@attrs.frozen
class PartitionStarted(Event):
    """Reading of the partition started, or restarted, at `offset`."""

    offset: int


@attrs.frozen
class PartitionStopped(Event):
    """The partition was revoked or lost. Its next owner reads the `dropped_rows` unpublished rows again."""

    dropped_rows: int


PauseCause = Literal["memory", "full", "converter", "finished", "shutdown"]
"""Why a partition takes no records.

The memory budget is spent (`memory`). A cut flush waits for the delivery of the flush before it (`full`). A schema registry or
the store doesn't answer the converter (`converter`). The partition is at the end of the offsets that its task may take
(`finished`). The task flushes its open rows before it closes (`shutdown`).
"""


@attrs.frozen
class PartitionPaused(Event):
    """The partition takes no records for a while."""

    cause: PauseCause


@attrs.frozen
class PartitionResumed(Event):
    """The partition takes records again, after `paused_s` seconds."""

    cause: PauseCause
    paused_s: float


@attrs.frozen
class PartitionFinished(Event):
    """The partition is at the end of the offsets that its task may take. All records before `offset` are durable."""

    offset: int


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
class FlushDelivered(Event):
    """A flush is durable: all its files are visible, and its end is committed.

    Attributes:
        start: first offset of the flush.
        end: the offset after the last offset of the flush.
        rows: number of its rows, quarantined rejects included.
        files: number of its files.
        file_bytes: size of its files, in bytes.
        reason: why the flush was cut.
        opened_at: when its first row was taken.
        first_record_ms: Kafka timestamp of the flush's first record, in milliseconds since the epoch.
        stage_s: seconds that the last encoding and the completion of the files took.
        intent_s: seconds until the intent was committed; 0 if the intent was there.
        publish_s: seconds until all files were visible.
        commit_s: seconds until the end was committed.
    """

    start: int
    end: int
    rows: int
    files: int
    file_bytes: int
    reason: str
    opened_at: datetime.datetime
    first_record_ms: int
    stage_s: float
    intent_s: float
    publish_s: float
    commit_s: float


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
"""A function that receives each event, on the thread that drives the task. Must return at once. An exception ends the
task: nothing is lost, and what was not committed is read again."""
