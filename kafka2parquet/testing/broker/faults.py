"""Faults that tests plan in advance."""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class Fault:
    """A planned fault for the next requests of one kind.

    Attributes:
        api: name of the request, such as "OffsetCommit".
        times: number of requests that the fault will still affect.
        skip: number of requests that will still pass before the fault takes effect.
        delay_s: wait before handling the request. The request is handled even if the client has disconnected meanwhile.
        close: close the connection instead of handling the request.
        lose_response: handle the request, then close the connection instead of sending the response.
        error: respond with this error code instead of handling the request.
    """

    api: str
    times: int = 1
    skip: int = 0
    delay_s: float = 0.0
    close: bool = False
    lose_response: bool = False
    error: int = 0


class Faults:
    """The planned faults. Not thread-safe: only the broker's event loop may use it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Plan a fault. Faults of the same request occur one after another."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Drop all faults that have not occurred yet."""
        self._faults.clear()

    def take(self, api: str) -> Fault | None:
        """Return the fault that affects the current request, if any, and count the request."""
        fault = next((each for each in self._faults if each.api == api), None)
        if fault is None:
            return None
        if fault.skip:
            fault.skip -= 1
            return None
        fault.times -= 1
        if fault.times <= 0:
            self._faults.remove(fault)
        return fault
