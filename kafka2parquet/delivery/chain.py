"""From a consumed batch to partitioned rows: tombstones, converter, metadata columns, partitioner; and rejects."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.errors import RejectedRecordError
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.records import ConsumedBatch, PartitionedRows, Reject, Rows, Stage

RejectPolicy = Literal["fail", "skip"]
TombstonePolicy = Literal["fail", "ignore"]


class RecordChain:
    """The pure steps in their order. Everything is done on whole columns, on the thread that drives the task."""

    def __init__(
        self,
        *,
        converter: RecordConverter,
        partitioner: Partitioner,
        metadata_columns: MetadataColumns | None,
        on_reject: RejectPolicy,
        on_tombstone: TombstonePolicy,
        skipped: Callable[[Reject], None],
    ) -> None:
        """Put the steps together.

        Args:
            converter: of the records' values.
            partitioner: of the rows.
            metadata_columns: columns to add, None for none.
            on_reject: `fail` raises at the first reject, `skip` leaves rejects out.
            on_tombstone: `fail` treats a null value as a reject, `ignore` leaves it out silently.
            skipped: told of every reject that is left out.
        """
        self._converter = converter
        self._partitioner = partitioner
        self._metadata_columns = metadata_columns
        self._on_reject = on_reject
        self._on_tombstone = on_tombstone
        self._skipped = skipped

    @property
    def fingerprint(self) -> str:
        """Names all settings that decide which rows come out, with which columns, in which folder."""
        columns = self._metadata_columns.names if self._metadata_columns is not None else ()
        return "|".join(
            [
                self._converter.fingerprint,
                self._partitioner.fingerprint,
                ",".join(columns),
                self._on_reject,
                self._on_tombstone,
            ]
        )

    @property
    def partitions_by_clock(self) -> bool:
        """Whether rows have to be partitioned anew for each flush."""
        return self._partitioner.uses_clock

    def convert(self, batch: ConsumedBatch) -> Rows | None:
        """Rows of the batch; None when none is left.

        Raises:
            RejectedRecordError: a record is rejected and the policy says to fail.
        """
        if batch.values.null_count:
            if self._on_tombstone == "fail":
                first = pc.index(pc.is_null(batch.values), pa.scalar(True)).as_py()
                self._handle([batch.reject(first, Stage.DECODE, "the value is null (a tombstone)")])
            batch = batch.filter(pc.is_valid(batch.values))
        if not len(batch):
            return None
        converted = self._converter.convert(batch)
        self._handle(converted.rejects)
        if self._metadata_columns is not None and len(converted.rows):
            converted = self._metadata_columns.add(converted.rows)
            self._handle(converted.rejects)
        return converted.rows if len(converted.rows) else None

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> PartitionedRows | None:
        """The rows with their encoded partitions; None when none is left.

        Raises:
            RejectedRecordError: a row is rejected and the policy says to fail.
        """
        partitioned = self._partitioner.partition(rows, opened_at)
        self._handle(partitioned.rejects)
        return partitioned.rows if len(partitioned.rows) else None

    def _handle(self, rejects: Iterable[Reject]) -> None:
        for reject in rejects:
            if self._on_reject == "fail":
                raise RejectedRecordError(
                    topic=reject.topic_partition.topic,
                    partition=reject.topic_partition.partition,
                    offset=reject.offset,
                    stage=reject.stage.value,
                    reason=reject.reason,
                    advice="Nothing is committed past it. Mend the settings, or leave such records out"
                    " (errors.tolerance=all; null values: behavior.on.null.values=ignore).",
                )
            self._skipped(reject)
