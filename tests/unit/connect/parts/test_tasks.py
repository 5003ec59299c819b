"""How many tasks a process starts."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator

import pytest

from kafka2parquet import build_runner, load_connect_config, load_worker_config
from kafka2parquet.connect import ConnectConfig
from kafka2parquet.connect.parts.tasks import task_count
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.testing import EmbeddedBroker
from tests.support.sink_properties import json_sink


def config(**changes: str) -> ConnectConfig:
    return load_connect_config(json_sink({"name": "orders", **changes}))


@pytest.mark.parametrize(
    ("properties", "partitions", "cores", "tasks"),
    [
        ({"tasks.max": "12"}, 12, 2, 2),
        ({"tasks.max": "12"}, 3, 8, 3),
        ({"tasks.max": "2"}, 12, 8, 2),
        ({"tasks.max": "12"}, None, 8, 8),
        ({"tasks.max": "4"}, None, 8, 4),
        ({"tasks.max": "12"}, 0, 8, 1),
        ({}, 12, 8, 1),
        ({"tasks.max": "12", "kafka2parquet.tasks": "12"}, 3, 2, 12),
        ({"tasks.max": "12", "kafka2parquet.tasks": "5"}, None, 2, 5),
    ],
)
def test_as_many_tasks_as_help(properties: dict[str, str], partitions: int | None, cores: int, tasks: int) -> None:
    """The least of tasks.max, partitions and cores counts, unless the configuration sets a number."""
    assert tasks == task_count(config(**properties), partitions, cores)


def test_no_more_tasks_than_the_maximum() -> None:
    """A number of tasks above tasks.max is refused, because the two contradict each other."""
    message = r"kafka2parquet.tasks is 3, but tasks.max, which is not set, allows 1\. Set tasks.max=3 too"
    with pytest.raises(ConfigurationError, match=message):
        config(**{"kafka2parquet.tasks": "3"})
    with pytest.raises(ConfigurationError, match=r"kafka2parquet.tasks is 3, but tasks.max allows 2\."):
        config(**{"kafka2parquet.tasks": "3", "tasks.max": "2"})
    with pytest.raises(ConfigurationError, match="Value must be at least 1"):
        config(**{"kafka2parquet.tasks": "0"})


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """A broker with a topic of three partitions and one of two."""
    with EmbeddedBroker() as broker:
        broker.create_topic("events", partitions=3)
        broker.create_topic("eventful", partitions=2)
        yield broker


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with eight cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize(
    ("topics", "tasks"),
    [
        ({"topics": "events"}, 3),
        ({"topics": "events,eventful"}, 5),
        ({"topics": "", "topics.regex": "event.*"}, 5),
        ({"topics": "events,missing"}, 8),
        ({"topics": "", "topics.regex": "none.*"}, 8),
    ],
)
def test_kafka_says_how_many_partitions_there_are(broker: EmbeddedBroker, topics: dict[str, str], tasks: int) -> None:
    """The partitions of all topics count, unless a topic doesn't exist yet, so that its partitions can't be known."""
    given = {name: text for name, text in json_sink({"tasks.max": "9", **topics}).items() if text}
    runner = build_runner(load_connect_config(given), load_worker_config(bootstrap_servers=broker.bootstrap))
    assert tasks == runner.task_count


@pytest.mark.usefixtures("cores")
def test_the_start_continues_without_kafka(caplog: pytest.LogCaptureFixture) -> None:
    """If no broker answers, tasks.max and the cores decide, and the log says so."""
    with socket.socket() as silent:  # bound, and nobody listens
        silent.bind(("127.0.0.1", 0))
        caplog.set_level(logging.INFO, "kafka2parquet.connect")
        worker = load_worker_config(bootstrap_servers=f"127.0.0.1:{silent.getsockname()[1]}")
        assert 8 == build_runner(config(**{"tasks.max": "12"}), worker).task_count
    reason, decision = (record.getMessage() for record in caplog.records if record.name.startswith("kafka2parquet."))
    assert reason.startswith("Kafka doesn't say how many partitions the topics have, so tasks.max and the cores decide: No ")
    assert decision == (
        "Starting 8 tasks of at most 12 (tasks.max): this process may use 8 cores. kafka2parquet.tasks sets another number."
    )


def _logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Returns this library's messages; other tests may have raised the level of Kafka's client."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("kafka2parquet.")]


@pytest.mark.usefixtures("cores")
def test_the_log_says_why_there_are_fewer_tasks(broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture) -> None:
    """One line names the maximum, the cores and the partitions."""
    caplog.set_level(logging.INFO, "kafka2parquet.connect")
    worker = load_worker_config(bootstrap_servers=broker.bootstrap)
    build_runner(config(**{"tasks.max": "12", "topics": "eventful"}), worker)
    assert _logged(caplog) == [
        "Starting 2 tasks of at most 12 (tasks.max): this process may use 8 cores, and the topics have 2 partitions."
        " kafka2parquet.tasks sets another number."
    ]


@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize("properties", [{}, {"tasks.max": "12", "kafka2parquet.tasks": "7"}])
def test_kafka_is_not_asked_in_vain(properties: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """Where the number of partitions can't change the number of tasks, nothing is connected and nothing logged."""
    caplog.set_level(logging.INFO)
    runner = build_runner(config(**properties), load_worker_config(bootstrap_servers="nowhere.invalid:9092"))
    assert int(properties.get("kafka2parquet.tasks", "1")) == runner.task_count
    assert [] == _logged(caplog)
