"""The events that hooks get: one frozen event for everything that happens, so that metrics, logs and user code see the same."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from kafka2parquet.records import Reject, TopicPartition


@attrs.frozen
class Event:
    """Something that happened to a topic-partition."""

    topic_partition: TopicPartition


@attrs.frozen
class PartitionStarted(Event):
    """Reading began (again) at `offset`."""

    offset: int


@attrs.frozen
class PartitionStopped(Event):
    """The partition was revoked or lost; `dropped_rows` were not yet published and will be read by its next owner."""

    dropped_rows: int


@attrs.frozen
class RecordRejected(Event):
    """A record was left out, as the settings say."""

    reject: Reject


@attrs.frozen
class DataLost(Event):
    """Records of [start, end) were gone from the log before they were written, and the settings say to go on."""

    start: int
    end: int


@attrs.frozen
class LogTruncated(Event):
    """The log was truncated at `offset` and written anew, and the settings say to go on at `position`.

    The newer records at the offsets [offset, position) are left out. Files hold the older records, or will hold them, as far as
    the older records were read before they were lost.
    """

    offset: int
    position: int


@attrs.frozen
class FlushCut(Event):
    """A flush ended: [start, end) is complete and staged next."""

    start: int
    end: int
    rows: int
    files: int
    reason: str


@attrs.frozen
class IntentCommitted(Event):
    """Kafka keeps the boundary of the flush that is published next."""

    start: int
    end: int


@attrs.frozen
class FilePublished(Event):
    """A file is visible. `created` is False when the same file stood there already."""

    key: str
    rows: int
    size_bytes: int
    is_anchor: bool
    created: bool


@attrs.frozen
class BoundaryAdopted(Event):
    """Another owner has published a flush from here up to `end`: ours is cut there too, and read again from `start`."""

    start: int
    end: int


@attrs.frozen
class OffsetCommitted(Event):
    """The group's committed offset moved to `offset`: all before it is durable."""

    offset: int
    rows: int


@attrs.frozen
class StorageRetried(Event):
    """A call to the store failed and will be repeated in `retry_in_s` seconds."""

    error: Exception
    attempt: int
    retry_in_s: float


@attrs.frozen
class ConverterRetried(Event):
    """Records can't be converted now, because a schema registry or the store doesn't answer; again in `retry_in_s` seconds."""

    error: Exception
    attempt: int
    retry_in_s: float


@attrs.frozen
class TaggingFailed(Event):
    """An object that is published could not be tagged, and the settings say to go on."""

    key: str
    error: Exception


Hook = Callable[[Event], None]
"""Called on the thread that drives the task; must return at once. What it raises ends the task."""
