"""The documents of Kafka Connect's REST API. That they are those of a real worker is tested in tests/integration."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kafka2parquet.http import ConnectorDescription, StatusApp
from kafka2parquet.status import RunnerStatus
from kafka2parquet.version import VERSION
from tests.support.statuses import ago, partition_status, runner_status, task_status

CONNECTOR = ConnectorDescription(
    "sink", {"connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": "events"}, "127.0.0.1:8083"
)
TWO_TASKS = runner_status(
    task_status(partition_status("events", 0), partition_status("orders", 1, committed=7)),
    task_status(partition_status("events", 1, committed=None)),
)
RUNNING = {"state": "RUNNING", "worker_id": "127.0.0.1:8083", "version": VERSION}


def get(path: str, status: RunnerStatus = TWO_TASKS, query: str = "") -> tuple[int, Any]:
    response = StatusApp(lambda: status, connector=CONNECTOR).respond("GET", path, query)
    return response.status, json.loads(response.body)


def test_the_worker() -> None:
    """The root names the version of Connect that is answered, so that clients dare to ask, and the Kafka cluster."""
    assert (200, {"version": "4.3.1", "commit": f"kafka2parquet-{VERSION}", "kafka_cluster_id": "cluster"}) == get("/")


def test_the_cluster_may_be_unknown() -> None:
    """Before the first connection the cluster's id is an empty text."""
    assert "" == get("/", runner_status())[1]["kafka_cluster_id"]


def test_the_connector() -> None:
    """The connector has its name among its properties, and its tasks' ids."""
    tasks = [{"connector": "sink", "task": 0}, {"connector": "sink", "task": 1}]
    config = {**CONNECTOR.config, "name": "sink"}
    assert (200, {"name": "sink", "config": config, "tasks": tasks, "type": "sink"}) == get("/connectors/sink")
    assert (200, config) == get("/connectors/sink/config")


@pytest.mark.parametrize(
    ("query", "views"),
    [("expand=status", {"status"}), ("expand=info&expand=status", {"info", "status"}), ("expand=nothing", set())],
)
def test_expanded_connectors(query: str, views: set[str]) -> None:
    """`expand` chooses views of each connector; an unknown view is left out, as in Connect."""
    assert ["sink"] == get("/connectors")[1]
    expanded = get("/connectors", query=query)[1]
    assert views == expanded["sink"].keys()
    if "status" in views:
        assert get("/connectors/sink/status")[1] == expanded["sink"]["status"]
    if "info" in views:
        assert get("/connectors/sink")[1] == expanded["sink"]["info"]


def test_the_status_of_a_connector() -> None:
    """Connector and tasks are running, at this worker."""
    tasks = [{"id": 0, **RUNNING}, {"id": 1, **RUNNING}]
    assert (200, {"name": "sink", "connector": RUNNING, "tasks": tasks, "type": "sink"}) == get("/connectors/sink/status")
    assert (200, tasks[1]) == get("/connectors/sink/tasks/1/status")


@pytest.mark.parametrize(
    ("state", "shown"), [("starting", "UNASSIGNED"), ("running", "RUNNING"), ("stopping", "RUNNING"), ("failed", "FAILED")]
)
def test_states_of_tasks(state: str, shown: str) -> None:
    """States have Connect's names; only a failed task has a trace."""
    status = runner_status(task_status(state=state, error="AccessError: no" if state == "failed" else ""))
    task = get("/connectors/sink/tasks/0/status", status)[1]
    assert shown == task["state"]
    assert ("AccessError: no" if state == "failed" else None) == task.get("trace")
    assert "RUNNING" == get("/connectors/sink/status", status)[1]["connector"]["state"]


def test_stopped_tasks() -> None:
    """A task that has stopped is gone, and the others keep their numbers; with the last task the connector is stopped."""
    status = runner_status(task_status(state="stopped"), task_status())
    assert [1] == [task["id"] for task in get("/connectors/sink/status", status)[1]["tasks"]]
    assert [1] == [task["task"] for task in get("/connectors/sink", status)[1]["tasks"]]
    assert 404 == get("/connectors/sink/tasks/0/status", status)[0]
    assert "RUNNING" == get("/connectors/sink/status", status)[1]["connector"]["state"]
    stopped = get("/connectors/sink/status", runner_status(task_status(state="stopped")))[1]
    assert ("STOPPED", []) == (stopped["connector"]["state"], stopped["tasks"])


def test_a_connector_without_tasks_yet() -> None:
    """Before its first task is made, a connector is not assigned."""
    assert "UNASSIGNED" == get("/connectors/sink/status", runner_status())[1]["connector"]["state"]


def test_a_task_that_could_not_be_made() -> None:
    """An error before there is a task is the connector's, with a trace."""
    connector = get("/connectors/sink/status", runner_status(error="ConfigurationError: no such class"))[1]["connector"]
    assert {**RUNNING, "state": "FAILED", "trace": "ConfigurationError: no such class"} == connector


def test_topics() -> None:
    """The topics are those of the assigned partitions, each once; another connector has none."""
    assert (200, {"sink": {"topics": ["events", "orders"]}}) == get("/connectors/sink/topics")
    assert (200, {"other": {"topics": []}}) == get("/connectors/other/topics")


def test_offsets() -> None:
    """The offsets are the committed ones; a partition without one is left out."""
    assert (
        200,
        {
            "offsets": [
                {"partition": {"kafka_partition": 0, "kafka_topic": "events"}, "offset": {"kafka_offset": 100}},
                {"partition": {"kafka_partition": 1, "kafka_topic": "orders"}, "offset": {"kafka_offset": 7}},
            ]
        },
    ) == get("/connectors/sink/offsets")


def test_plugins() -> None:
    """The one plugin is the connector's class."""
    plugin = {"class": "io.confluent.connect.s3.S3SinkConnector", "type": "sink", "version": VERSION}
    assert (200, [plugin]) == get("/connector-plugins")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "Connector other not found"),
        ("/config", "Connector other not found"),
        ("/tasks", "Connector other not found"),
        ("/offsets", "Connector other not found"),
        ("/status", "No status found for connector other"),
        ("/tasks/0/status", "No status found for task other-0"),
    ],
)
def test_another_connector(path: str, message: str) -> None:
    """A connector with another name doesn't exist, in Connect's words."""
    assert (404, {"error_code": 404, "message": message}) == get(f"/connectors/other{path}")


@pytest.mark.parametrize("number", ["9", "x", "-1", "²"])
def test_another_task(number: str) -> None:
    """A task with another number doesn't exist."""
    assert 404 == get(f"/connectors/sink/tasks/{number}/status")[0]


@pytest.mark.parametrize(
    ("status", "code", "word"),
    [
        (TWO_TASKS, 200, "healthy"),
        (runner_status(), 503, "starting"),
        (runner_status(task_status(), task_status(state="starting")), 503, "starting"),
        (runner_status(task_status(state="failed", error="AccessError: no")), 500, "unhealthy"),
        (runner_status(task_status(last_step_at=ago(301))), 500, "unhealthy"),
    ],
)
def test_the_health_of_the_worker(status: RunnerStatus, code: int, word: str) -> None:
    """The codes and words are those of KIP-1017."""
    seen, body = get("/health", status)
    assert (code, word, {"status", "message"}) == (seen, body["status"], body.keys())
