"""drain writes all records that are in the topics now, and closes the task."""

from __future__ import annotations

import time

from kafka2parquet.step_result import StepResult
from kafka2parquet.task import SinkTask
from kafka2parquet.util.arguments import PositiveSeconds, checked

_STEP_S = 0.02


@checked
def drain(task: SinkTask, *, timeout_s: PositiveSeconds = 30.0) -> StepResult:
    """Step a task until all records that its topics have now are read, written and committed; then close the task.

    The task may have been stepped before. Its topics must exist, with or without records. Blocks until all is done.

    Args:
        task: the task, which is closed when this returns or raises.
        timeout_s: limit for the whole call, in seconds of the machine's monotonic clock.

    Returns:
        The totals of all steps, with `lag` and `partitions` from the last step.

    Raises:
        TimeoutError: the records were not all read and durable within `timeout_s`.
        Kafka2ParquetError: whatever `SinkTask.step` raises.
    """
    deadline = time.monotonic() + timeout_s
    try:
        total = last = task.step(_STEP_S)
        while not last.partitions or last.unread:
            if time.monotonic() >= deadline:
                raise TimeoutError(
                    f"Not drained within {timeout_s} seconds: the task has {last.partitions} partitions with {last.unread}"
                    " unread records. Does the topic exist, and does the store respond?"
                )
            last = task.step(_STEP_S)
            total = total.followed_by(last)
        total = total.followed_by(task.flush(timeout_s=max(0.0, deadline - time.monotonic())))
        if total.open_rows:
            raise TimeoutError(
                f"Not drained within {timeout_s} seconds: {total.open_rows} rows are not durable. Does the store respond?"
            )
        return total
    finally:
        task.close(flush=False)
