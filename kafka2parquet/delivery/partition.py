"""One assigned topic-partition: records are taken into the open flush while the one before it is delivered.

Two things go on side by side. *Filling*: batches are converted, partitioned and appended to the open flush until the rotation
policy, the clock or the plan cuts it. *Running*: a procedure that finds where to begin, waits for cut flushes, and delivers
them one at a time. When a flush is delivered as it was cut, filling has simply gone on. Where somebody else was here first
(a published boundary, a missing sibling, an intent), what was read after the flush is dropped and read again from the new
beginning. If the next flush is cut before the last one is delivered, the partition takes nothing more until then.
"""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import Sequence

import attrs
import numpy as np

from kafka2parquet.delivery.context import PartitionContext, Procedure
from kafka2parquet.delivery.finishing import rejected_files, routed_rejects, routed_rows
from kafka2parquet.delivery.flush import FIRST_COMPRESSION_RATIO, Flush, OpenFlush
from kafka2parquet.delivery.publishing import deliver
from kafka2parquet.delivery.recovery import Beginning, Finish, Free, Plan, Recovery
from kafka2parquet.delivery.rejecting import HandledReject, RejectHandler
from kafka2parquet.errors import CorruptRecordBatchError, DataLossError, Kafka2ParquetError, TransientError, UsageError
from kafka2parquet.events import ConverterRetried, DataLost, FlushCut, PartitionStarted, PartitionStopped
from kafka2parquet.records import ConsumedBatch, Reject, Stage
from kafka2parquet.rows import PartitionedRows

#: Rejected records that come alone are written after so long, or when there are so many.
_REJECTS_INTERVAL = datetime.timedelta(minutes=1)
_MAX_REJECTS_ALONE = 10_000
_SCHEMA_EXCEPTION = "org.apache.kafka.connect.errors.SchemaProjectorException"


@attrs.define(eq=False)
class _Waiting:
    """What is left of a batch: rows and rejects that are not yet in a flush, and the position after the batch."""

    rows: PartitionedRows | None
    rejects: Sequence[HandledReject]
    next_offset: int


@attrs.frozen(eq=False)
class _CorruptBatch:
    """A record batch that can't be decoded, in its place among the others."""

    reject: Reject
    next_offset: int
    size_bytes: int = 0


