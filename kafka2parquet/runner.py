"""TaskRunner: runs several tasks of one group, each in its own thread."""

from __future__ import annotations

import datetime
import logging
import threading
import time
from collections.abc import Callable, Sequence

import attrs

from kafka2parquet.delivery.bounds import ReadLimits
from kafka2parquet.errors import UsageError
from kafka2parquet.events import Hook
from kafka2parquet.status.model import RunnerStatus
from kafka2parquet.task.sink_task import SinkTask
from kafka2parquet.task.step_result import StepResult
from kafka2parquet.util.arguments import Name, PositiveSeconds, checked
from kafka2parquet.util.display import counted

_LOG = logging.getLogger(__name__)
_WATCH_INTERVAL_S = 0.1
#: The longest pause between two progress lines while nothing changes.
_LONGEST_PAUSE_S = 600.0

TaskFactory = Callable[[], SinkTask]
"""Makes a task. Called on the thread that will drive the task."""


@attrs.frozen
class Progress:
    """The work of all tasks since the start, and their state.

    Attributes:
        records: records polled.
        committed_rows: rows that are durable and committed.
        rejected: records left out.
        files: files made visible.
        file_bytes: the size of the files made visible.
        open_rows: rows that the tasks have taken and that are not durable yet.
        partitions: assigned topic-partitions.
        lag: records that readers can see and that are not committed yet, as far as known.
    """

    records: int = 0
    committed_rows: int = 0
    rejected: int = 0
    files: int = 0
    file_bytes: int = 0
    open_rows: int = 0
    partitions: int = 0
    lag: int = 0

    @property
    def taken_rows(self) -> int:
        """Rows that are committed or open. Unlike in `records`, a record that is read again counts once."""
        return self.committed_rows + self.open_rows

    def __add__(self, other: Progress) -> Progress:
        counts = zip(attrs.astuple(self, recurse=False), attrs.astuple(other, recurse=False), strict=True)
        return Progress(*(mine + theirs for mine, theirs in counts))


