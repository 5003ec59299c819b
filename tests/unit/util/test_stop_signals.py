"""`SinkTask.run(stop_on_signals=True)`: the first signal stops in order, the second one as it would without the task."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from kafka2parquet.errors import UsageError
from kafka2parquet.events import Event, FlushCut, OffsetCommitted
from kafka2parquet.util.stop_signals import stopping_on_signals, wait_for_stop
from tests.support.sink_world import SinkWorld

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, also if the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", BOTH)
def test_first_signal_stops_in_order(number: signal.Signals) -> None:
    """The first signal flushes and commits open rows, and the previous handlers are restored."""
    before = [signal.getsignal(each) for each in BOTH]
    world = SinkWorld()
    world.append(*[b"{}"] * 25)

    def kill(event: Event) -> None:
        if isinstance(event, OffsetCommitted) and event.offset == 20:
            os.kill(os.getpid(), number)

    world.task(hooks=[kill]).run(stop_on_signals=True)
    assert 25 == world.committed
    assert before == [signal.getsignal(each) for each in BOTH]


def test_second_signal_interrupts() -> None:
    """A second Ctrl-C interrupts the flush, and the next task reads the open rows again."""
    before = [signal.getsignal(each) for each in BOTH]
    world = SinkWorld()
    world.append(*[b"{}"] * 25)

    def kill(event: Event) -> None:
        if isinstance(event, FlushCut):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    task = world.task(hooks=[kill])
    with pytest.raises(KeyboardInterrupt):
        task.run(stop_on_signals=True)
    assert (world.committed or 0) < 25
    assert before == [signal.getsignal(each) for each in BOTH]


def test_second_signal_has_a_handler_if_one_is_given() -> None:
    """The given handler gets the second signal, and the previous handlers are restored after the block."""
    before = [signal.getsignal(each) for each in BOTH]
    seen: list[object] = []
    with stopping_on_signals(lambda: seen.append("stop"), second=lambda number, frame: seen.append(number)):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert ["stop", signal.SIGINT] == seen
    assert before == [signal.getsignal(each) for each in BOTH]


def test_handlers_of_others_are_left_alone() -> None:
    """A handler that was installed inside the block stays installed after it."""
    before = signal.getsignal(signal.SIGTERM)
    world = SinkWorld()
    world.append(*[b"{}"] * 10)

    def others(number: int, frame: object) -> None:
        """Not ours."""

    def change(event: Event) -> None:
        if isinstance(event, OffsetCommitted):
            signal.signal(signal.SIGTERM, others)
            task.stop()

    task = world.task(hooks=[change])
    try:
        task.run(stop_on_signals=True)
        assert others is signal.getsignal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_are_refused() -> None:
    """On any thread but the main thread, the block raises an error, because Python allows no handlers there."""
    world, found = SinkWorld(), []
    task = world.task()

    def drive() -> None:
        try:
            task.run(stop_on_signals=True)
        except UsageError as error:
            found.append(str(error))

    thread = threading.Thread(target=drive)
    thread.start()
    thread.join()
    task.close()
    assert "main thread only" in found[0]


def test_a_wait_ends_with_the_stop() -> None:
    """A wait ends when `stop` is set by a signal that another thread gets, and when its time is over."""
    stop = threading.Event()
    begin_s = time.monotonic()
    wait_for_stop(stop, 0.01)
    assert not stop.is_set()
    with stopping_on_signals(stop.set):
        other = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM))
        other.start()
        wait_for_stop(stop, 60)
        other.join()
    assert stop.is_set()
    assert time.monotonic() - begin_s < 30
