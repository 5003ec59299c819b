"""The lags in a task's status, compared with lags computed from Kafka's log and the committed offsets alone."""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from kafka import TopicPartition as KafkaTopicPartition

from kafka2parquet import (
    DefaultPartitioner,
    FsspecStorage,
    JsonConverter,
    RecordCountRotation,
    RecordTimeRotation,
    SinkTask,
)
from kafka2parquet.errors import StorageUnavailableError
from kafka2parquet.rotation import RotationPolicy
from kafka2parquet.status import PartitionStatus
from kafka2parquet.storage import AlreadyExists, Published, StagedFile, Storage
from tests.support.kafka_admin import committed_offsets
from tests.support.kafka_clients import LIMIT_S, make_topic, python_consumer, unique, wait_until
from tests.support.kafka_consumers import Consumers

HOUR_S = 3600
RETENTION_S = 24 * HOUR_S
HOURLY, QUIET, IDLE, TRANSACTIONS = range(4)
#: Clocks, and the seconds that pass between two looks.
TOLERANCE_S = 3.0


def produce(bootstrap: str, topic: str, partition: int, ages_s: list[int], *, transaction: str = "") -> Any:
    """Writes a record of each age; `transaction` is how its transaction ends: `commit`, `abort` or `open`."""
    settings = {"bootstrap.servers": bootstrap, "linger.ms": 5}
    producer = confluent_kafka.Producer({**settings, **({"transactional.id": unique("writer")} if transaction else {})})
    if transaction:
        producer.init_transactions(LIMIT_S)
        producer.begin_transaction()
    now_ms = round(time.time() * 1000)
    for age_s in ages_s:
        producer.produce(topic, b"{}", partition=partition, timestamp=now_ms - age_s * 1000)
        producer.poll(0)
    producer.flush(LIMIT_S)
    if transaction == "commit":
        producer.commit_transaction(LIMIT_S)
    elif transaction == "abort":
        producer.abort_transaction(LIMIT_S)
    return producer


def lags(bootstrap: str, topic: str, group: str, partition: int) -> tuple[int, int, float]:
    """Returns the log's end, the durable lag in records and in seconds, from the log and the group's offset."""
    name = KafkaTopicPartition(topic, partition)
    committed = committed_offsets(bootstrap, group, topic).get(partition, 0)
    settings = {"isolation_level": "read_committed", "fetch_max_wait_ms": 50}
    with python_consumer(bootstrap, **settings) as consumer:
        consumer.assign([name])
        end = consumer.end_offsets([name])[name]
        consumer.seek(name, committed)
        oldest = None
        while oldest is None and consumer.position(name) < end:
            records = consumer.poll(timeout_ms=200, max_records=1).get(name, ())
            oldest = records[0].timestamp if records else None
    return end, end - committed, 0.0 if oldest is None else time.time() - oldest / 1000


def a_task(bootstrap: str, topic: str, group: str, storage: Storage, rotation: RotationPolicy) -> SinkTask:
    return SinkTask(
        consumer=Consumers(bootstrap).consumer(group, topic),
        converter=JsonConverter(),
        partitioner=DefaultPartitioner(),
        rotation=rotation,
        storage=storage,
    )


def step_until(task: SinkTask, condition: Any, what: str) -> None:
    def stepped() -> bool:
        task.step(0.05)
        return bool(condition({each.topic_partition.partition: each for each in task.status().partitions}))

    wait_until(stepped, what)


def check(found: PartitionStatus, expected: tuple[int, int, float]) -> None:
    end, records, age_s = expected
    assert (end, records) == (found.log_end, found.durable_lag_records)
    assert found.durable_lag_s == pytest.approx(age_s, abs=TOLERANCE_S)
    assert found.retention_s == RETENTION_S
    assert found.retention_margin_s == pytest.approx(RETENTION_S - age_s, abs=TOLERANCE_S)
    assert found.position is not None
    assert found.read_lag_records == max(0, end - found.position)