@checked
class TaskRunner:
    """Drives tasks in threads until `stop` is called or a task fails; then all tasks flush and close.

    A failed task isn't restarted, because it would probably fail again; the owner of the process decides. `stop`, `progress`
    and `join` may be called from any thread. `stop` may also be called from a signal handler.
    """

    def __init__(
        self,
        factories: Sequence[TaskFactory],
        *,
        progress_interval_s: PositiveSeconds = 10.0,
        shutdown_timeout_s: PositiveSeconds = 30.0,
        name: Name = "kafka2parquet",
    ) -> None:
        """Set up the tasks; nothing happens before `start` or `run`.

        Args:
            factories: one factory for each task.
            progress_interval_s: how often `run` logs a progress line, in seconds. Without progress the pauses double, up to ten
                minutes.
            shutdown_timeout_s: how long an orderly stop may flush open rows, in seconds. The next run reads rows again that
                aren't durable by then.
            name: the sink's name in its status.
        """
        self._name = name
        self._shutdown_timeout_s = shutdown_timeout_s
        self._progress_interval_s = progress_interval_s
        flushed = _Flushed(len(factories), shutdown_timeout_s)
        self._drivers = [_Driver(factory, index, self._end_all, flushed) for index, factory in enumerate(factories)]
        self._errors: list[BaseException] = []
        self._started = False

    def limit_to(self, limits: ReadLimits, hooks: Sequence[Hook] = ()) -> None:
        """Take only some offsets of each topic-partition, and call more hooks, as `SinkTask.limit_to` says.

        Raises:
            UsageError: the runner was started before.
        """
        if self._started:
            raise UsageError("limit_to() on a TaskRunner that was started before; make a new one.")
        for driver in self._drivers:
            driver.limits, driver.hooks = limits, tuple(hooks)

    def start(self) -> None:
        """Start all tasks. Returns at once.

        Raises:
            UsageError: the runner was started before.
        """
        if self._started:
            raise UsageError("start() on a TaskRunner that was started before; make a new one.")
        self._started = True
        for driver in self._drivers:
            driver.thread.start()

    def stop(self) -> None:
        """Make all tasks flush their open rows and close. Returns at once."""
        for driver in self._drivers:
            driver.stopping.set()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait at most `timeout_s` seconds until all tasks are closed, and return whether they are.

        Raises:
            UsageError: the runner was never started.
            BaseException: the error of the first task that failed, once all tasks are closed.
        """
        if not self._started:
            raise UsageError("join() on a TaskRunner that was not started; call start() first.")
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        for driver in self._drivers:
            driver.thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        if any(driver.thread.is_alive() for driver in self._drivers):
            return False
        if self._errors:
            raise self._errors[0]
        return True

    def run(self) -> None:
        """Start all tasks, and wait until they have stopped, or one has failed and all are closed.

        Logs the progress, the start of the stop, and how many rows were not flushed in time.

        Raises:
            Kafka2ParquetError: the error of the first task that failed.
        """
        self.start()
        log = _ProgressLog(self._progress_interval_s, time.monotonic())
        stopping = False
        while not self.join(_WATCH_INTERVAL_S):
            if self._stopping and not stopping:
                stopping = True
                self._log_stop()
            else:
                log.update(self.progress, time.monotonic())
        end = self.progress
        _LOG.info(
            "Stopped: %s committed, %s, %s rejected",
            counted(end.committed_rows, "row"),
            counted(end.files, "file"),
            counted(end.rejected, "record"),
        )
        left = sum(driver.left_rows for driver in self._drivers)
        if left:
            _LOG.warning(
                "Not durable within %.0f s: %s. The next run reads them again. Nothing is lost.",
                self._shutdown_timeout_s,
                counted(left, "row"),
            )

    def status(self) -> RunnerStatus:
        """Return what all tasks are doing. Never blocks. May be called from any thread, also before and after the tasks run."""
        made = [driver.task for driver in self._drivers if driver.task is not None]
        error = f"{type(self._errors[0]).__name__}: {self._errors[0]}" if self._errors else ""
        now = datetime.datetime.now(datetime.timezone.utc)
        return RunnerStatus(self._name, now, tuple(task.status() for task in made), error)

    @property
    def task_count(self) -> int:
        """The number of tasks."""
        return len(self._drivers)

    @property
    def progress(self) -> Progress:
        """The work of all tasks so far."""
        return sum((driver.progress for driver in self._drivers), Progress())

    @property
    def failed(self) -> bool:
        """Whether a task has failed; `join` raises the error once all tasks are closed."""
        return bool(self._errors)

    def _end_all(self, error: BaseException) -> None:
        self._errors.append(error)
        self.stop()

    @property
    def _stopping(self) -> bool:
        return any(driver.stopping.is_set() for driver in self._drivers)

    def _log_stop(self) -> None:
        rows = self.progress.open_rows
        _LOG.info("Stopping: %d open rows are flushed and committed, within %.0f s at most.", rows, self._shutdown_timeout_s)


class _ProgressLog:
    """Logs a progress line in each interval, and less and less often while nothing changes."""

    def __init__(self, interval_s: float, now_s: float) -> None:
        self._interval_s = interval_s
        self._pause_s = interval_s
        self._last = Progress()
        self._logged_at_s = now_s

    def update(self, progress: Progress, now_s: float) -> None:
        """Log the progress if a line is due at `now_s`, a monotonic time in seconds."""
        passed_s = now_s - self._logged_at_s
        moved = progress != self._last
        if passed_s < (self._interval_s if moved else self._pause_s):
            return
        self._pause_s = self._interval_s if moved else min(2 * self._pause_s, _LONGEST_PAUSE_S)
        _LOG.info(
            "%s committed (%.0f/s), %s, %s open, %s rejected, lag %d, %s",
            counted(progress.committed_rows, "row"),
            (progress.committed_rows - self._last.committed_rows) / max(passed_s, 1e-9),
            counted(progress.files, "file"),
            counted(progress.open_rows, "row"),
            counted(progress.rejected, "record"),
            progress.lag,
            counted(progress.partitions, "partition"),
        )
        self._last = progress
        self._logged_at_s = now_s


class _Flushed:
    """Keeps all tasks in the group until the last one has flushed, because a leaving member starts a rebalance."""

    def __init__(self, tasks: int, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._tasks = tasks
        self._done: set[_Driver] = set()
        self._changed = threading.Condition()

    def add(self, driver: _Driver) -> None:
        """Record that a task has flushed or failed."""
        with self._changed:
            self._done.add(driver)
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until every task has flushed, or until the timeout."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._done) == self._tasks, self.timeout_s)


class _Driver:
    """Drives one task in a thread. Only that thread writes the attributes.

    `left_rows` counts the rows that an orderly stop could not flush in time.
    """

    def __init__(self, factory: TaskFactory, index: int, failed: Callable[[BaseException], None], flushed: _Flushed) -> None:
        self._factory = factory
        self._failed = failed
        self._flushed = flushed
        self.stopping = threading.Event()
        self.limits: ReadLimits | None = None
        self.hooks: tuple[Hook, ...] = ()
        self.task: SinkTask | None = None
        self._seen = _Seen()
        self.left_rows = 0
        self.thread = threading.Thread(target=self._drive, name=f"kafka2parquet-task-{index}", daemon=True)

    @property
    def progress(self) -> Progress:
        """The work of the task so far, and its state after its last step. May be read on any thread."""
        task, seen = self.task, self._seen
        if task is None:
            return Progress()
        totals, state = task.totals, seen.result
        return Progress(
            records=totals.records,
            committed_rows=totals.committed_rows,
            rejected=totals.rejected,
            files=totals.files,
            file_bytes=totals.file_bytes,
            open_rows=max(0, state.open_rows - (totals.committed_rows - seen.committed_rows)),
            partitions=state.partitions,
            lag=state.lag,
        )

    def _drive(self) -> None:
        try:
            task = self.task = self._factory()
            try:
                if self.limits is not None:
                    task.limit_to(self.limits, self.hooks)
                while not self.stopping.is_set():
                    self._see(task, task.step())
                self._see(task, task.flush(timeout_s=self._flushed.timeout_s))
                self._flushed.add(self)
                self._flushed.wait()
                self.left_rows = self.progress.open_rows
            finally:
                task.close(flush=False)
        except BaseException as error:  # `join` raises it
            _LOG.error("%s ends: %s", self.thread.name, error)
            self._failed(error)
        finally:
            self._flushed.add(self)
            self._seen = _Seen()

    def _see(self, task: SinkTask, result: StepResult) -> None:
        self._seen = _Seen(result, task.totals.committed_rows)


@attrs.frozen
class _Seen:
    """The state of a task after a step, and the rows that it had committed by then."""

    result: StepResult = attrs.field(factory=StepResult)
    committed_rows: int = 0
