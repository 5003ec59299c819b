"""The read side of Kafka Connect's REST API: a sink as the connector that it replaces.

Consoles and command lines for Kafka Connect read these documents. So each document has exactly the members that a worker's
document has: some clients refuse unknown members.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from kafka2parquet.http.health import live
from kafka2parquet.http.responses import ConnectError, HttpError
from kafka2parquet.status.model import RunnerStatus, TaskStateName, TaskStatus
from kafka2parquet.util.secrets import without_credentials
from kafka2parquet.version import VERSION

#: The version of Kafka Connect whose documents these are. Clients decide from it which requests they may send.
CONNECT_VERSION = "4.3.1"

#: Kafka Connect has no state for a task that ends in order; its flush still runs.
_STATES: Mapping[TaskStateName, str] = {
    "starting": "UNASSIGNED",
    "running": "RUNNING",
    "stopping": "RUNNING",
    "failed": "FAILED",
}
_READ_ONLY = "This is a kafka2parquet sink, which can't be changed through this API: edit its configuration and restart it."

Document = Callable[[RunnerStatus], Any]
"""Makes a JSON value of a status, or raises an `HttpError`."""


@attrs.frozen
class ConnectorDescription:
    """What Kafka Connect's REST API says about a connector besides its status.

    Attributes:
        name: the connector's name.
        config: its properties as people may see them, secrets masked.
        worker_id: the process, as `host:port` of its HTTP server.
        hide: hides secrets in a text. It is applied to each text of an answer, because errors of other libraries may quote
            secrets.
    """

    name: str
    config: Mapping[str, str] = attrs.field(factory=dict)
    worker_id: str = ""
    hide: Callable[[str], str] = attrs.field(default=without_credentials, repr=False)


def refuse_change(_: RunnerStatus) -> Any:
    """Refuse a request that would change a connector, as all requests to its path would.

    Raises:
        ConnectError: always, with the code 405.
    """
    raise not_allowed()


def not_allowed() -> ConnectError:
    """Return the error for a method that the API doesn't answer."""
    return ConnectError(405, f"HTTP 405 Method Not Allowed. {_READ_ONLY}", {"Allow": "HEAD, GET, OPTIONS"})


