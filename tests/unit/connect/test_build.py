"""Tasks of a configuration, with parts of one's own."""

from __future__ import annotations

import concurrent.futures

import pytest

from kafka2parquet import build_task, load_connect_config, load_worker_config
from kafka2parquet.connect.build import TaskPlan
from kafka2parquet.errors import UsageError
from kafka2parquet.testing import MemoryConsumer, MemoryKafka, MemoryRecord, MemoryStorage
from tests.support.sink_properties import json_sink

CONFIG = json_sink(
    {
        "name": "orders",
        "s3.bucket.name": "lake",
        "topics": "orders",
        "flush.size": "2",
    }
)


def test_own_consumer_and_storage() -> None:
    """The configuration then needs neither brokers nor a bucket."""
    kafka, storage = MemoryKafka(), MemoryStorage()
    kafka.create_topic("orders")
    kafka.append("orders", 0, [MemoryRecord(b'{"id": 1}'), MemoryRecord(b'{"id": 2}')])
    with (
        concurrent.futures.ThreadPoolExecutor(1) as executor,
        build_task(
            load_connect_config(CONFIG),
            load_worker_config(),
            consumer=MemoryConsumer(kafka, group_id="connect-orders", topics=["orders"]),
            storage=storage,
            executor=executor,
        ) as task,
    ):
        while not task.step(0.01).committed_rows:
            pass
    key = "topics/orders/partition=0/orders+0+0000000000.snappy.parquet"
    assert [{"id": 1}, {"id": 2}] == storage.rows(key)


def test_storage_is_given_once() -> None:
    """A second storage is refused, because shared parts already have one."""
    plan = TaskPlan.of(load_connect_config(CONFIG), load_worker_config(bootstrap_servers="kafka:9092"))
    with pytest.raises(UsageError, match="pass the storage to TaskPlan"):
        build_task(plan.config, load_worker_config(), shared=plan, storage=MemoryStorage())
