"""What people write by hand: two consumers that the sink is compared with. Neither is exactly-once."""

from __future__ import annotations

import contextlib
import datetime
import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

FLUSH_ROWS = 100_000


def hour_folder(timestamp_ms: int) -> str:
    """The folder of a record."""
    moment = datetime.datetime.fromtimestamp(timestamp_ms // 1000, datetime.timezone.utc)
    return moment.strftime("year=%Y/month=%m/day=%d/hour=%H")


def kafka_python(bootstrap: str, topic: str, rows: int, target: str) -> None:
    """kafka-python's poll, json.loads, Table.from_pylist, write_table."""
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"hand-{time.time_ns()}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    buffers: dict[tuple[int, str], list[dict[str, Any]]] = {}
    counts: dict[int, int] = {}
    seen = 0

    def flush(partition: int) -> None:
        for key in [key for key in buffers if key[0] == partition]:
            folder = Path(target) / key[1]
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(buffers.pop(key)), folder / f"{partition}-{time.time_ns()}.parquet")
        counts[partition] = 0
        consumer.commit()

    while seen < rows:
        for topic_partition, records in consumer.poll(timeout_ms=500, max_records=10_000).items():
            partition = topic_partition.partition
            for record in records:
                buffers.setdefault((partition, hour_folder(record.timestamp)), []).append(json.loads(record.value))
            seen += len(records)
            counts[partition] = counts.get(partition, 0) + len(records)
            if counts[partition] >= FLUSH_ROWS:
                flush(partition)
    for partition in counts:
        flush(partition)
    consumer.close()


def confluent_pyarrow(bootstrap: str, topic: str, rows: int, target: str) -> None:
    """confluent-kafka's consume, a join by newlines, pyarrow.json, write_table."""
    from confluent_kafka import Consumer, KafkaException

    pa.set_cpu_count(1)
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"hand-{time.time_ns()}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 5,
        }
    )
    consumer.subscribe([topic])
    values: dict[int, list[bytes]] = {}
    times: dict[int, list[int]] = {}
    schema: pa.Schema | None = None
    seen = 0

    def flush(partition: int) -> None:
        nonlocal schema
        if not values.get(partition):
            return
        text = pa.py_buffer(b"\n".join(values.pop(partition)))
        if schema is None:
            schema = pj.read_json(pa.BufferReader(text)).schema
        table = pj.read_json(
            pa.BufferReader(text),
            read_options=pj.ReadOptions(use_threads=False, block_size=8 << 20),
            parse_options=pj.ParseOptions(explicit_schema=schema),
        )
        hours = pc.cast(pc.divide(pa.array(times.pop(partition)), 3_600_000), pa.int64())
        for hour in pc.unique(hours).to_pylist():
            folder = Path(target) / hour_folder(hour * 3_600_000)
            folder.mkdir(parents=True, exist_ok=True)
            rows_of_hour = table.filter(pc.equal(hours, hour))
            pq.write_table(rows_of_hour, folder / f"{partition}-{time.time_ns()}.parquet", compression="snappy")
        with contextlib.suppress(KafkaException):  # all that was read is committed already
            consumer.commit(asynchronous=False)

    while seen < rows:
        for message in consumer.consume(min(10_000, rows - seen), timeout=1.0):
            partition, value = message.partition(), message.value()
            assert partition is not None
            assert value is not None
            values.setdefault(partition, []).append(value)
            times.setdefault(partition, []).append(message.timestamp()[1])
            seen += 1
            if len(values[partition]) >= FLUSH_ROWS:
                flush(partition)
    for partition in list(values):
        flush(partition)
    consumer.close()
