"""Records all the time, with known contents, past all proxies."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from confluent_kafka import KafkaException, Message, Producer

from tests.chaos.log import number_of
from tests.chaos.records import headers_of, key_of, time_of, value_of
from tests.chaos.setups import Setup

ROWS_PER_S = 1_000
#: Of a topic whose log is truncated: each member of the ordinary group has enough to do.
TRUNCATED_ROWS_PER_S = 300
#: Every fourth record is an hour late.
_LATE_MS = (0, 0, 0, 3_600_000)


class Load:
    """A producer on a thread, which numbers the records of each partition.

    Attributes:
        counts: how many records were sent, by partition.
        acknowledged: the numbers of those that the log has taken, by partition; only of a topic whose log is truncated.
    """

    def __init__(self, bootstrap: str, topic: str, partitions: int, setup: Setup) -> None:
        # One request at a time, so that later numbers are never overtaken by records that had to be sent again.
        promises = {"acks": 1, "max.in.flight": 1} if setup.truncated else {"acks": "all", "enable.idempotence": True}
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "linger.ms": 5,
                "message.timeout.ms": 300_000,
                "topic.metadata.refresh.interval.ms": 500,
                "log_level": 2,
                **promises,
            }
        )
        self._topic = topic
        self._setup = setup
        self._rows_per_s = TRUNCATED_ROWS_PER_S if setup.truncated else ROWS_PER_S
        self.counts = [0] * partitions
        self.acknowledged: dict[int, list[int]] = {partition: [] for partition in range(partitions)}
        self._failed: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def grow(self, partitions: int) -> None:
        """Uses partitions that were added."""
        self.counts.extend([0] * (partitions - len(self.counts)))

    def stop(self) -> list[int]:
        """Waits until all records are in the log, and returns how many each partition has."""
        self._stopping.set()
        self._thread.join()
        self._producer.flush()
        if self._failed:
            raise RuntimeError(f"records that could not be produced: {self._failed[:3]}")
        return list(self.counts)

    def _run(self) -> None:
        began, sent = time.monotonic(), 0
        while not self._stopping.wait(0.05):
            due = int((time.monotonic() - began) * self._rows_per_s)
            for _ in range(min(due - sent, self._rows_per_s)):
                self._send(sent % len(self.counts))
                sent += 1
            self._producer.poll(0)

    def _send(self, partition: int) -> None:
        index = self.counts[partition]
        kind, time_ms = self._setup.kind_of(index), time_of(index, random.choice(_LATE_MS))
        record: dict[str, Any] = {
            "key": key_of(kind, partition, index),
            "value": value_of(kind, partition, index, time_ms),
            "headers": headers_of(kind, index),
            "timestamp": time_ms,
        }
        while True:
            try:
                self._producer.produce(self._topic, partition=partition, on_delivery=self._delivered, **record)
                break
            except (BufferError, KafkaException):  # full, or a new partition that it doesn't know yet
                self._producer.poll(0.1)
        self.counts[partition] += 1

    def _delivered(self, error: object, message: Message) -> None:
        if error is not None:
            self._failed.append(str(error))
        elif self._setup.truncated:
            partition = message.partition()
            assert partition is not None
            self.acknowledged[partition].append(number_of(message))
