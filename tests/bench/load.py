"""Produces a steady load: `python -m tests.bench.load BOOTSTRAP TOPIC ROWS_PER_S SECONDS`."""

from __future__ import annotations

import datetime
import sys
import time

from confluent_kafka import Producer

from kafka2parquet.testing.events import generate_events


def main(bootstrap: str, topic: str, rows_per_s: int, seconds: int) -> None:
    """Send a number of records a second, round robin over 12 partitions, stamped with the time of sending."""
    values, _ = generate_events(rows_per_s, datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(seconds=1), 1)
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": "zstd", "linger.ms": 20})
    began = time.monotonic()
    sent = 0
    while time.monotonic() - began < seconds:
        due = int((time.monotonic() - began) * rows_per_s)
        for number in range(sent, due):
            producer.produce(topic, values[number % rows_per_s], partition=number % 12)
        sent = max(sent, due)
        producer.poll(0.005)
    producer.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
