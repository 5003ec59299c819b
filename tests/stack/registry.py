"""Apicurio Registry: a schema registry that speaks Confluent's REST API, with its schemas in memory."""

from __future__ import annotations

import contextlib
import json
import signal
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.stack import install
from tests.stack.server import HOST, Server, free_port, http_answers

_JVM = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_JSON = "application/vnd.schemaregistry.v1+json"


class Registry:
    """A running schema registry. Its schemas and their ids are gone when it stops.

    Attributes:
        url: where it speaks Confluent's API.
    """

    def __init__(self, server: Server, url: str) -> None:
        self._server = server
        self.url = url

    def stop(self) -> None:
        """Stop it in order."""
        self._server.stop()

    def start(self) -> None:
        """Start it again, at the same address: empty, and with ids from 1 on."""
        self._server.start()

    def freeze(self) -> None:
        """Stop the process where it is; connections stay open, and its schemas are kept."""
        self._server.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._server.signal(signal.SIGCONT)

    def register(
        self,
        subject: str,
        schema: str | Mapping[str, Any],
        kind: str = "AVRO",
        references: Sequence[tuple[str, str, int]] = (),
    ) -> int:
        """Register a schema; returns its id.

        Args:
            subject: under which it is registered.
            schema: its text, or what that is as JSON.
            kind: `AVRO`, `PROTOBUF` or `JSON`.
            references: name, subject and version of each schema that it refers to.
        """
        body = {
            "schema": schema if isinstance(schema, str) else json.dumps(schema),
            "schemaType": kind,
            "references": [{"name": name, "subject": other, "version": version} for name, other, version in references],
        }
        return int(self._send("POST", f"/subjects/{subject}/versions", body)["id"])

    def set_compatibility(self, subject: str, level: str) -> None:
        """What the next versions of the subject have to keep to; it is `BACKWARD` otherwise."""
        self._send("PUT", f"/config/{subject}", {"compatibility": level})

    def delete(self, subject: str) -> None:
        """Delete all versions of the subject, softly: what has their ids can still be read."""
        self._send("DELETE", f"/subjects/{subject}")

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, content, {"Content-Type": _JSON}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())


@contextlib.contextmanager
def registry() -> Iterator[Registry]:
    """Start a registry without schemas; kills it at the end. Needs Java 21 or newer.

    Raises:
        NotInstalledError: Java or Maven is missing.
    """
    application, java = install.registry_folder(), install.java()
    with tempfile.TemporaryDirectory(prefix="registry-") as name:
        port, management = free_port(), free_port()
        url = f"http://{HOST}:{port}/apis/ccompat/v7"
        server = Server(
            [java, *_JVM, f"-Djava.io.tmpdir={name}", "-jar", application / "quarkus-run.jar"],
            http_answers(f"{url}/subjects", 200),
            Path(name) / "log",
            {
                "QUARKUS_HTTP_HOST": HOST,
                "QUARKUS_HTTP_PORT": str(port),
                "QUARKUS_MANAGEMENT_HOST": HOST,
                "QUARKUS_MANAGEMENT_PORT": str(management),
                "QUARKUS_LOG_LEVEL": "WARN",
                "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false",
                "APICURIO_RULES_GLOBAL_COMPATIBILITY": "BACKWARD",  # Confluent's default; its own is NONE
            },
        )
        try:
            server.start()
            yield Registry(server, url)
        finally:
            server.kill()
