"""drain runs a task or a runner up to an end, and reports what it did."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping

from kafka2parquet.bounded.course import Course
from kafka2parquet.bounded.progress import DrainProgress
from kafka2parquet.bounded.ranges import Ranges
from kafka2parquet.bounded.result import DrainResult
from kafka2parquet.delivery.bounds import OffsetRange
from kafka2parquet.errors import Kafka2ParquetError, UsageError
from kafka2parquet.records import TopicPartition
from kafka2parquet.runner import TaskRunner
from kafka2parquet.task.sink_task import SinkTask
from kafka2parquet.util.arguments import PositiveSeconds, checked

_STEP_S = 0.1


@checked
def drain(
    sink: SinkTask | TaskRunner,
    *,
    until: Ranges | Mapping[TopicPartition, int] | None = None,
    timeout_s: PositiveSeconds | None = None,
) -> DrainResult:
    """Write and commit everything up to an end, then close the task or the runner. Blocks until then.

    The end is exact: no record at the end or behind it is taken, however the records arrive. The last flush is cut there. A run
    that is repeated continues where the one before it stopped, and writes nothing if that one was complete.

    Args:
        sink: a task that has made no step, or a runner that was not started.
        until: the ends of the topic-partitions, as ranges (`look_up_ranges`) or as offsets. Other topic-partitions are left
            alone. None stops where each log ends when the partition is first assigned. A runner of several tasks needs `until`,
            because its tasks can't know whether they have seen all topic-partitions.
        timeout_s: limit for the whole call, in seconds.

    Returns:
        What was done. It is not complete if `SinkTask.stop` or `TaskRunner.stop` was called before the end. Open rows were
        flushed in that case.

    Raises:
        TimeoutError: the end was not reached within `timeout_s`. Rows that were not durable are dropped; nothing is lost.
        Kafka2ParquetError: the task can't continue, as `SinkTask.step` and `TaskRunner.join` say.
        UsageError: the task has made a step, the runner was started, or `until` is missing.
    """
    if until is None and isinstance(sink, TaskRunner) and sink.task_count > 1:
        raise UsageError("drain() of a TaskRunner with several tasks needs `until`: the end of each topic-partition.")
    return Drain(sink, until).run(timeout_s=timeout_s)


class Drain:
    """One run up to an end. `drain` is the easy way; this class reports progress, and the result of a run that fails."""

    def __init__(self, sink: SinkTask | TaskRunner, until: Ranges | Mapping[TopicPartition, int] | None = None) -> None:
        """Prepare the run. `drain` describes the arguments.

        Raises:
            UsageError: the task has made a step, or the runner was started.
        """
        self.course = Course(_limits(until))
        """What each topic-partition has reached. May be read from any thread."""
        self._sink = sink
        self._began_s: float | None = None
        sink.limit_to(self.course, [self.course])

    @property
    def progress(self) -> DrainProgress:
        """How far the run has come. May be read from any thread."""
        elapsed_s = 0.0 if self._began_s is None else time.monotonic() - self._began_s
        partitions = self._sink.status().partitions
        positions = {each.topic_partition: each.position for each in partitions if each.position is not None}
        return self.course.progress(elapsed_s, positions)

    def stop(self) -> None:
        """End the run early; open rows are flushed. Returns at once. May be called from any thread and signal handler."""
        self._sink.stop()

    def run(self, *, timeout_s: float | None = None, watch: Callable[[], None] = lambda: None) -> DrainResult:
        """Run up to the end, and close the task or the runner.

        Args:
            timeout_s: limit in seconds; None without one.
            watch: called about ten times a second on this thread, for progress. It must return soon.

        Raises:
            TimeoutError: see `drain`.
            Kafka2ParquetError: see `drain`.
        """
        self._began_s = time.monotonic()
        deadline_s = None if timeout_s is None else self._began_s + timeout_s
        if isinstance(self._sink, SinkTask):
            self._run_task(self._sink, deadline_s, timeout_s, watch)
        else:
            self._run_runner(self._sink, deadline_s, timeout_s, watch)
        return self.course.result

    def _run_task(self, task: SinkTask, deadline_s: float | None, timeout_s: float | None, watch: Callable[[], None]) -> None:
        try:
            while not task.stopping and not self.course.is_done:
                self._check_time(deadline_s, timeout_s)
                task.step(_STEP_S)
                watch()
        except BaseException:
            task.close(flush=False)
            raise
        task.close()

    def _run_runner(
        self, runner: TaskRunner, deadline_s: float | None, timeout_s: float | None, watch: Callable[[], None]
    ) -> None:
        runner.start()
        try:
            while not runner.join(_STEP_S):
                if self.course.is_done:
                    runner.stop()
                else:
                    self._check_time(deadline_s, timeout_s)
                watch()
        except TimeoutError:
            runner.stop()
            with contextlib.suppress(Kafka2ParquetError):
                runner.join(timeout_s)
            raise
        except BaseException:
            runner.stop()
            raise

    def _check_time(self, deadline_s: float | None, timeout_s: float | None) -> None:
        if deadline_s is None or time.monotonic() < deadline_s:
            return
        unfinished = self.course.unfinished
        which = ", ".join(map(str, unfinished[:5])) + (", …" if len(unfinished) > 5 else "")
        what = f"not at their end: {which}" if unfinished else "no topic-partition was assigned"
        raise TimeoutError(f"Not drained within {timeout_s} seconds; {what}. Do the topics exist, and does the store respond?")


def _limits(until: Ranges | Mapping[TopicPartition, int] | None) -> Mapping[TopicPartition, OffsetRange] | None:
    if until is None:
        return None
    if isinstance(until, Ranges):
        return until.limits()
    return {topic_partition: OffsetRange(None, end) for topic_partition, end in until.items()}
