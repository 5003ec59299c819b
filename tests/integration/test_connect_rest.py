"""Kafka Connect's REST API for reading: a real Connect worker and this library answer the same requests alike.

Alike means: the same code, the same content type, and documents of the same shape, with the same members of the same types.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from kafka2parquet import build_runner, load_connect_config, load_worker_config
from kafka2parquet.connect import describe_connector
from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.http import StatusApp, StatusServer
from tests.stack.connect_worker import ConnectWorker, connect_worker
from tests.support.kafka_admin import create_topic
from tests.support.kafka_clients import python_producer, unique, wait_until
from tests.support.sink_properties import json_sink

NAME = "orders"
BROKEN = "broken"
PARTITIONS = 2
TWO_TASKS = {"tasks.max": "2", "kafka2parquet.tasks": "2"}
JSON = {"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"}

READS = [
    "/",
    "/connectors",
    "/connectors/",
    "/connectors?expand=status",
    "/connectors?expand=info",
    "/connectors?expand=status&expand=info",
    "/connectors?expand=nothing",
    f"/connectors/{NAME}",
    f"/connectors/{NAME}/",
    f"/connectors/{NAME}/config",
    f"/connectors/{NAME}/status",
    f"/connectors/{NAME}/tasks",
    f"/connectors/{NAME}/tasks/1/status",
    f"/connectors/{NAME}/topics",
    f"/connectors/{NAME}/offsets",
    "/connector-plugins",
    "/connector-plugins?connectorsOnly=true",
    "/health",
]
MISSING = [
    f"/connectors/{NAME}/tasks/1",
    f"/connectors/{NAME}/tasks/9/status",
    f"/connectors/{NAME}/tasks/x/status",
    f"/connectors/{NAME}/nothing",
    "/connectors/none",
    "/connectors/none/config",
    "/connectors/none/status",
    "/connectors/none/tasks",
    "/connectors/none/tasks/0/status",
    "/connectors/none/offsets",
    "/connectors/none/nothing",
    "/nothing",
]
#: Requests that a worker refuses, too: it has the path, but not with this method.
REFUSED = [
    ("POST", "/"),
    ("DELETE", "/connectors"),
    ("PATCH", f"/connectors/{NAME}"),
    ("PUT", f"/connectors/{NAME}"),
    ("DELETE", f"/connectors/{NAME}/status"),
    ("POST", f"/connectors/{NAME}/config"),
    ("PUT", f"/connectors/{NAME}/topics"),
    ("POST", "/connector-plugins"),
    ("DELETE", "/health"),
    ("GET", f"/connectors/{NAME}/pause"),
    ("GET", f"/connectors/{NAME}/resume"),
    ("GET", f"/connectors/{NAME}/stop"),
    ("GET", f"/connectors/{NAME}/restart"),
    ("GET", f"/connectors/{NAME}/tasks/0/restart"),
    ("GET", f"/connectors/{NAME}/topics/reset"),
    ("GET", "/connector-plugins/FileStreamSinkConnector/config/validate"),
    ("FOO", "/connectors"),
]


@attrs.frozen
class Both:
    """A worker and this library, with a connector of the same name on the same topic."""

    worker: httpx.Client
    ours: httpx.Client

    def ask(self, method: str, path: str) -> tuple[httpx.Response, httpx.Response]:
        """Returns the worker's answer and ours."""
        return self.worker.request(method, path), self.ours.request(method, path)


@pytest.fixture(scope="module")
def worker(kafka_server: Any) -> Iterator[ConnectWorker]:
    with connect_worker(kafka_server.bootstrap) as worker:
        yield worker


