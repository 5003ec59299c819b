"""The broker's TCP server: accepts connections, reads frames, and dispatches requests to handlers.

A separate thread runs the event loop that owns all state of the broker. The requests of a connection are handled one after
another, as by a real broker: a client gets responses in order, and a waiting request holds back the requests after it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import struct
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

import attrs

from kafka2parquet.testing.broker.faults import Faults
from kafka2parquet.testing.broker.messages import (
    APIS,
    Call,
    Handler,
    UnsupportedVersionError,
    decode_request,
    encode_response,
)

logger = logging.getLogger(__name__)

_TICK_S = 0.02  # the precision of timeouts
_START_OR_STOP_S = 10.0
_READ_BUFFER_BYTES = 1 << 20

_T = TypeVar("_T")


class Server:
    """A TCP server on loopback, with a separate thread and event loop.

    Args:
        host: address to listen on.
        port: port to listen on; 0 for a free port. The port stays the same when listening is resumed.
        faults: the planned faults, which are looked up for each request.
        handlers: the handler of each request, by the name of the request.
        on_tick: called on the event loop every few milliseconds with the loop's time in seconds, to apply timeouts.
    """

    def __init__(
        self, host: str, port: int, *, faults: Faults, handlers: Mapping[str, Handler], on_tick: Callable[[float], None]
    ) -> None:
        self.host = host
        self.port = port
        self.request_counts: Counter[str] = Counter()
        self._faults = faults
        self._handlers = handlers
        self._on_tick = on_tick
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._listener: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._failure: Exception | None = None

    def start(self) -> None:
        """Start listening. Clients can connect when this method returns.

        Raises:
            OSError: the port is in use.
        """
        if self._thread is not None:
            raise RuntimeError("The broker is already running.")
        started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main(started)), name="embedded-broker", daemon=True)
        self._thread.start()
        try:
            started.result(_START_OR_STOP_S)
        except BaseException:
            self._join()
            raise

    def stop(self) -> None:
        """Close all connections and end the thread. Does nothing if the server is not running.

        Raises:
            Exception: a request caused this exception inside the broker.
        """
        if self._thread is None:
            return
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._join()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def call(self, function: Callable[[], _T]) -> _T:
        """Run a function on the broker's thread, which owns the state, and return its result."""
        if self._loop is None:
            raise RuntimeError("The broker is not running.")

        async def run() -> _T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def time(self) -> float:
        """Return the event loop's time in seconds. Only for functions that run on the broker's thread."""
        return asyncio.get_running_loop().time()

    def stop_listening(self) -> None:
        """Close the port and all connections. Requests in progress are still handled."""
        self.call(self._close_listener)

    def start_listening(self) -> None:
        """Listen on the same port again."""
        if self._loop is None:
            raise RuntimeError("The broker is not running.")
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_START_OR_STOP_S)

    def _join(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_START_OR_STOP_S)
            if thread.is_alive():
                raise RuntimeError("The broker's thread did not end.")
        self._loop = self._stopping = None

    async def _main(self, started: concurrent.futures.Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = stopping = asyncio.Event()
        try:
            await self._listen()
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(None)
        try:
            while not stopping.is_set():
                try:
                    self._on_tick(self._loop.time())
                except Exception as error:
                    self._fail(error)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(stopping.wait(), _TICK_S)
        finally:
            self._close_listener()
            connections = list(self._connections)
            for connection in connections:
                connection.cancel()
            await asyncio.gather(*connections, return_exceptions=True)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, self.host, self.port, limit=_READ_BUFFER_BYTES)
        self.port = self._listener.sockets[0].getsockname()[1]

    def _close_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for writer in self._connections.values():
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle the requests of one connection until either side closes the connection."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("Connections are served by tasks.")
        self._connections[task] = writer
        try:
            while await self._serve_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            logger.debug("The client closed its connection")
        except asyncio.CancelledError:
            # before Python 3.12, asyncio reports a cancelled connection task as failed, so end the task here without an error
            logger.debug("The broker is stopping")
        except Exception as error:
            self._fail(error)
        finally:
            del self._connections[task]
            writer.transport.abort()

    def _fail(self, error: Exception) -> None:
        """Keep an exception inside the broker, so that `stop` raises it and fails the test that caused it."""
        self._failure = self._failure or error
        logger.error("A request caused an exception inside the broker", exc_info=error)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Handle one request. Returns False if the connection has to be closed."""
        (size_bytes,) = struct.unpack(">i", await reader.readexactly(4))
        frame = await reader.readexactly(size_bytes)
        try:
            call = decode_request(frame)
        except UnsupportedVersionError as error:
            if error.api is not APIS["ApiVersions"]:
                return False
            # respond in version 0, which every client can read, with the supported versions
            call = Call(error.api, 0, error.correlation_id, "", None)
        self.request_counts[call.api.name] += 1
        fault = self._faults.take(call.api.name)
        if fault is not None:
            await asyncio.sleep(fault.delay_s)
            if fault.close:
                return False
            call = attrs.evolve(call, injected_error=fault.error)
        response = await self._handlers[call.api.name](call)
        if fault is not None and fault.lose_response:
            return False
        if response is not None:
            writer.write(encode_response(response, call.version, call.correlation_id))
            await writer.drain()
        return True
