"""Handlers for SIGINT and SIGTERM that stop a task in an orderly way."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from kafka2parquet.errors import UsageError

_LOG = logging.getLogger(__name__)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first SIGINT or SIGTERM. The previous handlers get the second signal, and all signals after the block.

    Raises:
        UsageError: this isn't the main thread. Only the main thread may handle signals.
    """
    if threading.current_thread() is not threading.main_thread():
        raise UsageError("Signals can be handled on the main thread only. Call stop() from your own signal handler instead.")
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def handle(number: int, frame: FrameType | None) -> None:
        restore()
        _LOG.info("%s: flushing open files, then the task ends", signal.Signals(number).name)
        stop()

    for number in _SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()
