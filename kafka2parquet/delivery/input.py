"""PartitionInput: the batches of one assigned topic-partition on their way in: gapless, in their order, converted one by one.

This module handles what can hold a batch up: a registry that doesn't answer (the batch waits), bytes that can't be decoded
(fetched once more, then a reject), records that the log has lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import attrs

from kafka2parquet.delivery.completing import left_out_files, routed_rejects, routed_rows
from kafka2parquet.delivery.context import PartitionContext
from kafka2parquet.delivery.flush import OpenFlush
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
from kafka2parquet.pipeline.record_pipeline import Chained
from kafka2parquet.records import ConsumedBatch, Reject, Stage
from kafka2parquet.rows import PartitionedRows

#: Bytes of records that are converted together: everything that is made of them is held at the same time.
_CONVERTED_BYTES = 16 << 20


@attrs.frozen(eq=False)
class PendingRows:
    """What is left of a batch: rows and rejects that are not yet in a flush, the position after the batch, its leader epoch."""

    rows: PartitionedRows | None
    rejects: Sequence[HandledReject]
    next_offset: int
    leader_epoch: int

    def drop(self, rows: int, position: int) -> PendingRows:
        """What is left without the first `rows` rows, and without the rejects before `position`."""
        left = self.rows.slice(rows) if self.rows is not None and rows < len(self.rows) else None
        rejects = [reject for reject in self.rejects if reject.offset >= position]
        return attrs.evolve(self, rows=left, rejects=rejects)


@attrs.frozen(eq=False)
class _CorruptBatch:
    """A record batch that can't be decoded, in its place among the others."""

    reject: Reject
    next_offset: int
    leader_epoch: int = -1
    size_bytes: int = 0


