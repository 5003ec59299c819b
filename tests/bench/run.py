"""`make bench`: the sink beside the floor and beside hand-written consumers, all in one run; and the user's own load.

Prints a table and writes docs/benchmarks/latest.json. Compare ratios of one run, not figures of two.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from kafka2parquet.testing.events import generate_events
from tests.bench import measure
from tests.bench.avro import SCHEMA, encoded
from tests.stack.kafka import kafka
from tests.stack.s3 import s3
from tests.support.kafka_admin import create_topic
from tests.support.registry_server import RegistryServer

ROWS = 2_000_000
BEGIN = datetime.datetime(2026, 5, 17, 10, tzinfo=datetime.timezone.utc)
#: Of whoever fills a topic.
PRODUCER_SETTINGS = {
    "compression.type": "zstd",
    "linger.ms": 20,
    "batch.size": 131_072,
    "queue.buffering.max.messages": 1_000_000,
}
RESULTS = Path(__file__).parents[2] / "docs" / "benchmarks" / "latest.json"
AVRO = "one_task_local_avro"
LOAD_S = 60
LOAD_ROWS_PER_S = 10_000
#: The user's load with as many tasks as help, which is how it runs by default, and with other numbers for comparison.
USER_LOADS = {
    "user_load": {"tasks.max": "12"},
    "user_load_12_tasks": {"tasks.max": "12", "kafka2parquet.tasks": "12"},
    "user_load_1_task": {"tasks.max": "1"},
}
#: What the first of them may take.
USER_LOAD_CORES = 0.1
USER_LOAD_RSS_MB = 400


def main() -> None:
    """Run all of it, or the programs that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--rows", type=int, default=ROWS)
    options = parser.parse_args()
    results: list[dict[str, Any]] = []

    def record(name: str, figures: dict[str, Any]) -> None:
        results.append({"name": name, **figures})
        print(f"{name:26} {json.dumps(figures)}", flush=True)

    def wanted(name: str) -> bool:
        return not options.names or name in options.names

    with kafka() as broker, s3() as store, tempfile.TemporaryDirectory() as folder:
        bootstrap = broker.bootstrap
        topic = fill(bootstrap, options.rows) if not options.names or set(options.names) - {AVRO, *USER_LOADS} else ""
        rows = options.rows
        hand = {"bootstrap": bootstrap, "topic": topic, "rows": rows}
        if wanted("floor"):
            record("floor", measure.run("floor", rows=rows))
        if wanted("consume_only"):
            record("consume_only", measure.run("consume", **hand))
        if wanted("hand_kafka_python"):
            record("hand_kafka_python", measure.run("hand_kafka_python", target=f"{folder}/a", **hand))
        if wanted("hand_confluent_pyarrow"):
            record("hand_confluent_pyarrow", measure.run("hand_confluent_pyarrow", target=f"{folder}/b", **hand))
        for name, tasks, url in (("one_task_local", 1, folder), ("one_task_s3", 1, ""), ("two_tasks_s3", 2, "")):
            if wanted(name):
                config = configuration(store, topic, {"tasks.max": str(tasks), "kafka2parquet.tasks": str(tasks)}, url)
                record(name, measure.run("sink", config=config, worker={"bootstrap.servers": bootstrap}, rows=rows))
        if wanted(AVRO):
            record(AVRO, avro(bootstrap, store, rows, folder))
        for name, properties in USER_LOADS.items():
            if wanted(name):
                record(name, user_load(bootstrap, store, properties))
    show(results)
    if not options.names:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def avro(bootstrap: str, store: Any, rows: int, folder: str) -> dict[str, Any]:
    """The same events as Avro, with their schema in a registry: one task, into a local folder."""
    with RegistryServer() as registry:
        topic = f"bench-{uuid.uuid4().hex[:8]}"
        schema_id = registry.add(f"{topic}-value", SCHEMA)
        fill(bootstrap, rows, topic, lambda events: encoded(events, schema_id))
        config = {
            **configuration(store, topic, {}, folder),
            "value.converter": "io.confluent.connect.avro.AvroConverter",
            "value.converter.schema.registry.url": registry.url,
        }
        return measure.run("sink", config=config, worker={"bootstrap.servers": bootstrap}, rows=rows)


