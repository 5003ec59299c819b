"""A table in Glue beside a running sink on Apache Kafka: a follower registers partitions, and two compactions move them."""

from __future__ import annotations

import collections
import datetime
import functools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from confluent_kafka import Producer
from moto import mock_aws

from kafka2parquet import build_task, load_connect_config, load_worker_config
from kafka2parquet.clock import SystemClock
from kafka2parquet.compaction import SinkCompaction, SwitchedTopic, verify
from kafka2parquet.compaction.switching import PartitionSwitch
from kafka2parquet.completeness.folders import TimeFolders
from kafka2parquet.connect.parts.files_and_rotation import make_inner_partitioner, make_naming
from kafka2parquet.connect.parts.storage import make_storage
from kafka2parquet.tables import CatalogFollower, GlueTarget, KafkaTopicLog
from kafka2parquet.tables.files import location_of
from kafka2parquet.tables.glue import GluePartitions, GlueTable
from kafka2parquet.units import run_units
from tests.support.kafka_admin import create_topic
from tests.support.kafka_clients import LIMIT_S, unique, wait_until
from tests.support.local_sink import local_sink

PARTITIONS, HOURS, PER_HOUR = 2, 6, 60
HOUR_MS = 3_600_000
BEGIN_MS = round(time.time() * 1000) // HOUR_MS * HOUR_MS - 12 * HOUR_MS
KEYS = ("year", "month", "day", "hour")
Rows = collections.Counter[tuple[int, int]]


