"""Tasks that come and go under load, on Apache Kafka: nothing is lost, and with orderly stops nothing is done twice."""

from __future__ import annotations

import collections
import contextlib
import datetime
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from kafka2parquet import (
    FirstOf,
    FsspecStorage,
    JsonConverter,
    KafkaPythonConsumer,
    RecordCountRotation,
    RecordTimeRotation,
    SinkTask,
    TaskRunner,
    TimeBasedPartitioner,
)
from kafka2parquet.events import Event, FilePublished
from tests.support.files import offsets_by_partition
from tests.support.kafka_admin import create_topic
from tests.support.kafka_clients import unique, wait_until

PARTITIONS = 6
ROWS_PER_S = 20_000
BEGIN_MS = 1_779_012_000_000


@contextlib.contextmanager
def load(bootstrap: str, topic: str) -> Iterator[list[int]]:
    """Produces records continuously to alternating partitions, and yields the count for each, which is final at the end."""
    counts = [0] * PARTITIONS
    stopping = threading.Event()

    def produce() -> None:
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
        while not stopping.wait(0.05):
            for number in range(ROWS_PER_S // 20):
                partition = number % PARTITIONS
                time_ms = BEGIN_MS + counts[partition] * 100
                producer.produce(topic, b'{"index":%d}' % counts[partition], partition=partition, timestamp=time_ms)
                counts[partition] += 1
            producer.poll(0)
        producer.flush()

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield counts
    finally:
        stopping.set()
        thread.join()


def runner_of(
    bootstrap: str, topic: str, folder: Path, tasks: int, published: list[FilePublished], assignors: Sequence[str]
) -> TaskRunner:
    def hook(event: Event) -> None:
        if isinstance(event, FilePublished):
            published.append(event)

    def make() -> SinkTask:
        return SinkTask(
            consumer=KafkaPythonConsumer(
                bootstrap_servers=bootstrap,
                group_id=f"group-{topic}",
                topics=[topic],
                client_settings={
                    "heartbeat_interval_ms": 200,
                    "session_timeout_ms": 6000,
                    "partition_assignment_strategy": assignors,
                },
                gather_max_wait_s=0.1,
            ),
            converter=JsonConverter(),
            partitioner=TimeBasedPartitioner(path_format="'hour'=HH", partition_duration=datetime.timedelta(hours=1)),
            rotation=FirstOf(RecordCountRotation(5_000), RecordTimeRotation(datetime.timedelta(hours=1))),
            storage=FsspecStorage(str(folder)),
            hooks=(hook,),
        )

    return TaskRunner([make] * tasks)


@pytest.mark.parametrize(
    "assignors", [["range", "roundrobin"], ["cooperative-sticky"], pytest.param(["sticky"], marks=pytest.mark.heavy)]
)
def test_a_third_task_joins_and_leaves_under_load(kafka_server: Any, tmp_path: Path, assignors: Sequence[str]) -> None:
    """Every record is in one file, every file was published once, and the group's lag is zero at the end."""
    topic = unique("rebalance")
    bootstrap = kafka_server.bootstrap
    create_topic(bootstrap, topic, PARTITIONS)
    published: list[FilePublished] = []
    two = runner_of(bootstrap, topic, tmp_path, 2, published, assignors)
    runners = [two]
    with load(bootstrap, topic) as counts:
        two.start()
        wait_until(lambda: two.progress.files >= 10, "the first files")
        for _ in range(3):
            third = runner_of(bootstrap, topic, tmp_path, 1, published, assignors)
            runners.append(third)
            third.start()
            wait_until(lambda third=third: third.progress.partitions and third.progress.files >= 4, "files of the third task")
            third.stop()
            third.join()
            files = two.progress.files
            wait_until(lambda files=files: two.progress.partitions == PARTITIONS and two.progress.files >= files + 6, "the two")
    # Not by the lag: that is as old as the last fetch.
    wait_until(lambda: sum(runner.progress.taken_rows for runner in runners) >= sum(counts), "all records to be taken")
    two.stop()
    two.join()

    expected = {partition: collections.Counter(range(count)) for partition, count in enumerate(counts)}
    assert expected == dict(offsets_by_partition(tmp_path))
    keys = collections.Counter(file.key for file in published)
    assert [] == [key for key, times in keys.items() if times > 1]
    assert all(file.created for file in published)
