"""A scripted schema registry over HTTP: the answers of Confluent's registry to readers, and its failures."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socketserver
import threading
import uuid
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


class _RefusedError(Exception):
    def __init__(self, status: int, code: int, message: str) -> None:
        self.status, self.code, self.message = status, code, message


class RegistryServer:
    """A server of schemas that runs while the context is entered.

    Attributes:
        url: its address.
        requests: method and path of each request so far.
        headers: of the last request.
        broken: statuses of the next answers, whatever is asked.
        garbage: what to answer instead of JSON, if anything.
        hold: answers wait for it while it isn't set.
    """

    def __init__(self, *, credentials: str | None = None, token: str | None = None) -> None:
        self.requests: list[tuple[str, str]] = []
        self.headers: dict[str, str] = {}
        self.broken: list[int] = []
        self.garbage: bytes | None = None
        self.hold = threading.Event()
        self.hold.set()
        self._authorization = f"Bearer {token}" if token else None
        if credentials:
            self._authorization = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        self._schemas: dict[int, dict[str, Any]] = {}
        self._subjects: dict[str, list[int]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                outer._answer(self)

            def do_POST(self) -> None:
                outer._answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> RegistryServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()

    def add(
        self,
        subject: str,
        schema: object,
        *,
        schema_type: str = "AVRO",
        references: Sequence[tuple[str, str, int]] = (),
        schema_id: int | None = None,
    ) -> int:
        """Registers a schema with references of (name, subject, version), and returns its id."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        body: dict[str, Any] = {"schema": text}
        if schema_type != "AVRO":
            body["schemaType"] = schema_type
        if references:
            body["references"] = [dict(zip(("name", "subject", "version"), each, strict=True)) for each in references]
        number = next((number for number, known in self._schemas.items() if known == body), None)
        if number is None:
            number = schema_id if schema_id is not None else len(self._schemas) + 1
            self._schemas[number] = body
        versions = self._subjects.setdefault(subject, [])
        if number not in versions:
            versions.append(number)
        return number

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        body = json.loads(handler.rfile.read(length)) if length else {}
        self.requests.append((handler.command, handler.path))
        self.headers = dict(handler.headers)
        self.hold.wait()
        try:
            if self.broken:
                raise _RefusedError(self.broken.pop(0), 50001, "as scripted")
            if self._authorization not in (None, handler.headers.get("Authorization")):
                raise _RefusedError(401, 401, "Unauthorized")
            status, content = 200, json.dumps(self._route(handler.command, urlsplit(handler.path).path, body)).encode()
        except _RefusedError as refused:
            status = refused.status
            content = json.dumps({"error_code": refused.code, "message": refused.message}).encode()
        if self.garbage is not None:
            content = self.garbage
        handler.send_response(status)
        handler.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _route(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any] | list[int]:
        if found := re.fullmatch(r"/schemas/ids/(\d+)", path):
            return self._schema(int(found[1]))
        if found := re.fullmatch(r"/schemas/guids/([0-9a-f-]+)", path):
            return self._schema(uuid.UUID(found[1]).int)  # the GUID of a schema is its id
        if found := re.fullmatch(r"/subjects/([^/]+)/versions/(\d+)", path):
            return self._registered(unquote(found[1]), int(found[2]))
        if method == "GET" and (found := re.fullmatch(r"/subjects/([^/]+)/versions", path)):
            if unquote(found[1]) not in self._subjects:
                raise _RefusedError(404, 40401, f"Subject '{unquote(found[1])}' not found.")
            return [*range(1, len(self._subjects[unquote(found[1])]) + 1)]
        if method == "POST" and (found := re.fullmatch(r"/subjects/([^/]+)", path)):
            subject = unquote(found[1])
            if subject not in self._subjects:
                raise _RefusedError(404, 40401, f"Subject '{subject}' not found.")
            for version, number in enumerate(self._subjects[subject], 1):
                if self._schemas[number]["schema"] == body["schema"]:
                    return self._registered(subject, version)
            raise _RefusedError(404, 40403, "Schema not found")
        raise _RefusedError(404, 404, "HTTP 404 Not Found")

    def _schema(self, number: int) -> dict[str, Any]:
        if number not in self._schemas:
            raise _RefusedError(404, 40403, f"Schema {number} not found")
        return self._schemas[number]

    def _registered(self, subject: str, version: int) -> dict[str, Any]:
        versions = self._subjects.get(subject, [])
        if not 0 < version <= len(versions):
            raise _RefusedError(404, 40402, f"Version {version} not found.")
        number = versions[version - 1]
        return {**self._schemas[number], "subject": subject, "version": version, "id": number}


class RawServer:
    """A server that answers requests with the given bytes, followed by single bytes.

    Attributes:
        url: its address.
        answers: to the next connections, one for each; then nothing is sent.
        dribble: what follows an answer again and again; the connection is closed where it is empty and there was an answer.
    """

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.dribble = b""
        self._ended = threading.Event()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    self.request.recv(1 << 16)
                    answer = outer.answers.pop(0) if outer.answers else b""
                    self.request.sendall(answer)
                    while (outer.dribble or not answer) and not outer._ended.wait(0.02):
                        self.request.sendall(outer.dribble)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> RawServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
