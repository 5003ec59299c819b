"""A backfill of old records, out of order over two days: bounded memory, and one file for each hour, flush and partition."""

from __future__ import annotations

import collections
import json
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Producer

from kafka2parquet.testing.events import generate_events
from tests.bench import measure
from tests.support.connect_story import STORY
from tests.support.kafka_admin import create_topic
from tests.support.kafka_clients import unique

PARTITIONS = 12
HOURS = 48
ROWS = 1_800_000
FLUSH_ROWS = 100_000
LIMIT_MB = 600


def fill(bootstrap: str) -> str:
    """Produces events whose times are spread over 48 hours in random order."""
    import datetime

    topic = unique("backfill")
    create_topic(bootstrap, topic, PARTITIONS)
    begin = datetime.datetime(2026, 5, 17, tzinfo=datetime.timezone.utc)
    values, times = generate_events(100_000, begin, datetime.timedelta(hours=HOURS), 1)
    order = np.random.default_rng(1).permutation(len(values)).tolist()
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": "zstd", "linger.ms": 20})
    times_ms = times.tolist()
    for number in range(ROWS):
        row = order[number % len(order)]
        while True:
            try:
                producer.produce(topic, values[row], partition=number % PARTITIONS, timestamp=times_ms[row])
                break
            except BufferError:
                producer.poll(0.05)
    producer.flush()
    return topic


def test_a_backfill_over_two_days(kafka_server: Any, tmp_path: Path) -> None:
    """The user's configuration, with folders kept open, drains the backfill in a process that is measured."""
    topic = fill(kafka_server.bootstrap)
    text = "\n".join(line.split(" //")[0] if not line.lstrip().startswith("//") else "" for line in STORY.splitlines())
    config = json.loads(text)["config"] | {
        "name": unique("backfill"),
        "topics": topic,
        "tasks.max": "1",
        "rotate.interval.ms": "-1",
        "kafka2parquet.storage.url": str(tmp_path),
        "kafka2parquet.metadata.columns": "offset",
    }
    figures = measure.run("sink", config=config, worker={"bootstrap.servers": kafka_server.bootstrap}, rows=ROWS)

    assert figures["peak_rss_mb"] < LIMIT_MB, figures
    assert ROWS == figures["rows"]
    flushes = -(-ROWS // PARTITIONS // FLUSH_ROWS)
    files = collections.Counter(
        (path.parent.relative_to(tmp_path).as_posix(), path.name.split("+")[1]) for path in tmp_path.rglob("*.parquet")
    )
    assert PARTITIONS * HOURS == len(files)
    assert {flushes} == set(files.values())
