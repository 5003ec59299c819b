"""Lookups run on other threads, while the driver waits for a limited time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from kafka2parquet.converters.registry.lookups import Lookups, NotYetFound
from kafka2parquet.errors import SchemaRegistryUnavailableError


class Slow:
    """A lookup that answers once it is released, and counts its callers."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.released = threading.Event()
        self.all_busy = threading.Barrier(8)

    def __call__(self, key: int) -> str:
        self.asked.append(key)
        self.released.wait()
        return f"found {key}"

    def meet(self, key: int) -> int:
        """Answers once eight lookups run at a time."""
        self.all_busy.wait(30)
        return key


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.released.set()


def test_an_outcome_is_waited_for() -> None:
    """`outcome` returns the result as if the lookup ran in the caller."""
    lookups: Lookups[int, int] = Lookups(lambda key: key + 1)
    assert 7 == lookups.outcome(6)


def test_an_error_is_raised_where_the_outcome_is_asked_for() -> None:
    """`outcome` raises the lookup's error, and the next call starts a new lookup."""
    answers: list[object] = [OSError("down"), 5]

    def look_up(_: int) -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    lookups = Lookups(look_up)
    with pytest.raises(OSError, match="down"):
        lookups.outcome(1)
    assert 5 == lookups.outcome(1)


def test_the_driver_does_not_wait_for_ever(slow: Slow) -> None:
    """A lookup goes on after the driver has stopped waiting, and its outcome is there at the next call."""
    lookups = Lookups(slow, longest_wait_s=0.01)
    for _ in range(5):
        with pytest.raises(NotYetFound):
            lookups.outcome(1)
    slow.released.set()
    while True:
        try:
            found = lookups.outcome(1)
            break
        except NotYetFound:
            continue

    assert ("found 1", [1]) == (found, slow.asked)


def test_many_lookups_run_at_a_time() -> None:
    """Lookups run several at a time, so that thousands of them take seconds."""
    slow = Slow()
    lookups = Lookups(slow.meet, longest_wait_s=60.0)
    for key in range(16):
        lookups.begin(key)

    assert list(range(16)) == [lookups.outcome(key) for key in range(16)]


def test_what_is_down_is_not_asked_by_all() -> None:
    """Lookups queued behind the first failure fail with it."""
    asked = []

    def look_up(key: int) -> None:
        asked.append(key)
        raise SchemaRegistryUnavailableError("down")

    lookups = Lookups(look_up)
    with lookups._lock:  # all are there before the first one is asked for
        for key in range(500):
            lookups._begin(key)
    with pytest.raises(SchemaRegistryUnavailableError):
        lookups.outcome(499)
    assert len(asked) < 500


def test_what_failed_unseen_is_asked_for_again() -> None:
    """A lookup that failed unseen starts again, because the service may have recovered."""
    is_down = threading.Event()
    is_down.set()

    def look_up(key: int) -> int:
        if is_down.is_set():
            raise SchemaRegistryUnavailableError("down")
        return key

    lookups = Lookups(look_up)
    for key in range(20):
        lookups.begin(key)
    while lookups._futures:  # all fail, and nobody waits for them
        pass
    is_down.clear()

    assert list(range(20)) == [lookups.outcome(key) for key in range(20)]


def test_a_failure_that_comes_late_is_reported() -> None:
    """A late failure is raised at the next call for the same key."""
    released = threading.Event()

    def look_up(_: int) -> None:
        released.wait()
        raise SchemaRegistryUnavailableError("no answer within 60 s")

    lookups = Lookups(look_up, longest_wait_s=0.01)
    with pytest.raises(NotYetFound):
        lookups.outcome(1)
    released.set()
    while True:
        try:
            lookups.outcome(1)
        except NotYetFound:
            continue
        except SchemaRegistryUnavailableError:
            break


def test_no_more_than_some_wait(slow: Slow) -> None:
    """The queue of lookups is bounded, since each record of a batch of garbage may name a new schema."""
    lookups = Lookups(slow)
    for key in range(100_000):
        lookups.begin(key)

    assert len(lookups._waiting) == 1000
    assert threading.active_count() < 30