@contextlib.contextmanager
def running(bootstrap: str, properties: Mapping[str, str]) -> Iterator[httpx.Client]:
    """Runs a sink with these properties and an HTTP server; returns a client of the server."""
    with tempfile.TemporaryDirectory(prefix="lake-") as folder:
        group = {"consumer.override.group.id": unique("ours")}  # the worker's connector has the group of its name
        given = json_sink({"kafka2parquet.storage.url": Path(folder).as_uri(), "flush.size": "5", **group, **properties})
        config, worker = load_connect_config(given), load_worker_config({"bootstrap.servers": bootstrap})
        runner = build_runner(config, worker)
        app = StatusApp(runner.status, connector=describe_connector(config, worker, worker_id="127.0.0.1:8083"))
        with StatusServer(app, "127.0.0.1:0") as server, httpx.Client(base_url=server.url, trust_env=False) as client:
            runner.start()
            try:
                yield client
            finally:
                runner.stop()
                with contextlib.suppress(Kafka2ParquetError):
                    runner.join()


@pytest.fixture(scope="module")
def both(kafka_server: Any, worker: ConnectWorker) -> Iterator[Both]:
    topic = unique("orders")
    create_topic(kafka_server.bootstrap, topic, PARTITIONS)
    with python_producer(kafka_server.bootstrap) as producer:
        for number in range(10):
            producer.send(topic, b'{"n": %d}' % number, partition=number % PARTITIONS)
    file = worker.write_file(NAME, {"topics": topic, "tasks.max": "2", **JSON})
    wait_until(lambda: file.exists() and len(file.read_text().splitlines()) == 10, "ten lines")
    with (
        httpx.Client(base_url=worker.url, trust_env=False) as of_worker,
        running(kafka_server.bootstrap, {"name": NAME, "topics": topic, **TWO_TASKS}) as ours,
    ):
        for client in (of_worker, ours):
            wait_until(lambda client=client: _committed(client) == [5] * PARTITIONS, "the commits")
        yield Both(of_worker, ours)
    worker.delete(NAME)


def _committed(client: httpx.Client) -> list[int]:
    answer = client.get(f"/connectors/{NAME}/offsets")
    return [each["offset"]["kafka_offset"] for each in answer.json()["offsets"]]


def shape(value: Any, *, member: str = "") -> Any:
    """Returns the types of a JSON value, recursively: of a list the shapes of its elements, of a configuration only text."""
    if member == "config":
        return {type(each).__name__ for each in value.values()}
    if isinstance(value, dict):
        return {name: shape(each, member=name) for name, each in value.items()}
    if isinstance(value, list):
        shapes: list[Any] = []
        for each in map(shape, value):
            if each not in shapes:
                shapes.append(each)
        return shapes
    return type(value).__name__


def assert_alike(of_worker: httpx.Response, ours: httpx.Response) -> None:
    """Compares code, content type and shape."""
    assert of_worker.status_code == ours.status_code
    if "content-type" in of_worker.headers:  # some of the worker's errors have none
        assert of_worker.headers["content-type"] == ours.headers["content-type"]
    member = "config" if of_worker.url.path.endswith("/config") else ""
    assert shape(of_worker.json(), member=member) == shape(ours.json(), member=member)


@pytest.mark.parametrize("path", READS)
def test_reads_are_answered_alike(both: Both, path: str) -> None:
    """Each document has the members of the worker's document, with the same types, and no others."""
    of_worker, ours = both.ask("GET", path)
    assert 200 == of_worker.status_code
    assert_alike(of_worker, ours)


@pytest.mark.parametrize("path", MISSING)
def test_what_does_not_exist_is_answered_alike(both: Both, path: str) -> None:
    """An unknown path, connector or task gets the worker's error, word for word."""
    of_worker, ours = both.ask("GET", path)
    assert 404 == of_worker.status_code
    assert_alike(of_worker, ours)
    assert of_worker.json() == ours.json()


