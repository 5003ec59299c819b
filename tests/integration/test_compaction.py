"""Compaction on Apache Kafka and S3: killed again and again beside a running sink; then originals are deleted."""

from __future__ import annotations

import collections
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from kafka2parquet.cli.main import main
from kafka2parquet.merged import MergePlan, MergeResult
from tests.support.connect_sink import ConnectRun, ConnectSink
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import LIMIT_S, unique, wait_until

ROOT = Path(__file__).parents[2]
HOURS, PARTITIONS = 6, 3
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
BEGIN_MS = round(time.time() * 1000) // HOUR_MS * HOUR_MS - 12 * HOUR_MS
KILLS = 12
COMPACT = ("--older-than", "1s", "--lateness", "5m", "--target-bytes", "16KiB")


@pytest.fixture
def sink(kafka_server: Any, s3_server: Any) -> Iterator[ConnectSink]:
    made = ConnectSink(kafka_server, s3_server)
    yield made
    made.close()


class Story:
    """A topic, a sink that drains it to S3, and commands that work on the same configuration."""

    def __init__(self, bootstrap: str, endpoint_url: str, sink: ConnectSink, folder: Path) -> None:
        self.bootstrap = bootstrap
        self.sink = sink
        self.folder = folder
        self.topic = unique("small")
        create_topic(bootstrap, self.topic, PARTITIONS)
        self.properties = sink.properties(
            {
                "topics": self.topic,
                "tasks.max": "2",
                "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                "value.converter.schemas.enable": "false",
                "timestamp.extractor": "Record",
                "flush.size": "40",
                "kafka2parquet.metadata.columns": "partition,offset,timestamp",
            }
        )
        self.path = folder / "sink.json"
        self.path.write_text(json.dumps(self.properties))
        self.servers = ["--bootstrap-server", bootstrap, "--endpoint-url", endpoint_url]
        self.times_ms: dict[int, list[int]] = {partition: [] for partition in range(PARTITIONS)}
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
        self._random = random.Random(1)

    def fill(self, hour: int) -> None:
        """Produces an hour. Its times are out of order by less than four minutes."""
        for number in range(240):
            for partition in range(PARTITIONS):
                back_ms = self._random.randrange(4 * MINUTE_MS)
                self.produce(partition, BEGIN_MS + hour * HOUR_MS + number * MINUTE_MS // 4 - back_ms)
        self._producer.flush()

    def produce(self, partition: int, time_ms: int) -> None:
        value = json.dumps({"n": len(self.times_ms[partition]), "text": "x" * self._random.randrange(60), "f": 0.5}).encode()
        self._producer.produce(self.topic, value, partition=partition, timestamp=time_ms)
        self.times_ms[partition].append(time_ms)

    def flush(self) -> None:
        self._producer.flush()

    def command(self, name: str, *options: str) -> list[str]:
        return [sys.executable, "-m", "kafka2parquet", name, str(self.path), *self.servers, *options]

    def run(self, name: str, *options: str) -> int:
        return main([name, str(self.path), *self.servers, *options])

    def rows_until(self, end_ms: int) -> collections.Counter[tuple[int, int]]:
        """Counts partition and offset of each record that is older than a time."""
        return collections.Counter(
            (partition, offset)
            for partition, times_ms in self.times_ms.items()
            for offset, time_ms in enumerate(times_ms)
            if time_ms < end_ms
        )

    def rows(self, prefix: str) -> collections.Counter[tuple[int, int]]:
        """Counts partition and offset of each row under a prefix, as DuckDB reads them."""
        folder = self.folder / unique("copy")
        self.sink.download(folder)
        query = "select _kafka_partition, _kafka_offset from read_parquet(?, union_by_name=true)"
        with duckdb.connect() as connection:
            return collections.Counter(connection.execute(query, [f"{folder}/{prefix}/{self.topic}/**/*.parquet"]).fetchall())

    def objects(self, part: str) -> Mapping[str, bytes]:
        keys = self.sink.keys()
        return {key: self.sink.read(key) for key in keys if part in key}


def kill_repeatedly(story: Story, seed: int, kills: int, killed: list[float]) -> None:
    """Starts compactions one after the other, and kills each at a random moment."""
    chance = random.Random(seed)
    for _ in range(kills):
        with subprocess.Popen(
            story.command("compact", *COMPACT), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                process.wait(chance.uniform(1.5, 6.0))
            except subprocess.TimeoutExpired:
                process.kill()
                killed.append(time.monotonic())


def finish(story: Story, count: int, *options: str) -> Sequence[str]:
    """Runs compactions at the same time until the end, and returns what they have printed."""
    processes = [
        subprocess.Popen(story.command("compact", *COMPACT, *options), cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    printed = [process.communicate(timeout=4 * LIMIT_S)[0] for process in processes]
    assert [0] * count == [process.returncode for process in processes], printed
    return printed


@pytest.mark.timeout(600)
def test_kills_beside_a_running_sink(
    kafka_server: Any, s3_server: Any, sink: ConnectSink, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each row is once in the originals and once in the merged files, although compactions were killed beside the sink; then
    originals are deleted, killed too, and the audit is exact all the time."""
    story = Story(kafka_server.bootstrap, s3_server.url, sink, tmp_path)
    killed: list[float] = []
    killers = [threading.Thread(target=kill_repeatedly, args=(story, seed, KILLS // 2, killed)) for seed in (1, 2)]
    with ConnectRun(sink, story.properties) as run:
        for killer in killers:
            killer.start()
        for hour in range(HOURS):
            story.fill(hour)
            wait_until(
                lambda hour=hour: len(killed) >= 2 * hour or not any(map(threading.Thread.is_alive, killers)), "kills", 60
            )
            if hour == HOURS // 2:
                story.produce(1, BEGIN_MS + HOUR_MS // 2)  # late by hours
                story.flush()
        run.until(lambda now: now.taken_rows >= sum(map(len, story.times_ms.values())), "all rows")
        for killer in killers:
            killer.join()
        for partition in range(PARTITIONS):
            story.produce(partition, BEGIN_MS + (HOURS + 1) * HOUR_MS)
        story.flush()
        run.drain(sum(map(len, story.times_ms.values())))
    assert len(killed) > KILLS // 2
    assert {partition: len(times_ms) for partition, times_ms in story.times_ms.items()} == committed_offsets(
        kafka_server.bootstrap, f"connect-{story.properties['name']}", story.topic
    )

    finish(story, 2, "--workers", "2")
    assert ["Merged 0 files"] == [printed.splitlines()[-1][:14] for printed in finish(story, 1)]
    closed = story.rows_until(BEGIN_MS + HOURS * HOUR_MS)
    everything = story.rows_until(BEGIN_MS + (HOURS + 2) * HOUR_MS)
    assert everything == story.rows("topics")
    assert closed == story.rows("topics-merged")
    plans = {key: MergePlan.from_bytes(content) for key, content in story.objects("/_merge-").items()}
    results = [MergeResult.from_bytes(content) for content in story.objects("/_merged-").values()]
    assert len(plans) == len(results) > HOURS
    assert sum(closed.values()) == sum(result.rows for result in results)
    planned = [file.key for plan in plans.values() for file in plan.inputs]
    assert len(planned) == len(set(planned)) > 3 * sum(len(result.outputs) for result in results)
    assert 0 == story.run("audit")
    assert "EXACT" in capsys.readouterr().out

    delete = ("--delete-originals", "--older-than", "1s", "--yes")
    assert 0 == story.run("compact", *delete)
    printed = capsys.readouterr().out
    assert "deleted 0 files" in printed
    assert "Kafka still has records of the flush" in printed
    ends = {partition: len(times_ms) - 50 for partition, times_ms in story.times_ms.items()}
    admin = AdminClient({"bootstrap.servers": kafka_server.bootstrap, "log_level": 0})
    wanted = [TopicPartition(story.topic, partition, end) for partition, end in ends.items()]
    for future in admin.delete_records(wanted).values():
        future.result(LIMIT_S)
    chance = random.Random(3)
    for _ in range(4):
        before = len(sink.keys())
        with subprocess.Popen(story.command("compact", *delete), cwd=ROOT) as process:
            while process.poll() is None and len(sink.keys()) > before - chance.randrange(1, 15):
                pass
            process.send_signal(signal.SIGKILL)
        assert 0 == story.run("audit")
        assert "EXACT" in capsys.readouterr().out
    assert 0 == story.run("compact", *delete)
    capsys.readouterr()
    originals, merged = story.rows("topics"), story.rows("topics-merged")
    assert closed == merged
    assert everything == originals | merged
    assert 0 < sum(originals.values()) < 150 * PARTITIONS
    for deep in ((), ("--deep",)):
        assert 0 == story.run("audit", *deep)
        assert "stand for" in capsys.readouterr().out

    with ConnectRun(sink, story.properties) as run:
        story.produce(0, BEGIN_MS + (HOURS + 1) * HOUR_MS + 1)
        story.produce(2, BEGIN_MS + HOUR_MS)  # late, into a folder whose files are merged and deleted
        story.flush()
        run.drain(2)
    assert 0 == story.run("complete", "--lateness", "5m", "--dry-run")
    capsys.readouterr()
    assert 0 == story.run("compact", *COMPACT)
    assert "Merged 1 file" in capsys.readouterr().out
    assert 0 == story.run("audit")
    assert "EXACT" in capsys.readouterr().out
    assert story.rows_until(BEGIN_MS + HOURS * HOUR_MS) == story.rows("topics-merged")
