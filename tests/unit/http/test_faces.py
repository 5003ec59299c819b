"""The three faces of a StatusApp: all of them send what the app answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import threading
import wsgiref.simple_server
import wsgiref.validate
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import attrs
import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Gauge

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.http import ConnectorDescription, StatusApp, StatusServer, make_asgi_app, make_wsgi_app
from kafka2parquet.http.server import parse_address
from tests.support.statuses import partition_status, runner_status, task_status

STATUS = runner_status(task_status(partition_status()))
CONNECTOR = ConnectorDescription("größe a", {"topics": "events"}, "127.0.0.1:8083")
REGISTRY = CollectorRegistry()
Gauge("answers", "Answers.", registry=REGISTRY).set(42)
APP = StatusApp(lambda: STATUS, connector=CONNECTOR, registry=REGISTRY)


@attrs.frozen
class Answer:
    """What a client sees of an answer."""

    status: int
    content_type: str
    length: str
    body: bytes

    @classmethod
    def of(cls, response: httpx.Response) -> Answer:
        """Returns what is compared."""
        headers = response.headers
        return cls(response.status_code, headers["content-type"], headers["content-length"], response.content)


class Ask(Protocol):
    """Sends a request and returns the answer."""

    def __call__(self, method: str, url: str, headers: Mapping[str, str] | None = None, /) -> Answer: ...


@contextlib.contextmanager
def by_server() -> Iterator[Ask]:
    """Through the standard library's server."""
    with StatusServer(APP, "127.0.0.1:0") as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        yield lambda method, url, headers=None: Answer.of(client.request(method, url, headers=headers))


@contextlib.contextmanager
def by_asgi(app: Any, prefix: str = "") -> Iterator[Ask]:
    """Through an ASGI application."""

    async def ask(method: str, url: str, headers: Mapping[str, str] | None) -> Answer:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return Answer.of(await client.request(method, f"{prefix}{url}", headers=headers))

    yield lambda method, url, headers=None: asyncio.run(ask(method, url, headers))


def mounted() -> FastAPI:
    """Returns a FastAPI application with the status below /sink."""
    outer = FastAPI()
    outer.mount("/sink", make_asgi_app(APP))
    return outer


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    """Doesn't print requests."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextlib.contextmanager
def by_wsgi() -> Iterator[Ask]:
    """Through a WSGI application, which wsgiref serves, and which its validator watches."""
    validated = wsgiref.validate.validator(make_wsgi_app(APP))
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, validated, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", trust_env=False) as client:
            yield lambda method, url, headers=None: Answer.of(client.request(method, url, headers=headers))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


FACES = {
    "server": by_server,
    "asgi": lambda: by_asgi(make_asgi_app(APP)),
    "asgi, mounted": lambda: by_asgi(mounted(), "/sink"),
    "wsgi": by_wsgi,
}


@pytest.fixture(params=FACES)
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    with FACES[request.param]() as ask:
        yield ask


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/status", ""),
        ("GET", "/", ""),
        ("GET", "/connectors", "expand=status&expand=info"),
        ("GET", "/connectors/größe a", ""),
        ("GET", "/nothing", ""),
        ("GET", "/metrics", ""),
        ("HEAD", "/status", ""),
        ("OPTIONS", "/status", ""),
        ("DELETE", "/connectors/größe a", ""),
        ("POST", "/nothing", ""),
    ],
)
def test_each_face_sends_the_answer_of_the_app(ask: Ask, method: str, path: str, query: str) -> None:
    """Code, type, length and body reach the client as the app makes them, and the path reaches the app decoded."""
    expected = APP.respond(method, path, query)
    answer = ask(method, f"{path}?{query}" if query else path)
    assert expected.status == answer.status
    assert expected.headers["Content-Type"] == answer.content_type
    assert expected.headers["Content-Length"] == answer.length
    assert expected.body == answer.body


def test_the_name_in_the_path_is_decoded(ask: Ask) -> None:
    """A percent-encoded name is found."""
    answer = ask("GET", "/connectors/gr%C3%B6%C3%9Fe%20a")
    assert (200, "größe a") == (answer.status, json.loads(answer.body)["name"])


def test_the_accept_header_reaches_the_app(ask: Ask) -> None:
    """The client's choice of a format for metrics reaches the app."""
    openmetrics = {"accept": "application/openmetrics-text;version=1.0.0"}
    assert ask("GET", "/metrics", openmetrics).content_type.startswith("application/openmetrics-text")


def run_asgi(scope: Any, receive: Any, send: Any) -> None:
    """Runs the ASGI application until it returns."""

    async def answer() -> None:
        await make_asgi_app(APP)(scope, receive, send)

    asyncio.run(answer())


@pytest.mark.parametrize(
    ("root", "path"), [("", "/status"), ("/s", "/status"), ("/s", "/s/status"), ("/sink", "/sink/status"), ("/sink", "/sink")]
)
def test_the_place_where_asgi_is_mounted(root: str, path: str) -> None:
    """The place is removed from the path once, whether or not the framework has removed it already."""
    sent: list[Any] = []

    async def unused() -> Any:
        raise AssertionError("the request has no body")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "root_path": root, "path": path, "headers": []}
    run_asgi(scope, unused, send)
    expected = APP.respond("GET", "/" if path == root else "/status")
    assert (expected.status, expected.body) == (sent[0]["status"], sent[1]["body"])


