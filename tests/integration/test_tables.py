"""Followers of tables beside a sink on Apache Kafka: killed again and again, two at a time, while the tables are compacted."""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import multiprocessing
import multiprocessing.process
import random
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import confluent_kafka
import deltalake
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, ValidationException

from kafka2parquet import build_task, load_connect_config
from kafka2parquet.cli.main import main
from kafka2parquet.connect.worker import WorkerConfig
from tests.stack.server import HOST, free_port
from tests.support.kafka_admin import create_topic
from tests.support.kafka_clients import LIMIT_S, unique, wait_until
from tests.support.local_sink import local_sink
from tests.support.tables import active_delta_files, offsets_in, publish, sql_catalog

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.support.tables", "kafka2parquet.cli.commands.publish", "pyiceberg.io.pyarrow"])
PARTITIONS = 3
KILLING_S = 60.0


class Beside:
    """A sink that runs in a thread, and what it needs."""

    def __init__(self, bootstrap: str, folder: Path, **changes: str) -> None:
        self.bootstrap = bootstrap
        self.folder = folder
        self.topic = unique("tables")
        create_topic(bootstrap, self.topic, PARTITIONS)
        self.properties = {
            **local_sink(self.topic, folder / "files"),
            "flush.size": "50",
            "rotate.schedule.interval.ms": "500",
            "kafka2parquet.metadata.columns": "partition,offset",
            **changes,
        }
        self.sink = folder / "sink.json"
        self.sink.write_text(json.dumps(self.properties))
        self.produced = dict.fromkeys(range(PARTITIONS), 0)
        self.stopping = threading.Event()
        group = f"connect-{self.properties['name']}"
        self.consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group})
        self.variables = {
            "PYICEBERG_CATALOG__TEST__TYPE": "sql",
            "PYICEBERG_CATALOG__TEST__URI": f"sqlite:///{folder}/catalog.db",
            "PYICEBERG_CATALOG__TEST__WAREHOUSE": f"file://{folder}/warehouse",
        }
        self.catalog()

    def catalog(self) -> SqlCatalog:
        return sql_catalog(self.folder, warehouse=f"file://{self.folder}/warehouse")

    @property
    def delta(self) -> Path:
        return self.folder / "files" / "topics" / self.topic

    def produce(self, rows: int) -> None:
        """Appends numbered records round-robin, in transactions, so that the log has markers, too."""
        producer = confluent_kafka.Producer({"bootstrap.servers": self.bootstrap, "transactional.id": unique("writer")})
        producer.init_transactions(LIMIT_S)
        producer.begin_transaction()
        for number in range(rows):
            partition = number % PARTITIONS
            producer.produce(self.topic, json.dumps({"n": number}).encode(), partition=partition)
            self.produced[partition] += 1
        producer.commit_transaction(4 * LIMIT_S)

    def run(self, rows_per_s: int) -> None:
        """Runs the sink and produces, until `stopping` is set; then until everything is committed."""
        with build_task(load_connect_config(self.properties), WorkerConfig(bootstrap_servers=self.bootstrap)) as task:
            next_s = time.monotonic()
            while not self.stopping.is_set():
                if time.monotonic() >= next_s:
                    self.produce(rows_per_s)
                    next_s += 1.0
                task.step()
            wait_until(lambda: (task.step(), self.lags() == [0] * PARTITIONS)[1], "everything committed", 4 * LIMIT_S)

    def lags(self) -> list[int]:
        """Returns the lag of each partition: the log's end minus the committed offset."""
        names = [confluent_kafka.TopicPartition(self.topic, partition) for partition in range(PARTITIONS)]
        committed = self.consumer.committed(names, timeout=LIMIT_S)
        return [self.consumer.get_watermark_offsets(name, timeout=LIMIT_S)[1] - name.offset for name in committed]

    def files(self) -> Mapping[int, list[tuple[int, int]]]:
        """Returns partition and offset of each row in the published files, as a reader of the folder sees them."""
        found = offsets_in(sorted(self.delta.glob("partition=*/*+*+*.parquet")))
        return {partition: list(rows) for partition, rows in itertools.groupby(found, lambda row: row[0])}

    def follow(self, to: str, number: int, *options: str) -> multiprocessing.process.BaseProcess:
        """Starts a process that follows; its server has imported everything."""
        following = ("--follow", "--interval", "0.2", *options)
        arguments = [str(self.sink), "--bootstrap-server", self.bootstrap, "--to", to, *following]
        process = SERVER.Process(target=publish, args=(arguments, str(self.folder / f"follower{number}"), self.variables))
        process.start()
        return process


@pytest.fixture
def beside(kafka_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Beside]:
    beside = Beside(kafka_server.bootstrap, tmp_path)
    for name, value in beside.variables.items():
        monkeypatch.setenv(name, value)
    yield beside
    beside.stopping.set()
    beside.consumer.close()


def _publish(beside: Beside, to: str) -> int:
    return main(["publish", str(beside.sink), "--bootstrap-server", beside.bootstrap, "--to", to])


