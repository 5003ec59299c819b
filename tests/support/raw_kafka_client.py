"""Single requests to a broker, without a client's retries and cleverness."""

from __future__ import annotations

import itertools
import socket
import struct
import time
from typing import Any

# The coordinator of a group or transaction may still be on its way
_COORDINATOR_NOT_READY = (14, 15, 16)
_READY_WITHIN_S = 30.0


class RawKafkaClient:
    """One connection. Requests are kafka-python's message classes; each is sent in exactly the version asked for.

    Attributes:
        socket: the connection, for tests that look at bytes or at silence.
    """

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.partition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self._correlation_ids = itertools.count(1)

    def __enter__(self) -> RawKafkaClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.socket.close()

    def send(self, request: Any, version: int) -> None:
        """Sends a request, and leaves the answer to `receive`."""
        request.API_VERSION = version
        request.with_header(correlation_id=next(self._correlation_ids), client_id="raw")
        self.send_frame(request.encode(header=True, framed=True))

    def send_frame(self, frame: bytes) -> None:
        """Sends bytes unchanged, behind their length."""
        self.socket.sendall(frame)

    def receive(self, response_class: Any, version: int) -> Any:
        """Waits for the next answer."""
        (size,) = struct.unpack(">i", self._read(4))
        return response_class.decode(self._read(size), version=version, header=True)

    def ask(self, request: Any, response_class: Any, version: int) -> Any:
        """Sends a request and waits for its answer."""
        self.send(request, version)
        return self.receive(response_class, version)

    def ask_coordinator(self, request: Any, response_class: Any, version: int) -> Any:
        """Repeats `ask` until the coordinator is ready."""
        deadline = time.monotonic() + _READY_WITHIN_S
        while True:
            response = self.ask(request, response_class, version)
            if response.error_code not in _COORDINATOR_NOT_READY or time.monotonic() > deadline:
                return response
            time.sleep(0.05)

    def _read(self, size: int) -> bytes:
        chunks = []
        while size:
            chunk = self.socket.recv(size)
            if not chunk:
                raise ConnectionError("The broker closed the connection.")
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)
