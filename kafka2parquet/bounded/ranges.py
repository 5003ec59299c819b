"""Ranges: the offsets that a run takes of each topic-partition, and their form as a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from kafka2parquet.delivery.bounds import OffsetRange
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.records import TopicPartition

_VERSION = 1


@attrs.frozen
class TopicRange:
    """The offsets [start, end) of a topic-partition.

    Attributes:
        start: the first offset to take. If the group has committed an offset, its run continues there.
        end: no record at this offset or a later one is taken.
        topic_id: id of the topic, "" if unknown. A re-created topic has a new id.
    """

    start: int = attrs.field(validator=attrs.validators.ge(0))
    end: int = attrs.field()
    topic_id: str = ""

    @end.validator
    def _check_end(self, _: object, end: int) -> None:
        if end < self.start:
            raise ValueError(f"the range ends at {end}, before its start {self.start}")

    def __len__(self) -> int:
        """Count the offsets. Not every offset has a record."""
        return self.end - self.start


@attrs.frozen
class Ranges:
    """The offsets that a run takes of each topic-partition. Nothing is taken of any other topic-partition.

    Attributes:
        of: the range of each topic-partition.
        cluster_id: id of the Kafka cluster, "" if unknown.
        group_id: the consumer group of the runs over these ranges; "" if none is fixed.
    """

    of: Mapping[TopicPartition, TopicRange]
    cluster_id: str = ""
    group_id: str = ""

    def __iter__(self) -> Iterator[tuple[TopicPartition, TopicRange]]:
        """Iterate in the order of topics and partitions."""
        return iter(sorted(self.of.items()))

    @property
    def offsets(self) -> int:
        """The number of offsets in all ranges."""
        return sum(len(range_) for range_ in self.of.values())

    def limits(self) -> Mapping[TopicPartition, OffsetRange]:
        """Return what limits a task to these ranges."""
        return {topic_partition: OffsetRange(range_.start, range_.end) for topic_partition, range_ in self.of.items()}

    def digest(self, place: str) -> str:
        """Return twelve hexadecimal digits that stand for the ranges and for the place of the files.

        A run over the same ranges to the same place gets the same digits.
        """
        ranges = [(str(topic_partition), range_.start, range_.end) for topic_partition, range_ in self]
        return hashlib.sha256(json.dumps([place, self.cluster_id, ranges]).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """Return the form of a file of ranges."""
        found: dict[str, Any] = {"version": _VERSION, "group": self.group_id, "cluster_id": self.cluster_id, "ranges": []}
        for topic_partition, range_ in self:
            name = {"topic": topic_partition.topic, "partition": topic_partition.partition}
            topic_id = {"topic_id": range_.topic_id} if range_.topic_id else {}
            found["ranges"].append({**name, "from": range_.start, "to": range_.end, **topic_id})
        return found

    @classmethod
    def from_json(cls, text: str, source: str) -> Ranges:
        """Read the text of a file of ranges.

        Args:
            text: the text.
            source: name of the file, for error messages.

        Raises:
            ConfigurationError: the text is not what `to_json` returns.
        """
        try:
            found = json.loads(text)
            if found["version"] != _VERSION:
                raise ConfigurationError(f"{source} has version {found['version']!r}, and only version {_VERSION} can be read.")
            ranges: dict[TopicPartition, TopicRange] = {}
            for line in found["ranges"]:
                topic_partition = TopicPartition(_text(line["topic"]), _number(line["partition"]))
                if topic_partition in ranges:
                    raise ValueError(f"{topic_partition} is there twice")
                topic_id = _text(line.get("topic_id", ""))
                ranges[topic_partition] = TopicRange(_number(line["from"]), _number(line["to"]), topic_id)
            return cls(ranges, _text(found.get("cluster_id", "")), _text(found.get("group", "")))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ConfigurationError(
                f"{source} is not a file of ranges: {error}. A run with --from, --to and --range writes such a file."
            ) from error


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value
