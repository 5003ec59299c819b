"""Looks up, once, which offsets positions stand for in each topic-partition."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from typing import Literal

from kafka2parquet.bounded.positions import EdgePosition, OffsetPosition, Position, TimePosition
from kafka2parquet.bounded.ranges import Ranges, TopicRange
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.records import TopicPartition

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MS = datetime.timedelta(milliseconds=1)


def resolve(log: LogReader, topics: Collection[str], start: Position, end: Position) -> Ranges:
    """Look up the ranges between two positions. Blocks.

    Offsets outside a log mean its start or its end. Where a range would end before its start, it is empty.

    Args:
        log: a connection to Kafka.
        topics: the topics.
        start: the first record to take.
        end: the first record not to take.

    Raises:
        ConfigurationError: `end` is before `start`, or a topic doesn't exist.
        KafkaUnavailableError: Kafka does not answer.
        AccessError: Kafka refuses access.
    """
    _check_order(start, end)
    found: dict[TopicPartition, TopicRange] = {}
    for topic in sorted(topics):
        bounds = _bounds(log, topic)
        starts, ends = _offsets(log, topic, start, bounds), _offsets(log, topic, end, bounds)
        for topic_partition in bounds:
            first = starts[topic_partition]
            found[topic_partition] = TopicRange(first, max(first, ends[topic_partition]), log.topic_id(topic))
    return Ranges(found, log.cluster_id())


def resolve_end(log: LogReader, topics: Collection[str], end: Position, first_start: Literal["earliest", "latest"]) -> Ranges:
    """Look up the ranges from where the group of `log` continues up to a position. Blocks.

    Args:
        log: a connection to Kafka, as a group.
        topics: the topics.
        end: the first record not to take.
        first_start: where the group begins without a committed offset.

    Raises:
        ConfigurationError: a topic doesn't exist.
        KafkaUnavailableError: Kafka does not answer.
        AccessError: Kafka refuses access.
    """
    committed = log.committed(topics)
    found: dict[TopicPartition, TopicRange] = {}
    for topic in sorted(topics):
        bounds = _bounds(log, topic)
        ends = _offsets(log, topic, end, bounds)
        for topic_partition, (log_start, log_end) in bounds.items():
            first = committed.get(topic_partition, log_start if first_start == "earliest" else log_end)
            found[topic_partition] = TopicRange(first, max(first, ends[topic_partition]), log.topic_id(topic))
    return Ranges(found, log.cluster_id())


def check_ranges(log: LogReader, ranges: Ranges, topics: Collection[str]) -> None:
    """Check that ranges that were looked up earlier still fit the topics. Blocks.

    Raises:
        ConfigurationError: they belong to another cluster or to other topics, or end beyond the log.
        KafkaUnavailableError: Kafka does not answer.
        AccessError: Kafka refuses access.
    """
    if ranges.cluster_id and log.cluster_id() and ranges.cluster_id != log.cluster_id():
        raise ConfigurationError(f"The ranges are for the Kafka cluster {ranges.cluster_id}, and this is {log.cluster_id()}.")
    bounds = {topic: _bounds(log, topic) for topic in {topic_partition.topic for topic_partition in ranges.of}}
    for topic_partition, range_ in ranges:
        topic = topic_partition.topic
        if topic not in topics:
            raise ConfigurationError(f"There is a range for topic {topic}, which the configuration doesn't read.")
        if range_.topic_id and log.topic_id(topic) and range_.topic_id != log.topic_id(topic):
            raise ConfigurationError(
                f"Topic {topic} was created again after its range was looked up: the same offsets mean other records now."
                " Look up the range anew."
            )
        log_end = bounds[topic].get(topic_partition, (0, 0))[1]
        if len(range_) and range_.end > log_end:
            raise ConfigurationError(
                f"{topic_partition}: the range ends at {range_.end}, and the log ends at {log_end}. The log was truncated, or"
                " the range is for another topic."
            )


def _check_order(start: Position, end: Position) -> None:
    is_reversed = (isinstance(start, OffsetPosition) and isinstance(end, OffsetPosition) and start.offset > end.offset) or (
        isinstance(start, TimePosition) and isinstance(end, TimePosition) and start.time > end.time
    )
    if is_reversed:
        raise ConfigurationError("--to is before --from.")


def _bounds(log: LogReader, topic: str) -> Mapping[TopicPartition, tuple[int, int]]:
    bounds = log.bounds(topic)
    if not bounds:
        raise ConfigurationError(f"Kafka has no topic {topic}, or access to it is denied.")
    return bounds


def _offsets(
    log: LogReader, topic: str, position: Position, bounds: Mapping[TopicPartition, tuple[int, int]]
) -> Mapping[TopicPartition, int]:
    """Return the offset of a position in each partition of a topic, within the partition's log."""
    if isinstance(position, EdgePosition):
        return {each: log_start if position.edge == "start" else log_end for each, (log_start, log_end) in bounds.items()}
    if isinstance(position, OffsetPosition):
        found: Mapping[TopicPartition, int | None] = dict.fromkeys(bounds, position.offset)
    else:
        found = log.offsets_since(topic, max(0, -((_EPOCH - position.time) // _MS)))
    offsets = {}
    for each, (log_start, log_end) in bounds.items():
        offset = found[each]
        offsets[each] = log_end if offset is None else min(max(offset, log_start), log_end)
    return offsets