def test_topics_of_an_unknown_connector(both: Both) -> None:
    """An unknown connector has no topics, which is not an error."""
    of_worker, ours = both.ask("GET", "/connectors/none/topics")
    assert {"none": {"topics": []}} == of_worker.json() == ours.json()


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_refused_methods_are_answered_alike(both: Both, method: str, path: str) -> None:
    """A method that a path doesn't have is refused with the worker's code, in the worker's form."""
    of_worker, ours = both.ask(method, path)
    assert 405 == of_worker.status_code
    assert_alike(of_worker, ours)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/connectors"),
        ("DELETE", f"/connectors/{NAME}"),
        ("PUT", f"/connectors/{NAME}/config"),
        ("PUT", f"/connectors/{NAME}/pause"),
        ("POST", f"/connectors/{NAME}/restart"),
        ("DELETE", f"/connectors/{NAME}/offsets"),
        ("PUT", "/connector-plugins/FileStreamSinkConnector/config/validate"),
    ],
)
def test_changes_are_refused(both: Both, method: str, path: str) -> None:
    """What would change a worker's connectors is refused here, in the form in which a worker refuses a method."""
    ours = both.ours.request(method, path, json={})
    assert (405, 405, {"error_code", "message"}) == (ours.status_code, ours.json()["error_code"], ours.json().keys())


@pytest.mark.parametrize("path", ["/", "/connectors", f"/connectors/{NAME}", "/connectors/none", "/health"])
def test_head_is_answered_alike(both: Both, path: str) -> None:
    """HEAD has the code and the type of GET, and no content."""
    of_worker, ours = both.ask("HEAD", path)
    assert (of_worker.status_code, of_worker.headers["content-type"], b"") == (
        ours.status_code,
        ours.headers["content-type"],
        ours.content,
    )


def test_values_that_both_know_are_equal(both: Both) -> None:
    """Names, states, ids, topics and committed offsets are not only of the same type."""
    for path in (f"/connectors/{NAME}/topics", "/connectors"):
        of_worker, ours = both.ask("GET", path)
        assert of_worker.json() == ours.json()
    of_worker, ours = both.ask("GET", f"/connectors/{NAME}")
    for member in ("name", "type", "tasks"):
        assert of_worker.json()[member] == ours.json()[member]
    of_worker, ours = both.ask("GET", f"/connectors/{NAME}/status")
    assert _states(of_worker.json()) == _states(ours.json())
    of_worker, ours = both.ask("GET", "/")
    for member in ("version", "kafka_cluster_id"):
        assert of_worker.json()[member] == ours.json()[member]


def test_what_tasks_add_to_the_configuration(both: Both) -> None:
    """The configuration of a task has what the worker adds to that of the connector."""
    added = []
    for client in (both.worker, both.ours):
        connector = client.get(f"/connectors/{NAME}/config").json()
        added.append([task["config"].keys() - connector.keys() for task in client.get(f"/connectors/{NAME}/tasks").json()])
    assert [[{"task.class"}] * PARTITIONS] * 2 == added


def _states(document: Any) -> Any:
    return document["connector"]["state"], [(task["id"], task["state"]) for task in document["tasks"]]


def test_a_failed_task_is_answered_alike(kafka_server: Any, worker: ConnectWorker) -> None:
    """A failed task has a trace, in the connector's status, in its own, and in the list of all connectors."""
    topic = unique("broken")
    create_topic(kafka_server.bootstrap, topic, 1)
    with python_producer(kafka_server.bootstrap) as producer:
        producer.send(topic, b"not JSON")
    worker.write_file(BROKEN, {"topics": topic, **JSON})
    wait_until(lambda: worker.failure(BROKEN), "the task's failure")
    try:
        with (
            httpx.Client(base_url=worker.url, trust_env=False) as of_worker,
            running(kafka_server.bootstrap, {"name": BROKEN, "topics": topic}) as ours,
        ):
            wait_until(lambda: ours.get("/live").status_code == 503, "our task's failure")
            for path in (f"/connectors/{BROKEN}/status", f"/connectors/{BROKEN}/tasks/0/status"):
                assert_alike(of_worker.get(path), ours.get(path))
            of_worker_status, of_ours = (
                client.get("/connectors?expand=status").json()[BROKEN]["status"] for client in (of_worker, ours)
            )
            assert shape(of_worker_status) == shape(of_ours)
            assert ("RUNNING", [(0, "FAILED")]) == _states(of_worker_status) == _states(of_ours)
    finally:
        worker.delete(BROKEN)
