"""Records all the time, with known contents, past all proxies."""

from __future__ import annotations

import random
import threading
import time

from confluent_kafka import KafkaException, Producer

ROWS_PER_S = 3_000
BEGIN_MS = 1_779_012_000_000  # 2026-05-17 10:00 UTC
#: Records stray over so many hours, so that flushes have several files.
HOURS = 3


class Load:
    """A producer on a thread. Value number n of a partition is the record at its offset n: the producer is idempotent."""

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
        time_ms = BEGIN_MS + index * 50 % (HOURS * 3_600_000) + random.choice((0, 0, 0, 3_600_000))
        value = b'{"partition":%d,"index":%d}' % (partition, index)
        while True:
            try:
                self._producer.produce(self._topic, value, partition=partition, timestamp=time_ms, on_delivery=self._delivered)
                break
            except (BufferError, KafkaException):  # full, or a new partition that it doesn't know yet
                self._producer.poll(0.1)
        self.counts[partition] += 1

    def _delivered(self, error: object, _: object) -> None:
        if error is not None:
            self._failed.append(str(error))
