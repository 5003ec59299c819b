"""drain: writes every record that can be read now, and ends the task."""

from __future__ import annotations

import time

from kafka2parquet.step_result import StepResult
from kafka2parquet.task import SinkTask
from kafka2parquet.util.arguments import PositiveSeconds, checked

_STEP_S = 0.02


@checked
def drain(task: SinkTask, *, timeout_s: PositiveSeconds = 30.0) -> StepResult:
    """Drive a task until all records that its topics have now are read, written and committed; then close the task.

    The task may have been stepped before. Its topics have to exist, with or without records.

    Args:
        task: closed when this returns or raises.
        timeout_s: limit for the whole call, in seconds of the machine's clock.

    Returns:
        What all steps have done together; `lag` and `partitions` as they were at the end.

    Raises:
        TimeoutError: partitions can't be read to their ends within the limit.
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
