"""A sink with hourly folders over several partitions in memory, whose log says which hours are complete."""

from __future__ import annotations

import collections
import datetime
from collections.abc import Collection, Mapping
from typing import Any

import attrs

from kafka2parquet import HourlyPartitioner, RecordCountRotation
from kafka2parquet.completeness import Completeness, Marker, TopicCompleteness
from kafka2parquet.records import TopicPartition
from kafka2parquet.testing import InlineExecutor, MemoryKafka, MemoryRecord
from tests.support.sink_world import TOPIC, SinkWorld

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
GROUP = "group"
#: 2026-05-17 10:00 UTC, where a manual clock begins.
BEGIN_MS = 1_779_012_000_000


@attrs.frozen
class GroupOffsets:
    """`LogOffsets` of a log in memory."""

    kafka: MemoryKafka

    def bounds(self, topic: str) -> Mapping[TopicPartition, tuple[int, int]]:
        with self.kafka.lock:
            return {name: (log.start, log.end) for name, log in self.kafka._logs.items() if name.topic == topic}

    def committed(self, topics: Collection[str]) -> Mapping[TopicPartition, int]:
        found = {name: self.kafka.committed(GROUP, *name_of(name)) for topic in topics for name in self.bounds(topic)}
        return {name: committed.offset for name, committed in found.items() if committed is not None}

    def topic_id(self, topic: str) -> str:
        return f"id-of-{topic}"


def name_of(name: TopicPartition) -> tuple[str, int]:
    return name.topic, name.partition


@attrs.frozen
class Arrived:
    """A record of the log, with the moment at which it arrived."""

    offset: int
    time_ms: int
    arrived_ms: int


class HoursWorld(SinkWorld):
    """A topic with a sink that writes hourly folders. Notes when each record arrived."""

    def __init__(self, partitions: int = 3) -> None:
        super().__init__(partitions)
        self.offsets_of_group = GroupOffsets(self.kafka)
        self.log: dict[int, list[Arrived]] = {partition: [] for partition in range(partitions)}

    @property
    def now_ms(self) -> int:
        return round(self.clock.now().timestamp() * 1000)

    def arrive(self, partition: int, *times_ms: int) -> None:
        """Appends records with times to a partition."""
        for time_ms in times_ms:
            self.log[partition].append(Arrived(len(self.log[partition]), time_ms, self.now_ms))
            self.kafka.append(TOPIC, partition, [MemoryRecord(b'{"a":1}', key=b"k", timestamp_ms=time_ms)])

    def sink(self, *, flush: bool = True, rows: int = 4, **parts: Any) -> None:
        """Runs a sink until it has read everything; with `flush` all rows are durable then, else only whole flushes."""
        defaults = {
            "partitioner": HourlyPartitioner(),
            "rotation": RecordCountRotation(rows),
            "executor": InlineExecutor(),
        }
        task = self.task(**{**defaults, **parts})
        for _ in range(30):
            task.step(0)
        task.close(flush=flush)

    def completeness(self, **settings: Any) -> Completeness:
        return Completeness(self.storage, TOPIC, HourlyPartitioner(), **{"clock": self.clock, **settings})

    def look(self, completeness: Completeness | None = None, *, write: bool = True, **settings: Any) -> TopicCompleteness:
        return (completeness or self.completeness(**settings)).look(self.offsets_of_group, write=write)

    def markers(self) -> dict[str, list[Marker]]:
        """Returns the markers in the store by hour, such as `17T10`, in the order of their numbers."""
        found = collections.defaultdict(list)
        for key in sorted(key for key in self.storage.objects if "/_SUCCESS" in key):
            _, _, _, _, day, hour, _ = key.split("/")
            found[f"{day[-2:]}T{hour[-2:]}"].append(Marker.from_bytes(self.storage.objects[key].content))
        return dict(found)

    def rows_of(self, hour_ms: int) -> dict[int, set[int]]:
        """Returns the durable offsets of an hour by partition, as the log says."""
        committed = self.offsets_of_group.committed([TOPIC])
        return {
            partition: offsets
            for partition, records in self.log.items()
            if (
                offsets := {
                    record.offset
                    for record in records
                    if hour_ms <= record.time_ms < hour_ms + HOUR_MS
                    and record.offset < committed.get(TopicPartition(TOPIC, partition), 0)
                }
            )
        }

    def marked_rows(self, hour: str) -> list[int]:
        """Returns how many rows each marker of an hour has."""
        return [marker.rows for marker in self.markers().get(hour, ())]


def hour_name(hour_ms: int) -> str:
    moment = datetime.datetime.fromtimestamp(hour_ms / 1000, datetime.timezone.utc)
    return f"{moment:%dT%H}"
