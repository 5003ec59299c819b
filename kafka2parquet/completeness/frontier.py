"""PartitionFrontier: the time up to which all records of a topic-partition are durable."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from kafka2parquet.completeness.marker import MarkedFile
from kafka2parquet.records import TopicPartition


@attrs.frozen
class PartitionFrontier:
    """How far the durable records of a topic-partition have come in time.

    Times are in milliseconds since the epoch.

    Attributes:
        topic_partition: the topic-partition.
        log_end: the offset after the last record that readers could see.
        committed: the group's committed offset; None if the group has not committed one.
        newest_time_ms: time of the newest durable row, leaving out times in the future; None if there is no such row.
        is_idle: whether the partition counts as idle.
        reached_ms: the time that the partition has reached; None if unknown.
    """

    topic_partition: TopicPartition
    log_end: int
    committed: int | None
    newest_time_ms: int | None
    is_idle: bool
    reached_ms: int | None


def newest_time_ms(files: Iterable[MarkedFile], now_ms: int) -> int | None:
    """Return the greatest time of durable rows that is not in the future; None if there is none.

    The least time of a file counts too, for the file whose greatest time is in the future.
    """
    times_ms = (time_ms for file in files if file.role == "values" for time_ms in (file.min_time_ms, file.max_time_ms))
    return max((time_ms for time_ms in times_ms if time_ms is not None and time_ms <= now_ms), default=None)


def frontier(
    topic_partition: TopicPartition,
    *,
    position: int,
    committed: int | None,
    log_end: int,
    newest_time_ms: int | None,
    written_at_ms: int | None,
    now_ms: int,
    idle_after_ms: int | None,
) -> PartitionFrontier:
    """Judge how far a topic-partition has come.

    Args:
        topic_partition: the topic-partition.
        position: where the group continues to read.
        committed: the group's committed offset; None without one.
        log_end: the end of the log, read after `now_ms` and before the committed offset.
        newest_time_ms: see `newest_time_ms`.
        written_at_ms: when the newest file of the partition was written; None if the partition has no files.
        now_ms: the moment from which idle time counts.
        idle_after_ms: how long a partition without new rows holds up the others; None if for ever.
    """
    idle_until_ms = None if idle_after_ms is None or position < log_end else now_ms - idle_after_ms
    is_idle = idle_until_ms is not None and (written_at_ms is None or written_at_ms <= idle_until_ms)
    reached_ms = max((each for each in (newest_time_ms, idle_until_ms if is_idle else None) if each is not None), default=None)
    return PartitionFrontier(topic_partition, log_end, committed, newest_time_ms, is_idle, reached_ms)
