"""Faults that tests order in advance."""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class Fault:
    """What shall happen to the next requests of one kind.

    Attributes:
        api: name of the request, such as "OffsetCommit".
        times: how many requests it still hits.
        skip: how many requests it still lets pass before.
        delay_s: wait for so long before the request is carried out. It is carried out even if the client has gone meanwhile.
        close: close the connection instead of carrying the request out.
        lose_response: carry the request out, then close the connection instead of answering.
        error: answer with this error code instead of carrying the request out.
    """

    api: str
    times: int = 1
    skip: int = 0
    delay_s: float = 0.0
    close: bool = False
    lose_response: bool = False
    error: int = 0


class Faults:
    """The faults still to come. Not thread-safe; belongs to the broker's event loop."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Order a fault; those of the same request happen one after another."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Forget all faults that have not happened."""
        self._faults.clear()

    def take(self, api: str) -> Fault | None:
        """The fault that hits the request at hand, if any does."""
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
