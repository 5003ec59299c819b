"""SinkTask: drives one consumer and all its topic-partitions, from poll to commit."""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence

import attrs

from kafka2parquet.clock import Clock, SystemClock
from kafka2parquet.consumers.base import Assigned, Consumer, Revoked
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.delivery.bounds import ReadLimits
from kafka2parquet.delivery.budget import MemoryBudget
from kafka2parquet.delivery.context import TaskParts
from kafka2parquet.delivery.settings import DeliverySettings, FileSettings, RejectPolicy
from kafka2parquet.errors import UsageError
from kafka2parquet.events import NOT_YET, ConverterRetried, Event, Hook, StorageRetried, TaggingFailed
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.rotation.base import RotationPolicy
from kafka2parquet.status.model import TaskStateName, TaskStatus, Totals
from kafka2parquet.status.recorder import TaskRecorder
from kafka2parquet.storage.base import Storage
from kafka2parquet.task.assigned_partitions import AssignedPartitions
from kafka2parquet.task.hooks import Hooks
from kafka2parquet.task.outages import OutageLog
from kafka2parquet.task.startup import Startup
from kafka2parquet.task.step_result import StepResult
from kafka2parquet.transforms.base import Transform
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.util.display import printable
from kafka2parquet.util.stop_signals import stopping_on_signals

_LOG = logging.getLogger(__name__)

#: Poll timeout while uploads are in flight, so that completions are noticed quickly.
_BUSY_POLL_S = 0.02


