"""A real Prometheus scrapes real sinks: every panel of the dashboard shows data, and two alerts fire for their causes."""

from __future__ import annotations

import contextlib
import json
import math
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import prometheus_client
import pytest

from kafka2parquet import load_connect_config
from kafka2parquet.connect.parts.files_and_rotation import make_naming
from kafka2parquet.connect.parts.storage import make_storage
from kafka2parquet.metrics.prometheus import FollowerCollector, PrometheusHook, StatusCollector
from kafka2parquet.tables import CatalogFollower, KafkaTopicLog
from tests.stack.prometheus import Prometheus, prometheus
from tests.stack.server import HOST, Server, free_port, http_answers
from tests.support.connect_sink import ConnectRun, ConnectSink
from tests.support.dashboard import DASHBOARD, queries
from tests.support.kafka_clients import make_topic, python_producer, wait_until
from tests.support.local_sink import local_sink, numbered
from tests.support.tables import MemoryTable

LIMIT_S = 120.0
PARTITIONS = 2
RETENTION_S = 180
#: Age of the records that nobody will write: a third of the retention is left for them.
AGE_S = 120


def impatient_rules() -> str:
    """Returns the alert rules with durations of a test."""
    rules = DASHBOARD.with_name("kafka2parquet.rules.yml").read_text(encoding="utf-8")
    return re.sub(r"for: \d+m", "for: 1s", rules).replace("> 600", "> 5")


class ScrapedSink:
    """A sink in this process, and a Prometheus that scrapes it and a port for another process."""

    def __init__(self, prometheus: Prometheus, run: ConnectRun, kafka: Any, topic: str, other_port: int) -> None:
        self.prometheus = prometheus
        self.run = run
        self.other_port = other_port
        self._kafka, self._topic = kafka, topic
        self.sent = 0

    def produce(self) -> None:
        """Sends ten records to each partition, and one that is not JSON."""
        with python_producer(self._kafka.bootstrap) as producer:
            for partition in range(PARTITIONS):
                for value in numbered(10, self.sent):
                    producer.send(self._topic, value, partition=partition)
            producer.send(self._topic, b"not JSON", partition=0)
        self.sent += PARTITIONS * 10 + 1

    def sum(self, series: str) -> float:
        """Returns the sum of a metric of the sink in this process; -1 if there are no series."""
        found = self.prometheus.query(f"sum({series})")
        return float(found[0]["value"][1]) if found else -1.0


def follower_of(sink: ConnectSink, properties: Mapping[str, str], bootstrap: str) -> CatalogFollower:
    """Returns a follower that registers the sink's files in a table in memory. It does not take rejects for gaps."""
    config, topic = load_connect_config(properties), properties["topics"]
    log = KafkaTopicLog(topic, bootstrap, f"connect-{config.name}")
    storage = make_storage(config, sink.worker().endpoint_url)
    return CatalogFollower(MemoryTable(), storage, topic, log, naming=make_naming(config), pass_gaps=True)


@contextlib.contextmanager
def following(follower: CatalogFollower) -> Iterator[None]:
    """Runs a follower in a thread, with a round each second."""
    stop = threading.Event()
    thread = threading.Thread(target=follower.follow, args=(stop,), kwargs={"interval_s": 1.0})
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture(scope="module")
def scraped(kafka_server: Any, own_s3: Any) -> Iterator[ScrapedSink]:
    """Starts a sink that flushes every three seconds, and a Prometheus that has scraped it before anything happens."""
    sink, hook = ConnectSink(kafka_server, own_s3), PrometheusHook()
    topic = make_topic(kafka_server.bootstrap, PARTITIONS, {"retention.ms": "3600000"})
    changes = {
        "topics": topic,
        "tasks.max": "1",  # a rebalance between tasks would read records again
        "flush.size": "1000000",
        "rotate.schedule.interval.ms": "3000",
        "errors.tolerance": "all",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
    }
    properties = sink.properties(changes)
    run = ConnectRun(sink, properties, [hook])
    registry = prometheus_client.CollectorRegistry()
    registry.register(StatusCollector(run.runner.status, hook))
    follower = follower_of(sink, properties, kafka_server.bootstrap)
    registry.register(FollowerCollector(follower.status))
    port, other_port = free_port(), free_port()
    server, thread = prometheus_client.start_http_server(port, HOST, registry)
    with contextlib.ExitStack() as stack:
        stack.callback(sink.close)
        stack.callback(thread.join)
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        started = stack.enter_context(prometheus([f"{HOST}:{port}", f"{HOST}:{other_port}"], impatient_rules(), 0.5))
        wait_until(lambda: started.query("kafka2parquet_records_rejected_total"), "the first scrape")
        stack.enter_context(run)
        stack.enter_context(following(follower))
        yield ScrapedSink(started, run, kafka_server, topic, other_port)
        run.runner.stop()
        run.runner.join(30.0)


def test_every_query_of_the_dashboard_returns_data(scraped: ScrapedSink) -> None:
    """Each query of each panel returns a number while the sink runs."""
    missing = dict.fromkeys(queries())

    def all_have_data() -> bool:
        scraped.produce()
        for title, query in list(missing):
            values = [float(series["value"][1]) for series in scraped.prometheus.query(query)]
            if any(not math.isnan(value) for value in values):
                del missing[title, query]
        return not missing

    try:
        wait_until(all_have_data, "data for each query", LIMIT_S)
    except TimeoutError:
        assert [] == list(missing)
        raise


