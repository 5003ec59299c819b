"""TopicLog: what a follower reads from Kafka, without joining the group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs
import pyarrow.compute as pc

from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.records import TopicPartition


@attrs.frozen
class CommittedOffsets:
    """The identity of a topic's log, and the offsets that the sink's group has committed.

    Attributes:
        cluster_id: id of the Kafka cluster, "" if unknown.
        topic_id: id of the topic.
        offsets: committed offset of each partition that has one.
    """

    cluster_id: str
    topic_id: str
    offsets: Mapping[int, int]


class TopicLog(Protocol):
    """One topic as a follower sees it. Calls block.

    Raises:
        KafkaUnavailableError: no broker answers.
        AccessError: Kafka refuses access.
    """

    def committed(self) -> CommittedOffsets:
        """Return the committed offsets of the sink's group."""

    def has_values(self, topic_partition: TopicPartition, start: int, end: int) -> bool | None:
        """Return whether a record in [start, end) has a value; None if the log no longer has all of the range."""


@attrs.frozen
class KafkaTopicLog:
    """A `TopicLog` of Kafka. Connects for each call, so that it survives any change of the cluster.

    Attributes:
        topic: the topic.
        bootstrap_servers: some brokers.
        group_id: the consumer group of the sink.
        client_settings: further settings of the Kafka client.
    """

    topic: str
    bootstrap_servers: str | Sequence[str]
    group_id: str
    client_settings: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    def committed(self) -> CommittedOffsets:
        """See `TopicLog.committed`.

        Raises:
            ConfigurationError: the topic doesn't exist, or Kafka gives it no id.
        """
        with self._reader() as log:
            bounds = log.bounds(self.topic)
            topic_id = log.topic_id(self.topic)
            if not bounds:
                raise ConfigurationError(f"Kafka has no topic {self.topic}, or access to it is denied.")
            if not topic_id:
                raise ConfigurationError(
                    f"Kafka doesn't report an id of topic {self.topic}. A table's positions belong to a topic's id, which"
                    " brokers have since Kafka 2.8."
                )
            offsets = log.committed([self.topic])
            return CommittedOffsets(log.cluster_id(), topic_id, {name.partition: offset for name, offset in offsets.items()})

    def has_values(self, topic_partition: TopicPartition, start: int, end: int) -> bool | None:
        """See `TopicLog.has_values`. Reads the range up to the first record with a value."""
        with self._reader() as log:
            bounds = log.bounds(self.topic).get(topic_partition)
            if bounds is None or bounds[0] > start:
                return None
            for batch in log.read(topic_partition, start, end):
                within = pc.and_(pc.greater_equal(batch.offsets, start), pc.less(batch.offsets, end))
                if pc.any(pc.and_(within, batch.values.is_valid())).as_py():
                    return True
        return False

    def _reader(self) -> LogReader:
        return LogReader(self.bootstrap_servers, self.group_id, self.client_settings)


class RememberedGaps:
    """A `TopicLog` that asks another one, and doesn't read ranges again that were found to be without values."""

    def __init__(self, log: TopicLog) -> None:
        self._log = log
        self._without_values: dict[TopicPartition, tuple[int, int]] = {}

    def committed(self) -> CommittedOffsets:
        """See `TopicLog.committed`."""
        return self._log.committed()

    def has_values(self, topic_partition: TopicPartition, start: int, end: int) -> bool | None:
        """See `TopicLog.has_values`. The log may have deleted a range since it was found to be without values."""
        known_start, known_end = self._without_values.get(topic_partition, (start, start))
        begin = known_end if known_start <= start <= known_end else start
        if begin >= end:
            return False
        has_values = self._log.has_values(topic_partition, begin, end)
        if has_values is False:
            self._without_values[topic_partition] = (min(known_start, start) if begin == known_end else start, end)
        return has_values
