"""One assigned topic-partition: records are taken into the open flush while the one before it is delivered.

Two things go on side by side. *Filling*: batches are converted, partitioned and appended to the open flush until the rotation
policy, the clock or the plan cuts it. *Running*: a procedure that finds where to begin, waits for cut flushes, and delivers
them one at a time. When a flush is delivered as it was cut, filling has simply gone on. Where another owner was here first
(a published boundary, a missing sibling, an intent), what was read after the flush is dropped and read again from the new
beginning. If the next flush is cut before the last one is delivered, the partition takes nothing more until then.
"""

from __future__ import annotations

import datetime
from collections import deque

import attrs
import numpy as np

from kafka2parquet.delivery.context import PartitionContext, Procedure
from kafka2parquet.delivery.deliver import deliver
from kafka2parquet.delivery.flush import FIRST_COMPRESSION_RATIO, Flush, OpenFlush
from kafka2parquet.delivery.input import PartitionInput, PendingRows
from kafka2parquet.delivery.recovery import FlushPlan, NewFlush, Recovery, StartPoint
from kafka2parquet.errors import (
    CorruptRecordBatchError,
    DataLossError,
    Kafka2ParquetError,
    LogTruncatedError,
    UnknownMetadataError,
)
from kafka2parquet.events import FlushCut, PartitionStarted, PartitionStopped
from kafka2parquet.records import ConsumedBatch, Stage
from kafka2parquet.rotation.answers import cut_of, due_at_of
from kafka2parquet.rotation.policies import MaxOpenFilesRotation
from kafka2parquet.rows import PartitionedRows
from kafka2parquet.schema.compatibility import SchemaNotProjectable
from kafka2parquet.schema.lattice import SchemaConflict

#: Rejected records without any rows are written after this time, or when there are this many.
_REJECTS_INTERVAL = datetime.timedelta(minutes=1)
_MAX_REJECTS_ALONE = 10_000
_SCHEMA_EXCEPTION = "org.apache.kafka.connect.errors.SchemaProjectorException"


