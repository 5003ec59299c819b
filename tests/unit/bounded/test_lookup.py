"""look_up_ranges, and a runner of several tasks that drains the ranges, from Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kafka2parquet import build_runner, load_connect_config, load_worker_config
from kafka2parquet.bounded import Ranges, TopicRange, drain, look_up_ranges
from kafka2parquet.bounded.lookup import check_for
from kafka2parquet.connect import ConnectConfig, WorkerConfig
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.records import TopicPartition
from kafka2parquet.testing import EmbeddedBroker
from tests.support.sink_properties import json_sink


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """A broker with two topics, the first one of three partitions with 100 records each."""
    with EmbeddedBroker() as broker:
        broker.create_topic("events", partitions=3)
        broker.create_topic("eventful")
        for partition in range(3):
            broker.append_values("events", partition, [b'{"a":1}'] * 100, range(100))
        yield broker


def config(folder: Path, **changes: str) -> ConnectConfig:
    return load_connect_config(
        json_sink({"name": "orders", "tasks.max": "2", "kafka2parquet.storage.url": str(folder), **changes})
    )


@pytest.fixture
def worker(broker: EmbeddedBroker) -> WorkerConfig:
    return load_worker_config(bootstrap_servers=broker.bootstrap)


def test_a_runner_drains_what_was_looked_up(broker: EmbeddedBroker, worker: WorkerConfig, tmp_path: Path) -> None:
    """Several tasks drain exactly the ranges, and what arrives meanwhile is left for the next run of the sink's group."""
    sink = config(tmp_path)
    ranges = look_up_ranges(sink, worker)
    assert "connect-orders" == ranges.group_id
    broker.append_values("events", 0, [b'{"a":1}'] * 50, range(50))
    result = drain(build_runner(sink, worker, group_id=ranges.group_id), until=ranges, timeout_s=120)
    assert (True, 300) == (result.is_complete, result.committed_rows)
    again = look_up_ranges(sink, worker)
    assert [(100, 150), (100, 100), (100, 100)] == [(range_.start, range_.end) for _, range_ in again]


def test_a_range_with_a_start_has_a_group_for_itself(worker: WorkerConfig, tmp_path: Path) -> None:
    """The same range to the same place has the same group; another range, or another place, has another one."""
    sink = config(tmp_path)
    same = {look_up_ranges(sink, worker, start=start, end="50").group_id for start in ("start", "0")}
    others = {
        look_up_ranges(sink, worker, start="1", end="50").group_id,
        look_up_ranges(config(tmp_path, **{"topics.dir": "other"}), worker, start="0", end="50").group_id,
        look_up_ranges(config(tmp_path / "other"), worker, start="0", end="50").group_id,
        look_up_ranges(config(tmp_path, name="other"), worker, start="0", end="50").group_id,
    }
    (group,) = same
    assert group.startswith("connect-orders-range-")
    assert 4 == len(others - same)


def test_topics_of_a_pattern(worker: WorkerConfig, tmp_path: Path) -> None:
    """A pattern stands for the topics that match when the ranges are looked up."""
    sink = load_connect_config(
        {**{name: value for name, value in json_sink({}).items() if name != "topics"}, "topics.regex": "event.*"}
    )
    found = look_up_ranges(sink, worker, start="start", end="end")
    assert ["eventful-0", "events-0", "events-1", "events-2"] == [str(topic_partition) for topic_partition, _ in found]


def test_the_beginning_of_a_group_without_offsets(worker: WorkerConfig, tmp_path: Path) -> None:
    """A sink that begins at the end of its topics has nothing to drain before it has committed anything."""
    latest = config(tmp_path, **{"consumer.override.auto.offset.reset": "latest"})
    assert 0 == look_up_ranges(latest, worker).offsets


def test_ranges_of_a_file_without_a_group_get_one(worker: WorkerConfig, tmp_path: Path) -> None:
    """A file of ranges that people have written needs no group."""
    sink = config(tmp_path)
    ranges = Ranges({TopicPartition("events", 1): TopicRange(5, 10)}, look_up_ranges(sink, worker).cluster_id)
    assert check_for(sink, worker, ranges).group_id.startswith("connect-orders-range-")


def test_ranges_of_a_topic_that_is_not_read(worker: WorkerConfig, tmp_path: Path) -> None:
    """A range for a topic of another configuration is refused."""
    ranges = Ranges({TopicPartition("eventful", 0): TopicRange(0, 0)})
    with pytest.raises(ConfigurationError, match="range for topic eventful, which the configuration doesn't read"):
        check_for(config(tmp_path), worker, ranges)
