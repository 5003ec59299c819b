"""Calls to the store, made on a pool of threads and repeated while the store is down."""

from __future__ import annotations

import concurrent.futures
import random
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from kafka2parquet.clock import Clock
from kafka2parquet.errors import StorageUnavailableError, TransientError, is_unexpected
from kafka2parquet.util.arguments import PositiveSeconds, Seconds, checked
from kafka2parquet.util.user_parts import BrokenPartError, name_of_part

T = TypeVar("T")


@checked
@attrs.frozen
class RetryPolicy:
    """How often a call is repeated while the store is down: exponential back-off with full jitter.

    Attributes:
        first_s: upper bound of the first pause, in seconds; it doubles with each attempt.
        longest_s: upper bound of any pause.
        limit_s: when to give up, in seconds; None for never.
    """

    first_s: PositiveSeconds = 0.5
    longest_s: PositiveSeconds = 30.0
    limit_s: Seconds | None = None

    def pause_s(self, attempt: int, error: TransientError) -> float:
        """How long to wait after the attempt with that number, counted from 1."""
        bound = min(self.longest_s, self.first_s * 2 ** min(attempt - 1, 30))
        return max(error.retry_after_s or 0.0, random.uniform(bound / 4, bound))  # noqa: S311  # spreads load, no secret


class StorageCall(Generic[T]):
    """One call that has been handed to the pool, and will be again while it raises `StorageUnavailableError`.

    Owned by the driver thread: only the function itself runs in the pool.
    """

    def __init__(
        self,
        calls: StorageCalls,
        function: Callable[[], T],
        on_retry: Callable[[Exception, int, float], None],
        attempts: int | None,
    ) -> None:
        self._calls = calls
        self._attempts = attempts
        self._function = function
        self._on_retry = on_retry
        self._attempt = 1
        self._began = calls.clock.monotonic()
        self._not_before = 0.0
        self._future: concurrent.futures.Future[T] | None = calls.submit(function)

    def done(self) -> bool:
        """Whether the outcome is known. Never blocks; starts the next attempt when its time has come.

        Raises:
            Kafka2ParquetError: what the function raised for good, or the limit for retries is reached.
            BrokenPartError: the function raised what nobody foresaw.
        """
        if self._future is None:
            if self._calls.clock.monotonic() < self._not_before:
                return False
            self._attempt += 1
            self._future = self._calls.submit(self._function)
        if not self._future.done():
            return False
        error = self._future.exception()
        if error is None:
            return True
        if is_unexpected(error):
            raise BrokenPartError(name_of_part(self._function), error) from error
        if not isinstance(error, StorageUnavailableError):
            raise error
        now = self._calls.clock.monotonic()
        limit_s = self._calls.retry.limit_s
        if limit_s is not None and now - self._began >= limit_s:
            raise error
        if self._attempts is not None and self._attempt >= self._attempts:
            raise error
        pause_s = self._calls.retry.pause_s(self._attempt, error)
        self._not_before = now + pause_s
        self._future = None
        self._on_retry(error, self._attempt, pause_s)
        return False

    def result(self) -> T:
        """The outcome of a call that is done."""
        if self._future is None:
            raise RuntimeError("result() of a call that isn't done")
        return self._future.result()

    def abandon(self) -> None:
        """Don't begin another attempt, nor the first one if it still waits for a thread."""
        if self._future is not None:
            self._future.cancel()


class StorageCalls:
    """The pool of a task."""

    def __init__(self, executor: concurrent.futures.Executor, clock: Clock, retry: RetryPolicy) -> None:
        self.clock = clock
        self.retry = retry
        self._executor = executor

    def start(
        self, function: Callable[[], T], on_retry: Callable[[Exception, int, float], None], attempts: int | None = None
    ) -> StorageCall[T]:
        """Hand a call to the pool; `on_retry(error, attempt, pause_s)` is called for each failed attempt.

        With `attempts`, the call fails after that number of attempts, even if the policy would go on.
        """
        return StorageCall(self, function, on_retry, attempts)

    def submit(self, function: Callable[[], T]) -> concurrent.futures.Future[T]:
        """Run `function` on a thread of the pool."""
        return self._executor.submit(function)
