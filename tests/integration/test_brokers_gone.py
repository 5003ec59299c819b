"""A cluster of three brokers, some of which are gone: the sink waits as long as it takes, loses nothing and repeats nothing."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from kafka2parquet import SinkTask, build_task, load_connect_config
from kafka2parquet.connect.worker import WorkerConfig
from tests.stack.kafka_cluster import KafkaCluster, kafka_cluster
from tests.support.kafka_admin import committed_offsets, create_replicated_topic
from tests.support.kafka_clients import LIMIT_S, fill, unique, wait_until
from tests.support.local_sink import local_sink, numbered, written

RECORDS = 300
_LONG_S = 120.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    """Starts a cluster in which a commit needs two of the three replicas of __consumer_offsets."""
    with kafka_cluster(settings="min.insync.replicas=2") as cluster:
        yield cluster


class Sink:
    """A task of a separate group, run step by step."""

    def __init__(self, cluster: KafkaCluster, topic: str, folder: Path) -> None:
        given = local_sink(topic, folder, {"flush.size": "100"})
        config = load_connect_config(given)
        self.group = f"connect-{config.name}"
        self.task: SinkTask = build_task(config, WorkerConfig(bootstrap_servers=cluster.bootstrap))
        self._cluster = cluster
        self._topic = topic

    def run_until_committed(self, expected: Mapping[int, int]) -> None:
        def committed() -> bool:
            self.task.step()
            return committed_offsets(self._cluster.bootstrap, self.group, self._topic) == expected

        wait_until(committed, f"the group at {expected}", _LONG_S)

    def coordinator(self) -> int:
        """Returns the id of the broker that coordinates the group."""
        admin = AdminClient({"bootstrap.servers": self._cluster.bootstrap, "log_level": 0})
        described = admin.describe_consumer_groups([self.group])[self.group].result(LIMIT_S)
        return int(described.coordinator.id)


@contextlib.contextmanager
def gone(cluster: KafkaCluster, *broker_ids: int) -> Iterator[None]:
    """Kills these brokers, and starts them again at the end."""
    for broker_id in broker_ids:
        cluster.brokers[broker_id].kill()
    try:
        yield
    finally:
        for broker_id in broker_ids:
            cluster.brokers[broker_id].start()


@pytest.mark.parametrize("what", ["leader", pytest.param("coordinator", marks=pytest.mark.heavy)])
def test_one_broker_is_gone(cluster: KafkaCluster, tmp_path: Path, what: str) -> None:
    """The other brokers take over, so reading and commits continue while the broker is away and after its return."""
    topic = unique("topic")
    create_replicated_topic(cluster.bootstrap, topic, [[1, 2, 3]])
    fill(cluster.bootstrap, topic, numbered(RECORDS), acks="all")
    sink = Sink(cluster, topic, tmp_path)
    with sink.task:
        sink.run_until_committed({0: RECORDS})
        with gone(cluster, 1 if what == "leader" else sink.coordinator()):
            fill(cluster.bootstrap, topic, numbered(RECORDS, RECORDS), acks="all")
            sink.run_until_committed({0: 2 * RECORDS})
        fill(cluster.bootstrap, topic, numbered(RECORDS, 2 * RECORDS), acks="all")
        sink.run_until_committed({0: 3 * RECORDS})
    assert list(range(3 * RECORDS)) == written(tmp_path, topic)


def test_too_few_replicas_for_commits(cluster: KafkaCluster, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With two brokers gone, records can be read but offsets can't be stored: the sink reports that, waits, and continues."""
    topic = unique("topic")
    create_replicated_topic(cluster.bootstrap, topic, [[3]], min_insync_replicas="1")
    fill(cluster.bootstrap, topic, numbered(RECORDS), acks="all")
    sink = Sink(cluster, topic, tmp_path)
    with sink.task, caplog.at_level(logging.WARNING, "kafka2parquet"):
        sink.run_until_committed({0: RECORDS})
        with gone(cluster, 1, 2):
            fill(cluster.address(3), topic, numbered(RECORDS, RECORDS))

            def reported() -> bool:
                sink.task.step()
                return "min.insync.replicas" in caplog.text

            wait_until(reported, "the sink to say what it waits for", _LONG_S)
            assert list(range(RECORDS)) == written(tmp_path, topic)
        sink.run_until_committed({0: 2 * RECORDS})
    assert list(range(2 * RECORDS)) == written(tmp_path, topic)
    assert "Waiting for Kafka to store offsets of the group" in caplog.text


@pytest.mark.heavy
def test_a_partition_without_a_leader(cluster: KafkaCluster, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A starting sink reads the other partitions, reports the missing leader, and continues once its broker is back."""
    topic = unique("topic")
    create_replicated_topic(cluster.bootstrap, topic, [[3], [1]], min_insync_replicas="1")
    for partition in (0, 1):
        fill(cluster.bootstrap, topic, numbered(RECORDS, partition * RECORDS), partition)
    sink = Sink(cluster, topic, tmp_path)
    with sink.task, caplog.at_level(logging.WARNING, "kafka2parquet"):
        with gone(cluster, 1):
            sink.run_until_committed({0: RECORDS})

            def reported() -> bool:
                sink.task.step()
                return f"LeaderNotAvailableError('{topic}-1')" in caplog.text

            wait_until(reported, "the sink to say what it waits for", _LONG_S)
        sink.run_until_committed({0: RECORDS, 1: RECORDS})
    assert list(range(2 * RECORDS)) == written(tmp_path, topic)