class OneAtATime:
    """A client of the catalogue in memory, which takes one call at a time."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)

        def call(**arguments: Any) -> Any:
            with self._lock:
                return found(**arguments)

        return call


class Story:
    """A topic, its sink, and a table over its files."""

    def __init__(self, bootstrap: str, folder: Path, client: Any) -> None:
        self.topic = unique("switched")
        create_topic(bootstrap, self.topic, PARTITIONS)
        self.client = OneAtATime(client)
        self.bootstrap = bootstrap
        self.config = load_connect_config(
            {
                **local_sink(self.topic, folder / "files"),
                "flush.size": "15",
                "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
                "timestamp.extractor": "Record",
                "locale": "en",
                "timezone": "UTC",
                "rotate.schedule.interval.ms": "500",
                "kafka2parquet.metadata.columns": "partition,offset",
            }
        )
        self.worker = load_worker_config(bootstrap_servers=bootstrap)
        self.storage = make_storage(self.config)
        self.naming = make_naming(self.config)
        self.times_ms: dict[int, list[int]] = {partition: [] for partition in range(PARTITIONS)}
        self.late: set[tuple[int, int]] = set()
        self.done = threading.Event()
        self.failures: list[BaseException] = []
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
        client.create_database(DatabaseInput={"Name": "raw"})
        keys = [{"Name": name, "Type": "string"} for name in KEYS]
        table = {"Name": self.topic, "PartitionKeys": keys, "StorageDescriptor": {"Location": "file:///"}}
        client.create_table(DatabaseName="raw", TableInput=table)

    def produce(self, partition: int, *times_ms: int, late: bool = False) -> None:
        for time_ms in times_ms:
            if late:
                self.late.add((partition, len(self.times_ms[partition])))
            self._producer.produce(self.topic, b'{"a":1}', partition=partition, timestamp=time_ms)
            self.times_ms[partition].append(time_ms)
        self._producer.flush()

    def thread(self, work: Callable[[], object]) -> threading.Thread:
        """Starts a thread that repeats some work until the story is done, and keeps its error."""

        def run() -> None:
            try:
                while not self.done.is_set():
                    work()
            except BaseException as error:
                self.failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def follower(self) -> CatalogFollower:
        target = GlueTarget("raw", self.topic, client=self.client)
        log = KafkaTopicLog(self.topic, self.bootstrap, f"connect-{self.config.name}")
        return CatalogFollower(target, self.storage, self.topic, log, naming=self.naming)

    def compact(self) -> SwitchedTopic:
        """Merges what is closed, and moves the partitions that are merged."""
        compaction = SinkCompaction(self.config, self.worker, older_than=datetime.timedelta(seconds=1), target_bytes=16 << 10)
        units = [unit for topic in compaction.plan() for unit in topic.units]
        results = [result for _, result in run_units(compaction.run, units)]
        assert {} == verify(units, results, compaction.storage)
        partitioner: Any = make_inner_partitioner(self.config)
        switch = PartitionSwitch(
            compaction.storage,
            self.topic,
            GluePartitions(GlueTable("raw", self.topic, self.client)),
            naming=compaction.naming,
            merged=compaction.merged,
            ends=TimeFolders(partitioner),
            locate=functools.partial(location_of, self.storage),
            clock=SystemClock(),
        )
        with compaction.log() as log:
            found = switch.run(log.topic_id(self.topic))
        assert {} == found.problems
        return found

    def query(self) -> Mapping[str, Rows]:
        """Counts partition and offset of each row by partition of the table, as an engine reads them: location, files, rows."""
        answer = self.client.get_partitions(DatabaseName="raw", TableName=self.topic)
        found = {}
        for partition in answer["Partitions"]:
            place = Path(partition["StorageDescriptor"]["Location"].removeprefix("file://"))
            files = [str(path) for path in place.glob("*.parquet")]
            query = "select _kafka_partition, _kafka_offset from read_parquet(?, hive_partitioning=false)"
            with duckdb.connect() as connection:
                rows = connection.execute(query, [files]).fetchall() if files else []
            found["/".join(partition["Values"])] = collections.Counter(rows)
        return found

    def locations(self) -> Mapping[str, str]:
        answer = self.client.get_partitions(DatabaseName="raw", TableName=self.topic)
        return {"/".join(each["Values"]): each["StorageDescriptor"]["Location"] for each in answer["Partitions"]}


@pytest.fixture
def story(kafka_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        story = Story(kafka_server.bootstrap, tmp_path, boto3.client("glue", region_name="eu-central-1"))
        yield story
        story.done.set()


@pytest.mark.timeout(300)
def test_queries_beside_everything(story: Story) -> None:
    """While the sink writes, a follower registers, and two compactions merge and move, no query reads a row twice, and no row
    that was read is missing later, except late ones for a while; in the end each row is there once."""
    seen: dict[str, set[tuple[int, int]]] = collections.defaultdict(set)
    queries: list[int] = []

    def query() -> None:
        for hour, rows in story.query().items():
            assert {1} >= set(rows.values()), hour
            assert not seen[hour] - story.late - rows.keys(), hour
            seen[hour] |= rows.keys()
        queries.append(len(seen))

    def moved() -> int:
        return sum("-merged/" in place for place in story.locations().values())

    follower = story.follower()
    with build_task(story.config, story.worker) as task:
        works: list[Callable[[], object]] = [task.step, follower.once, story.compact, story.compact, query]
        threads = [story.thread(work) for work in works]
        for hour in range(HOURS):
            for number in range(PER_HOUR):
                for partition in range(PARTITIONS):
                    story.produce(partition, BEGIN_MS + hour * HOUR_MS + number * HOUR_MS // PER_HOUR)
            if hour >= 2:
                wait_until(lambda hour=hour: moved() >= hour - 1 or bool(story.failures), "moved partitions", LIMIT_S)
                story.produce(hour % PARTITIONS, BEGIN_MS + number * 1000, late=True)
        for partition in range(PARTITIONS):
            story.produce(partition, BEGIN_MS + HOURS * HOUR_MS)
        expected = {(partition, offset) for partition, times in story.times_ms.items() for offset in range(len(times))}
        wait_until(
            lambda: bool(story.failures) or (moved() == HOURS and expected == set().union(*story.query().values())),
            "each row in the table",
            2 * LIMIT_S,
        )
        story.done.set()
        for thread in threads:
            thread.join()
    assert [] == story.failures
    found = story.compact()
    assert ({}, HOURS) == (found.unseen, found.moved_before)
    rows: Rows = sum(story.query().values(), Rows())
    assert dict.fromkeys(expected, 1) == rows
    assert len(queries) > 10
    print(json.dumps({"queries": len(queries), "rows": len(expected), "late": len(story.late)}))
