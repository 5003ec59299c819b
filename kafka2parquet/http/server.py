"""StatusServer: serves a StatusApp or a FollowerApp from a thread of this process, with the standard library's server."""

from __future__ import annotations

import http
import logging
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.http.app import StatusApp
from kafka2parquet.http.base_app import HttpApp
from kafka2parquet.http.follower_app import FollowerApp
from kafka2parquet.http.responses import ConnectError
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.version import VERSION

_LOG = logging.getLogger(__name__)
#: How long a connection may be silent before it is closed, in seconds.
_SILENCE_LIMIT_S = 60.0
#: How often the server's thread looks whether it should end, in seconds; the standard library can't be woken up.
_STOP_POLL_S = 0.1


@checked
class StatusServer:
    """An HTTP server for a StatusApp or a FollowerApp, in a separate thread.

    A context manager: it serves inside the `with` block.

    The server has no login. Everyone who reaches it can read the status and the connector's configuration, with secrets masked.
    So bind it to the loopback interface, or to a network that you trust.
    """

    def __init__(self, app: StatusApp | FollowerApp, address: Name = "127.0.0.1:8083") -> None:
        """Set up the server; nothing is bound before `start`.

        Args:
            app: answers the requests.
            address: `host:port` to listen on. An IPv6 address is written in brackets. An empty host means all interfaces, and
                the port 0 any free port.

        Raises:
            ConfigurationError: the address is not a host and a port.
        """
        self._app = app
        try:
            self._host, self._port = parse_address(address)
        except ValueError as error:
            raise ConfigurationError(f"StatusServer: address has to be host:port; {error}") from None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The URL of the server while it runs; "" otherwise."""
        if self._server is None:
            return ""
        host = self._server.server_name
        return f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_port}"

    def start(self) -> None:
        """Listen, and answer requests in a thread from now on.

        Raises:
            ConfigurationError: the address can't be listened on, for instance because another process does.
        """
        try:
            self._server = _Server(self._host, self._port, self._app)
        except OSError as error:
            reason = error.strerror or error
            raise ConfigurationError(f"The HTTP server can't listen on {self._host}:{self._port}: {reason}.") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_POLL_S,), name="kafka2parquet-http", daemon=True
        )
        self._thread.start()
        _LOG.info("Status: %s/status", self.url)

    def close(self) -> None:
        """Stop listening. Connections that are open are answered no more. A second call does nothing."""
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.shutdown()
            server.server_close()
            self._thread.join()

    def __enter__(self) -> StatusServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of `host:port` or `[IPv6 address]:port`.

    Raises:
        ValueError: the text has another form.
    """
    host, colon, port = address.strip().rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65_535 or (":" in bare and bare == host):
        raise ValueError(f"{address!r} is not an address to listen on, such as 127.0.0.1:8083.")
    return bare, int(port)


class _Server(ThreadingHTTPServer):
    """The standard library's server, for one app. Each connection has a thread, which ends with the process."""

    daemon_threads = True

    def __init__(self, host: str, port: int, app: HttpApp) -> None:
        self.app = app
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without the look-up of the host's name that `HTTPServer` does, which may block for seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what ended a connection, instead of printing it."""
        _LOG.debug("The connection with %s ends", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """Hands the requests of one connection to the app."""

    protocol_version = "HTTP/1.1"
    server_version = f"kafka2parquet/{VERSION}"
    sys_version = ""
    timeout = _SILENCE_LIMIT_S
    server: _Server

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        response = self.server.app.respond(self.command, unquote(path), query, self.headers.get("Accept", ""))
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # nobody reads the body, which must not be taken for the next request
        self._send(response.status, dict(response.headers), response.body)

    do_GET = do_HEAD = do_OPTIONS = _answer  # noqa: N815 - other methods reach `send_error`

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Let the app refuse a method that is unknown here; answer a request that can't be read in the form of other errors."""
        if code == http.HTTPStatus.NOT_IMPLEMENTED:
            self._answer()
            return
        self.close_connection = True
        text = f"HTTP {code} {message or http.HTTPStatus(code).phrase}"
        response = self.server.app.error(ConnectError(code, text))
        self._send(response.status, dict(response.headers), response.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Log requests for debugging only: probes send one every few seconds."""
        _LOG.debug(format, *args)
