"""PartitionEngine: fills the open flush of one assigned topic-partition while the flush before it is delivered.

*Filling* converts batches, partitions them and appends them to the open flush, until the rotation policy, the clock or the
plan cuts it. *Delivering* is one procedure: it finds the start point, waits for cut flushes, and delivers one at a time. The
package docstring (`kafka2parquet.delivery`) lists the states that follow.
"""

from __future__ import annotations

import datetime
import enum
from collections import deque
from collections.abc import Mapping

import attrs

from kafka2parquet.delivery.context import PartitionContext, Procedure
from kafka2parquet.delivery.deliver import deliver
from kafka2parquet.delivery.flush.cut_flush import Flush
from kafka2parquet.delivery.flush.open_flush import FIRST_COMPRESSION_RATIO, OpenFlush
from kafka2parquet.delivery.input import PartitionInput, PendingRows
from kafka2parquet.delivery.recovery import FlushPlan, NewFlush, Recovery, StartPoint
from kafka2parquet.errors import (
    CorruptRecordBatchError,
    DataLossError,
    Kafka2ParquetError,
    LogTruncatedError,
    UnknownMetadataError,
)
from kafka2parquet.events import FlushCut, PartitionFinished, PartitionStarted, PartitionStopped, PauseCause
from kafka2parquet.records import ConsumedBatch, Stage
from kafka2parquet.rotation.answers import cut_of, due_of
from kafka2parquet.rotation.base import Cut, Due, first_cut
from kafka2parquet.rotation.policies import MaxOpenFilesRotation
from kafka2parquet.rows import PartitionedRows
from kafka2parquet.schema.compatibility import SchemaNotProjectable
from kafka2parquet.schema.lattice import SchemaConflict
from kafka2parquet.status.model import HeldRecords, PartitionStateName

#: Rejected records without any rows are written after this time, or when there are this many.
_REJECTS_INTERVAL = datetime.timedelta(minutes=1)
_MAX_REJECTS_ALONE = 10_000
_SCHEMA_EXCEPTION = "org.apache.kafka.connect.errors.SchemaProjectorException"


class PartitionState(enum.Enum):
    """What a topic-partition is doing.

    | state                    | open flush | cut flush that waits | flush being delivered |
    | ------------------------ | ---------- | -------------------- | --------------------- |
    | `STARTING`               | no         | no                   | no                    |
    | `FILLING`                | yes        | no                   | no                    |
    | `FILLING_AND_DELIVERING` | yes        | no                   | yes                   |
    | `DELIVERING_PLANNED`     | no         | no                   | yes                   |
    | `FULL`                   | yes or no  | yes                  | yes or no             |
    | `FINISHED`               | no         | no                   | no                    |

    `STARTING` waits for recovery to find the start point. In `DELIVERING_PLANNED` a plan fixed the end of the flush, so where
    the next flush starts is known only after the delivery. `FULL` takes no batches until the running delivery is done.
    `FINISHED` takes no more batches: the task may not read beyond this position.
    """

    STARTING = enum.auto()
    FILLING = enum.auto()
    FILLING_AND_DELIVERING = enum.auto()
    DELIVERING_PLANNED = enum.auto()
    FULL = enum.auto()
    FINISHED = enum.auto()


_STATE_NAMES: Mapping[PartitionState, PartitionStateName] = {
    PartitionState.STARTING: "starting",
    PartitionState.FILLING: "filling",
    PartitionState.FILLING_AND_DELIVERING: "delivering",
    PartitionState.DELIVERING_PLANNED: "delivering",
    PartitionState.FULL: "full",
    PartitionState.FINISHED: "finished",
}


