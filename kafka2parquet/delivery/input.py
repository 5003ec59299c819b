"""PartitionInput: accepts the batches of one assigned topic-partition, without gaps and in order, and converts them one by one.

Three things can delay or replace a batch. If a registry doesn't answer, the batch waits. If bytes can't be decoded, they are
fetched once more and then become a reject. If the log has lost records, the settings decide.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import attrs
import pyarrow as pa

from kafka2parquet.backoff import Retrying
from kafka2parquet.delivery.completing import left_out_files, routed_rejects, routed_rows
from kafka2parquet.delivery.context import PartitionContext
from kafka2parquet.delivery.flush.open_flush import OpenFlush
from kafka2parquet.delivery.recovery import CompleteFlush, FlushPlan
from kafka2parquet.delivery.rejects import HandledReject, RejectHandler
from kafka2parquet.errors import (
    CorruptRecordBatchError,
    DataLossError,
    Kafka2ParquetError,
    LogTruncatedError,
    TransientError,
    UsageError,
)
from kafka2parquet.events import ConverterRetried, DataLost, LogTruncated
from kafka2parquet.pipeline.record_pipeline import PipelineOutput
from kafka2parquet.records import ConsumedBatch, Reject, Stage
from kafka2parquet.rows import PartitionedRows

#: The most bytes of records converted together, because all their rows are in memory at the same time.
_CONVERTED_BYTES = 16 << 20
#: Errors about records that can't be read at the consumer's position.
_BAD_RECORDS = (CorruptRecordBatchError, DataLossError)


@attrs.frozen(eq=False)
class PendingRows:
    """The rest of a converted batch: its rows and rejects that are not yet in a flush.

    Attributes:
        rows: the rows, with their folders; None if none are left.
        rejects: the rejects, in offset order.
        next_offset: the offset after the batch.
        leader_epoch: of the batch; -1 if unknown.
    """

    rows: PartitionedRows | None
    rejects: Sequence[HandledReject]
    next_offset: int
    leader_epoch: int

    def drop(self, rows: int, position: int) -> PendingRows:
        """Drop the first `rows` rows, and the rejects before offset `position`."""
        left = self.rows.slice(rows) if self.rows is not None and rows < len(self.rows) else None
        rejects = [reject for reject in self.rejects if reject.offset >= position]
        return attrs.evolve(self, rows=left, rejects=rejects)


@attrs.frozen(eq=False)
class _CorruptBatch:
    """A record batch that can't be decoded, at its place in the queue of batches."""

    reject: Reject
    next_offset: int
    leader_epoch: int = -1
    size_bytes: int = 0


@attrs.frozen
class _LostRecords:
    """Records that disappeared from the log, at their place in the queue of batches; without them no record may ever come."""

    next_offset: int
    leader_epoch: int = -1
    size_bytes: int = 0


_Batch = ConsumedBatch | _CorruptBatch | _LostRecords


