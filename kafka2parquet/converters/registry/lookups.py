"""Lookups: ask for outcomes on threads beside the driver, which waits for a limited time.

The thread that drives a task has to poll Kafka again within `max.poll.interval.ms`, and a schema registry may take minutes to
answer: with timeouts, attempts, several URLs, and several requests for each schema. So lookups run on other threads, several at
a time, and go on when nobody waits any more. Whoever asks again finds the outcome.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Generic, TypeVar

from kafka2parquet.errors import TransientError


class NotYetFound(Exception):  # noqa: N818  # an answer, not a fault
    """A lookup takes longer than the driver waits, and goes on."""


_Key = TypeVar("_Key", bound=Hashable)
_Outcome = TypeVar("_Outcome")

#: Many enough for thousands of lookups in a few seconds, few enough for the other side.
_MOST_THREADS = 8
#: Lookups that are begun before anybody waits for them.
_MOST_WAITING = 1000
#: Beyond this number, outcomes that were never asked for again are forgotten.
_MOST_OUTCOMES = 10_000


class Lookups(Generic[_Key, _Outcome]):
    """Runs lookups of one kind on threads of its own. All methods belong to the driver.

    Args:
        look_up: finds the outcome for a key, on any thread, several at a time. What it raises is raised by `outcome`; after a
            TransientError the lookups that wait are given up.
        longest_wait_s: how long the driver waits at the most, in seconds; for many lookups together until it has done other
            things for as long.
    """

    def __init__(self, look_up: Callable[[_Key], _Outcome], *, longest_wait_s: float = 10.0) -> None:
        self._look_up = look_up
        self._longest_wait_s = longest_wait_s
        self._lock = threading.Lock()
        self._waiting: deque[tuple[_Key, Future[_Outcome]]] = deque()
        self._futures: dict[_Key, Future[_Outcome]] = {}
        self._given_up_on: set[_Key] = set()
        self._threads = 0
        self._left_s = longest_wait_s
        self._left_at = time.monotonic()

    def begin(self, key: _Key) -> None:
        """Look up what is going to be asked for, if there is room. Doesn't block."""
        with self._lock:
            if key not in self._futures and len(self._waiting) < _MOST_WAITING:
                self._begin(key)

    def outcome(self, key: _Key) -> _Outcome:
        """The outcome of a lookup, which is forgotten then. Blocks for seconds at the most.

        Raises:
            NotYetFound: the outcome isn't there yet.
        """
        with self._lock:
            future = self._futures.get(key) or self._begin(key, first=True)
        began_at = time.monotonic()
        self._left_s = min(self._longest_wait_s, self._left_s + began_at - self._left_at)
        try:
            future.exception(timeout=max(self._left_s, 0.0))
        except FutureTimeoutError:
            with self._lock:
                self._given_up_on.add(key)
            raise NotYetFound from None
        finally:
            self._left_at = time.monotonic()
            self._left_s -= self._left_at - began_at
        with self._lock:
            self._futures.pop(key, None)
            self._given_up_on.discard(key)
        return future.result()

    def _begin(self, key: _Key, *, first: bool = False) -> Future[_Outcome]:
        if len(self._futures) >= _MOST_OUTCOMES:
            self._futures = {other: future for other, future in self._futures.items() if not future.done()}
        future = self._futures[key] = Future()
        (self._waiting.appendleft if first else self._waiting.append)((key, future))
        if self._threads < _MOST_THREADS:
            self._threads += 1
            threading.Thread(target=self._work, name="kafka2parquet-lookup", daemon=True).start()
        return future

    def _work(self) -> None:
        """Look up what waits, until nothing does."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                key, future = self._waiting.popleft()
            try:
                future.set_result(self._look_up(key))
            except BaseException as error:  # raised where the outcome is asked for
                for failed in self._failed(key, future, error):
                    failed.set_exception(error)

    def _failed(self, key: _Key, future: Future[_Outcome], error: BaseException) -> list[Future[_Outcome]]:
        """The lookups that end with that error: the one that failed, and those that wait to ask what is down.

        A caller that waits for one of them now gets the error, and so does the next caller that asks again after having waited.
        Other lookups begin anew, because the service may be back by then.
        """
        with self._lock:
            failed = [(key, future)]
            if isinstance(error, TransientError):
                failed += self._waiting
                self._waiting.clear()
            for failed_key, _ in failed:
                if failed_key not in self._given_up_on:
                    self._futures.pop(failed_key, None)
        return [each for _, each in failed]
