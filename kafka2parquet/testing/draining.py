"""drain: writes everything that can be read now, and ends the task."""

from __future__ import annotations

import time

from kafka2parquet.arguments import PositiveSeconds, checked
from kafka2parquet.step_result import StepResult
from kafka2parquet.task import SinkTask

_STEP_S = 0.02


@checked
def drain(task: SinkTask, *, timeout_s: PositiveSeconds = 30.0) -> StepResult:
    """Drive a task until all that its topics have now is read, written and committed; then close it.

    The task may be one that was stepped before. Partitions without records count, so a topic has to exist.

    Args:
        task: closed when this returns or raises.
        timeout_s: limit for the whole, in seconds of the machine's clock.

    Returns:
        What all steps have done together; `lag` and `partitions` as they were at the end.

    Raises:
        TimeoutError: there are partitions that can't be read to their ends, or not within the limit.
        Kafka2ParquetError: what `SinkTask.step` raises.
    """
    deadline = time.monotonic() + timeout_s
    try:
        total = last = task.step(_STEP_S)
        while not last.partitions or last.unread:
            if time.monotonic() >= deadline:
                raise TimeoutError(
                    f"{timeout_s} seconds have passed, and the task has {last.partitions} partitions with {last.unread} records"
                    " that it has not read. Does the topic exist, and does the store answer?"
                )
            last = task.step(_STEP_S)
            total = total.followed_by(last)
        total = total.followed_by(task.flush(timeout_s=max(0.0, deadline - time.monotonic())))
        if total.open_rows:
            raise TimeoutError(
                f"{timeout_s} seconds have passed, and {total.open_rows} rows are not durable. Does the store answer?"
            )
        return total
    finally:
        task.close(flush=False)
