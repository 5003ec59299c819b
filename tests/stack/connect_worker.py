"""A worker of Apache Kafka Connect with the sink that comes with it, which writes each record as a line of a file."""

from __future__ import annotations

import contextlib
import json
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.stack import install
from tests.stack.kafka import LOG4J
from tests.stack.server import HOST, Server, free_port, http_answers
from tests.support.kafka_clients import wait_until

_JVM = ("-Xmx300m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Duser.timezone=UTC", "-Duser.language=en")
_SETTINGS = """
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
offset.flush.interval.ms=100
plugin.discovery=only_scan
"""


class ConnectWorker:
    """A running worker.

    Attributes:
        url: of its REST API.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._folder = folder

    def write_file(self, name: str, config: Mapping[str, str]) -> Path:
        """Create a connector that writes each value as a line of a file; returns the file."""
        path = self._folder / name
        sink = {"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "file": str(path)}
        self._ask("PUT", f"/connectors/{name}/config", {"tasks.max": "1", **sink, **config})
        return path

    def stop(self, name: str) -> None:
        """Stop a connector, and wait until its tasks are gone; its group is empty then."""
        self._ask("PUT", f"/connectors/{name}/stop")
        wait_until(lambda: not self._ask("GET", f"/connectors/{name}/status")["tasks"], "the end of the tasks")

    def delete(self, name: str) -> None:
        """Delete a connector; its group's offsets stay."""
        self._ask("DELETE", f"/connectors/{name}")

    def failure(self, name: str) -> str | None:
        """The stack trace of a task that has failed, None while none has."""
        tasks = self._ask("GET", f"/connectors/{name}/status")["tasks"]
        return next((task["trace"] for task in tasks if task["state"] == "FAILED"), None)

    def _ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", content, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@contextlib.contextmanager
def connect_worker(bootstrap: str) -> Iterator[ConnectWorker]:
    """Start a standalone worker; ends it afterwards.

    Args:
        bootstrap: address of its brokers.

    Raises:
        NotInstalledError: Java or Maven is missing.
    """
    jars, java, port = install.kafka_jars(), install.java(), free_port()
    url = f"http://{HOST}:{port}"
    with tempfile.TemporaryDirectory(prefix="connect-") as name:
        folder = Path(name)
        (folder / "log4j2.properties").write_text(LOG4J)
        (folder / "worker.properties").write_text(
            f"{_SETTINGS}bootstrap.servers={bootstrap}\nlisteners={url}\noffset.storage.file.filename={folder / 'offsets'}\n"
        )
        command = [java, *_JVM, f"-Dlog4j2.configurationFile={folder}/log4j2.properties", "-cp", f"{jars}/*"]
        worker = Server(
            [*command, "org.apache.kafka.connect.cli.ConnectStandalone", folder / "worker.properties"],
            http_answers(f"{url}/connectors", 200),
            folder / "worker.log",
        )
        try:
            worker.start()
            yield ConnectWorker(url, folder)
        finally:
            worker.kill()