class ConnectRest:
    """The documents of one connector, by path."""

    def __init__(self, connector: ConnectorDescription, live_limit_s: float) -> None:
        """Set up the documents.

        Args:
            connector: the connector.
            live_limit_s: how long a task may make no step and be healthy, in seconds.
        """
        self._connector = connector
        self._live_limit_s = live_limit_s

    def find(self, path: Sequence[str], query: Mapping[str, Sequence[str]]) -> Document | None:
        """Return what makes the document at a path; None if Kafka Connect has no such path.

        Args:
            path: the parts of the path.
            query: values of the parameters by name.
        """
        match path:
            case []:
                return self._worker
            case ["health"]:
                return self._health
            case ["connector-plugins"]:
                return self._plugins
            case ["connectors"]:
                return functools.partial(self._connectors, query.get("expand", ()))
            case ["connectors", name]:
                return functools.partial(self._of_connector, name, self._info)
            case ["connectors", name, "status"]:
                return functools.partial(self._status_of, name)
            case ["connectors", name, "topics"]:
                return functools.partial(self._topics, name)
            case ["connectors", name, ("config" | "tasks" | "offsets") as what]:
                make = {"config": self._config, "tasks": self._task_configs, "offsets": self._offsets}[what]
                return functools.partial(self._of_connector, name, make)
            case ["connectors", name, "tasks", number, "status"] if number.isascii() and number.isdigit():
                return functools.partial(self._task_status, name, int(number))
            case (
                ["connectors", _, "pause" | "resume" | "stop" | "restart"]
                | ["connectors", _, "topics", "reset"]
                | ["connectors", _, "tasks", _, "restart"]
                | ["connector-plugins", _, "config", "validate"]
            ):
                return refuse_change
        return None

    def _worker(self, status: RunnerStatus) -> Any:
        clusters = [task.kafka.cluster_id for task in status.tasks if task.kafka.cluster_id]
        return {
            "version": CONNECT_VERSION,
            "commit": f"kafka2parquet-{VERSION}",
            "kafka_cluster_id": clusters[0] if clusters else "",
        }

    def _health(self, status: RunnerStatus) -> Any:
        """Return the health of a worker as KIP-1017 defines it; an outage of the store doesn't count."""
        verdict = live(status, self._live_limit_s)
        if not verdict:
            raise HttpError(500, {"status": "unhealthy", "message": " ".join(verdict.problems)})
        if not status.tasks or any(task.state == "starting" for task in status.tasks):
            raise HttpError(503, {"status": "starting", "message": "Worker is still starting up."})
        return {"status": "healthy", "message": "Worker has completed startup and is ready to handle requests."}

    def _plugins(self, _: RunnerStatus) -> Any:
        return [{"class": self._connector.config.get("connector.class", ""), "type": "sink", "version": VERSION}]

    def _connectors(self, expand: Sequence[str], status: RunnerStatus) -> Any:
        if not expand:
            return [self._connector.name]
        views = {"status": self._status, "info": self._info}
        return {self._connector.name: {name: views[name](status) for name in expand if name in views}}

    def _of_connector(self, name: str, make: Document, status: RunnerStatus) -> Any:
        if name != self._connector.name:
            raise ConnectError(404, f"Connector {name} not found")
        return make(status)

    def _info(self, status: RunnerStatus) -> Any:
        tasks = [self._task_id(number) for number, _ in _present(status)]
        return {"name": self._connector.name, "config": self._config(status), "tasks": tasks, "type": "sink"}

    def _config(self, _: RunnerStatus) -> Any:
        return {**self._connector.config, "name": self._connector.name}

    def _task_configs(self, status: RunnerStatus) -> Any:
        config = {"task.class": "kafka2parquet.SinkTask", **self._config(status)}
        return [{"id": self._task_id(number), "config": config} for number, _ in _present(status)]

    def _task_id(self, number: int) -> dict[str, Any]:
        return {"connector": self._connector.name, "task": number}

    def _status_of(self, name: str, status: RunnerStatus) -> Any:
        if name != self._connector.name:
            raise ConnectError(404, f"No status found for connector {name}")
        return self._status(status)

    def _status(self, status: RunnerStatus) -> Any:
        return {
            "name": self._connector.name,
            "connector": self._at_worker(_connector_state(status), status.error),
            "tasks": [self._state_of(number, task) for number, task in _present(status)],
            "type": "sink",
        }

    def _task_status(self, name: str, number: int, status: RunnerStatus) -> Any:
        task = dict(_present(status)).get(number) if name == self._connector.name else None
        if task is None:
            raise ConnectError(404, f"No status found for task {name}-{number}")
        return self._state_of(number, task)

    def _state_of(self, number: int, task: TaskStatus) -> dict[str, Any]:
        return {"id": number, **self._at_worker(_STATES[task.state], task.error)}

    def _at_worker(self, state: str, error: str) -> dict[str, str]:
        trace = {"trace": error} if state == "FAILED" else {}
        return {"state": state, "worker_id": self._connector.worker_id, "version": VERSION, **trace}

    def _topics(self, name: str, status: RunnerStatus) -> Any:
        """Return the topics of the assigned partitions; for another connector none, as Kafka Connect does."""
        known = name == self._connector.name
        topics = dict.fromkeys(each.topic_partition.topic for each in status.partitions) if known else ()
        return {name: {"topics": list(topics)}}

    def _offsets(self, status: RunnerStatus) -> Any:
        return {
            "offsets": [
                {
                    "partition": {
                        "kafka_partition": each.topic_partition.partition,
                        "kafka_topic": each.topic_partition.topic,
                    },
                    "offset": {"kafka_offset": each.committed},
                }
                for each in status.partitions
                if each.committed is not None
            ]
        }


def _present(status: RunnerStatus) -> list[tuple[int, TaskStatus]]:
    """Return the tasks with their numbers, but for those that have stopped: Kafka Connect removes the tasks then."""
    return [(number, task) for number, task in enumerate(status.tasks) if task.state != "stopped"]


def _connector_state(status: RunnerStatus) -> str:
    if status.error and all(task.state != "failed" for task in status.tasks):
        return "FAILED"  # a task could not be made
    if not status.tasks:
        return "UNASSIGNED"
    return "RUNNING" if _present(status) else "STOPPED"
