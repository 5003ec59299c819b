"""Runs lookups on background threads, while the driver waits for a limited time.

The thread that drives a task has to poll Kafka again within `max.poll.interval.ms`, but a schema registry may take minutes to
answer, with timeouts, retries, several URLs, and several requests per schema. So lookups run on other threads, several at a
time, and continue after the driver has stopped waiting. The next call for the same key finds the outcome.
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
    """The lookup takes longer than the driver waits, and continues in the background."""


_Key = TypeVar("_Key", bound=Hashable)
_Outcome = TypeVar("_Outcome")

#: Enough for thousands of lookups in a few seconds, but few enough not to overload the registry.
_MOST_THREADS = 8
#: Most lookups that are queued ahead.
_MOST_WAITING = 1000
#: Beyond this number, outcomes that nobody has asked for are dropped.
_MOST_OUTCOMES = 10_000


class Lookups(Generic[_Key, _Outcome]):
    """Runs lookups of one kind on background threads. Only the driver may call its methods.

    Args:
        look_up: finds the outcome for a key; called on any thread, several at a time. `outcome` raises the exceptions of
            `look_up`. After a TransientError, the queued lookups fail, too.
        longest_wait_s: the longest time in seconds that the driver waits. Several calls share this time, which is refilled
            while the driver does other work.
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
        """Queue a lookup whose outcome will be needed, unless the queue is full. Doesn't block."""
        with self._lock:
            if key not in self._futures and len(self._waiting) < _MOST_WAITING:
                self._begin(key)

    def outcome(self, key: _Key) -> _Outcome:
        """Return the outcome of a lookup, and forget it. Blocks for `longest_wait_s` at most.

        Raises:
            NotYetFound: the lookup is still running.
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
        """Run queued lookups until the queue is empty."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                key, future = self._waiting.popleft()
            try:
                future.set_result(self._look_up(key))
            except BaseException as error:  # `outcome` raises it
                for failed in self._failed(key, future, error):
                    failed.set_exception(error)

    def _failed(self, key: _Key, future: Future[_Outcome], error: BaseException) -> list[Future[_Outcome]]:
        """Return the lookups that end with that error: the failed one, and after a TransientError all queued ones, too.

        A caller that waits for one of these lookups gets the error. So does a caller that has waited before and asks again.
        For any other caller the lookup starts again, because the service may have recovered by then.
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
