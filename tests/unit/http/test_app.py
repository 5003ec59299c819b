"""StatusApp: which request gets which answer."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from kafka2parquet.http import ConnectorDescription, Response, StatusApp
from kafka2parquet.status import RunnerStatus
from kafka2parquet.status.model import as_json
from kafka2parquet.util.secrets import Secrets
from tests.support.statuses import ago, partition_status, runner_status, task_status

CONNECTOR = ConnectorDescription("sink", {"connector.class": "S3", "topics": "events"}, "127.0.0.1:8083")
GOOD = runner_status(task_status(partition_status()))
FAILED = runner_status(task_status(state="failed", error="AccessError: no"))
HUNG = runner_status(task_status(last_step_at=ago(301)))


def app(status: RunnerStatus = GOOD, connector: ConnectorDescription | None = CONNECTOR) -> StatusApp:
    return StatusApp(lambda: status, connector=connector)


def found(response: Response) -> tuple[int, Any]:
    return response.status, json.loads(response.body)


@pytest.mark.parametrize("path", ["/live", "/ready", "/healthy"])
def test_health_in_good_order(path: str) -> None:
    """Each question about health is answered with 200 and yes."""
    assert (200, {path[1:]: True, "problems": []}) == found(app().respond("GET", path))


@pytest.mark.parametrize("path", ["/live", "/ready", "/healthy"])
def test_health_of_a_failed_task(path: str) -> None:
    """The answer no has the code 503, and says why."""
    expected = (503, {path[1:]: False, "problems": ["kafka2parquet-task-0 has failed: AccessError: no"]})
    assert expected == found(app(FAILED).respond("GET", path))


def test_the_limit_of_live_is_a_parameter() -> None:
    """A driver thread counts as live for as long as the caller says."""
    assert 503 == app(HUNG).respond("GET", "/live").status
    assert 200 == StatusApp(lambda: HUNG, live_limit_s=302).respond("GET", "/live").status


def test_the_status() -> None:
    """`/status` is the status as JSON, with the version of its form."""
    assert (200, as_json(GOOD)) == found(app().respond("GET", "/status"))


def test_a_task_without_a_runner() -> None:
    """The status of a single task is shown as that of a runner with one task."""
    (task,) = FAILED.tasks
    alone = StatusApp(lambda: task, connector=CONNECTOR)
    expected = RunnerStatus(task.name, task.at, (task,), task.error)
    assert (200, as_json(expected)) == found(alone.respond("GET", "/status"))
    assert 503 == alone.respond("GET", "/live").status
    assert 200 == alone.respond("GET", "/metrics").status


def test_the_status_is_read_for_each_request() -> None:
    """No answer is kept: each request reads the status of its moment."""
    statuses = iter([GOOD, FAILED])
    changing = StatusApp(lambda: next(statuses))
    assert [200, 503] == [changing.respond("GET", "/healthy").status for _ in range(2)]


@pytest.mark.parametrize("path", ["/", "/connectors", "/connectors/sink/status", "/connector-plugins", "/health"])
def test_without_a_connector(path: str) -> None:
    """Without a connector's description, Kafka Connect's paths don't exist."""
    assert (404, {"error_code": 404, "message": "HTTP 404 Not Found"}) == found(app(connector=None).respond("GET", path))
    assert 200 == app().respond("GET", path).status


@pytest.mark.parametrize("path", ["/live", "/status", "/connectors", "/connectors/sink", "/connectors/sink/config"])
def test_a_slash_at_the_end(path: str) -> None:
    """A slash at the end of a path changes nothing."""
    assert app().respond("GET", path) == app().respond("GET", f"{path}/")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"])
@pytest.mark.parametrize(
    "path", ["/live", "/status", "/", "/connectors", "/connectors/sink", "/connectors/sink/pause", "/connectors/other/config"]
)
def test_other_methods(method: str, path: str) -> None:
    """Nothing can be changed: other methods get Connect's error for a method that isn't allowed, and those that are."""
    response = app().respond(method, path)
    code, body = found(response)
    assert (405, 405, {"error_code", "message"}) == (code, body["error_code"], body.keys())
    assert "HEAD, GET, OPTIONS" == response.headers["Allow"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/nothing", "/connectors/sink/nothing", "/connectors/sink/tasks/0", "/status//", "/live/now"])
def test_unknown_paths(method: str, path: str) -> None:
    """A path that doesn't exist gets Connect's error, whatever the method."""
    assert (404, {"error_code": 404, "message": "HTTP 404 Not Found"}) == found(app().respond(method, path))


def test_the_empty_path() -> None:
    """The empty path, which a framework leaves of the place where the app is mounted, is the root."""
    assert app().respond("GET", "/") == app().respond("GET", "")


@pytest.mark.parametrize("path", ["/status", "/connectors", "/nothing"])
def test_head(path: str) -> None:
    """HEAD gets what GET gets, without the body."""
    get, head = app().respond("GET", path), app().respond("HEAD", path)
    assert (get.status, get.headers, b"") == (head.status, head.headers, head.body)
    assert str(len(get.body)) == head.headers["Content-Length"]


def test_options() -> None:
    """OPTIONS lists the methods."""
    response = app().respond("OPTIONS", "/connectors")
    assert (200, "HEAD, GET, OPTIONS") == (response.status, response.headers["Allow"])


def test_a_status_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """An error of the status is an answer with the code 500, and its text stays in the log."""

    def broken() -> RunnerStatus:
        raise RuntimeError("password=hunter22")

    with caplog.at_level(logging.ERROR):
        response = StatusApp(broken).respond("GET", "/status")
    assert (500, {"error_code": 500, "message": "HTTP 500 Internal Server Error"}) == found(response)
    assert "GET /status can't be answered" in caplog.text


@pytest.mark.parametrize("path", ["/live", "/ready", "/healthy", "/status", "/connectors/sink/status", "/health"])
def test_secrets_are_hidden(path: str) -> None:
    """No answer shows a secret of the configuration that an error quotes, nor credentials in a URL."""
    error = "403 for key AKIA-tops3cret at https://me:hunter22@proxy:3128/"
    connector = ConnectorDescription("sink", {}, hide=Secrets({"AKIA-tops3cret": "[hidden]"}).hide)
    response = app(runner_status(task_status(state="failed", error=error)), connector).respond("GET", path)
    text = response.body.decode()
    assert "403 for key [hidden] at https://[hidden]@proxy:3128/" in text
    assert "tops3cret" not in text
    assert "hunter22" not in text