class PartitionInput:
    """Holds the batches that were read and are not yet in a flush.

    Used on the driver thread. Only the converter's requests may block.
    """

    def __init__(self, context: PartitionContext) -> None:
        self.rejects = RejectHandler(context)
        self.pending: PendingRows | None = None
        """The rest of the batch that is being appended to the open flush."""
        self.last_record_ms: int | None = None
        """Kafka timestamp of the last record that was converted; None before the first one."""
        self._context = context
        self._batches: deque[_Batch] = deque()
        self._next_offset = 0
        self._leader_epoch = -1  # of the record before self._next_offset
        self._wanted_from = 0
        self._corrupt_offset: int | None = None
        self._retrying = Retrying(context.task.delivery.converter_retry, context.clock)

    def begin(self, position: int, leader_epoch: int) -> None:
        """Drop everything, and read from `position`. `leader_epoch` belongs to the record before `position`; -1 if unknown."""
        self.clear()
        self._wanted_from = position
        self._go_on(position, leader_epoch)

    def clear(self) -> None:
        """Drop everything."""
        self._batches.clear()
        self.pending = None

    @property
    def has_batches(self) -> bool:
        """Whether there are batches that are not yet converted."""
        return bool(self._batches)

    @property
    def first_record_ms(self) -> int | None:
        """Kafka timestamp of the first record that is not yet in a flush; None if there is none, or if it has none."""
        if self.pending is not None and self.pending.rows is not None:
            return _time_of(self.pending.rows.rows.timestamps_ms, 0)
        first = self._batches[0] if self._batches else None
        return _time_of(first.timestamps_ms, 0) if isinstance(first, ConsumedBatch) else None

    @property
    def is_held_up(self) -> bool:
        """Whether the next batch can't be converted now."""
        return self._retrying.attempt > 0

    @property
    def used_bytes(self) -> int:
        """Bytes of memory held by batches and by pending rows."""
        rows = self.pending.rows if self.pending is not None else None
        return sum(batch.size_bytes for batch in self._batches) + (rows.rows.nbytes if rows is not None else 0)

    # ---- in

    def offer(self, batch: ConsumedBatch, end: int | None) -> None:
        """Accept a batch that continues the batch before it, without its records from offset `end` on; None accepts all.

        Raises:
            UsageError: the consumer skipped records, or delivered some twice.
        """
        if batch.first_offset != self._next_offset:
            raise UsageError(
                f"{batch.topic_partition}: the consumer delivered a batch that begins at offset {batch.first_offset} after a"
                f" batch that ended at {self._next_offset}. Check the consumer with kafka2parquet.testing's consumer contract."
            )
        self._next_offset, self._leader_epoch = batch.next_offset, batch.leader_epoch
        if batch.first_offset < self._wanted_from:
            batch = batch.since(min(self._wanted_from, batch.next_offset))
        if batch.next_offset > batch.first_offset and (end is None or batch.first_offset < end):
            self._batches += (batch if end is None else batch.before(end)).split(_CONVERTED_BYTES)

    def fail(self, error: Kafka2ParquetError, end: int | None) -> None:
        """Handle an error that stops the consumer. If all records before offset `end` are accepted, bad records don't matter.

        Raises:
            Kafka2ParquetError: `error`, unless the settings tolerate it.
        """
        if isinstance(error, _BAD_RECORDS) and end is not None and self._next_offset >= end:
            return  # the error is about records that are not wanted
        if isinstance(error, DataLossError) and self._context.task.delivery.on_data_loss == "continue":
            start = max(self._next_offset, self._wanted_from)  # records that were fetched and not accepted are lost, too
            if start < error.missing_end:
                self._context.emit(DataLost(self._context.topic_partition, start, error.missing_end))
                self._batches.append(_LostRecords(error.missing_end))
            self._go_on(error.missing_end)
        elif isinstance(error, LogTruncatedError) and error.offset >= self._next_offset:
            self._go_on(self._next_offset, self._leader_epoch)  # the log still has all accepted records
        elif isinstance(error, LogTruncatedError) and self._context.task.delivery.on_data_loss == "continue":
            self._read_anew(error.offset, error.leader_epoch)
        elif isinstance(error, CorruptRecordBatchError) and error.offset == self._next_offset:
            self._pass_over(error)
        else:
            raise error

    def _read_anew(self, offset: int, leader_epoch: int) -> None:
        """Read again from `offset`, where the log was truncated, and accept records only after the current position.

        Every offset keeps the record that was read first, so new records at offsets before the current position are skipped.
        """
        self._wanted_from = max(self._wanted_from, self._next_offset)
        self._context.emit(LogTruncated(self._context.topic_partition, offset, self._wanted_from))
        self._go_on(offset, leader_epoch)

    def _pass_over(self, error: CorruptRecordBatchError) -> None:
        """Fetch a corrupt batch once more, and reject the batch if it is still corrupt.

        Raises:
            CorruptRecordBatchError: rejects are not tolerated, or the end of the batch is unknown.
        """
        if error.next_offset is not None and error.next_offset <= self._wanted_from:
            self._go_on(error.next_offset)  # its records were accepted before the log was truncated
            return
        if not self._context.task.rejects.tolerance.tolerates(Stage.FETCH):
            raise error
        if self._corrupt_offset != error.offset:
            self._corrupt_offset = error.offset
            self._go_on(error.offset, self._leader_epoch)
            return
        if error.next_offset is None:
            raise error
        offset = max(error.offset, self._wanted_from)
        reject = Reject(self._context.topic_partition, offset, Stage.FETCH, str(error), value=error.content)
        self._batches.append(_CorruptBatch(reject, error.next_offset))
        self._go_on(error.next_offset)

    def _go_on(self, offset: int, leader_epoch: int = -1) -> None:
        self._next_offset, self._leader_epoch = offset, leader_epoch
        self._context.task.consumer.start(self._context.assigned.assignment, offset, leader_epoch)

    # ---- out

    def next(self, flush: OpenFlush, plan: FlushPlan) -> PendingRows | None:
        """The rest of the current batch, or the next batch, converted; None if no batch can be converted now.

        Raises:
            RejectedRecordError: a record is rejected, and rejects are not tolerated.
            TransientError: the limit for waiting is reached.
        """
        if self.pending is None and self._batches and self._retrying.is_due:
            try:
                self.pending = self._convert(self._batches[0], flush, plan)
            except TransientError as error:
                self._retry_later(error)
            else:
                self._retrying.succeeded()
                batch = self._batches.popleft()
                if isinstance(batch, ConsumedBatch) and (time_ms := _time_of(batch.timestamps_ms, -1)) is not None:
                    self.last_record_ms = time_ms
        return self.pending

    def _retry_later(self, error: TransientError) -> None:
        """Let the batch wait, because a schema registry or the store doesn't answer; no record is rejected for that."""
        pause_s = self._retrying.failed(error)
        self._context.emit(ConverterRetried(self._context.topic_partition, error, self._retrying.attempt, pause_s))

    def _convert(self, batch: _Batch, flush: OpenFlush, plan: FlushPlan) -> PendingRows:
        if isinstance(batch, _LostRecords):
            return _pending(batch, None, ())
        if isinstance(batch, _CorruptBatch):
            return _pending(batch, None, self.rejects.handle([batch.reject], records=1))
        if not len(batch):
            return _pending(batch, None, ())
        converted = self._context.task.pipeline.convert(batch)
        if isinstance(plan, CompleteFlush):
            return self._convert_missing(batch, flush, plan, converted)
        handled = self.rejects.handle(converted.rejects, records=len(batch))
        if converted.rows is None:
            return _pending(batch, None, handled)
        partitioned = self._context.task.pipeline.partition(converted.rows, flush.open())
        handled = sorted([*handled, *self.rejects.handle(partitioned.rejects)], key=lambda found: found.offset)
        return _pending(batch, partitioned.rows if len(partitioned.rows) else None, handled)

    def _convert_missing(
        self, batch: ConsumedBatch, flush: OpenFlush, plan: CompleteFlush, converted: PipelineOutput
    ) -> PendingRows:
        """Keep the records of the files that a published flush lacks.

        Dead letters of all rejects are sent again, because the previous owner may not have sent them. Records of a later
        leader epoch than the flush knows are skipped: they were written after the log was truncated.
        """
        if -1 < plan.flush.footer.leader_epoch < batch.leader_epoch:
            return _pending(batch, None, ())
        converted = self._without_unpartitioned(converted, flush)
        rejects = self.rejects.handle(converted.rejects, records=len(batch))
        handled = {found.offset: attrs.evolve(found, is_written=False) for found in rejects}
        written = routed_rejects(batch, converted, plan)
        rows = None if converted.rows is None else routed_rows(converted.rows, plan)
        flush.left_out_files |= left_out_files(batch, rows, written, plan)
        for found in written:
            handled[found.offset] = attrs.evolve(handled.get(found.offset, found), is_written=True)
        return _pending(batch, rows, sorted(handled.values(), key=lambda found: found.offset))

    def _without_unpartitioned(self, converted: PipelineOutput, flush: OpenFlush) -> PipelineOutput:
        """Make rejects of the rows that the partitioner rejects, although the anchor's layout knows a file for every offset.

        The layout only stores where runs start, so the offset of a record that was rejected before is in a neighbour's run.
        """
        if converted.rows is None:
            return converted
        partitioned = self._context.task.pipeline.partition(converted.rows, flush.open())
        if not partitioned.rejects:
            return converted
        rejects = sorted([*converted.rejects, *partitioned.rejects], key=lambda reject: reject.offset)
        return PipelineOutput(partitioned.rows.rows if len(partitioned.rows) else None, rejects)

    def partition_anew(self, flush: OpenFlush) -> None:
        """Give pending rows the folders of a new flush, if folders depend on the time at which a flush is opened."""
        pending = self.pending
        if pending is not None and pending.rows is not None and self._context.task.pipeline.partitions_by_clock:
            rows = self._context.task.pipeline.partition(pending.rows.rows, flush.open()).rows
            self.pending = attrs.evolve(pending, rows=rows)


def _time_of(times_ms: pa.Array, index: int) -> int | None:
    """The time at an index; None if there is none."""
    time_ms: int | None = times_ms[index].as_py() if len(times_ms) else None
    return time_ms


def _pending(batch: _Batch, rows: PartitionedRows | None, rejects: Sequence[HandledReject]) -> PendingRows:
    return PendingRows(rows, rejects, batch.next_offset, batch.leader_epoch)
