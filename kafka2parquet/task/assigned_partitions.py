"""AssignedPartitions: the engines of the topic-partitions that a task has, their pauses, and their share of the memory."""

from __future__ import annotations

import functools
import logging

import attrs

from kafka2parquet.consumers.base import Assigned, CommitRefused, CommitSucceeded, ConsumerEvent, PartitionFailed, Revoked
from kafka2parquet.delivery.bounds import OffsetRange, ReadLimits
from kafka2parquet.delivery.budget import MemoryBudget
from kafka2parquet.delivery.context import Commits, PartitionContext, TaskParts
from kafka2parquet.delivery.partition import PartitionEngine, PartitionState
from kafka2parquet.errors import UnexpectedError, is_unexpected
from kafka2parquet.events import PartitionAssigned, PartitionPaused, PartitionResumed, PauseCause
from kafka2parquet.records import ConsumedBatch, TopicPartition
from kafka2parquet.status.recorder import TaskRecorder
from kafka2parquet.task.step_result import StepResult
from kafka2parquet.util.user_parts import BrokenPartError

_LOG = logging.getLogger(__name__)


class AssignedPartitions:
    """Starts and stops engines as the consumer's events say, and drives them. Belongs to the thread that drives the task."""

    def __init__(self, parts: TaskParts, budget: MemoryBudget, recorder: TaskRecorder) -> None:
        self.limits: ReadLimits | None = None
        """Which offsets of each topic-partition the task may take; None for all."""
        self._parts = parts
        self._budget = budget
        self._recorder = recorder
        self._engines: dict[TopicPartition, PartitionEngine] = {}
        self._paused: dict[TopicPartition, PartitionPaused] = {}
        self._log_ends: dict[TopicPartition, int] = {}
        self._is_shutting_down = False

    # ---- parts of a step, in their order

    @property
    def are_delivering(self) -> bool:
        """Whether a flush is being published or committed."""
        return any(engine.is_delivering for engine in self._engines.values())

    def apply(self, event: ConsumerEvent) -> None:
        """Start or stop an engine, or pass the event on to the engine that it is meant for.

        Raises:
            ConfigurationError: a topic can't be written under its name.
            DeliveryError: an engine can't continue from where the group stands.
        """
        topic_partition = event.assignment.topic_partition
        if isinstance(event, Assigned):
            self._parts.check_topic(topic_partition.topic)
            self._log_ends[topic_partition] = event.log_end
            self._engines[topic_partition] = PartitionEngine(self._context(event))
            self._recorder.assigned(event)
            committed = event.committed.offset if event.committed is not None else None
            self._parts.emit(PartitionAssigned(topic_partition, committed, event.log_start, event.log_end))
            return
        engine = self._engines.get(topic_partition)
        if engine is None or engine.context.assigned.assignment != event.assignment:
            return  # the event belongs to an earlier assignment
        if isinstance(event, CommitSucceeded):
            engine.context.commits.succeeded(event.offset, event.metadata)
        elif isinstance(event, PartitionFailed):
            engine.fail(event.error)
        elif isinstance(event, Revoked | CommitRefused):
            engine.stop()
            del self._engines[topic_partition]
            self._log_ends.pop(topic_partition, None)
            self._paused.pop(topic_partition, None)
            self._recorder.revoked(topic_partition)

    def offer(self, batch: ConsumedBatch) -> None:
        """Give a polled batch to its engine. Drops the batch of a partition that was taken away, and all during a shutdown."""
        engine = self._engines.get(batch.topic_partition)
        if engine is None:
            return
        if batch.high_watermark is not None:
            self._log_ends[batch.topic_partition] = batch.high_watermark
        if not self._is_shutting_down:
            engine.offer(batch)
            self._recorder.add_records(batch.topic_partition, len(batch), batch.high_watermark)

    def advance(self) -> None:
        """Let each engine do its next work, keep to the memory limit, and pause or resume partitions.

        Raises:
            Kafka2ParquetError: an engine can't continue.
        """
        for engine in self._engines.values():
            self._advance(engine)
        self._keep_to_budget()
        cause: PauseCause | None = None
        if self._is_shutting_down:
            cause = "shutdown"
        elif self._budget.is_exhausted:
            cause = "memory"
        for engine in self._engines.values():
            self._set_paused(engine, cause or engine.blocked_by)
            if engine.has_changed():
                self._recorder.look(engine.context.topic_partition, engine.held())

    def add_state(self, work: StepResult) -> StepResult:
        """Return the result of a step with the state of all partitions."""
        engines = self._engines.values()
        deadlines = [due for due in (engine.due_in_s() for engine in engines) if due is not None]
        lag = unread = 0
        for topic_partition, engine in self._engines.items():
            committed = engine.context.commits.committed or engine.context.assigned.log_start
            position = engine.position if engine.position is not None else committed
            lag += max(0, self._log_ends[topic_partition] - committed)
            unread += max(0, self._log_ends[topic_partition] - position)
        return attrs.evolve(
            work,
            open_rows=sum(engine.open_rows for engine in engines),
            partitions=len(self._engines),
            finished=sum(engine.state is PartitionState.FINISHED for engine in engines),
            lag=lag,
            unread=unread,
            next_deadline_s=min(deadlines, default=None),
        )

    # ---- the end

    def shut_down(self) -> None:
        """Pause all partitions, and take no more records."""
        self._is_shutting_down = True
        for engine in self._engines.values():
            self._set_paused(engine, "shutdown")

    def cut_open_flushes(self, reason: str) -> None:
        """Cut the open flush of each partition that has one, for delivery."""
        for engine in self._engines.values():
            engine.cut_open_flush(reason)

    @property
    def are_settled(self) -> bool:
        """Whether all rows that were taken are committed."""
        return all(engine.is_settled for engine in self._engines.values())

    def drop_all(self) -> None:
        """Drop unpublished rows of all topic-partitions, even if an engine raises an exception."""
        while self._engines:
            _, engine = self._engines.popitem()
            try:
                engine.stop()
            except Exception:  # the error that ended the step is the one to raise
                _LOG.exception("%s: failed to drop open rows", engine.context.topic_partition)
        self._budget.set_used(id(self), 0)

    # ---- engines

    def _context(self, assigned: Assigned) -> PartitionContext:
        return PartitionContext(
            task=self._parts,
            assigned=assigned,
            identity=self._parts.identity(assigned),
            commits=Commits(self._parts.consumer, assigned),
            log_end=functools.partial(self._log_ends.__getitem__, assigned.assignment.topic_partition),
            range=self.limits.range_of(assigned) if self.limits is not None else OffsetRange(),
        )

    def _advance(self, engine: PartitionEngine) -> None:
        try:
            engine.advance()
        except BaseException as error:
            if not is_unexpected(error):
                raise
            raise _unexpected(engine, error) from (error.error if isinstance(error, BrokenPartError) else error)

    def _set_paused(self, engine: PartitionEngine, cause: PauseCause | None) -> None:
        """Pause a partition for a cause, or resume it if there is none."""
        assignment = engine.context.assigned.assignment
        topic_partition = assignment.topic_partition
        paused = self._paused.get(topic_partition)
        if cause is not None and paused is None:
            self._paused[topic_partition] = event = PartitionPaused(topic_partition, cause, at=self._parts.clock.now())
            self._parts.consumer.pause(assignment)
            self._parts.emit(event)
        elif cause is None and paused is not None:
            del self._paused[topic_partition]
            self._parts.consumer.resume(assignment)
            paused_s = max(0.0, (self._parts.clock.now() - paused.at).total_seconds())
            self._parts.emit(PartitionResumed(topic_partition, paused.cause, paused_s))

    # ---- memory

    @property
    def counted_bytes(self) -> int:
        """Bytes of the budget in use after the last step. May be read from any thread."""
        return self._budget.used_by(id(self))

    def _keep_to_budget(self) -> None:
        """Move the largest buffers to disk near the memory limit; at the limit, cut a flush if nothing else frees memory."""
        self._budget.set_used(id(self), self._used_bytes())
        if not self._budget.is_tight:
            return
        share_bytes = self._budget.share_bytes
        for engine in sorted(self._engines.values(), key=lambda engine: engine.used_bytes, reverse=True):
            engine.spill(max(0, self._used_bytes() - share_bytes))
        self._budget.set_used(id(self), self._used_bytes())
        if not self._budget.is_exhausted or self._used_bytes() <= share_bytes:
            return
        if not self.are_delivering:
            # no delivery in progress will free memory: open files take some, even with few rows
            max(self._engines.values(), key=lambda engine: engine.used_bytes).end_to_free_memory()

    def _used_bytes(self) -> int:
        letters = self._parts.rejects.dead_letters.pending_bytes if self._parts.rejects.dead_letters is not None else 0
        return letters + sum(engine.used_bytes for engine in self._engines.values())


def _unexpected(engine: PartitionEngine, error: BaseException) -> UnexpectedError:
    topic_partition, position = engine.context.topic_partition, engine.position
    where = topic_partition if position is None else f"{topic_partition}, from offset {position} on"
    what = str(error) if isinstance(error, BrokenPartError) else f"{type(error).__name__}: {error}"
    return UnexpectedError(
        f"{where}: {what}. No record is lost, because no offset past the failure is committed. Report this as a bug,"
        " unless the error comes from your own code.",
        topic=topic_partition.topic,
        partition=topic_partition.partition,
        offset=position,
    )