@checked
class SinkTask:
    """Drains the partitions of one consumer into Parquet files, every record exactly once.

    There are three ways to drive a task: `run()` in a thread, `step()` in your own loop, or `kafka2parquet.AsyncSinkTask`.
    All methods except `stop` belong to one thread: a call raises `UsageError` while another call is in progress. If a step
    raises anything, including `KeyboardInterrupt` and `MemoryError`, the task has dropped its open rows and can only be closed.
    A task installs no signal handlers and uses no globals, so one process may have any number of tasks. A task doesn't
    survive a fork: create and use it in the same process.
    """

    def __init__(
        self,
        consumer: Consumer,
        converter: RecordConverter,
        partitioner: Partitioner,
        rotation: RotationPolicy,
        storage: Storage,
        *,
        transforms: Sequence[Transform] = (),
        metadata_columns: MetadataColumns | None = None,
        files: FileSettings | None = None,
        rejects: RejectPolicy | None = None,
        delivery: DeliverySettings | None = None,
        budget: MemoryBudget | None = None,
        clock: Clock | None = None,
        hooks: Sequence[Hook] = (),
        executor: concurrent.futures.Executor | None = None,
        name: Name = "task",
    ) -> None:
        """Put a task together; nothing is connected before the first step.

        Args:
            consumer: one member of the consumer group; the task closes it.
            converter: converts record values to columns.
            partitioner: gives each row its folder.
            rotation: decides where a flush ends.
            storage: where files go; may be shared between tasks.
            transforms: change the rows, one transform after the other, before the rows are partitioned.
            metadata_columns: columns with a record's offset, timestamp and so on; by default partition, offset and timestamp.
            files: how files are named, written and tagged, and which schemas may share one.
            rejects: what happens to records that can't be written; by default the first one ends the task.
            delivery: the guarantee (exactly once by default), where to start, what to do about lost records and outages.
            budget: memory limit, shared by all tasks with the same budget; 256 MiB by default.
            clock: for tests.
            hooks: called with an event for everything that happens.
            executor: runs calls to the store; by default a pool of four threads for this task alone.
            name: the task's name in its status.

        Raises:
            ConfigurationError: an argument is wrong, or records without a value can't be written as `rejects` asks.
        """
        clock = clock if clock is not None else SystemClock()
        self._recorder = TaskRecorder(name, clock)
        self._outages = OutageLog()
        self._hooks = Hooks(hooks)
        self._budget = budget if budget is not None else MemoryBudget()
        self._own_executor = executor is None
        self._executor = executor or concurrent.futures.ThreadPoolExecutor(4, thread_name_prefix="kafka2parquet-storage")
        self._parts = TaskParts.of(
            consumer=consumer,
            converter=converter,
            partitioner=partitioner,
            rotation=rotation,
            storage=storage,
            transforms=transforms,
            metadata_columns=metadata_columns if metadata_columns is not None else MetadataColumns(),
            files=files if files is not None else FileSettings(),
            rejects=rejects if rejects is not None else RejectPolicy(),
            delivery=delivery if delivery is not None else DeliverySettings(),
            executor=self._executor,
            clock=clock,
            emit=self._emit,
        )
        self._partitions = AssignedPartitions(self._parts, self._budget, self._recorder)
        self._startup = Startup(self._parts)
        self._has_started = False
        self._stepped = False
        self._stopping = threading.Event()
        self._under_way = threading.RLock()
        self._failed = False
        self._closing = False
        self._closed = False
        self._released = False
        self._process = os.getpid()

    def limit_to(self, limits: ReadLimits, hooks: Sequence[Hook] = ()) -> None:
        """Take only some offsets of each topic-partition, and call more hooks. `kafka2parquet.bounded.drain` needs that.

        A topic-partition that has reached its end is paused. The event `PartitionFinished` reports that, and
        `StepResult.finished` counts it. The task stays in the group.

        Raises:
            UsageError: the task has made a step already, or is closed.
        """
        self._check_usable("limit_to()")
        if self._stepped:
            raise UsageError("limit_to() on a SinkTask that has made a step: it may have read further already. Make a new one.")
        self._partitions.limits = limits
        self._hooks.add(hooks)

    # ---- driving it

    def run(self, *, stop_on_signals: bool = False) -> None:
        """Step until `stop()` is called, then flush open rows and close. Blocks.

        Args:
            stop_on_signals: whether SIGINT (Ctrl-C) and SIGTERM stop the task in an orderly way. The second such signal has the
                effect that it has without the task: Ctrl-C raises `KeyboardInterrupt`, which drops open rows. The previous
                handlers are restored before `run` returns.

        Raises:
            Kafka2ParquetError: the task can't continue. It is closed, and nothing is committed that isn't durable.
            UsageError: `stop_on_signals` was set on a thread other than the main thread.
        """
        with stopping_on_signals(self.stop) if stop_on_signals else contextlib.nullcontext():
            try:
                while not self._stopping.is_set():
                    self.step()
            except BaseException:
                self.close(flush=False)
                raise
            self.close()

    def stop(self) -> None:
        """Make `run()` end soon. Returns at once. May be called from any thread and from a signal handler."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether `stop()` was called."""
        return self._stopping.is_set()

    def status(self) -> TaskStatus:
        """Return what the task is doing: positions, lags, open rows, last files, and what it waits for. Never blocks.

        May be called from any thread, also while the task steps and after it has ended. The status of a task with 1,000
        topic-partitions takes some milliseconds of CPU time.
        """
        longest_open = self._parts.rotation.longest_open
        return self._recorder.status(
            self._state,
            self._parts.calls.status,
            memory_used_bytes=self._partitions.counted_bytes,
            memory_budget_bytes=self._budget.limit_bytes,
            staging_bytes=self._parts.writer.staging_bytes,
            expected_freshness_s=longest_open.total_seconds() if longest_open is not None else None,
        )

    @property
    def totals(self) -> Totals:
        """What the task did so far. May be read from any thread."""
        return self._recorder.totals()

    @property
    def _state(self) -> TaskStateName:
        if self._recorder.error:
            return "failed"
        if self._closed:
            return "stopped"
        if self._closing or self._stopping.is_set():
            return "stopping"
        return "running" if self._has_started else "starting"

    def step(self, timeout_s: float = 0.25) -> StepResult:
        """Do the next piece of work: poll, convert, write, publish, commit. Waits at most `timeout_s` seconds for records.

        Call `step` repeatedly, and more often than `max.poll.interval.ms`, or the group takes the partitions away. Any
        exception ends the task: open rows are dropped, and the next owner of the partitions reads them again. Only `close`
        may be called afterwards.

        Raises:
            GuaranteeError: `exactly_once` is set, and the store or the broker can't guarantee it.
            ConfigurationError: a topic can't be written under its name.
            AccessError: Kafka or the store denies access.
            RejectedRecordError: a record can't be written, and the settings ask to fail.
            DeliveryError: continuing could lose or repeat records; the message says what to do.
            UsageError: the task is closed, an earlier step has failed, or another call is in progress.
        """
        with self._alone("step()"):
            self._check_usable("step()")
            with self._to_its_end():
                return self._step(timeout_s)

    def flush(self, *, timeout_s: float = 30.0) -> StepResult:
        """Publish and commit open rows for at most `timeout_s` seconds, and read nothing more. Only `close` may follow.

        `close` does the same. Call `flush` first where several tasks of one group end together: each task that leaves the
        group starts a rebalance, which takes partitions away from tasks that are still flushing. Returns the work of the
        flush, and raises the same errors as `step`.
        """
        with self._alone("flush()"):
            self._check_usable("flush()")
            with self._to_its_end():
                return self._flush(timeout_s)

    def close(self, *, flush: bool = True, timeout_s: float = 30.0) -> None:
        """Leave the group and release all resources. May be called twice. In a forked child, the parent's resources are kept.

        Args:
            flush: whether to publish and commit open rows first. Rows that aren't durable after `timeout_s` seconds are
                dropped, and the next owner of the partitions reads them again. Delivery is exactly once in either case. A
                task whose step has failed has nothing to flush.
            timeout_s: limit for the flush, in seconds.

        Raises:
            UsageError: another call is in progress.
        """
        if self._process != os.getpid():
            self._closed = self._released = True  # connections, threads and staged files belong to the parent
            return
        with self._alone("close()"):
            if self._released:
                return
            try:
                if flush and not self._failed and not self._closed:
                    with self._to_its_end():
                        self._flush(timeout_s)
            finally:
                self._closed = True
                self._release()

    def __enter__(self) -> SinkTask:
        return self

    def __exit__(self, error_type: object, *_: object) -> None:
        self.close(flush=error_type is None)

    # ---- one call at a time, and none after a failure

    @contextlib.contextmanager
    def _alone(self, call: str) -> Iterator[None]:
        """Refuse a call while another call is in progress, on another thread or in a hook."""
        if not self._under_way.acquire(blocking=False):
            raise UsageError(
                f"{call} of a SinkTask while another thread drives it. All methods except stop() belong to one thread; call"
                " stop() and let that thread close the task."
            )
        try:
            if self._hooks.are_called:
                raise UsageError(f"{call} of a SinkTask from one of its hooks. Call stop() there, and close the task outside.")
            yield
        finally:
            self._under_way.release()

    def _check_usable(self, call: str) -> None:
        if self._closed:
            raise UsageError(f"{call} on a closed SinkTask; make a new one.")
        if self._failed:
            raise UsageError(f"{call} on a SinkTask whose step has failed. Close it and make a new one: nothing is lost.")

    @contextlib.contextmanager
    def _to_its_end(self) -> Iterator[None]:
        """Mark the task as failed unless the block completes, wherever an interrupt may hit it."""
        self._failed = True
        try:
            yield
        except BaseException as error:
            self._recorder.error = f"{type(error).__name__}: {error}"
            self._partitions.drop_all()
            raise
        self._failed = False

    def _flush(self, timeout_s: float) -> StepResult:
        done = StepResult()
        if not self._has_started:
            return done
        self._closing = True
        deadline = self._parts.clock.monotonic() + timeout_s
        self._partitions.shut_down()
        while self._parts.clock.monotonic() < deadline:
            self._partitions.cut_open_flushes("shutdown")
            if self._partitions.are_settled:
                break
            done = done.followed_by(self._step(_BUSY_POLL_S))
        return done.followed_by(self._partitions.add_state(StepResult()))

    def _release(self) -> None:
        """Drop open rows and release all resources, each even if another one raises an exception."""
        with contextlib.ExitStack() as parts:
            parts.callback(self._parts.writer.close)
            if self._own_executor:
                parts.callback(self._executor.shutdown, wait=False, cancel_futures=True)
            if self._parts.rejects.dead_letters is not None:
                parts.callback(self._parts.rejects.dead_letters.close, 5.0)
            parts.callback(self._parts.consumer.close, 5.0)
            self._partitions.drop_all()
        self._released = True

    # ---- parts of a step

    def _step(self, timeout_s: float) -> StepResult:
        before = self.totals
        self._stepped = True
        if not self._has_started:
            self._has_started = self._startup.done()
            if not self._has_started:
                self._stopping.wait(min(timeout_s, _BUSY_POLL_S))
                return StepResult()
        polled = self._parts.consumer.poll(min(timeout_s, _BUSY_POLL_S) if self._partitions.are_delivering else timeout_s)
        for event in polled.events:
            self._partitions.apply(event)
        if any(isinstance(event, Assigned | Revoked) for event in polled.events):
            self._recorder.rebalanced()
        self._recorder.learn(polled.bounds, polled.member)
        for batch in polled.batches:
            self._partitions.offer(batch)
        self._partitions.advance()
        now = self._recorder.last_step_at = self._parts.clock.now()
        if not self._outages.is_quiet:
            self._outages.look(self._recorder.waiting(), now)
        return self._partitions.add_state(StepResult.between(before, self.totals))

    def _emit(self, event: Event) -> None:
        if event.at is NOT_YET:
            event = attrs.evolve(event, at=self._parts.clock.now())
        self._recorder.add_event(event)
        if isinstance(event, TaggingFailed):
            key = printable(event.key)
            _LOG.warning("%s: %s could not be tagged: %s", event.topic_partition, key, event.error, extra={"event": event})
        elif isinstance(event, StorageRetried | ConverterRetried):
            self._outages.failed(event)
        self._hooks.call(event)
