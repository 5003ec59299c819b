"""Calls to the store, which run on a pool of threads and are repeated while the store is down."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from kafka2parquet.backoff import Retrying, RetryPolicy
from kafka2parquet.clock import Clock
from kafka2parquet.errors import StorageUnavailableError, is_unexpected
from kafka2parquet.status.model import StorageStatus
from kafka2parquet.util.user_parts import BrokenPartError, name_of_part

T = TypeVar("T")


class StorageCall(Generic[T]):
    """A call to the store that is repeated while it raises `StorageUnavailableError`.

    The driver thread owns this object; only the function itself runs in the pool.
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
        self._retrying = Retrying(calls.retry, calls.clock)
        self._retrying.begin()
        self._future: concurrent.futures.Future[T] | None = calls.submit(function)

    def done(self) -> bool:
        """Whether the outcome is known. Never blocks; starts the next attempt when the pause is over.

        Raises:
            Kafka2ParquetError: the function raised an error that doesn't pass, or the limit for retries is reached.
            BrokenPartError: the function raised an unexpected exception.
        """
        if self._future is None:
            if not self._retrying.is_due:
                return False
            self._future = self._calls.submit(self._function)
        if not self._future.done():
            return False
        error = self._future.exception()
        self._calls.note(error)
        if error is None:
            return True
        if is_unexpected(error):
            raise BrokenPartError(name_of_part(self._function), error) from error
        if not isinstance(error, StorageUnavailableError):
            raise error
        pause_s = self._retrying.failed(error)
        if self._attempts is not None and self._retrying.attempt >= self._attempts:
            raise error
        self._future = None
        self._on_retry(error, self._retrying.attempt, pause_s)
        return False

    def result(self) -> T:
        """The outcome of a call that is done."""
        if self._future is None:
            raise RuntimeError("result() of a call that isn't done")
        return self._future.result()

    def abandon(self) -> None:
        """Makes no further attempt, and cancels the first one if it still waits for a thread."""
        if self._future is not None:
            self._future.cancel()


class StorageCalls:
    """Starts calls to the store on the thread pool of a task."""

    def __init__(self, executor: concurrent.futures.Executor, clock: Clock, retry: RetryPolicy, url: str) -> None:
        self.status = StorageStatus(url)
        """Whether the store answers. Replaced as a whole on the driver thread, so any thread may read it."""
        self.clock = clock
        self.retry = retry
        self._executor = executor

    def start(
        self, function: Callable[[], T], on_retry: Callable[[Exception, int, float], None], attempts: int | None = None
    ) -> StorageCall[T]:
        """Starts a call in the pool.

        Args:
            function: does the call; runs on a thread of the pool.
            on_retry: called with error, attempt and pause in seconds after each failed attempt that is repeated.
            attempts: number of attempts after which the call fails, even if the policy would go on.
        """
        return StorageCall(self, function, on_retry, attempts)

    def note(self, error: BaseException | None) -> None:
        """Record the outcome of a call. An error other than `StorageUnavailableError` is an answer of the store, too."""
        up = not isinstance(error, StorageUnavailableError)
        if up is not self.status.up:
            self.status = attrs.evolve(self.status, up=up, cause="" if up else str(error), since=self.clock.now())

    def submit(self, function: Callable[[], T]) -> concurrent.futures.Future[T]:
        """Runs `function` on a thread of the pool."""
        return self._executor.submit(function)
