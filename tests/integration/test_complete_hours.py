"""Ten hours on Apache Kafka and S3: a sink runs, two followers write markers, records come late, and a partition goes quiet."""

from __future__ import annotations

import collections
import contextlib
import datetime
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from confluent_kafka import Producer

from kafka2parquet.cli.main import main
from kafka2parquet.completeness import Marker
from tests.support.connect_sink import ConnectRun, ConnectSink
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import unique, wait_until

ROOT = Path(__file__).parents[2]
HOURS, PARTITIONS = 10, 3
#: From this hour on, partition 2 gets nothing.
QUIET_HOUR = 4
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
BEGIN_MS = round(time.time() * 1000) // HOUR_MS * HOUR_MS - 12 * HOUR_MS
LIMIT_S = 120.0


@pytest.fixture
def sink(kafka_server: Any, s3_server: Any) -> Iterator[ConnectSink]:
    made = ConnectSink(kafka_server, s3_server)
    yield made
    made.close()


class Topic:
    """A topic, its producer, and how many records of each hour and partition are in it."""

    def __init__(self, bootstrap: str) -> None:
        self.name = unique("hours")
        self.records: collections.Counter[tuple[int, int]] = collections.Counter()
        create_topic(bootstrap, self.name, PARTITIONS)
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
        self._random = random.Random(1)  # the same times in each run

    def fill(self, hour: int) -> None:
        """Produces an hour. Its times are out of order by less than four minutes."""
        for number in range(120):
            for partition in range(PARTITIONS if hour < QUIET_HOUR else PARTITIONS - 1):
                back_ms = self._random.randrange(4 * MINUTE_MS)
                self.produce(partition, BEGIN_MS + hour * HOUR_MS + number * MINUTE_MS // 2 - back_ms)
        self._producer.flush()

    def produce(self, partition: int, time_ms: int) -> None:
        self.records[(time_ms - BEGIN_MS) // HOUR_MS, partition] += 1
        self._producer.produce(self.name, b'{"a": 1}', partition=partition, timestamp=time_ms)

    def flush(self) -> None:
        self._producer.flush()

    def rows_of(self, hour: int) -> int:
        return sum(self.records[hour, partition] for partition in range(PARTITIONS))

    @property
    def ends(self) -> dict[int, int]:
        found: collections.Counter[int] = collections.Counter()
        for (_, partition), count in self.records.items():
            found[partition] += count
        return dict(found)


def folder_of(topic: str, hour: int) -> str:
    moment = datetime.datetime.fromtimestamp(BEGIN_MS / 1000 + hour * 3600, datetime.timezone.utc)
    return f"topics/{topic}/{moment:year=%Y/month=%m/day=%d/hour=%H}"


def markers_of(sink: ConnectSink, topic: str) -> dict[int, list[Marker]]:
    """Reads the markers by hour, in the order of their numbers."""
    hours = {folder_of(topic, hour): hour for hour in range(-1, HOURS)}
    found: dict[int, list[Marker]] = collections.defaultdict(list)
    for key in sorted(filter(lambda key: "/_SUCCESS" in key, sink.keys())):
        found[hours[key.rpartition("/")[0]]].append(Marker.from_bytes(sink.read(key)))
    return dict(found)


@contextlib.contextmanager
def following(path: Path, servers: list[str]) -> Iterator[Any]:
    command = [sys.executable, "-m", "kafka2parquet", "complete", str(path), *servers, "--follow", "--every", "1s"]
    with subprocess.Popen([*command, "--lateness", "5m"], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def test_ten_hours_with_two_followers(
    kafka_server: Any, s3_server: Any, sink: ConnectSink, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """First markers have all rows that were on time, late rows get a second one, and DuckDB counts what the markers say."""
    topic = Topic(kafka_server.bootstrap)
    properties = sink.properties(
        {
            "topics": topic.name,
            "tasks.max": "2",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "false",
            "timestamp.extractor": "Record",
            "flush.size": "70",
        }
    )
    path = tmp_path / "sink.json"
    path.write_text(json.dumps(properties))
    group = f"connect-{properties['name']}"
    servers = ["--bootstrap-server", kafka_server.bootstrap, "--endpoint-url", s3_server.url]
    late_hour = 1
    with following(path, servers) as one, following(path, servers) as other:
        with ConnectRun(sink, properties) as run:
            for hour in range(HOURS):
                topic.fill(hour)
                if hour == 3:
                    wait_until(lambda: late_hour in markers_of(sink, topic.name), "the marker of the second hour", LIMIT_S)
                    on_time = {hour: topic.rows_of(hour) for hour in markers_of(sink, topic.name)}
                    topic.produce(0, BEGIN_MS + late_hour * HOUR_MS + 30 * MINUTE_MS)
                    topic.flush()
            run.drain(sum(topic.ends.values()))
        assert topic.ends == committed_offsets(kafka_server.bootstrap, group, topic.name)
        wait_until(lambda: len(markers_of(sink, topic.name).get(late_hour, ())) == 2, "the second marker", LIMIT_S)
        held_up = markers_of(sink, topic.name)
        for process in (one, other):
            process.send_signal(signal.SIGTERM)
        assert [0, 0] == [process.wait(60) for process in (one, other)]
        lines = [line for process in (one, other) for line in process.stdout.read().splitlines()]

    # partition 2 has nothing after the fourth hour, so nobody knows whether that hour is complete
    assert {-1, *range(QUIET_HOUR - 1)} == set(held_up)
    assert [1] == [marker.rows for marker in held_up[late_hour][1:]]
    assert {hour: on_time.get(hour, topic.rows_of(hour)) for hour in held_up} == {
        hour: markers[0].rows for hour, markers in held_up.items()
    }
    assert sum(map(len, held_up.values())) == len(lines) == len(set(lines))

    def all_complete() -> bool:
        assert 0 == main(["complete", str(path), *servers, "--idle-after", "2s", "--lateness", "5m"])
        return set(range(-1, HOURS)) == set(markers_of(sink, topic.name))

    wait_until(all_complete, "the markers of all hours", LIMIT_S)
    assert "markers written 7" in capsys.readouterr().out
    found = markers_of(sink, topic.name)
    assert {hour: topic.rows_of(hour) for hour in found} == {
        hour: sum(marker.rows for marker in markers) for hour, markers in found.items()
    }
    assert {late_hour: 2} == {hour: len(markers) for hour, markers in found.items() if len(markers) > 1}

    sink.download(tmp_path / "copy")
    for hour, markers in found.items():
        names = [file.name for marker in markers for file in marker.files]
        folder = tmp_path / "copy" / folder_of(topic.name, hour)
        assert sorted(names) == sorted(file.name for file in folder.glob("*.parquet"))
        counted = duckdb.execute(f"SELECT count(*) FROM read_parquet('{folder}/*.parquet')").fetchall()
        assert [(sum(marker.rows for marker in markers),)] == counted
    assert 0 == main(["audit", str(path), *servers])
