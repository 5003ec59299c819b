"""SinkTask: one consumer, all its partitions, from poll to commit."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import functools
import logging
import os
import threading
from collections.abc import Iterator, Sequence

from kafka2parquet.clock import Clock, SystemClock
from kafka2parquet.consumers.base import (
    Assigned,
    Assignment,
    CommitRefused,
    CommitSucceeded,
    Consumer,
    ConsumerEvent,
    PartitionFailed,
    Revoked,
)
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.dead_letters.base import DeadLetterFuture
from kafka2parquet.delivery.budget import MemoryBudget
from kafka2parquet.delivery.calls import StorageCall
from kafka2parquet.delivery.context import Commits, PartitionContext, TaskParts
from kafka2parquet.delivery.partition import PartitionEngine
from kafka2parquet.delivery.settings import DeliverySettings, FileSettings, RejectPolicy
from kafka2parquet.errors import GuaranteeError, UnexpectedError, UsageError, is_unexpected
from kafka2parquet.events import (
    ConverterRetried,
    Event,
    FilePublished,
    Hook,
    OffsetCommitted,
    RecordRejected,
    StorageRetried,
    TaggingFailed,
)
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.records import TopicPartition
from kafka2parquet.rotation.base import RotationPolicy
from kafka2parquet.step_result import StepResult
from kafka2parquet.stop_signals import stopping_on_signals
from kafka2parquet.storage.base import Storage
from kafka2parquet.transforms.base import Transform
from kafka2parquet.util.arguments import checked
from kafka2parquet.util.printable import printable
from kafka2parquet.util.secrets import without_credentials
from kafka2parquet.util.user_parts import BrokenPartError, ask

_LOG = logging.getLogger(__name__)

#: A step waits at most so long for records while uploads are under way, so that their ends are noticed soon.
_BUSY_POLL_S = 0.02


@checked
class SinkTask:
    """Drains the partitions of one consumer into Parquet files, every record exactly once.

    Drive it in one of three ways: `run()` in a thread of yours, `step()` in your own loop, or `kafka2parquet.AsyncSinkTask`.
    All methods but `stop` belong to one thread: a call that comes while another one is under way raises `UsageError`. A task
    whose step raised anything, `KeyboardInterrupt` and `MemoryError` included, has dropped what was open and only closes.
    The task installs no signal handlers and has no globals, so any number of them may live in one process. Create and use it
    in the same process: it doesn't survive a fork.
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

        Raises:
            ConfigurationError: an argument is wrong, or records without a value can't be written as `rejects` asks.
        """
        self._hooks = (self._count, *hooks)
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
            clock=clock if clock is not None else SystemClock(),
            emit=self._emit,
        )
        self._engines: dict[TopicPartition, PartitionEngine] = {}
        self._paused: set[TopicPartition] = set()
        self._log_ends: dict[TopicPartition, int] = {}
        self._probe: StorageCall[None] | None = None
        self._letters_prepared: DeadLetterFuture | None = None
        self._ready = False
        self._stopping = threading.Event()
        self._under_way = threading.RLock()
        self._telling = False
        self._failed = False
        self._closing = False
        self._closed = False
        self._released = False
        self._process = os.getpid()
        self._counts: collections.Counter[str] = collections.Counter()

    # ---- driving it

    def run(self, *, stop_on_signals: bool = False) -> None:
        """Step until `stop()` is called, then flush what is open and close. Blocks.

        Args:
            stop_on_signals: whether SIGINT (Ctrl-C) and SIGTERM stop the task in order. The second such signal does what it
                would do without the task: Ctrl-C raises `KeyboardInterrupt`, which drops what is open. Handlers are as before
                when this returns.

        Raises:
            Kafka2ParquetError: the task can't go on; it is closed, and nothing that isn't durable is committed.
            UsageError: `stop_on_signals` on another thread than the main one.
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
        """Make `run()` end soon. Returns at once; may be called from any thread, or from a signal handler."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether `stop()` was called."""
        return self._stopping.is_set()

    def step(self, timeout_s: float = 0.25) -> StepResult:
        """Do the next piece of work: poll, convert, write, publish, commit. Waits at most `timeout_s` seconds for records.

        Call it again and again, at least once in a few minutes (`max.poll.interval.ms`), or the partitions are given up.
        Whatever it raises is the end of the task: what was open is dropped, and read again by the next owner. Only `close` may
        follow.

        Raises:
            GuaranteeError: `exactly_once` was asked for and the store or the broker can't give it.
            ConfigurationError: a topic can't be written under its name.
            AccessError: Kafka or the store refuses us.
            RejectedRecordError: a record can't be written, and the settings say to fail.
            DeliveryError: going on could lose or repeat records; the message says what to do.
            UsageError: the task is closed, a step of it has failed, or another call is under way.
        """
        with self._alone("step()"):
            self._check_usable("step()")
            with self._to_its_end():
                return self._step(timeout_s)

    def flush(self, *, timeout_s: float = 30.0) -> StepResult:
        """Publish and commit what is open, for at most `timeout_s` seconds, and take nothing more. Only `close` may follow.

        It is part of `close`. By itself it is for several tasks of one group that end together: each that leaves the group
        starts a rebalance, which takes partitions away from those that still flush. Returns what was done, and raises what
        `step` raises.
        """
        with self._alone("flush()"):
            self._check_usable("flush()")
            with self._to_its_end():
                return self._flush(timeout_s)

    def close(self, *, flush: bool = True, timeout_s: float = 30.0) -> None:
        """Leave the group and release everything. May be called twice; in a forked child, releases nothing of the parent's.

        Args:
            flush: publish and commit what is open first, for at most `timeout_s` seconds. What isn't durable by then is
                dropped, and read again by the next owner; both ways are exactly-once. A task whose step failed has nothing
                to flush.
            timeout_s: limit for that, in seconds.

        Raises:
            UsageError: another call is under way.
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
        """Refuse a call that comes while another one is under way: on a second thread, or from a hook."""
        if not self._under_way.acquire(blocking=False):
            raise UsageError(
                f"{call} of a SinkTask while another thread drives it. All calls but stop() belong to one thread; call stop()"
                " and let that thread close the task."
            )
        try:
            if self._telling:
                raise UsageError(f"{call} of a SinkTask from one of its hooks. Call stop() there, and close the task outside.")
            try:
                yield
            finally:
                self._telling = False
        finally:
            self._under_way.release()

    def _check_usable(self, call: str) -> None:
        if self._closed:
            raise UsageError(f"{call} on a closed SinkTask; make a new one.")
        if self._failed:
            raise UsageError(f"{call} on a SinkTask whose step has failed. Close it and make a new one: nothing is lost.")

    @contextlib.contextmanager
    def _to_its_end(self) -> Iterator[None]:
        """Make this call the last one but `close`, unless it comes to its end, wherever an interrupt may hit it."""
        self._failed = True
        try:
            yield
        except BaseException:
            self._drop_all()
            raise
        self._failed = False

    def _drop_all(self) -> None:
        """Drop what isn't published, of all topic-partitions, whatever a hook does then."""
        while self._engines:
            _, engine = self._engines.popitem()
            try:
                engine.stop()
            except Exception:  # the error that ended the step is the one to raise
                _LOG.exception("%s: while dropping what was open", engine.context.topic_partition)
        self._budget.set_used(id(self), 0)

    def _flush(self, timeout_s: float) -> StepResult:
        done = StepResult()
        if not self._ready:
            return done
        self._closing = True
        deadline = self._parts.clock.monotonic() + timeout_s
        for engine in self._engines.values():
            self._set_paused(engine, True)
        while self._parts.clock.monotonic() < deadline:
            for engine in self._engines.values():
                engine.cut_open_flush("shutdown")
            if all(engine.is_settled for engine in self._engines.values()):
                break
            done = done.followed_by(self._step(_BUSY_POLL_S))
        self._counts.clear()
        return done.followed_by(self._summary())

    def _release(self) -> None:
        """Drop what is open and release everything, each part whatever the others raise."""
        with contextlib.ExitStack() as parts:
            parts.callback(self._parts.writer.close)
            if self._own_executor:
                parts.callback(self._executor.shutdown, wait=False, cancel_futures=True)
            if self._parts.rejects.dead_letters is not None:
                parts.callback(self._parts.rejects.dead_letters.close, 5.0)
            parts.callback(self._parts.consumer.close, 5.0)
            self._drop_all()
        self._released = True

    # ---- parts of a step

    def _step(self, timeout_s: float) -> StepResult:
        self._counts.clear()
        if not self._ready and not self._probed():
            self._stopping.wait(min(timeout_s, _BUSY_POLL_S))
            return StepResult(**self._counts)
        busy = any(engine.is_delivering for engine in self._engines.values())
        polled = self._parts.consumer.poll(min(timeout_s, _BUSY_POLL_S) if busy else timeout_s)
        for event in polled.events:
            self._apply(event)
        for batch in polled.batches:
            engine = self._engines.get(batch.topic_partition)
            if batch.high_watermark is not None and engine is not None:
                self._log_ends[batch.topic_partition] = batch.high_watermark
            if engine is not None and not self._closing:
                engine.offer(batch)
                self._add(records=len(batch))
        for engine in self._engines.values():
            self._advance(engine)
        self._keep_to_budget()
        return self._summary()

    def _probed(self) -> bool:
        """Find out, once, whether the store gives what exactly-once needs, and dead letters can be sent."""
        if self._probe is None:
            self._probe = self._parts.calls.start(
                functools.partial(self._parts.storage.probe, self._parts.naming.own_prefix()),
                lambda error, attempt, pause_s: _LOG.warning(
                    "%s can't be reached (attempt %d, next in %.1f s): %s",
                    without_credentials(self._parts.storage.url),
                    attempt,
                    pause_s,
                    error,
                ),
            )
        try:
            if not self._probe.done():
                return False
        except GuaranteeError:
            if self._parts.delivery.guarantee == "exactly_once":
                raise
        except BrokenPartError as error:
            raise UsageError(f"{self._parts.storage.url} can't be used: {error}. Nothing was read yet.") from _cause(error)
        if self._parts.rejects.dead_letters is not None:
            if self._letters_prepared is None:
                self._letters_prepared = self._parts.rejects.dead_letters.prepare()
            if not self._letters_prepared.done():
                return False
        self._ready = True
        _LOG.info(
            "Delivery to %s: %s", without_credentials(self._parts.storage.url), self._parts.delivery.guarantee.replace("_", "-")
        )
        return True

    def _apply(self, event: ConsumerEvent) -> None:
        topic_partition = event.assignment.topic_partition
        if isinstance(event, Assigned):
            self._parts.check_topic(topic_partition.topic)
            self._log_ends[topic_partition] = event.log_end
            self._engines[topic_partition] = PartitionEngine(self._context(event))
            return
        engine = self._engines.get(topic_partition)
        if engine is None or engine.context.assigned.assignment != event.assignment:
            return  # about an assignment that is over
        if isinstance(event, CommitSucceeded):
            engine.context.commits.succeeded(event.offset, event.metadata)
        elif isinstance(event, PartitionFailed):
            engine.fail(event.error)
        elif isinstance(event, Revoked | CommitRefused):
            engine.stop()
            del self._engines[topic_partition]
            self._log_ends.pop(topic_partition, None)
            self._paused.discard(topic_partition)

    def _context(self, assigned: Assigned) -> PartitionContext:
        return PartitionContext(
            task=self._parts,
            assigned=assigned,
            identity=self._parts.identity(assigned),
            commits=Commits(self._parts.consumer, assigned),
            log_end=functools.partial(self._log_ends.__getitem__, assigned.assignment.topic_partition),
        )

    def _advance(self, engine: PartitionEngine) -> None:
        try:
            engine.advance()
        except BaseException as error:
            if not is_unexpected(error):
                raise
            raise self._unexpected(engine.context.topic_partition, error) from _cause(error)
        self._set_paused(engine, engine.is_full)

    def _set_paused(self, engine: PartitionEngine, paused: bool) -> None:
        assignment: Assignment = engine.context.assigned.assignment
        topic_partition = assignment.topic_partition
        if paused and topic_partition not in self._paused:
            self._paused.add(topic_partition)
            self._parts.consumer.pause(assignment)
        elif not paused and topic_partition in self._paused and not self._closing:
            self._paused.discard(topic_partition)
            self._parts.consumer.resume(assignment)

    def _keep_to_budget(self) -> None:
        """Near the limit the largest buffers go to disk; at it nothing more is taken in."""
        self._budget.set_used(id(self), self._used_bytes())
        if not self._budget.is_tight:
            return
        share_bytes = self._budget.share_bytes
        for engine in sorted(self._engines.values(), key=lambda engine: engine.used_bytes, reverse=True):
            engine.spill(max(0, self._used_bytes() - share_bytes))
        self._budget.set_used(id(self), self._used_bytes())
        if self._budget.is_exhausted:
            for engine in self._engines.values():
                self._set_paused(engine, True)
            if self._used_bytes() > share_bytes and not any(engine.is_delivering for engine in self._engines.values()):
                # nothing under way frees memory: open files take some, however little is in them
                max(self._engines.values(), key=lambda engine: engine.used_bytes).end_to_free_memory()

    def _used_bytes(self) -> int:
        letters = self._parts.rejects.dead_letters.pending_bytes if self._parts.rejects.dead_letters is not None else 0
        return letters + sum(engine.used_bytes for engine in self._engines.values())

    def _unexpected(self, topic_partition: TopicPartition, error: BaseException) -> UnexpectedError:
        engine = self._engines.get(topic_partition)
        position = engine.position if engine is not None else None
        where = topic_partition if position is None else f"{topic_partition}, from offset {position} on"
        what = str(error) if isinstance(error, BrokenPartError) else f"{type(error).__name__}: {error}"
        return UnexpectedError(
            f"{where}: {what}. Nothing is lost, and nothing of it is committed. Report it as a bug, unless it comes from code"
            " of yours.",
            topic=topic_partition.topic,
            partition=topic_partition.partition,
            offset=position,
        )

    # ---- counting

    def _emit(self, event: Event) -> None:
        self._telling = True
        try:
            for hook in self._hooks:
                ask(hook, event)
        except BrokenPartError as error:
            raise self._unexpected(event.topic_partition, error) from _cause(error)
        finally:
            self._telling = False

    def _count(self, event: Event) -> None:
        if isinstance(event, FilePublished) and event.created:
            self._add(files=1, file_bytes=event.size_bytes)
        elif isinstance(event, OffsetCommitted):
            self._add(committed_rows=event.rows)
        elif isinstance(event, RecordRejected):
            self._add(rejected=1)
        elif isinstance(event, TaggingFailed):
            _LOG.warning("%s: %s could not be tagged: %s", event.topic_partition, printable(event.key), event.error)
        elif isinstance(event, StorageRetried | ConverterRetried):
            _LOG.warning(
                "%s: attempt %d failed, next in %.1f s: %s",
                event.topic_partition,
                event.attempt,
                event.retry_in_s,
                event.error,
            )

    def _add(self, **counts: int) -> None:
        self._counts.update(counts)

    def _summary(self) -> StepResult:
        engines = self._engines.values()
        deadlines = [due for due in (engine.due_in_s() for engine in engines) if due is not None]
        lag = unread = 0
        for topic_partition, engine in self._engines.items():
            committed = engine.context.commits.committed or engine.context.assigned.log_start
            position = engine.position if engine.position is not None else committed
            lag += max(0, self._log_ends[topic_partition] - committed)
            unread += max(0, self._log_ends[topic_partition] - position)
        return StepResult(
            **self._counts,
            open_rows=sum(engine.open_rows for engine in engines),
            partitions=len(self._engines),
            lag=lag,
            unread=unread,
            next_deadline_s=min(deadlines, default=None),
        )


def _cause(error: BaseException) -> BaseException:
    """What a part raised, where the error names one."""
    return error.error if isinstance(error, BrokenPartError) else error
