"""Records all the time, with known contents, past all proxies."""

from __future__ import annotations

import random
import threading
import time

from confluent_kafka import KafkaException, Producer

from tests.chaos.records import headers_of, key_of, kind_of, time_of, value_of

ROWS_PER_S = 1_000
#: Every fourth record is an hour late.
_LATE_MS = (0, 0, 0, 3_600_000)


class Load:
    """A producer on a thread, which numbers the records of each partition."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "linger.ms": 5,
                "enable.idempotence": True,
                "message.timeout.ms": 300_000,
                "topic.metadata.refresh.interval.ms": 500,
                "log_level": 2,
            }
        )
        self._topic = topic
        self.counts = [0] * partitions
        self._failed: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def grow(self, partitions: int) -> None:
        """Use partitions that were added."""
        self.counts.extend([0] * (partitions - len(self.counts)))

    def stop(self) -> list[int]:
        """Wait until all records are in the log; returns how many each partition has."""
        self._stopping.set()
        self._thread.join()
        self._producer.flush()
        if self._failed:
            raise RuntimeError(f"records that could not be produced: {self._failed[:3]}")
        return list(self.counts)

    def _run(self) -> None:
        began, sent = time.monotonic(), 0
        while not self._stopping.wait(0.05):
            due = int((time.monotonic() - began) * ROWS_PER_S)
            for _ in range(min(due - sent, ROWS_PER_S)):
                self._send(sent % len(self.counts))
                sent += 1
            self._producer.poll(0)

    def _send(self, partition: int) -> None:
        index = self.counts[partition]
        kind, time_ms = kind_of(index), time_of(index, random.choice(_LATE_MS))
        record = {
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

    def _delivered(self, error: object, _: object) -> None:
        if error is not None:
            self._failed.append(str(error))
