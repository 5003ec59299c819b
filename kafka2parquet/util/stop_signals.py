"""Handlers for SIGINT and SIGTERM that stop a task in an orderly way."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from kafka2parquet.errors import UsageError

_LOG = logging.getLogger(__name__)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: How long the main thread may wait at a time, in seconds. Python runs signal handlers on the main thread, and a signal that
#: the kernel gives to another thread doesn't end the main thread's wait.
SIGNAL_POLL_S = 0.5

_Handler = Callable[[int, FrameType | None], object]


@contextlib.contextmanager
def stopping_on_signals(
    stop: Callable[[], None], *, second: _Handler | None = None, log: str = "flushing open files, then the task ends"
) -> Iterator[None]:
    """Call `stop` at the first SIGINT or SIGTERM. The previous handlers are restored at the end of the block.

    Args:
        stop: asks for an orderly stop; called in the signal handler.
        second: handles the second signal; by default the handler that was installed before the block.
        log: what the log says after the name of the first signal.

    Raises:
        UsageError: this isn't the main thread. Only the main thread may handle signals.
    """
    if threading.current_thread() is not threading.main_thread():
        raise UsageError("Signals can be handled on the main thread only. Call stop() from your own signal handler instead.")
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        for each, handler in before.items():
            _replace(each, handle, second if second is not None else handler)
        _LOG.info("%s: %s", signal.Signals(number).name, log)
        stop()

    for number in _SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            _replace(number, handle, handler)
            if second is not None:
                _replace(number, second, handler)


def wait_for_stop(stop: threading.Event, timeout_s: float) -> None:
    """Wait on the main thread until `stop` is set, or for `timeout_s` seconds, and handle signals meanwhile."""
    end_s = time.monotonic() + timeout_s
    while not stop.is_set() and (left_s := end_s - time.monotonic()) > 0:
        stop.wait(min(left_s, SIGNAL_POLL_S))


def exit_at_once(number: int, frame: FrameType | None) -> None:
    """End the process without any cleanup, with the exit code of a process that the signal has killed. A signal handler."""
    os._exit(128 + number)


def _replace(number: int, installed: _Handler, handler: _Handler | int | None) -> None:
    """Install a handler in place of `installed`; leave any other handler alone."""
    if signal.getsignal(number) is installed:
        signal.signal(number, handler if handler is not None else signal.SIG_DFL)