@pytest.mark.timeout(300)
def test_followers_that_are_killed(beside: Beside) -> None:
    """Two followers of a Delta and an Iceberg table are killed at random for a minute, and each row is there exactly once."""
    chance = random.Random(7)
    iceberg = "iceberg:test.raw.{topic}"
    name = f"raw.{beside.topic.replace('-', '_')}"
    failures: list[BaseException] = []

    def sink() -> None:
        try:
            beside.run(rows_per_s=300)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=sink)
    thread.start()
    end_s = time.monotonic() + KILLING_S
    kills = compactions = started = 0
    running: list[tuple[str, multiprocessing.process.BaseProcess, float]] = []
    try:
        while time.monotonic() < end_s:
            for to in ("delta", "delta", iceberg, iceberg):
                if sum(each[0] == to for each in running) < 2:
                    started += 1
                    running.append((to, beside.follow(to, started), time.monotonic() + chance.uniform(1.0, 6.0)))
            for to, process, die_s in list(running):
                if not process.is_alive() or time.monotonic() >= die_s:
                    kills += process.is_alive()
                    process.kill()
                    process.join()
                    running.remove((to, process, die_s))
            if chance.random() < 0.03 and (beside.delta / "_delta_log").is_dir() and beside.catalog().table_exists(name):
                compactions += _compact(beside, name)
            beside.stopping.wait(0.05)
    finally:
        for _, process, _ in running:
            process.kill()
            process.join()
        beside.stopping.set()
        thread.join()
    assert [] == failures
    assert 0 == _publish(beside, "delta")
    assert 0 == _publish(beside, iceberg)
    expected = [row for rows in beside.files().values() for row in rows]
    assert sum(beside.produced.values()) == len(set(expected)) == len(expected)
    assert expected == offsets_in(active_delta_files(beside.delta))
    files = beside.catalog().load_table(name).inspect.files()["file_path"].to_pylist()
    assert expected == offsets_in([Path(path.removeprefix("file://")) for path in files])
    registering = len(list((beside.delta / "_delta_log").glob("*.json")))
    figures = f"kills {kills}, compactions {compactions}, Delta transactions {registering}, rows {len(expected)}"
    print(figures)
    assert kills > 5, figures
    assert compactions > 0, figures
    assert registering > 10, figures


def test_a_follower_that_is_scraped(beside: Beside) -> None:
    """The metrics of a follower beside a running sink agree with the log: every row is registered, and no partition lags."""
    iceberg, address = "iceberg:test.raw.{topic}", f"{HOST}:{free_port()}"
    thread = threading.Thread(target=beside.run, args=(300,))
    process = beside.follow(iceberg, 1, "--http", address)
    client = httpx.Client(base_url=f"http://{address}", trust_env=False)

    def scraped() -> dict[str, list[float]]:
        found: dict[str, list[float]] = collections.defaultdict(list)
        with contextlib.suppress(httpx.ConnectError):
            for family in text_string_to_metric_families(client.get("/metrics").text):
                for sample in family.samples:
                    assert beside.topic == sample.labels["topic"]
                    found[sample.name.removeprefix("kafka2parquet_table_")].append(sample.value)
        return found

    with contextlib.closing(client):
        thread.start()
        try:
            wait_until(lambda: sum(scraped()["rows_registered_total"]) > 300, "the first rows", 4 * LIMIT_S)
        finally:
            beside.stopping.set()
            thread.join()
        try:
            rows = sum(beside.produced.values())
            wait_until(lambda: [rows] == scraped()["rows_registered_total"], "all rows", 4 * LIMIT_S)
            names = [confluent_kafka.TopicPartition(beside.topic, partition) for partition in range(PARTITIONS)]
            committed = [name.offset for name in beside.consumer.committed(names, timeout=LIMIT_S)]
            wait_until(lambda: committed == scraped()["position_offset"], "the last transaction marker", 4 * LIMIT_S)
            values = scraped()
            assert [0.0] * PARTITIONS == values["lag_offsets"]
            assert ([0.0] * PARTITIONS, [1.0], [0.2]) == (values["partition_blocked"], values["up"], values["interval_seconds"])
            ended, registered = (values[f"last_{what}_timestamp_seconds"][0] for what in ("round", "transaction"))
            assert 0 <= time.time() - ended < LIMIT_S
            assert registered <= ended
            assert [200] * 3 == [client.get(f"/{question}").status_code for question in ("live", "ready", "healthy")]
        finally:
            process.kill()
            process.join()


def _compact(beside: Beside, name: str) -> int:
    """Rewrites both tables; one of them may be busy."""
    done = 0
    try:
        deltalake.DeltaTable(beside.delta).optimize.compact()
        done += 1
    except deltalake.exceptions.CommitFailedError:
        pass
    table = beside.catalog().load_table(name)
    rows = table.scan().to_arrow()
    if not len(rows):  # pyiceberg warns of a rewrite that deletes nothing
        return done
    try:
        table.overwrite(rows)
        done += 1
    except (CommitFailedException, ValidationException):
        pass
    return done
