import logging
import threading
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from kafka2parquet.errors import UsageError
from kafka2parquet.runner import Progress, TaskRunner, _ProgressLog
from kafka2parquet.status.model import Totals
from kafka2parquet.task.step_result import StepResult
from tests.support.kafka_clients import wait_until


class ScriptedTask:
    """A task whose steps return the given results, then empty results; it may fail at the end of its script.

    Its flush commits five rows of one file.
    """

    def __init__(self, results: Sequence[StepResult], error: Exception | None = None) -> None:
        self.results = list(results)
        self.error = error
        self.totals = Totals()
        self.flushed = False
        self.closed: list[bool] = []
        self.drained = threading.Event()

    def step(self, timeout_s: float = 0.25) -> StepResult:
        if self.results:
            result = self.results.pop(0)
            self.totals += Totals(records=result.records)
            return result
        if self.error is not None:
            raise self.error
        self.drained.set()
        threading.Event().wait(0.001)
        return StepResult()

    def flush(self, *, timeout_s: float = 30.0) -> StepResult:
        self.flushed = True
        self.totals += Totals(committed_rows=5, files=1, file_bytes=100)
        return StepResult()

    def close(self, *, flush: bool = True, timeout_s: float = 30.0) -> None:
        self.closed.append(flush or self.flushed)


@attrs.define(eq=False)
class Scripts:
    """Factories of scripted tasks, and the tasks that the factories have made."""

    scripts: Sequence[tuple[Sequence[StepResult], Exception | None]]
    tasks: list[ScriptedTask] = attrs.field(factory=list)
    made: threading.Semaphore = attrs.field(factory=lambda: threading.Semaphore(0))

    def factories(self) -> Any:
        return [self._factory(*script) for script in self.scripts]

    def _factory(self, results: Any, error: Any) -> Any:
        def make() -> Any:
            task = ScriptedTask(results, error)
            self.tasks.append(task)
            self.made.release()
            return task

        return make

    def wait_until_drained(self) -> None:
        for _ in self.scripts:
            assert self.made.acquire(timeout=10)
        for task in self.tasks:
            assert task.drained.wait(10)


def test_stop_closes_all_tasks_in_order() -> None:
    """Every task flushes its open rows when the runner is stopped."""
    scripts = Scripts([((), None), ((), None)])
    runner = TaskRunner(scripts.factories())
    runner.start()
    scripts.wait_until_drained()
    runner.stop()
    assert runner.join(10)
    assert [[True], [True]] == [task.closed for task in scripts.tasks]


def test_first_failure_stops_the_others_and_is_raised() -> None:
    """When one task fails, it drops its open rows, and all other tasks flush theirs and close."""
    error = ValueError("no")
    scripts = Scripts([((), None), ((), error)])
    runner = TaskRunner(scripts.factories())
    with pytest.raises(ValueError, match="no") as caught:
        runner.run()
    assert runner.failed
    assert error is caught.value
    assert [[False], [True]] == sorted(task.closed for task in scripts.tasks)


def test_failing_factory_is_raised() -> None:
    """A factory that raises an error fails the runner like a task that fails."""

    def make() -> Any:
        raise ValueError("can't be made")

    with pytest.raises(ValueError, match="can't be made"):
        TaskRunner([make]).run()


def test_join_returns_whether_all_are_closed() -> None:
    """`join` returns False at its timeout while tasks are running, and True once all tasks are closed."""
    scripts = Scripts([((), None)])
    runner = TaskRunner(scripts.factories())
    runner.start()
    assert not runner.join(0.01)
    runner.stop()
    assert runner.join(10)


def test_progress_is_the_sum_over_tasks() -> None:
    """The runner adds up records and open rows from steps, and files and committed rows from totals, until the last flush."""
    result = StepResult(records=10, open_rows=7, partitions=2, lag=3)
    scripts = Scripts([((result, result), None), ((result,), None)])
    runner = TaskRunner(scripts.factories())
    runner.start()
    scripts.wait_until_drained()
    runner.stop()
    runner.join(10)
    assert Progress(records=30, committed_rows=10, files=2, file_bytes=200) == attrs.evolve(runner.progress, lag=0)


def test_start_twice_is_refused() -> None:
    """A second start of a runner raises an error."""
    runner = TaskRunner([])
    runner.start()
    with pytest.raises(UsageError):
        runner.start()


def test_join_before_start_is_refused() -> None:
    """`join` on a runner that was never started raises an error instead of waiting."""
    with pytest.raises(UsageError):
        TaskRunner([]).join()


def test_a_stop_says_so_and_what_it_leaves(caplog: pytest.LogCaptureFixture) -> Any:
    """The log names the shutdown timeout, and the number of rows that were not flushed within the timeout."""

    class Unfinished(ScriptedTask):
        def step(self, timeout_s: float = 0.25) -> StepResult:
            return StepResult(open_rows=7)

        def flush(self, *, timeout_s: float = 30.0) -> StepResult:
            assert timeout_s == 12
            wait_until(lambda: caplog.messages, "the line that says so")
            return StepResult(open_rows=7)

    def make() -> Any:
        return Unfinished([])

    runner = TaskRunner([make], shutdown_timeout_s=12)
    driver = threading.Thread(target=runner.run)
    with caplog.at_level(logging.INFO, "kafka2parquet.runner"):
        driver.start()
        wait_until(lambda: runner.progress.open_rows == 7, "the open rows")
        runner.stop()
        driver.join(10)

    assert [
        "Stopping: 7 open rows are flushed and committed, within 12 s at most.",
        "Stopped: 0 rows committed, 0 files, 0 records rejected",
        "Not durable within 12 s: 7 rows. The next run reads them again. Nothing is lost.",
    ] == caplog.messages


def test_progress_is_logged_less_often_while_there_is_none(caplog: pytest.LogCaptureFixture) -> None:
    """An idle sink logs its progress after 1, 3, 7 seconds and so on, and in each interval again once it has new rows."""
    log = _ProgressLog(1.0, 0.0)
    with caplog.at_level(logging.INFO, "kafka2parquet.runner"):
        logged_at_s: list[int] = []
        for second in range(1, 20):
            log.update(Progress(committed_rows=second if second > 16 else 0), float(second))
            if len(caplog.messages) > len(logged_at_s):
                logged_at_s.append(second)

    assert [1, 3, 7, 15, 17, 18, 19] == logged_at_s