class PartitionEngine:
    """Delivers one topic-partition during one assignment. All calls come from the driver thread; none blocks."""

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
        max_open_files = context.task.delivery.max_open_files
        self._max_files = MaxOpenFilesRotation(max_open_files) if max_open_files is not None else None
        self._steps = 0
        self._seen: tuple[object, ...] = ()
        self._is_finished = False

    # ---- calls of the task

    def offer(self, batch: ConsumedBatch) -> None:
        """Accept a batch that continues the batch before it; ignore the batch while the start point is unknown.

        Raises:
            UsageError: the consumer skipped records, or delivered some twice.
        """
        if self._open is not None:
            self._input.offer(batch, self._planned_end)

    def fail(self, error: Kafka2ParquetError) -> None:
        """Handle an error that stops the consumer.

        Raises:
            Kafka2ParquetError: `error`, unless the settings tolerate it.
        """
        if self._open is not None:
            self._input.fail(error, self._planned_end)
        elif not isinstance(error, CorruptRecordBatchError | DataLossError | LogTruncatedError):
            # the consumer reports those three again after the partition has started
            raise error

    def advance(self) -> None:
        """Do everything that is possible without waiting.

        Raises:
            Kafka2ParquetError: the partition can't continue.
        """
        while True:
            steps = self._steps
            self._fill()
            self._rotate_by_clock()
            next(self._running)
            if steps == self._steps:
                return

    def cut_open_flush(self, reason: str) -> None:
        """Cut the open flush now, and drop the batches that wait.

        An empty flush is cut only to commit its position. A flush whose end a plan fixed is left to the next owner.
        """
        self._input.clear()
        flush = self._open
        if flush is None or self._cut or not isinstance(self._plan, NewFlush):
            return
        moved = self.state is PartitionState.FILLING and flush.position != self.context.commits.committed
        if not flush.is_empty or moved:
            self._end_flush(flush.position, reason)

    def stop(self) -> None:
        """Drop everything that isn't published, because the assignment has ended."""
        self._running.close()
        dropped = self.open_rows
        self._drop_unpublished()
        if self._delivering is not None:
            self._delivering.discard()
            self._delivering = None
        self.context.emit(PartitionStopped(self.context.topic_partition, dropped))

    # ---- what the task asks

    @property
    def state(self) -> PartitionState:
        """What the partition is doing."""
        if self._is_finished:
            return PartitionState.FINISHED
        if self._cut:
            return PartitionState.FULL
        if self._open is None:
            return PartitionState.STARTING if self._delivering is None else PartitionState.DELIVERING_PLANNED
        return PartitionState.FILLING if self._delivering is None else PartitionState.FILLING_AND_DELIVERING

    def held(self) -> HeldRecords:
        """What the topic-partition holds now, for its status."""
        flushes = [flush for flush in (self._delivering, *self._cut, self._open) if flush is not None]
        due = self._due_at(self._open) if self._open is not None and self._rotates(self._open) else None
        return HeldRecords(
            state=_STATE_NAMES[self.state],
            position=self.position,
            open_rows=self.open_rows,
            open_bytes=self.used_bytes,
            open_files=sum(flush.open_files for flush in flushes),
            first_open_ms=next((flush.first_record_ms for flush in flushes if flush.first_record_ms is not None), None),
            first_waiting_ms=self._input.first_record_ms,
            last_taken_ms=self._input.last_record_ms,
            next_flush_at=due.at if due is not None else None,
            next_flush_reason=due.reason if due is not None else "",
        )

    def _rotates(self, flush: OpenFlush) -> bool:
        """Whether the rotation policy decides when the open flush ends."""
        return not flush.is_empty and isinstance(self._plan, NewFlush)

    @property
    def is_settled(self) -> bool:
        """Whether all accepted records are durable and committed."""
        is_idle = self.state in (PartitionState.STARTING, PartitionState.FILLING, PartitionState.FINISHED)
        return is_idle and (self._open is None or self._open.is_empty)

    @property
    def is_delivering(self) -> bool:
        """Whether a request to the store or a commit is in flight, or about to be."""
        return self.state not in (PartitionState.FILLING, PartitionState.FINISHED)

    @property
    def blocked_by(self) -> PauseCause | None:
        """Why batches have to wait: the partition is finished or full, or the converter needs a service that is down."""
        if self._is_finished:
            return "finished"
        if not self._input.has_batches:
            return None
        if self._input.is_held_up:
            return "converter"
        return "full" if self.state is PartitionState.FULL else None

    def has_changed(self) -> bool:
        """Whether anything that `held` shows has changed since the last call."""
        seen, self._seen = self._seen, (self._steps, self._input.has_batches, self.state)
        return seen != self._seen

    @property
    def position(self) -> int | None:
        """The offset after the last accepted record; None while no flush is open."""
        return self._open.position if self._open is not None else None

    @property
    def open_rows(self) -> int:
        """The number of accepted rows that are not yet durable, quarantined records included."""
        open_rows = self._open.rows + self._open.rejects if self._open is not None else 0
        return open_rows + sum(flush.rows for flush in (self._delivering, *self._cut) if flush is not None)

    @property
    def used_bytes(self) -> int:
        """Bytes of memory held by flushes and by batches that wait."""
        flushes = [flush for flush in (self._open, self._delivering, *self._cut) if flush is not None]
        return sum(flush.memory_bytes for flush in flushes) + self._input.used_bytes

    def spill(self, wanted_bytes: int) -> None:
        """Move buffers to disk, largest first, until `wanted_bytes` are free or no buffer is left to move."""
        if self._open is not None:
            self._open.spill(wanted_bytes)

    def end_to_free_memory(self) -> None:
        """Cut the open flush to free the memory of its open files, unless a plan fixes its end."""
        if self._open is not None and not self._open.is_empty and not self._cut and isinstance(self._plan, NewFlush):
            self._end_flush(self._open.position, "memory")

    def due_in_s(self) -> float | None:
        """Seconds until the clock cuts the open flush; None if the clock doesn't."""
        if self._open is None or not self._rotates(self._open):
            return None
        due = self._due_at(self._open)
        return None if due is None else max(0.0, (due.at - self.context.clock.now()).total_seconds())

    # ---- delivering

    def _run(self) -> Procedure[None]:
        if self.context.range is not None:
            beginning = yield from self._recovery.begin()
            while not self._is_at_end(beginning):
                self._begin(beginning)
                beginning = yield from self._deliver_until_disturbed()
            yield from self._finish(beginning)
        self._is_finished = True
        while True:
            yield

    def _is_at_end(self, beginning: StartPoint) -> bool:
        """Whether nothing is left to take: flushes that are on record already are delivered, even beyond the end."""
        end = self.context.end
        return end is not None and beginning.position >= end and isinstance(beginning.plan, NewFlush)

    def _finish(self, beginning: StartPoint) -> Procedure[None]:
        """Commit the position, so that all members and later runs see that the partition is finished."""
        self._drop_unpublished()
        position = beginning.position
        if position != self.context.commits.committed:
            trusted = self._recovery.trusts(position)
            yield from self.context.commit_end(position, position, 0, beginning.leader_epoch, trusted=trusted)
        self._steps += 1
        self.context.emit(PartitionFinished(self.context.topic_partition, position))

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
            if self._open is None and not self._cut:  # the end of the flush was fixed, so filling has stopped
                return (yield from self._recovery.next_start(flush.end, flush.leader_epoch))

    def _begin(self, beginning: StartPoint) -> None:
        self._drop_unpublished()
        self._plan = beginning.plan
        self._open = self._new_flush(beginning.position, beginning.leader_epoch)
        self._steps += 1
        self._input.begin(beginning.position, beginning.leader_epoch)
        self.context.emit(PartitionStarted(self.context.topic_partition, beginning.position))
        end = self._planned_end
        if end is not None and beginning.position >= end:  # the log lost all its records, so no record would end it
            self._end_flush(end, self._end_reason)

    @property
    def _planned_end(self) -> int | None:
        """The offset at which the plan or the range to take ends the open flush; None if only the rotation policy does."""
        if not isinstance(self._plan, NewFlush):
            return self._plan.end
        return min((end for end in (self._plan.limit, self.context.end) if end is not None), default=None)

    @property
    def _end_reason(self) -> str:
        """Why the open flush ends at `_planned_end`."""
        is_last = isinstance(self._plan, NewFlush) and self._planned_end == self.context.end
        return "range" if is_last else "boundary"

    def _drop_unpublished(self) -> None:
        for flush in (self._open, *self._cut):
            if flush is not None:
                flush.discard()
        self._open = None
        self._cut.clear()
        self._input.clear()

    def _commit_idle_position(self) -> None:
        """Cut an empty flush whose position has moved (rejects, tombstones, transaction markers), once per interval."""
        flush = self._open
        if flush is None or not flush.is_empty or not isinstance(self._plan, NewFlush):
            return
        if flush.position == self.context.commits.committed:
            return
        now = self.context.clock.monotonic()
        if now >= self._idle_commit_at:
            self._idle_commit_at = now + self.context.task.delivery.idle_commit_interval_s
            self._end_flush(flush.position, "idle")

    def _learn_ratio(self, flush: Flush) -> None:
        contents = [content for _, _, content in flush.parts]
        arrow_bytes = sum(content.spilled_bytes for content in contents)
        if arrow_bytes:
            self._ratio = sum(content.encoded_bytes for content in contents) / arrow_bytes

    # ---- filling

    def _new_flush(self, position: int, leader_epoch: int) -> OpenFlush:
        context = self.context
        return OpenFlush(position, leader_epoch, context.task.writer, context.task.file_schemas, context.clock, self._ratio)

    def _fill(self) -> None:
        while self._open is not None and not self._cut:
            pending = self._input.next(self._open, self._plan)
            if pending is None:
                return
            self._take(self._open, pending)
            self._steps += 1

    def _take(self, flush: OpenFlush, pending: PendingRows) -> None:
        """Append the rows that belong to the flush; cut the flush where the policy, the schemas or the plan require."""
        rows = pending.rows
        if rows is None:
            self._take_all(flush, pending, rows)
            return
        cut: Cut | None = None
        if isinstance(self._plan, NewFlush):
            if flush.rows and (due := self._due_now(flush)) is not None:
                self._end_flush(flush.position, due.reason)
                return
            cut = self._cut_of(flush, rows)
        refused = flush.refused_row(rows)
        if refused is not None and (cut is None or refused[0] < cut.rows):
            self._refuse(flush, pending, rows, *refused)
        elif cut is not None:
            position = rows.rows.offsets[cut.rows - 1].as_py() + 1 if cut.rows else flush.position
            self._append(flush, rows.slice(0, cut.rows) if cut.rows else None, pending, position)
            self._input.pending = pending.drop(cut.rows, position)
            self._end_flush(position, cut.reason)
        else:
            self._take_all(flush, pending, rows)

    def _take_all(self, flush: OpenFlush, pending: PendingRows, rows: PartitionedRows | None) -> None:
        """Append all rows before the planned end."""
        end = self._planned_end
        position = max(flush.position, pending.next_offset if end is None else min(pending.next_offset, end))
        self._append(flush, rows, pending, position)
        self._input.pending = None
        if end is not None and pending.next_offset >= end:
            self._end_flush(end, self._end_reason)

    def _refuse(self, flush: OpenFlush, pending: PendingRows, rows: PartitionedRows, row: int, why: str) -> None:
        """Append the rows before index `row`, and reject that row because it can't take the schema of its file."""
        offset = rows.rows.offsets[row].as_py()
        handled = self._input.rejects.handle([rows.rows.batch.reject_offset(offset, Stage.WRITE, why, _SCHEMA_EXCEPTION)])
        self._append(flush, rows.slice(0, row) if row else None, pending, offset)
        left = pending.drop(row + 1, offset)
        self._input.pending = attrs.evolve(left, rejects=[*handled, *left.rejects])

    def _append(self, flush: OpenFlush, rows: PartitionedRows | None, pending: PendingRows, position: int) -> None:
        """Append rows of a batch and its rejects before `position`, and move the flush to `position`."""
        taken = [reject for reject in pending.rejects if reject.offset < position]
        flush.open()
        flush.sendings += [found.sending for found in taken if found.sending is not None]
        try:
            flush.append(rows, [found.reject for found in taken if found.is_written])
        except (SchemaConflict, SchemaNotProjectable) as error:  # a flush that this owner cuts ends before such rows
            raise UnknownMetadataError(
                f"{self.context.topic_partition}: the flush [{flush.start}, {self._planned_end}) was started under another"
                f" configuration, and under this one its rows don't fit into one file for each folder: {error}. Run once with"
                " the old configuration to finish it.",
                topic=self.context.topic_partition.topic,
                partition=self.context.topic_partition.partition,
            ) from error
        flush.move_to(position, pending.leader_epoch)

    def _cut_of(self, flush: OpenFlush, rows: PartitionedRows) -> Cut | None:
        """Return where the policy, the limit of open files, or the schemas of the rows end the flush; None if nothing does."""
        cut = cut_of(self.context.task.rotation, flush.stats, rows)
        few_files = self._max_files.cut(flush.stats, rows) if self._max_files is not None else None
        fitting_rows = flush.fitting_rows(rows)
        return first_cut([cut, few_files, Cut(fitting_rows, "schema") if fitting_rows is not None else None])

    def _due_now(self, flush: OpenFlush) -> Due | None:
        """Return why the clock ends a flush that is not empty; None if the flush is not due yet."""
        due = self._due_at(flush)
        return due if due is not None and due.at <= self.context.clock.now() else None

    def _due_at(self, flush: OpenFlush) -> Due | None:
        """Return when the clock ends a flush that is not empty."""
        stats = flush.stats
        return due_of(self.context.task.rotation, stats) if flush.rows else Due(stats.opened_at + _REJECTS_INTERVAL, "rejects")

    def _rotate_by_clock(self) -> None:
        flush = self._open
        if flush is None or self._cut or not self._rotates(flush):
            return
        if not flush.rows and flush.rejects >= _MAX_REJECTS_ALONE:
            self._end_flush(flush.position, "rejects")
        elif (due := self._due_now(flush)) is not None:
            self._end_flush(flush.position, due.reason)

    def _end_flush(self, end: int, reason: str) -> None:
        if self._open is None:
            return
        flush = self._open.cut(end, reason)
        self._cut.append(flush)
        self._steps += 1
        if flush.rows:
            self.context.emit(FlushCut(self.context.topic_partition, flush.start, end, flush.rows, len(flush.files), reason))
        is_last = self.context.end is not None and end >= self.context.end
        if isinstance(self._plan, NewFlush) and self._plan.limit is None and not is_last:
            self._open = self._new_flush(end, flush.leader_epoch)
            self._input.partition_anew(self._open)
        else:
            self._open = None
            self._input.clear()