def test_lags_are_those_of_the_log(kafka_server: Any, tmp_path: Path) -> None:
    """Hourly files, a quiet partition, an idle one, and committed, aborted and open transactions."""
    bootstrap, group = kafka_server.bootstrap, unique("group")
    topic = make_topic(bootstrap, partitions=4, configs={"retention.ms": str(RETENTION_S * 1000)})
    produce(bootstrap, topic, HOURLY, [3 * HOUR_S, 3 * HOUR_S - 60, HOUR_S + 900, 1200, 600])
    produce(bootstrap, topic, QUIET, [2 * HOUR_S])
    produce(bootstrap, topic, TRANSACTIONS, [1000, 900], transaction="commit")
    produce(bootstrap, topic, TRANSACTIONS, [800], transaction="abort")
    produce(bootstrap, topic, TRANSACTIONS, [700, 600], transaction="commit")
    open_transaction = produce(bootstrap, topic, TRANSACTIONS, [500], transaction="open")
    rotation = RecordTimeRotation(datetime.timedelta(seconds=HOUR_S), or_by_the_clock=False)
    with a_task(bootstrap, topic, group, FsspecStorage(f"file://{tmp_path}"), rotation) as task:
        positions = {HOURLY: 5, QUIET: 1, IDLE: 0, TRANSACTIONS: 8}

        def is_at_rest(found: dict[int, PartitionStatus]) -> bool:
            is_read = positions == {number: each.position for number, each in found.items()}
            return is_read and found[HOURLY].committed == 4 and all(each.retention_s is not None for each in found.values())

        step_until(task, is_at_rest, "all records that can be read, and the retention")
        status = task.status()
        for found in status.partitions:
            check(found, lags(bootstrap, topic, group, found.topic_partition.partition))
            assert (0, 0.0) == (found.read_lag_records, found.read_lag_s)
        assert (True, True, group) == (status.kafka.joined, status.kafka.up, status.kafka.group_id)
        assert status.kafka.member_id
        assert status.kafka.generation >= 1
        open_transaction.commit_transaction(LIMIT_S)
        step_until(task, lambda found: found[TRANSACTIONS].position == 10, "the records of the transaction and its marker")
        (found,) = (each for each in task.status().partitions if each.topic_partition.partition == TRANSACTIONS)
        check(found, lags(bootstrap, topic, group, TRANSACTIONS))


class DownStorage(FsspecStorage):
    """A store that takes nothing."""

    def publish(self, key: str, staged: StagedFile) -> Published | AlreadyExists:
        raise StorageUnavailableError("503 Slow Down")


def test_a_backlog_is_read_lag(kafka_server: Any, tmp_path: Path) -> None:
    """While the store is down, the task reads no further, and still follows the end of the log."""
    bootstrap, group = kafka_server.bootstrap, unique("group")
    topic = make_topic(bootstrap, configs={"retention.ms": str(RETENTION_S * 1000)})
    produce(bootstrap, topic, 0, [500] * 2000)
    storage = DownStorage(f"file://{tmp_path}")
    with a_task(bootstrap, topic, group, storage, RecordCountRotation(100)) as task:
        step_until(task, lambda found: found and found[0].retention_s is not None and found[0].waits_for, "the outage")
        produce(bootstrap, topic, 0, [5] * 3000)
        step_until(task, lambda found: found[0].log_end == 5000, "the new end of the log")
        (found,) = task.status().partitions
        check(found, lags(bootstrap, topic, group, 0))
        assert ("full", 200, 4800) == (found.state, found.position, found.read_lag_records)
        assert found.read_lag_s == pytest.approx(found.durable_lag_s, abs=TOLERANCE_S)
        assert found.waits_for is not None
        assert ("storage", "503 Slow Down") == (found.waits_for.reason, found.waits_for.cause)
        task.close(flush=False)
