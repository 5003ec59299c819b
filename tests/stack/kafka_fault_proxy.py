"""A proxy in front of one broker that knows Kafka's frames, and breaks what a test names.

Of a request it reads length, API key, version and correlation id; a response belongs to the request with its correlation id.
Plaintext only. The broker has to advertise the proxy's address to its clients.

    with KafkaFaultProxy("127.0.0.1", broker_port) as proxy:  # clients are given proxy.address
        fault = proxy.fault("OffsetCommit", Action.LOSE_RESPONSE)
        ...  # the broker stores the commit, the client never hears of it
        assert fault.hits == 1
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import enum
import socket
import struct
import threading
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import attrs

T = TypeVar("T")

API_KEYS = {
    "Produce": 0,
    "Fetch": 1,
    "ListOffsets": 2,
    "Metadata": 3,
    "OffsetCommit": 8,
    "OffsetFetch": 9,
    "FindCoordinator": 10,
    "JoinGroup": 11,
    "Heartbeat": 12,
    "LeaveGroup": 13,
    "SyncGroup": 14,
}
_CALL_LIMIT_S = 10.0
_BUFFER_BYTES = 1 << 20


class Action(enum.Enum):
    """What happens to a request or to its response."""

    RESET_BEFORE = "reset the connection; the broker never sees the request"
    FREEZE_BEFORE = "the broker never sees the request, nor a later one; the connection stays open"
    DELAY_REQUEST = "forward the request after a delay; later ones wait behind it"
    LOSE_RESPONSE = "the broker does its work; then the connection is reset"
    FREEZE_AFTER = "the broker does its work; the client never hears of it, nor of anything later; the connection stays open"
    DELAY_RESPONSE = "forward the response after a delay; later ones wait behind it"
    CUT_RESPONSE = "forward half of the response, then close"


_ON_REQUEST = (Action.RESET_BEFORE, Action.FREEZE_BEFORE, Action.DELAY_REQUEST)


@attrs.define(eq=False)
class Fault:
    """Takes the next `times` requests of one API; `hits` counts those it has met."""

    api: str
    action: Action
    times: int
    delay_s: float
    hits: int = 0
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def takes(self, api_key: int) -> bool:
        """Whether it applies to this request; counts it."""
        with self._lock:  # proxies of several brokers may share the fault, and each has a thread
            if self.times == 0 or api_key != API_KEYS[self.api]:
                return False
            self.times -= 1
            return True

    def hit(self) -> None:
        """Count a request that was broken."""
        with self._lock:
            self.hits += 1


class _ResetError(Exception):
    """A fault wants this connection reset, not closed in order."""


class KafkaFaultProxy:
    """Runs on a separate thread; all methods may be called from any thread."""

    def __init__(self, broker_host: str, broker_port: int, host: str = "127.0.0.1") -> None:
        self._broker = (broker_host, broker_port)
        self._host = host
        self.port = 0
        self._faults: list[Fault] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.AbstractServer | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kafka-fault-proxy", daemon=True)

    def __enter__(self) -> KafkaFaultProxy:
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._call(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_LIMIT_S)
        self._loop.close()

    @property
    def broker_port(self) -> int:
        """Where the proxy expects the broker."""
        return self._broker[1]

    @property
    def address(self) -> str:
        """What clients connect to."""
        return f"{self._host}:{self.port}"

    def fault(self, api: str, action: Action, *, times: int = 1, delay_s: float = 0.0) -> Fault:
        """Break the next `times` requests of an API."""
        fault = Fault(api, action, times, delay_s)
        self.add(fault)
        return fault

    def add(self, fault: Fault) -> None:
        """Break what the fault takes; proxies of other brokers may have the same fault."""
        self._faults.append(fault)

    def clear(self) -> collections.Counter[str]:
        """Forget all faults; returns how often each was met."""
        faults, self._faults = self._faults, []
        return collections.Counter({f"{fault.api} {fault.action.name}": fault.hits for fault in faults if fault.hits})

    def cut(self) -> None:
        """Reset the open connections; new ones are taken."""

        async def cut() -> None:
            for writer in list(self._writers):
                _reset(writer)

        self._call(cut())

    def refuse(self) -> None:
        """Refuse connections and reset the open ones: for clients the broker is gone."""

        async def refuse() -> None:
            if self._server is not None:
                self._server.close()
                self._server = None

        self._call(refuse())
        self.cut()

    def listen(self) -> None:
        """Take connections, at the same port as before."""

        async def listen() -> None:
            self._server = await asyncio.start_server(self._serve, self._host, self.port, limit=_BUFFER_BYTES)
            self.port = self._server.sockets[0].getsockname()[1]

        self._call(listen())

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_CALL_LIMIT_S)

    @staticmethod
    async def _cancel_all() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        self._writers.add(writer)
        try:
            # Where the broker is down, the client sees a reset.
            with contextlib.suppress(OSError, _ResetError):
                broker_reader, broker_writer = await asyncio.open_connection(*self._broker, limit=_BUFFER_BYTES)
                ends.append(broker_writer)
                self._writers.add(broker_writer)
                waiting: dict[int, Fault] = {}
                await _until_one_ends(
                    self._forward_requests(reader, broker_writer, waiting),
                    _forward_responses(broker_reader, writer, waiting),
                )
                # Sends what is buffered, half a response for instance, where a reset would throw it away.
                writer.close()
                await writer.wait_closed()
        finally:
            for end in ends:
                _reset(end)
            self._writers.difference_update(ends)

    async def _forward_requests(
        self, reader: asyncio.StreamReader, out: asyncio.StreamWriter, waiting: dict[int, Fault]
    ) -> None:
        async for frame in _frames(reader):
            api_key, _, correlation_id = struct.unpack_from(">hhi", frame)
            fault = next((fault for fault in self._faults if fault.takes(api_key)), None)
            if fault is not None and fault.action in _ON_REQUEST:
                fault.hit()
                if fault.action is Action.RESET_BEFORE:
                    raise _ResetError
                if fault.action is Action.FREEZE_BEFORE:
                    await _swallow(reader)
                    return
                await asyncio.sleep(fault.delay_s)
            elif fault is not None:
                waiting[correlation_id] = fault
            out.write(struct.pack(">i", len(frame)) + frame)
            await out.drain()


async def _forward_responses(reader: asyncio.StreamReader, out: asyncio.StreamWriter, waiting: dict[int, Fault]) -> None:
    async for frame in _frames(reader):
        fault = waiting.pop(struct.unpack_from(">i", frame)[0], None)
        data = struct.pack(">i", len(frame)) + frame
        if fault is not None:
            fault.hit()
            if fault.action is Action.LOSE_RESPONSE:
                raise _ResetError
            if fault.action is Action.FREEZE_AFTER:
                await _swallow(reader)
                return
            if fault.action is Action.CUT_RESPONSE:
                out.write(data[: len(data) // 2])
                return
            await asyncio.sleep(fault.delay_s)
        out.write(data)
        await out.drain()


async def _until_one_ends(*directions: Coroutine[Any, Any, None]) -> None:
    """Run both; when one is through or fails, stop the other one and raise what went wrong."""
    tasks = [asyncio.ensure_future(direction) for direction in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        try:
            yield await reader.readexactly(struct.unpack(">i", await reader.readexactly(4))[0])
        except (asyncio.IncompleteReadError, OSError):
            return


async def _swallow(reader: asyncio.StreamReader) -> None:
    """Read and forget, until the other side closes."""
    with contextlib.suppress(OSError):
        while await reader.read(_BUFFER_BYTES):
            pass


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side sees an error, not an end."""
    with contextlib.suppress(OSError, AttributeError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
