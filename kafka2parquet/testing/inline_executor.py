"""InlineExecutor calls the store on the driver thread of the task."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from kafka2parquet.util.arguments import checked

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


@checked
class InlineExecutor(concurrent.futures.Executor):
    """An executor without threads: `submit` makes the call before it returns, so a test runs the same way every time.

    Pass an instance to `SinkTask` or `build_task` as `executor`. A blocked store then blocks `SinkTask.step`.
    """

    def submit(
        self, fn: Callable[_Arguments, _Result], /, *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> concurrent.futures.Future[_Result]:
        """Call the function now and return a finished future with the outcome. Interrupts such as Ctrl-C are raised here."""
        future: concurrent.futures.Future[_Result] = concurrent.futures.Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
