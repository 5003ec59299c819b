"""The sink of the connect story, over topics and a store in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka2parquet.connect.build import build_task
from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.text import read_properties
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.testing import ManualClock, MemoryConsumer, MemoryKafka, MemoryRecord, MemoryStorage
from tests.support.connect_story import STORY

_STEPS = 1000


def story_properties(changes: Mapping[str, str]) -> dict[str, str]:
    """Returns the properties of the story's sink for the topic `t`, with changes."""
    return {**read_properties(STORY).values, "topics": "t", **changes}


class StorySink:
    """Topics in memory, and a store."""

    def __init__(self, *topics: str) -> None:
        self.kafka, self.storage, self.clock = MemoryKafka(), MemoryStorage(), ManualClock()
        self.ends = dict.fromkeys(topics, 0)
        for topic in topics:
            self.kafka.create_topic(topic)

    def run(self, changes: dict[str, str], topic: str = "t", *values: bytes | None, **parts: Any) -> None:
        """Appends records and runs a task until it has polled or committed all of them, then stops it in order."""
        self.append(topic, *(MemoryRecord(value=value, timestamp_ms=0) for value in values))
        config = load_connect_config(story_properties(changes))
        consumer = MemoryConsumer(self.kafka, group_id="g", topics=list(config.items("topics")))
        task = build_task(config, WorkerConfig(), consumer=consumer, storage=self.storage, clock=self.clock, **parts)
        with task:
            polled, wanted = 0, sum(end - (self.committed(each) or 0) for each, end in self.ends.items())
            for _ in range(_STEPS):
                polled += task.step(timeout_s=0.01).records
                if polled >= wanted or self.ends == {each: self.committed(each) for each in self.ends}:
                    return
        raise TimeoutError(f"{polled} of {wanted} records were polled")

    def append(self, topic: str, *records: MemoryRecord) -> None:
        self.kafka.append(topic, 0, list(records))
        self.ends[topic] += len(records)

    def committed(self, topic: str) -> int | None:
        committed = self.kafka.committed("g", topic, 0)
        return None if committed is None else committed.offset

    def rows(self) -> list[dict[str, Any]]:
        return [row for key in self.files() for row in self.storage.rows(key)]

    def files(self) -> list[str]:
        """Returns the keys of all files of rows."""
        return sorted(key for key in self.storage.list("raw/") if "_kafka2parquet" not in key)