class PartitionEngine:
    """Delivers one topic-partition for the time of one assignment. All calls come from the driver thread; none blocks."""

    def __init__(self, context: PartitionContext) -> None:
        self.context = context
        self._recovery = Recovery(context)
        self._running = self._run()
        self._plan: FlushPlan = NewFlush()
        self._open: OpenFlush | None = None
        self._cut: deque[Flush] = deque()
        self._delivering: Flush | None = None
        self._input = PartitionInput(context)
        self._ratio = FIRST_COMPRESSION_RATIO
        self._idle_commit_at = context.clock.monotonic()
        max_open_files = context.settings.max_open_files
        self._max_files = MaxOpenFilesRotation(max_open_files) if max_open_files is not None else None
        self._steps = 0

    # ---- calls of the task

    def offer(self, batch: ConsumedBatch) -> None:
        """Take a batch that follows the one before it; ignored while the partition is about to begin elsewhere.

        Raises:
            UsageError: the consumer left records out, or delivered some twice.
        """
        if self._open is not None:
            self._input.offer(batch)

    def fail(self, error: Kafka2ParquetError) -> None:
        """The consumer can't read on.

        Raises:
            Kafka2ParquetError: that error, unless the settings say to go over it.
        """
        if self._open is not None:
            self._input.fail(error)
        elif not isinstance(error, CorruptRecordBatchError | DataLossError | LogTruncatedError):
            # these come again when the partition begins again
            raise error

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
        self._input.clear()
        flush = self._open
        if flush is None or self._cut or not isinstance(self._plan, NewFlush):
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
        return self._input.has_batches and (bool(self._cut) or self._input.is_held_up)

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
        return sum(flush.memory_bytes for flush in flushes) + self._input.used_bytes

    def spill(self, wanted_bytes: int) -> None:
        """Move buffers to disk, the largest first, until `wanted_bytes` are free, or no buffer is left that would free any."""
        if self._open is not None:
            self._open.spill(wanted_bytes)

    def end_to_free_memory(self) -> None:
        """End the open flush, whose files take memory as long as they are open, unless a plan says where it ends."""
        if self._open is not None and not self._open.is_empty and not self._cut and isinstance(self._plan, NewFlush):
            self._end_flush(self._open.position, "memory")

    def due_in_s(self) -> float | None:
        """Seconds until the clock ends the open flush, None for never."""
        if self._open is None or self._open.is_empty or not isinstance(self._plan, NewFlush):
            return None
        due_at = self._due_at(self._open)
        return None if due_at is None else max(0.0, (due_at - self.context.clock.now()).total_seconds())

    # ---- running

    def _run(self) -> Procedure[None]:
        beginning = yield from self._recovery.begin()
        while True:
            self._begin(beginning)
            beginning = yield from self._deliver_until_disturbed()

    def _deliver_until_disturbed(self) -> Procedure[StartPoint]:
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
                return (yield from self._recovery.next_start(flush.end, flush.leader_epoch))

    def _begin(self, beginning: StartPoint) -> None:
        self._drop_unpublished()
        self._plan = beginning.plan
        self._open = self._new_flush(beginning.position, beginning.leader_epoch)
        self._steps += 1
        self._input.begin(beginning.position, beginning.leader_epoch)
        self.context.emit(PartitionStarted(self.context.topic_partition, beginning.position))
        end = self._planned_end
        if end is not None and beginning.position >= end:  # the log has lost all of it: nothing will come that ends it
            self._end_flush(end, "boundary")

    @property
    def _planned_end(self) -> int | None:
        """Where the flush has to end, None where only the rotation policy decides."""
        return self._plan.limit if isinstance(self._plan, NewFlush) else self._plan.end

    def _drop_unpublished(self) -> None:
        for flush in (self._open, *self._cut):
            if flush is not None:
                flush.discard()
        self._open = None
        self._cut.clear()
        self._input.clear()

    def _commit_idle_position(self) -> None:
        """A position that moved without rows (rejects, tombstones, transaction markers) is committed now and then."""
        flush = self._open
        if flush is None or not flush.is_empty or not isinstance(self._plan, NewFlush):
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

    def _new_flush(self, position: int, leader_epoch: int) -> OpenFlush:
        context = self.context
        return OpenFlush(position, leader_epoch, context.writer, context.file_schemas, context.clock, self._ratio)

    def _fill(self) -> None:
        while self._open is not None and not self._cut:
            pending = self._input.next(self._open, self._plan)
            if pending is None:
                return
            self._take(self._open, pending)
            self._steps += 1

    def _take(self, flush: OpenFlush, pending: PendingRows) -> None:
        """Append what belongs to the flush; end it where the policy, the schemas or the plan say."""
        rows = _before(pending, self._planned_end)
        if rows is None:
            self._take_all(flush, pending, rows)
            return
        cut, reason = None, ""
        if isinstance(self._plan, NewFlush):
            if flush.rows and self._is_due(flush):
                self._end_flush(flush.position, self.context.rotation.reason)
                return
            cut, reason = self._cut_of(flush, rows)
        refused = flush.refused_row(rows)
        if refused is not None and (cut is None or refused[0] < cut):
            self._refuse(flush, pending, rows, *refused)
        elif cut is not None:
            position = rows.rows.offsets[cut - 1].as_py() + 1 if cut else flush.position
            self._append(flush, rows.slice(0, cut) if cut else None, pending, position)
            self._input.pending = pending.drop(cut, position)
            self._end_flush(position, reason)
        else:
            self._take_all(flush, pending, rows)

    def _take_all(self, flush: OpenFlush, pending: PendingRows, rows: PartitionedRows | None) -> None:
        """Append everything before the planned end."""
        end = self._planned_end
        position = max(flush.position, pending.next_offset if end is None else min(pending.next_offset, end))
        self._append(flush, rows, pending, position)
        self._input.pending = None
        if end is not None and pending.next_offset >= end:
            self._end_flush(end, "boundary")

    def _refuse(self, flush: OpenFlush, pending: PendingRows, rows: PartitionedRows, row: int, why: str) -> None:
        """Append the rows before one that can't be brought to the schema of its file, and reject that one."""
        offset = rows.rows.offsets[row].as_py()
        handled = self._input.rejects.handle([rows.rows.batch.reject_offset(offset, Stage.WRITE, why, _SCHEMA_EXCEPTION)])
        self._append(flush, rows.slice(0, row) if row else None, pending, offset)
        left = pending.drop(row + 1, offset)
        self._input.pending = attrs.evolve(left, rejects=[*handled, *left.rejects])

    def _append(self, flush: OpenFlush, rows: PartitionedRows | None, pending: PendingRows, position: int) -> None:
        """Append rows of a batch, and what of it was rejected before `position`, which is the flush's then."""
        taken = [reject for reject in pending.rejects if reject.offset < position]
        flush.open()
        flush.sendings += [found.sending for found in taken if found.sending is not None]
        try:
            flush.append(rows, [found.reject for found in taken if found.is_written])
        except (SchemaConflict, SchemaNotProjectable) as error:  # only where another owner chose the boundary
            raise UnknownMetadataError(
                f"{self.context.topic_partition}: the flush [{flush.start}, {self._planned_end}) was begun under another"
                f" configuration, and under this one its rows don't fit into one file for each folder: {error}. Run once with"
                " the old configuration to finish it.",
                topic=self.context.topic_partition.topic,
                partition=self.context.topic_partition.partition,
            ) from error
        flush.move_to(position, pending.leader_epoch)

    def _cut_of(self, flush: OpenFlush, rows: PartitionedRows) -> tuple[int | None, str]:
        """How many leading rows still belong to the flush, by the policy, their schemas and the number of files; and why."""
        cut, reason = cut_of(self.context.rotation, flush.stats, rows), self.context.rotation.reason
        few_files = self._max_files.cut(flush.stats, rows) if self._max_files is not None else None
        for other, why in ((few_files, "files"), (flush.fitting_rows(rows), "schema")):
            if other is not None and (cut is None or other < cut):
                cut, reason = other, why
        return cut, reason

    def _is_due(self, flush: OpenFlush) -> bool:
        due_at = self._due_at(flush)
        return due_at is not None and due_at <= self.context.clock.now()

    def _due_at(self, flush: OpenFlush) -> datetime.datetime | None:
        """When the clock ends a flush that isn't empty."""
        stats = flush.stats
        return due_at_of(self.context.rotation, stats) if flush.rows else stats.opened_at + _REJECTS_INTERVAL

    def _rotate_by_clock(self) -> None:
        flush = self._open
        if flush is None or flush.is_empty or self._cut or not isinstance(self._plan, NewFlush):
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
        if isinstance(self._plan, NewFlush) and self._plan.limit is None:
            self._open = self._new_flush(end, flush.leader_epoch)
            self._input.partition_anew(self._open)
        else:
            self._open = None
            self._input.clear()


def _before(pending: PendingRows, end: int | None) -> PartitionedRows | None:
    """The rows before the planned end, None where there are none."""
    rows = pending.rows
    if rows is None or end is None or pending.next_offset <= end:
        return rows
    inside = int(np.searchsorted(rows.rows.offsets.to_numpy(), end))
    return rows.slice(0, inside) if inside else None