class PartitionInput:
    """What was read and is not yet in a flush. On the driver thread; nothing blocks but the converter's own requests."""

    def __init__(self, context: PartitionContext) -> None:
        self.rejects = RejectHandler(context)
        self.pending: PendingRows | None = None
        """The batch that is being taken."""
        self._context = context
        self._batches: deque[ConsumedBatch | _CorruptBatch] = deque()
        self._next_offset = 0
        self._wanted_from = 0
        self._corrupt_offset: int | None = None
        self._attempt = 0
        self._attempts_since = 0.0
        self._retry_at = 0.0

    def begin(self, position: int, leader_epoch: int) -> None:
        """Forget everything, and read from a position on, behind a record of that leader epoch (-1: unknown)."""
        self.clear()
        self._wanted_from = position
        self._go_on(position, leader_epoch)

    def clear(self) -> None:
        """Forget everything."""
        self._batches.clear()
        self.pending = None

    @property
    def has_batches(self) -> bool:
        """Whether there are batches of which nothing is taken."""
        return bool(self._batches)

    @property
    def is_held_up(self) -> bool:
        """Whether the next batch can't be converted now."""
        return self._attempt > 0

    @property
    def used_bytes(self) -> int:
        """Memory held."""
        rows = self.pending.rows if self.pending is not None else None
        return sum(batch.size_bytes for batch in self._batches) + (rows.rows.nbytes if rows is not None else 0)

    # ---- in

    def offer(self, batch: ConsumedBatch) -> None:
        """Take a batch that follows the one before it.

        Raises:
            UsageError: the consumer left records out, or delivered some twice.
        """
        if batch.first_offset != self._next_offset:
            raise UsageError(
                f"{batch.topic_partition}: the consumer delivered a batch that begins at offset {batch.first_offset} after one"
                f" that ended at {self._next_offset}. Check it with kafka2parquet.testing's consumer contract."
            )
        self._next_offset = batch.next_offset
        if batch.first_offset < self._wanted_from:
            batch = batch.since(min(self._wanted_from, batch.next_offset))
        if batch.next_offset > batch.first_offset:
            self._batches += batch.split(_CONVERTED_BYTES)

    def fail(self, error: Kafka2ParquetError) -> None:
        """The consumer can't read on.

        Raises:
            Kafka2ParquetError: that error, unless the settings say to go over it.
        """
        if isinstance(error, DataLossError) and self._context.settings.on_data_loss == "continue":
            start = max(self._next_offset, self._wanted_from)  # what was fetched and not taken is lost with the rest
            if start < error.missing_end:
                self._context.emit(DataLost(self._context.topic_partition, start, error.missing_end))
            self._go_on(error.missing_end)
        elif isinstance(error, LogTruncatedError) and error.offset >= self._next_offset:
            self._go_on(self._next_offset)  # what was taken is in the log still
        elif isinstance(error, LogTruncatedError) and self._context.settings.on_data_loss == "continue":
            self._read_anew(error.offset)
        elif isinstance(error, CorruptRecordBatchError) and error.offset == self._next_offset:
            self._pass_over(error)
        else:
            raise error

    def _read_anew(self, offset: int) -> None:
        """Go on where the partition was, in a log that was truncated at `offset`, before that, and may be shorter still.

        Every offset keeps the record that was read first, so records that come again at offsets already passed are left out.
        """
        self._wanted_from = max(self._wanted_from, self._next_offset)
        self._context.emit(LogTruncated(self._context.topic_partition, offset, self._wanted_from))
        self._go_on(offset)

    def _pass_over(self, error: CorruptRecordBatchError) -> None:
        """Fetch a corrupt batch once more; if the batch is still corrupt, make a reject of it.

        Raises:
            CorruptRecordBatchError: rejects are not tolerated, or it isn't known where the batch ends.
        """
        if error.next_offset is not None and error.next_offset <= self._wanted_from:
            self._go_on(error.next_offset)  # its records were taken before the log was truncated
            return
        if not self._context.rejects.tolerance.tolerates(Stage.FETCH):
            raise error
        if self._corrupt_offset != error.offset:
            self._corrupt_offset = error.offset
            self._go_on(error.offset)
            return
        if error.next_offset is None:
            raise error
        offset = max(error.offset, self._wanted_from)
        reject = Reject(self._context.topic_partition, offset, Stage.FETCH, str(error), value=error.content)
        self._batches.append(_CorruptBatch(reject, error.next_offset))
        self._go_on(error.next_offset)

    def _go_on(self, offset: int, leader_epoch: int = -1) -> None:
        self._next_offset = offset
        self._context.consumer.start(self._context.assigned.assignment, offset, leader_epoch)

    # ---- out

    def next(self, flush: OpenFlush, plan: FlushPlan) -> PendingRows | None:
        """What is left of the batch that is being taken, else the next one, converted; None where there is none now.

        Raises:
            RejectedRecordError: a record is rejected, and that is not tolerated.
            TransientError: there is a limit for waiting, and it is reached.
        """
        if self.pending is None and self._batches and self._context.clock.monotonic() >= self._retry_at:
            try:
                self.pending = self._convert(self._batches[0], flush, plan)
            except TransientError as error:
                self._retry_later(error)
            else:
                self._attempt = 0
                self._batches.popleft()
        return self.pending

    def _retry_later(self, error: TransientError) -> None:
        """A schema registry or the store doesn't answer: the batch waits, nothing is rejected for that."""
        now = self._context.clock.monotonic()
        if not self._attempt:
            self._attempts_since = now
        self._attempt += 1
        pause_ms = self._context.converter_retry.pause_ms(self._attempt, round((now - self._attempts_since) * 1000))
        if pause_ms is None:
            raise error
        pause_s = max(pause_ms / 1000, error.retry_after_s or 0.0)
        self._retry_at = now + pause_s
        self._context.emit(ConverterRetried(self._context.topic_partition, error, self._attempt, pause_s))

    def _convert(self, batch: ConsumedBatch | _CorruptBatch, flush: OpenFlush, plan: FlushPlan) -> PendingRows:
        if isinstance(batch, _CorruptBatch):
            return _pending(batch, None, self.rejects.handle([batch.reject], records=1))
        if not len(batch):
            return _pending(batch, None, ())
        chained = self._context.pipeline.convert(batch)
        if isinstance(plan, CompleteFlush):
            return self._convert_missing(batch, flush, plan, chained)
        handled = self.rejects.handle(chained.rejects, records=len(batch))
        if chained.rows is None:
            return _pending(batch, None, handled)
        partitioned = self._context.pipeline.partition(chained.rows, flush.open())
        handled = sorted([*handled, *self.rejects.handle(partitioned.rejects)], key=lambda found: found.offset)
        return _pending(batch, partitioned.rows if len(partitioned.rows) else None, handled)

    def _convert_missing(self, batch: ConsumedBatch, flush: OpenFlush, plan: CompleteFlush, chained: Chained) -> PendingRows:
        """The records of files that a published flush lacks. Letters of all rejects are sent again: nobody knows of them.

        Records of a later leader epoch than the flush knows are none of them: the log was truncated, and these came then.
        """
        if -1 < plan.flush.footer.leader_epoch < batch.leader_epoch:
            return _pending(batch, None, ())
        chained = self._without_unpartitioned(chained, flush)
        rejects = self.rejects.handle(chained.rejects, records=len(batch))
        handled = {found.offset: attrs.evolve(found, is_written=False) for found in rejects}
        written = routed_rejects(batch, chained, plan)
        rows = None if chained.rows is None else routed_rows(chained.rows, plan)
        flush.left_out_files |= left_out_files(batch, rows, written, plan)
        for found in written:
            handled[found.offset] = attrs.evolve(handled.get(found.offset, found), is_written=True)
        return _pending(batch, rows, sorted(handled.values(), key=lambda found: found.offset))

    def _without_unpartitioned(self, chained: Chained, flush: OpenFlush) -> Chained:
        """Rows that the partitioner rejects are rejects, although the layout says where rows go.

        Those that it rejected before, too, lie in the runs of others.
        """
        if chained.rows is None:
            return chained
        partitioned = self._context.pipeline.partition(chained.rows, flush.open())
        if not partitioned.rejects:
            return chained
        rejects = sorted([*chained.rejects, *partitioned.rejects], key=lambda reject: reject.offset)
        return Chained(partitioned.rows.rows if len(partitioned.rows) else None, rejects)

    def partition_anew(self, flush: OpenFlush) -> None:
        """Where folders depend on the clock at which a flush is opened, pending rows get those of the new flush."""
        pending = self.pending
        if pending is not None and pending.rows is not None and self._context.pipeline.partitions_by_clock:
            rows = self._context.pipeline.partition(pending.rows.rows, flush.open()).rows
            self.pending = attrs.evolve(pending, rows=rows)


def _pending(
    batch: ConsumedBatch | _CorruptBatch, rows: PartitionedRows | None, rejects: Sequence[HandledReject]
) -> PendingRows:
    return PendingRows(rows, rejects, batch.next_offset, batch.leader_epoch)
