"""The broker's topics, with their partitions, ids and settings."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping

import attrs

from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.log import PartitionLog


@attrs.define(eq=False)
class Topic:
    """A topic.

    Attributes:
        name: the name of the topic.
        partitions: the log of each partition.
        configs: settings given at creation. They can be described, but have no effect.
        topic_id: id that is new with every creation, so a topic that was deleted and created again has another id.
    """

    name: str
    partitions: list[PartitionLog]
    configs: dict[str, str | None]
    topic_id: uuid.UUID = attrs.field(factory=uuid.uuid4)


class Topics:
    """All topics of the broker."""

    def __init__(self, default_partitions: int) -> None:
        self._default_partitions = default_partitions
        self._topics: dict[str, Topic] = {}

    def __iter__(self) -> Iterator[Topic]:
        return iter([self._topics[name] for name in sorted(self._topics)])

    def create(self, name: str, partitions: int | None = None, configs: Mapping[str, str | None] | None = None) -> Topic:
        """Create an empty topic. None as the number of partitions means the broker's default.

        Raises:
            BrokerError: the topic already exists, or the number of partitions is not positive.
        """
        count = self._default_partitions if partitions is None else partitions
        self.check_new(name, count)
        topic = self._topics[name] = Topic(name, [PartitionLog() for _ in range(count)], dict(configs or {}))
        return topic

    def check_new(self, name: str, partitions: int) -> None:
        """Raise the errors that `create` would raise."""
        if name in self._topics:
            raise BrokerError(ErrorCode.TOPIC_ALREADY_EXISTS)
        if partitions < 1:
            raise BrokerError(ErrorCode.INVALID_PARTITIONS)

    def delete(self, name: str) -> None:
        """Delete a topic and its records.

        Raises:
            BrokerError: the topic doesn't exist.
        """
        self.topic(name)
        del self._topics[name]

    def add_partitions(self, name: str, total: int) -> None:
        """Increase the number of partitions of a topic to `total`.

        Raises:
            BrokerError: the topic doesn't exist, or already has `total` partitions or more.
        """
        partitions = self.topic(name).partitions
        if total <= len(partitions):
            raise BrokerError(ErrorCode.INVALID_PARTITIONS)
        partitions += [PartitionLog() for _ in range(total - len(partitions))]

    def topic(self, name: str) -> Topic:
        """Return a topic by its name.

        Raises:
            BrokerError: the topic doesn't exist.
        """
        try:
            return self._topics[name]
        except KeyError:
            raise BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) from None

    def topic_by_id(self, topic_id: uuid.UUID) -> Topic:
        """Return a topic by its id.

        Raises:
            BrokerError: the topic doesn't exist.
        """
        for topic in self._topics.values():
            if topic.topic_id == topic_id:
                return topic
        raise BrokerError(ErrorCode.UNKNOWN_TOPIC_ID)

    def log(self, name: str, partition: int) -> PartitionLog:
        """Return the log of a topic-partition.

        Raises:
            BrokerError: the topic-partition doesn't exist.
        """
        partitions = self.topic(name).partitions
        if not 0 <= partition < len(partitions):
            raise BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return partitions[partition]
