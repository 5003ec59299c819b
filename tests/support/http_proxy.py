"""A proxy in front of an object store: counts requests, refuses some, loses answers, stalls.

It also gives scripted answers in place of a store; and it takes what clients send to a proxy that they know of, whole URLs and
CONNECT, wherever these lead to.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import attrs


@attrs.frozen
class Request:
    """One request as the client sent it; header names are in lower case.

    Attributes:
        host: where a client that knows of the proxy wanted to go.
        body: the beginning of it.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    host: str = ""
    body: bytes = b""

    @property
    def summary(self) -> str:
        """A text such as `PUT ?partNumber=2&uploadId=…`."""
        return f"{self.method} ?{self.query}"


@attrs.frozen(eq=False)
class Held:
    """A request that is held back on its way.

    Attributes:
        arrived: set when the client has sent it.
        released: it is passed on when this is set, though the client may have gone.
        statuses: what the store answered at last.
        answered: set with that.
    """

    arrived: threading.Event = attrs.field(factory=threading.Event)
    released: threading.Event = attrs.field(factory=threading.Event)
    answered: threading.Event = attrs.field(factory=threading.Event)
    statuses: list[int] = attrs.field(factory=list)


_KEPT_BYTES = 4 << 10

When = Callable[[Request], bool]


def _always(_: Request) -> bool:
    return True


@attrs.define
class _Rule:
    when: When
    times: int
    action: str
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    seconds: float = 0.0
    then: Callable[[], None] | None = None
    held: Held | None = None


class HttpProxy:
    """A proxy that forwards requests unless a rule applies; a rule applies to `times` requests.

    The signature of S3 covers the Host header, so the server sees the one of the client.
    """

    def __init__(self, target: str) -> None:
        self.requests: list[Request] = []
        self._target = urlsplit(target).netloc
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._released = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy._handle(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = do_CONNECT = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Logs nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> HttpProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, body: bytes = b"", *, headers: Mapping[str, str] | None = None, when: When = _always) -> None:
        """Answers matching requests with 200, without asking the store."""
        self.fail(200, times=1 << 30, when=when, body=body, headers=headers)

    def fail(
        self,
        status: int,
        *,
        times: int = 1,
        when: When = _always,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answers with the status, without asking the store."""
        self._rules.append(_Rule(when, times, "fail", status, body, headers or {}))

    def lose_answer(self, *, times: int = 1, when: When = _always, then: Callable[[], None] | None = None) -> None:
        """Lets the store process the request, closes the connection instead of answering, and then calls `then`."""
        self._rules.append(_Rule(when, times, "lose", then=then))

    def cut_off(self, *, times: int = 1, when: When = _always) -> None:
        """Closes the connection without asking the store."""
        self._rules.append(_Rule(when, times, "cut"))

    def delay(self, seconds: float, *, times: int = 1, when: When = _always) -> None:
        """Forwards requests late, even if the client has gone."""
        self._rules.append(_Rule(when, times, "delay", seconds=seconds))

    def hold(self, *, when: When = _always) -> Held:
        """Holds back the next matching request until it is released."""
        held = Held()
        self._rules.append(_Rule(when, 1, "hold", held=held))
        return held

    def clear(self) -> int:
        """Forgets all rules and requests, and returns how many times rules were left to be used."""
        with self._lock:
            left = sum(rule.times for rule in self._rules)
            self._rules.clear()
            self.requests.clear()
            return left

    def damage(self, sent: bytes, arrived: bytes, *, when: When = _always) -> None:
        """Forwards bodies with `arrived` instead of `sent`, which must have the same length."""
        self._rules.append(_Rule(when, 1 << 30, "damage", body=sent, headers={"arrived": arrived.decode()}))

    def stall(self) -> None:
        """Never answers matching requests."""
        self._rules.append(_Rule(_always, 1 << 30, "stall"))

    def _rule_for(self, request: Request) -> _Rule | None:
        with self._lock:
            self.requests.append(request)
            rule = next((rule for rule in self._rules if rule.times > 0 and rule.when(request)), None)
            if rule is not None:
                rule.times -= 1
            return rule

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        host, target = _split(handler.command, handler.path)
        path, _, query = target.partition("?")
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        rule = self._rule_for(Request(handler.command, path, query, headers, host, body[:_KEPT_BYTES]))
        action = rule.action if rule is not None else "pass"
        if rule is not None and action == "fail":
            _answer(handler, rule.status, dict(rule.headers), rule.body)
            return
        if action == "cut" or handler.command == "CONNECT":
            handler.close_connection = True
            return
        if rule is not None and action == "delay":
            time.sleep(rule.seconds)
        held = rule.held if rule is not None else None
        if held is not None:
            held.arrived.set()
            held.released.wait()
        if action == "stall":
            self._released.wait()
            handler.close_connection = True
            return
        if rule is not None and action == "damage":
            body = body.replace(rule.body, rule.headers["arrived"].encode())
        try:
            status, answer_headers, answer = self._pass_on(handler.command, target, headers, body)
        except OSError:  # the store is down
            handler.close_connection = True
            return
        if held is not None:
            held.statuses.append(status)
            held.answered.set()
        if rule is not None and action == "lose":
            handler.close_connection = True
            if rule.then is not None:
                rule.then()
            return
        try:
            _answer(handler, status, answer_headers, answer)
        except OSError:  # the client has gone
            handler.close_connection = True

    def _pass_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self._target, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if name not in ("connection", "expect", "transfer-encoding"):
                    connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()


def _split(method: str, target: str) -> tuple[str, str]:
    """Splits a request to a proxy into host and path; other requests have only a path."""
    if method == "CONNECT":
        return target, ""
    if not target.startswith("http://"):
        return "", target
    host, _, path = target.removeprefix("http://").partition("/")
    return host, f"/{path}"


def _answer(handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], body: bytes) -> None:
    handler.send_response_only(status)
    for name, value in headers.items():
        if name.lower() not in ("connection", "content-length", "transfer-encoding"):
            handler.send_header(name, value)
    if handler.command == "HEAD":
        handler.send_header("Content-Length", headers.get("Content-Length", "0"))
        body = b""
    elif status != 204:
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
