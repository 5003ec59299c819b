"""The HTTP session of the registry's client, with limits for the time and the size of each answer.

The client's timeouts limit only single reads from the connection, so a server that sends a byte now and then could block a
reader forever. Here, a timer shuts the connection down when the time for the whole answer is over, whatever is being read: the
TLS handshake, the headers or the body. That takes one connection per request, which is cheap, because each schema is requested
once. All of it can go once Confluent's client, or httpx, has a timeout for whole answers and a limit for their size.
"""

from __future__ import annotations

import contextlib
import importlib
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

#: Many times the size of the largest schema that a registry accepts.
_MOST_ANSWER_BYTES = 16 << 20
#: Headers that describe how the body is transferred, not its content.
_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")


class AnswerTooLargeError(ValueError):
    """The answer is too large to be a schema."""


def bound_answers(client: Any) -> None:
    """Give Confluent's client a session that limits the time and the size of each answer.

    Args:
        client: a `SchemaRegistryClient`. Its read timeout becomes the limit for each whole answer.
    """
    rest = client._rest_client
    plain = rest.session
    http = importlib.import_module(type(plain).__module__.partition(".")[0])
    answer_s = plain.timeout.read

    class BoundedSession(http.Client):  # type: ignore[name-defined,misc]  # of the library that the client uses
        def send(self, request: Any, *, stream: bool = False, **more: Any) -> Any:
            with _deadline(answer_s) as deadline:
                request.extensions = {**request.extensions, "trace": deadline.trace}
                try:
                    answer = super().send(request, stream=True, **more)
                    try:
                        content = _content(answer)
                    finally:
                        answer.close()
                except http.TransportError as error:
                    if not deadline.is_over and not isinstance(error, http.ReadTimeout):
                        raise
                    raise http.ReadTimeout(f"no complete answer within {answer_s} s", request=request) from error
            return http.Response(answer.status_code, headers=_own_headers(answer.headers), content=content, request=request)

    rest.session = BoundedSession(
        verify=rest.verify,
        auth=rest.auth,
        proxy=rest.proxy,
        timeout=rest.timeout,
        limits=http.Limits(max_keepalive_connections=0),
    )
    plain.close()


def _content(answer: Any) -> bytes:
    """Read and decompress the body of a streamed answer.

    Raises:
        AnswerTooLargeError: the body has more than `_MOST_ANSWER_BYTES` bytes.
    """
    content = bytearray()
    for chunk in answer.iter_bytes():
        content += chunk
        if len(content) > _MOST_ANSWER_BYTES:
            raise AnswerTooLargeError(f"it has more than {_MOST_ANSWER_BYTES} bytes")
    return bytes(content)


def _own_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OF_THE_BODY}


class _Deadline:
    """Shuts down the connection of one request when its time is over."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._seconds = seconds
        self._timer: threading.Timer | None = None
        self._connection: socket.socket | None = None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Start the timer once the connection is made (a callback for httpx's extension "trace")."""
        if not event.endswith("connect_tcp.complete"):
            return
        self.end()
        # The duplicate stays usable after TLS has taken over the original socket.
        self._connection = info["return_value"].get_extra_info("socket").dup()
        self._timer = threading.Timer(self._seconds, self._shut_down)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        if self._timer is not None and self._connection is not None:
            self._timer.cancel()
            self._connection.close()

    def _shut_down(self) -> None:
        self.is_over = True
        if self._connection is not None:
            with contextlib.suppress(OSError):  # the other side was quicker
                self._connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[_Deadline]:
    deadline = _Deadline(seconds)
    try:
        yield deadline
    finally:
        deadline.end()