def test_asgi_lifespan() -> None:
    """An ASGI server that runs the application by itself gets answers to its startup and shutdown."""
    sent: list[str] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    run_asgi({"type": "lifespan"}, receive, send)
    assert ["lifespan.startup.complete", "lifespan.shutdown.complete"] == sent


def test_asgi_websockets_are_refused() -> None:
    """Another protocol than HTTP raises an error, which ends the connection."""

    async def unused(*_: Any) -> Any:
        raise AssertionError("nothing is received or sent")

    with pytest.raises(ValueError, match="over HTTP, and not over websocket"):
        run_asgi({"type": "websocket"}, unused, unused)


def raw(server: StatusServer, request: bytes) -> bytes:
    """Returns all that the server sends back before it closes the connection."""
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port), 10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_requests_that_are_not_http() -> None:
    """What can't be read is answered in the form of other errors, and the connection ends."""
    with StatusServer(APP, "127.0.0.1:0") as server:
        answer = raw(server, b"nonsense\r\n\r\n")
    assert b'{"error_code":400,"message":"HTTP 400 Bad request syntax (\'nonsense\')"}' in answer


def test_unknown_methods() -> None:
    """A method that HTTP doesn't know is refused like other methods."""
    with StatusServer(APP, "127.0.0.1:0") as server:
        answer = raw(server, b"FOO /status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert b"HTTP/1.1 405 Method Not Allowed" == answer.splitlines()[0]
    assert b'"error_code":405' in answer


@pytest.mark.parametrize("method", [b"POST", b"GET", b"OPTIONS"])
@pytest.mark.parametrize("framing", [b"Content-Length: %d", b"Transfer-Encoding: chunked"])
def test_the_body_of_a_request_is_not_taken_for_the_next_request(method: bytes, framing: bytes) -> None:
    """The connection ends after a request that has a body, so that a body is never read as a request."""
    smuggled = b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n"
    length = framing % len(smuggled) if b"%d" in framing else framing
    head = b"%b /connectors HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % (method, length)
    with StatusServer(APP, "127.0.0.1:0") as server:
        answer = raw(server, head + smuggled)
    assert 1 == answer.count(b"HTTP/1.1 ")
    assert b"Connection: close" in answer


def test_a_connection_serves_several_requests() -> None:
    """Connections stay open between requests, as probes and consoles expect."""
    twice = b"GET /live HTTP/1.1\r\nHost: a\r\n\r\nGET /live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with StatusServer(APP, "127.0.0.1:0") as server:
        assert 2 == raw(server, twice).count(b"HTTP/1.1 200 OK")


def test_a_slow_client_holds_up_nobody() -> None:
    """A connection that sends nothing doesn't keep others waiting, nor the end of the server."""
    with StatusServer(APP, "127.0.0.1:0") as server:
        url = httpx.URL(server.url)
        with socket.create_connection((url.host, url.port), 10):
            assert 200 == httpx.get(f"{server.url}/live", trust_env=False).status_code
            server.close()


def test_the_server_ends() -> None:
    """After close the port is free, the thread is gone, and a second close does nothing."""
    server = StatusServer(APP, "127.0.0.1:0")
    assert "" == server.url
    server.start()
    url = httpx.URL(server.url)
    server.close()
    server.close()
    assert "" == server.url
    assert not [thread for thread in threading.enumerate() if thread.name == "kafka2parquet-http"]
    with StatusServer(APP, f"127.0.0.1:{url.port}"):
        pass


def test_a_port_in_use() -> None:
    """An address that another process listens on is a configuration error that names the address."""
    with StatusServer(APP, "127.0.0.1:0") as server:
        address = server.url.removeprefix("http://")
        with pytest.raises(ConfigurationError, match=rf"can't listen on {address}: Address already in use"):
            StatusServer(APP, address).start()


def test_ipv6() -> None:
    """An IPv6 address is given in brackets, and shown in brackets."""
    with StatusServer(APP, "[::1]:0") as server:
        assert server.url.startswith("http://[::1]:")
        assert 200 == httpx.get(f"{server.url}/live", trust_env=False).status_code


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:8083", ("127.0.0.1", 8083)),
        ("localhost:0", ("localhost", 0)),
        (":8083", ("", 8083)),
        ("[::1]:8083", ("::1", 8083)),
    ],
)
def test_addresses(address: str, expected: tuple[str, int]) -> None:
    """An address is a host and a port."""
    assert expected == parse_address(address)


@pytest.mark.parametrize(
    "address", ["8083", "localhost", "localhost:", "localhost:http", "localhost:65536", "::1:8083", "a:-1"]
)
def test_other_addresses(address: str) -> None:
    """A text that is not a host and a port is refused, with an example."""
    expected = re.escape(f"StatusServer: address has to be host:port; {address!r} is not an address to listen on, such as 127")
    with pytest.raises(ConfigurationError, match=expected):
        StatusServer(APP, address)