class PartitionEngine:
    """Delivers one topic-partition for the time of one assignment. All calls come from the driver thread; none blocks."""

    def __init__(self, context: PartitionContext) -> None:
        self.context = context
        self._recovery = Recovery(context)
        self._running = self._run()
        self._plan: Plan = Free()
        self._open: OpenFlush | None = None
        self._cut: deque[Flush] = deque()
        self._delivering: Flush | None = None
        self._inbox: deque[ConsumedBatch | _CorruptBatch] = deque()
        self._corrupt_offset: int | None = None
        self._next_offset = 0
        self._waiting: _Waiting | None = None
        self._rejects = RejectHandler(context)
        self._conversion_attempt = 0
        self._converting_since = 0.0
        self._convert_at = 0.0
        self._ratio = FIRST_COMPRESSION_RATIO
        self._idle_commit_at = context.clock.monotonic()
        self._steps = 0

    # ---- what the task tells it

    def offer(self, batch: ConsumedBatch) -> None:
        """Take a batch that follows the one before it; ignored while the partition is about to begin elsewhere.

        Raises:
            UsageError: the consumer left records out, or delivered some twice.
        """
        if self._open is None:
            return
        if batch.first_offset != self._next_offset:
            raise UsageError(
                f"{batch.topic_partition}: the consumer delivered a batch that begins at offset {batch.first_offset} after one"
                f" that ended at {self._next_offset}. Check it with kafka2parquet.testing's consumer contract."
            )
        self._inbox.append(batch)
        self._next_offset = batch.next_offset

    def fail(self, error: Kafka2ParquetError) -> None:
        """The consumer can't read on.

        Raises:
            Kafka2ParquetError: that error, unless the settings say to go over it.
        """
        if isinstance(error, DataLossError) and self.context.settings.on_data_loss == "continue":
            self.context.emit(DataLost(self.context.topic_partition, error.missing_start, error.missing_end))
            self._go_on(error.missing_end)
        elif isinstance(error, CorruptRecordBatchError) and self._open is not None and error.offset == self._next_offset:
            self._pass_over(error)
        else:
            raise error

    def _pass_over(self, error: CorruptRecordBatchError) -> None:
        """Fetch a corrupt batch once more; if that is no better, make a reject of it.

        Raises:
            CorruptRecordBatchError: rejects are not tolerated, or it isn't known where the batch ends.
        """
        if not self.context.rejects.tolerance.tolerates(Stage.FETCH):
            raise error
        if self._corrupt_offset != error.offset:
            self._corrupt_offset = error.offset
            self._go_on(error.offset)
            return
        if error.next_offset is None:
            raise error
        reject = Reject(self.context.topic_partition, error.offset, Stage.FETCH, str(error), value=error.content)
        self._inbox.append(_CorruptBatch(reject, error.next_offset))
        self._go_on(error.next_offset)

    def _go_on(self, offset: int) -> None:
        self._next_offset = offset
        self.context.consumer.start(self.context.assigned.assignment, offset)

    def advance(self) -> None:
        """Do all that can be done now.

        Raises:
            Kafka2ParquetError: the partition can't go on.
        """
        while True:
            steps = self._steps
            self._fill()
            self._rotate_by_clock()
            next(self._running)
            if steps == self._steps:
                return

    def cut_open_flush(self, reason: str) -> None:
        """End the open flush now and take nothing more into it.

        One without rows is ended only to commit its position. One that a plan has begun is left to the next owner.
        """
        self._inbox.clear()
        self._waiting = None
        flush = self._open
        if flush is None or self._cut or not isinstance(self._plan, Free):
            return
        moved = self._delivering is None and flush.position != self.context.commits.committed
        if not flush.is_empty or moved:
            self._end_flush(flush.position, reason)

    def stop(self) -> None:
        """The assignment is over: drop what isn't published."""
        self._running.close()
        dropped = self.open_rows
        self._drop_unpublished()
        if self._delivering is not None:
            self._delivering.discard()
            self._delivering = None
        self.context.emit(PartitionStopped(self.context.topic_partition, dropped))

    # ---- what the task asks

    @property
    def is_settled(self) -> bool:
        """Whether everything taken so far is durable and committed."""
        return not self._cut and self._delivering is None and (self._open is None or self._open.is_empty)

    @property
    def is_delivering(self) -> bool:
        """Whether something of it is on its way to the store or to Kafka, the beginning included."""
        return self._delivering is not None or (self._open is None and not self._cut)

    @property
    def is_full(self) -> bool:
        """Whether batches wait: a flush is cut and the one before it isn't delivered yet, or they can't be converted now."""
        return bool(self._inbox) and (bool(self._cut) or self._conversion_attempt > 0)

    @property
    def position(self) -> int | None:
        """Position after all that was taken; None while the beginning isn't known."""
        return self._open.position if self._open is not None else None

    @property
    def open_rows(self) -> int:
        """Rows taken, rejected records that are written included, that are not yet durable."""
        open_rows = self._open.rows + self._open.rejects if self._open is not None else 0
        return open_rows + sum(flush.rows for flush in (self._delivering, *self._cut) if flush is not None)

    @property
    def used_bytes(self) -> int:
        """Memory held."""
        flushes = [flush for flush in (self._open, self._delivering, *self._cut) if flush is not None]
        waiting = self._waiting.rows.rows.nbytes if self._waiting is not None and self._waiting.rows is not None else 0
        return sum(flush.memory_bytes for flush in flushes) + sum(batch.size_bytes for batch in self._inbox) + waiting

    def spill_largest(self) -> bool:
        """Move the largest buffer to disk; False when nothing is buffered."""
        return self._open is not None and self._open.spill_largest()

    def due_in_s(self) -> float | None:
        """Seconds until the clock ends the open flush, None for never."""
        if self._open is None or self._open.is_empty or not isinstance(self._plan, Free):
            return None
        due_at = self._due_at(self._open)
        return None if due_at is None else max(0.0, (due_at - self.context.clock.now()).total_seconds())

    # ---- running

    def _run(self) -> Procedure[None]:
        beginning = yield from self._recovery.begin()
        while True:
            self._begin(beginning)
            beginning = yield from self._deliver_until_disturbed()

    def _deliver_until_disturbed(self) -> Procedure[Beginning]:
        while True:
            while not self._cut:
                self._commit_idle_position()
                if not self._cut:
                    yield
            flush = self._delivering = self._cut.popleft()
            self._steps += 1
            beginning = yield from deliver(self.context, flush, self._plan, self._recovery)
            self._learn_ratio(flush)
            self._delivering = None
            self._steps += 1
            if beginning is not None:
                return beginning
            if self._open is None:  # only a free plan without a limit goes on by itself
                return (yield from self._recovery.go_on(flush.end))

    def _begin(self, beginning: Beginning) -> None:
        self._drop_unpublished()
        self._plan = beginning.plan
        self._open = self._new_flush(beginning.position)
        self._next_offset = beginning.position
        self._steps += 1
        self.context.consumer.start(self.context.assigned.assignment, beginning.position)
        self.context.emit(PartitionStarted(self.context.topic_partition, beginning.position))
        end = self._planned_end
        if end is not None and beginning.position >= end:  # the log has lost all of it: nothing will come that ends it
            self._end_flush(end, "boundary")

    @property
    def _planned_end(self) -> int | None:
        """Where the flush has to end, None where only the rotation policy decides."""
        return self._plan.limit if isinstance(self._plan, Free) else self._plan.end

    def _drop_unpublished(self) -> None:
        for flush in (self._open, *self._cut):
            if flush is not None:
                flush.discard()
        self._open = None
        self._cut.clear()
        self._inbox.clear()
        self._waiting = None

    def _commit_idle_position(self) -> None:
        """A position that moved without rows (rejects, tombstones, transaction markers) is committed now and then."""
        flush = self._open
        if flush is None or not flush.is_empty or not isinstance(self._plan, Free):
            return
        if flush.position == self.context.commits.committed:
            return
        now = self.context.clock.monotonic()
        if now >= self._idle_commit_at:
            self._idle_commit_at = now + self.context.settings.idle_commit_interval_s
            self._end_flush(flush.position, "idle")

    def _learn_ratio(self, flush: Flush) -> None:
        contents = [content for _, _, content in flush.parts]
        arrow_bytes = sum(content.spilled_bytes for content in contents)
        if arrow_bytes:
            self._ratio = sum(content.encoded_bytes for content in contents) / arrow_bytes

    # ---- filling

    def _new_flush(self, position: int) -> OpenFlush:
        return OpenFlush(position, self.context.writer, self.context.join, self.context.clock.now(), self._ratio)

    def _fill(self) -> None:
        while self._open is not None and not self._cut:
            if self._waiting is None:
                if not self._inbox or self.context.clock.monotonic() < self._convert_at:
                    return
                try:
                    self._waiting = self._convert(self._inbox[0], self._open)
                except TransientError as error:
                    self._convert_later(error)
                    return
                self._conversion_attempt = 0
                self._inbox.popleft()
            self._take(self._open, self._waiting)
            self._steps += 1

    def _convert_later(self, error: TransientError) -> None:
        """A schema registry or the store doesn't answer: the batch waits, nothing is rejected for that.

        Raises:
            TransientError: there is a limit for waiting, and it is reached.
        """
        now = self.context.clock.monotonic()
        if not self._conversion_attempt:
            self._converting_since = now
        self._conversion_attempt += 1
        pause_ms = self.context.converter_retry.pause_ms(self._conversion_attempt, round((now - self._converting_since) * 1000))
        if pause_ms is None:
            raise error
        pause_s = max(pause_ms / 1000, error.retry_after_s or 0.0)
        self._convert_at = now + pause_s
        self.context.emit(ConverterRetried(self.context.topic_partition, error, self._conversion_attempt, pause_s))

    def _convert(self, batch: ConsumedBatch | _CorruptBatch, flush: OpenFlush) -> _Waiting:
        if isinstance(batch, _CorruptBatch):
            return _Waiting(None, self._rejects.handle([batch.reject], records=1), batch.next_offset)
        if not len(batch):
            return _Waiting(None, (), batch.next_offset)
        chained = self.context.chain.convert(batch)
        if isinstance(self._plan, Finish):
            self._rejects.handle(chained.rejects)
            flush.rejected_files |= rejected_files(chained.rejects, self._plan)
            rows = None if chained.rows is None else routed_rows(chained.rows, self._plan)
            return _Waiting(rows, routed_rejects(batch, chained, self._plan), batch.next_offset)
        handled = self._rejects.handle(chained.rejects, records=len(batch))
        if chained.rows is None:
            return _Waiting(None, handled, batch.next_offset)
        partitioned = self.context.chain.partition(chained.rows, flush.open_at(self.context.clock.now()))
        handled = sorted([*handled, *self._rejects.handle(partitioned.rejects)], key=lambda found: found.offset)
        return _Waiting(partitioned.rows if len(partitioned.rows) else None, handled, batch.next_offset)

    def _take(self, flush: OpenFlush, waiting: _Waiting) -> None:
        """Append what belongs to the flush; end it where the policy or the plan says."""
        end, rows = self._planned_end, waiting.rows
        if rows is not None and end is not None and waiting.next_offset > end:
            inside = int(np.searchsorted(rows.rows.offsets.to_numpy(), end))
            rows = rows.slice(0, inside) if inside else None
        now = self.context.clock.now()
        refused = None if rows is None or isinstance(self._plan, Finish) else flush.refused_row(rows)
        if rows is None or (not isinstance(self._plan, Free) and refused is None):
            self._take_all(flush, waiting, rows, end)
            return
        if isinstance(self._plan, Free) and flush.rows and self._is_due(flush):
            self._end_flush(flush.position, self.context.rotation.reason)
            return
        cut, reason = self._cut_of(flush, rows) if isinstance(self._plan, Free) else (None, "")
        if refused is not None and (cut is None or refused[0] < cut):
            self._refuse(flush, waiting, rows, *refused)
            return
        if cut is None:
            self._take_all(flush, waiting, rows, end)
            return
        position = rows.rows.offsets[cut - 1].as_py() + 1 if cut else flush.position
        flush.open_at(now)
        self._append(flush, rows.slice(0, cut) if cut else None, waiting.rejects, position)
        flush.position = position
        remaining = waiting.rows.slice(cut) if waiting.rows is not None and cut < len(waiting.rows) else None
        later = [reject for reject in waiting.rejects if reject.offset >= position]
        self._waiting = _Waiting(remaining, later, waiting.next_offset)
        self._end_flush(position, reason)

    def _refuse(self, flush: OpenFlush, waiting: _Waiting, rows: PartitionedRows, row: int, why: str) -> None:
        """Append the rows before one that can't be brought to the schema of its file, and reject that one."""
        offset = rows.rows.offsets[row].as_py()
        reject = rows.rows.batch.reject_offset(offset, Stage.WRITE, why, _SCHEMA_EXCEPTION)
        handled = self._rejects.handle([reject])
        flush.open_at(self.context.clock.now())
        self._append(flush, rows.slice(0, row) if row else None, waiting.rejects, offset)
        flush.position = max(flush.position, offset)
        remaining = waiting.rows.slice(row + 1) if waiting.rows is not None and row + 1 < len(waiting.rows) else None
        later = [found for found in waiting.rejects if found.offset > offset]
        self._waiting = _Waiting(remaining, [*handled, *later], waiting.next_offset)

    def _take_all(self, flush: OpenFlush, waiting: _Waiting, rows: PartitionedRows | None, end: int | None) -> None:
        """Append everything before the planned end."""
        position = max(flush.position, waiting.next_offset if end is None else min(waiting.next_offset, end))
        flush.open_at(self.context.clock.now())
        self._append(flush, rows, waiting.rejects, position)
        self._waiting = None
        flush.position = position
        if end is not None and waiting.next_offset >= end:
            flush.position = end
            self._end_flush(end, "boundary")

    def _append(self, flush: OpenFlush, rows: PartitionedRows | None, rejects: Sequence[HandledReject], position: int) -> None:
        """Append rows, and what was rejected before `position`."""
        taken = [reject for reject in rejects if reject.offset < position]
        flush.sendings += [found.sending for found in taken if found.sending is not None]
        flush.append(rows, [found.reject for found in taken if found.is_written], self.context.clock.now())

    def _cut_of(self, flush: OpenFlush, rows: PartitionedRows) -> tuple[int | None, str]:
        """How many leading rows still belong to the flush, by the policy and by their schemas; and why."""
        cut = self.context.rotation.cut(flush.stats, rows)
        fitting = flush.fitting_rows(rows)
        if fitting is not None and (cut is None or fitting < cut):
            return fitting, "schema"
        return cut, self.context.rotation.reason

    def _is_due(self, flush: OpenFlush) -> bool:
        due_at = self._due_at(flush)
        return due_at is not None and due_at <= self.context.clock.now()

    def _due_at(self, flush: OpenFlush) -> datetime.datetime | None:
        """When the clock ends a flush that isn't empty."""
        if not flush.rows:
            return flush.opened_at + _REJECTS_INTERVAL
        return self.context.rotation.due_at(flush.stats)

    def _rotate_by_clock(self) -> None:
        flush = self._open
        if flush is None or flush.is_empty or self._cut or not isinstance(self._plan, Free):
            return
        if not flush.rows and (flush.rejects >= _MAX_REJECTS_ALONE or self._is_due(flush)):
            self._end_flush(flush.position, "rejects")
        elif flush.rows and self._is_due(flush):
            self._end_flush(flush.position, self.context.rotation.reason)

    def _end_flush(self, end: int, reason: str) -> None:
        if self._open is None:
            return
        flush = self._open.cut(end, reason)
        self._cut.append(flush)
        self._steps += 1
        if flush.rows:
            self.context.emit(FlushCut(self.context.topic_partition, flush.start, end, flush.rows, len(flush.files), reason))
        if isinstance(self._plan, Free) and self._plan.limit is None:
            self._open = self._new_flush(end)
            self._partition_anew(self._open)
        else:
            self._open = None
            self._inbox.clear()
            self._waiting = None

    def _partition_anew(self, flush: OpenFlush) -> None:
        """Where folders depend on the clock at which a flush is opened, waiting rows get those of the new flush."""
        waiting = self._waiting
        if waiting is not None and waiting.rows is not None and self.context.chain.partitions_by_clock:
            waiting.rows = self.context.chain.partition(waiting.rows.rows, flush.open_at(self.context.clock.now())).rows