def configuration(store: Any, topic: str, properties: Mapping[str, str], url: str) -> dict[str, str]:
    """The README's configuration for a topic, on the S3 server or in a local folder, with more properties."""
    bucket = f"bench-{uuid.uuid4().hex[:8]}"
    if not url:
        store.create_bucket(bucket)
    return {
        "name": f"bench-{uuid.uuid4().hex[:8]}",
        "connector.class": "io.confluent.connect.s3.S3SinkConnector",
        "topics": topic,
        "s3.bucket.name": bucket,
        "s3.region": "us-east-1",
        "store.url": store.url,
        "aws.access.key.id": store.key,
        "aws.secret.access.key": store.secret,
        "topics.dir": "raw/kafka-source",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
        "flush.size": "100000",
        "rotate.interval.ms": "3600000",
        "rotate.schedule.interval.ms": "3600000",
        "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
        "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
        "partition.duration.ms": "3600000",
        "locale": "en-US",
        "timezone": "UTC",
        "storage.class": "io.confluent.connect.s3.storage.S3Storage",
        "schema.compatibility": "NONE",
        **({"kafka2parquet.storage.url": f"{url}/{bucket}"} if url else {}),
        **properties,
    }


def fill(
    bootstrap: str, rows: int, topic: str = "", encode: Callable[[list[bytes]], Iterable[bytes]] = lambda events: events
) -> str:
    """A topic with the benchmark's records: 4 partitions, zstd batches, record times over three hours."""
    topic = topic or f"bench-{uuid.uuid4().hex[:8]}"
    create_topic(bootstrap, topic, 4)
    events, timestamps_ms = generate_events(rows, BEGIN, datetime.timedelta(hours=3), 1)
    values = [*encode(events)]  # beforehand: a slow producer would make small batches
    producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER_SETTINGS})
    began = time.perf_counter()
    for number, (value, timestamp_ms) in enumerate(zip(values, timestamps_ms.tolist(), strict=True)):
        producer.produce(topic, value, str(number).encode(), partition=number % 4, timestamp=timestamp_ms)
        if not number % 10_000:
            producer.poll(0)
            while len(producer) > 500_000:
                producer.poll(0.1)
    producer.flush()
    size = sum(map(len, values)) / rows
    print(f"produced {rows:,} records of {size:.0f} bytes in {time.perf_counter() - began:.1f} s", flush=True)
    return topic


def user_load(bootstrap: str, store: Any, properties: Mapping[str, str]) -> dict[str, Any]:
    """10,000 messages a second over 12 partitions, for a minute."""
    topic = f"load-{uuid.uuid4().hex[:8]}"
    create_topic(bootstrap, topic, 12)
    with producing(bootstrap, topic):
        figures = measure.run(
            "sink",
            config=configuration(store, topic, properties, ""),
            worker={"bootstrap.servers": bootstrap},
            seconds=LOAD_S,
        )
    return {**figures, "cores": round(figures["cpu_s"] / figures["wall_s"], 3)}


@contextlib.contextmanager
def producing(bootstrap: str, topic: str) -> Iterator[None]:
    """Runs a producer in a separate process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load", bootstrap, topic, str(LOAD_ROWS_PER_S), str(LOAD_S + 15)]
    )
    try:
        time.sleep(3)
        yield
    finally:
        process.terminate()
        process.wait()


def show(results: list[dict[str, Any]]) -> None:
    """The table of the README, and whether the user's load takes as little as it should."""
    figures = {result["name"]: result for result in results}
    print(f"\n{'':26}{'rows/s':>12}{'CPU-s/M':>10}{'RSS MB':>8}{'× floor':>9}{'(a) ÷':>8}{'÷ (b)':>8}")
    for name, result in figures.items():
        cpu = result["cpu_s_per_million"]

        def ratio(other: str, *, inverse: bool = False, cpu: float = cpu) -> str:
            if other not in figures:
                return "-"
            theirs = figures[other]["cpu_s_per_million"]
            return f"{theirs / cpu if inverse else cpu / theirs:.2f}"

        print(
            f"{name:26}{result['rows_per_s']:>12,}{cpu:>10.2f}{result['peak_rss_mb']:>8}{ratio('floor'):>9}"
            f"{ratio('hand_kafka_python', inverse=True):>8}{ratio('hand_confluent_pyarrow'):>8}"
            + (f"   {result['cores']} cores, p99 delay {result.get('p99_delay_s')} s" if "cores" in result else "")
        )
    if "user_load" in figures:
        cores, rss_mb = figures["user_load"]["cores"], figures["user_load"]["peak_rss_mb"]
        is_kept = cores <= USER_LOAD_CORES and rss_mb <= USER_LOAD_RSS_MB
        target = f"at most {USER_LOAD_CORES} cores and {USER_LOAD_RSS_MB} MB"
        print(f"user_load: {cores} cores and {rss_mb} MB; the target, {target}, is {'kept' if is_kept else 'NOT kept'}")


if __name__ == "__main__":
    main()
