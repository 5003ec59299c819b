"""AsyncSinkTask: drives a task from an asyncio application."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import TypeVar

from kafka2parquet.task.sink_task import SinkTask
from kafka2parquet.task.step_result import StepResult
from kafka2parquet.util.arguments import checked

T = TypeVar("T")


@checked
class AsyncSinkTask:
    """Drives a `SinkTask` on a separate thread, so that the event loop never blocks.

        async with AsyncSinkTask(task) as sink:
            await sink.run()

    Nothing else may drive the task.
    """

    def __init__(self, task: SinkTask) -> None:
        self._task = task
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="kafka2parquet-task")

    async def step(self, timeout_s: float = 0.25) -> StepResult:
        """Call `SinkTask.step` on the task's thread. Raises the same errors."""
        return await self._call(lambda: self._task.step(timeout_s))

    async def run(self) -> None:
        """Step until `stop()` is called, then flush open rows and close. Raises the same errors as `SinkTask.step`.

        A cancelled `run` stops the task in the same orderly way before it raises `CancelledError`.
        """
        running = asyncio.ensure_future(self._call(self._task.run))
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            self._task.stop()
            await running
            raise

    def stop(self) -> None:
        """Make `run()` end soon. Returns at once."""
        self._task.stop()

    async def close(self, *, flush: bool = True, timeout_s: float = 30.0) -> None:
        """Call `SinkTask.close` on the task's thread. May be called twice."""
        self._task.stop()
        await self._call(lambda: self._task.close(flush=flush, timeout_s=timeout_s))

    async def __aenter__(self) -> AsyncSinkTask:
        return self

    async def __aexit__(self, error_type: object, *_: object) -> None:
        await self.close(flush=error_type is None)
        self._thread.shutdown(wait=False)

    async def _call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