def test_counters_agree_with_what_was_sent(scraped: ScrapedSink) -> None:
    """Prometheus's sums are the records that were sent, rejected and committed, and the objects of the store."""
    scraped.produce()
    rejects = scraped.sent // (PARTITIONS * 10 + 1)
    rows = scraped.sent - rejects

    def counted() -> bool:
        return scraped.sum("kafka2parquet_rows_committed_total") == rows

    wait_until(counted, "all rows", LIMIT_S)
    assert scraped.sent == scraped.sum("kafka2parquet_records_read_total")
    assert rejects == scraped.sum('kafka2parquet_records_rejected_total{stage="decode"}')
    keys = scraped.run.sink.keys()
    files = sum(key.endswith(".parquet") for key in keys)
    wait_until(lambda: files == scraped.sum('kafka2parquet_files_published_total{created="true"}'), "all files")
    assert files == scraped.sum("kafka2parquet_file_size_bytes_count")
    assert scraped.sum("kafka2parquet_file_bytes_total") == scraped.sum("kafka2parquet_file_size_bytes_sum")
    assert rows == scraped.sum("kafka2parquet_file_rows_sum")
    assert 0 == scraped.sum("kafka2parquet_durable_lag_records")


def test_alert_for_a_store_that_is_down(scraped: ScrapedSink, own_s3: Any) -> None:
    """StorageDown fires while the store doesn't answer, and ends when it answers again; nothing was committed meanwhile."""
    assert "Kafka2ParquetStorageDown" not in scraped.prometheus.firing()
    own_s3.stop()
    scraped.produce()
    wait_until(lambda: "Kafka2ParquetStorageDown" in scraped.prometheus.firing(), "the alert", LIMIT_S)
    (alert,) = scraped.prometheus.firing()["Kafka2ParquetStorageDown"]
    assert ("critical", f"s3://{scraped.run.sink.bucket}") == (alert["severity"], alert["storage"])
    assert scraped.sum("kafka2parquet_durable_lag_records") > 0
    own_s3.start()
    wait_until(lambda: "Kafka2ParquetStorageDown" not in scraped.prometheus.firing(), "the end of the alert", LIMIT_S)
    wait_until(lambda: 0 == scraped.sum("kafka2parquet_durable_lag_records"), "everything durable", LIMIT_S)


def test_alert_for_a_consumer_that_died_close_to_retention(scraped: ScrapedSink, kafka_server: Any, tmp_path: Path) -> None:
    """NearDataLoss fires for records that a killed process had read, at the moment when a fifth of their retention is left."""
    topic = make_topic(kafka_server.bootstrap, 1, {"retention.ms": str(RETENTION_S * 1000)})
    properties = local_sink(topic, tmp_path / "store", {"flush.size": "1000000", "rotate.schedule.interval.ms": "3600000"})
    (tmp_path / "sink.json").write_text(json.dumps(properties), encoding="utf-8")
    command = [sys.executable, "-m", "tests.support.scraped_sink", tmp_path / "sink.json", kafka_server.bootstrap]
    url = f"http://{HOST}:{scraped.other_port}/metrics"
    process = Server([*command, scraped.other_port], http_answers(url, 200), tmp_path / "log")
    selected = f'{{topic="{topic}"}}'
    with contextlib.closing(_Killed(process)), python_producer(kafka_server.bootstrap) as producer:
        process.start()
        wait_until(lambda: scraped.prometheus.query(f"kafka2parquet_read_offset{selected}"), "the assignment", LIMIT_S)
        first_ms = int((time.time() - AGE_S) * 1000)
        for value in numbered(10):
            producer.send(topic, value, timestamp_ms=first_ms)
        producer.flush()
        wait_until(lambda: scraped.sum(f"kafka2parquet_open_rows{selected}") == 10, "the records to be read", LIMIT_S)
        ratio = scraped.sum(f"kafka2parquet_retention_margin_ratio{selected}")
        assert 0.2 < ratio <= 1 - AGE_S / RETENTION_S
        recorded = f"kafka2parquet:near_data_loss_timestamp_seconds{selected}"
        wait_until(lambda: scraped.prometheus.query(recorded), "the rules to be evaluated", LIMIT_S)
    wait_until(lambda: not scraped.prometheus.query(f"kafka2parquet_open_rows{selected}"), "the process to be gone", LIMIT_S)
    assert "Kafka2ParquetNearDataLoss" not in scraped.prometheus.firing()
    wait_until(lambda: "Kafka2ParquetNearDataLoss" in scraped.prometheus.firing(), "the alert", LIMIT_S)
    left_s = first_ms / 1000 + RETENTION_S - time.time()
    assert 0.1 * RETENTION_S < left_s <= 0.2 * RETENTION_S
    (alert,) = scraped.prometheus.firing()["Kafka2ParquetNearDataLoss"]
    assert (topic, "0", properties["name"]) == (alert["topic"], alert["partition"], alert["sink"])
    gone = scraped.prometheus.firing()["Kafka2ParquetTaskGone"]
    assert [topic] == [alert["topic"] for alert in gone]


class _Killed:
    """Kills a server at the end of a context."""

    def __init__(self, server: Server) -> None:
        self.close = server.kill
