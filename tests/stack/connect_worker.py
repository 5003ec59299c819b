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
from tests.stack.server import HOST, Server, free_port, http_answers

_JVM = ("-Xmx300m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Duser.timezone=UTC", "-Duser.language=en")
_SETTINGS = """
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
offset.flush.interval.ms=1000
plugin.discovery=only_scan
"""
_LOG4J = """
rootLogger.level=warn
rootLogger.appenderRef.c.ref=c
appender.c.type=Console
appender.c.name=c
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=%d %p %c{1} %m%n
"""


class ConnectWorker:
    """A running worker.

    Attributes:
        url: of its REST API.
        folder: where connectors may write.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder

    def create(self, name: str, config: Mapping[str, str]) -> None:
        """Create a connector, or change its configuration."""
        self._ask("PUT", f"/connectors/{name}/config", config)

    def delete(self, name: str) -> None:
        """Delete a connector."""
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
    jars, java, port = install.connect_jars(), install.java(), free_port()
    url = f"http://{HOST}:{port}"
    with tempfile.TemporaryDirectory(prefix="connect-") as name:
        folder = Path(name)
        (folder / "log4j2.properties").write_text(_LOG4J)
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
