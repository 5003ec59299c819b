"""RecordPipeline: the steps from a consumed batch to partitioned rows."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.converters.record_keys import KeyTypesDifferError
from kafka2parquet.converters.record_views import RecordViews
from kafka2parquet.errors import ConfigurationError, RejectedRecordError
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.partitioners.default import in_one_folder
from kafka2parquet.pipeline.column_guard import ColumnGuard, refuse
from kafka2parquet.pipeline.failures import catch
from kafka2parquet.pipeline.results import converted, partitioned
from kafka2parquet.records import DATA_EXCEPTION, PARTITION_EXCEPTION, ConsumedBatch, Reject, Stage
from kafka2parquet.rows import MixedRows, Partitioned, PartitionedRows, Rows, Transformed, without_columns
from kafka2parquet.schema.column_rules import NameCase
from kafka2parquet.transforms.chain import TransformChain
from kafka2parquet.util.cache import BoundedCache

TombstonePolicy = Literal["fail", "ignore", "report", "write"]


@attrs.frozen(eq=False)
class PipelineOutput:
    """The rows and rejects of a batch before the rows are partitioned.

    Attributes:
        rows: the rows of all value schemas, in the order of their offsets; None if there are none.
        rejects: in the order of their offsets.
    """

    rows: Rows | MixedRows | None
    rejects: Sequence[Reject]


_Passed = tuple[Sequence[Rows], Sequence[Reject]]
"""Rows of each schema for the next step, and rejects."""


@attrs.frozen(eq=False)
class _Step:
    """A step that treats the rows of each schema alone. A row for which the step breaks becomes a reject of `stage`."""

    stage: Stage
    apply: Callable[[Rows], Transformed]

    def __call__(self, groups: Sequence[Rows]) -> _Passed:
        passed: list[Rows] = []
        rejects: list[Reject] = []
        for rows in groups:
            results, broken = catch(self.stage, rows.batch, rows, self.apply)
            passed += [group for result in results for group in result.groups]
            rejects += [*broken, *(reject for result in results for reject in result.rejects)]
        return passed, rejects


@attrs.frozen(eq=False)
class RecordPipeline:
    """Turns consumed batches into partitioned rows, step by step (`_new_steps`).

    All steps work on whole columns, on the thread that drives the task.

    Attributes:
        converter: converts the records' values.
        partitioner: gives rows their encoded partitions.
        transforms: applied to the rows.
        metadata_columns: added after the other columns.
        views: keys and headers that are written to separate files; None writes values only.
        on_tombstone: what to do with a record without a value: `fail` ends the task, `ignore` leaves the record out silently,
            `report` rejects it, `write` writes a row that has no columns from a value.
        why_no_folder: takes a topic and an encoded partition, and returns why the store can't have objects in that folder;
            None if it can.
        outer_folder: takes the original topic and the topic that transforms have routed the records to, and returns the folder
            in front of the encoded partition.
        unwritable_rows: finds rows with values that the types of the files can't hold. See `ParquetWriter.unwritable_rows`.
        name_case: what to do about columns whose names differ only in case.
    """

    converter: RecordConverter
    partitioner: Partitioner
    transforms: TransformChain = attrs.field(factory=lambda: TransformChain(()))
    metadata_columns: MetadataColumns = attrs.field(factory=lambda: MetadataColumns(()))
    views: RecordViews | None = None
    on_tombstone: TombstonePolicy = "fail"
    why_no_folder: Callable[[str, str], str | None] | None = None
    outer_folder: Callable[[str, str], str] | None = None
    unwritable_rows: Callable[[pa.Table], Mapping[int, str]] | None = None
    name_case: NameCase = "reject"
    _impossible_folders: BoundedCache[tuple[str, str], str | None] = attrs.field(factory=BoundedCache, init=False)
    _guard: ColumnGuard = attrs.field(init=False)
    _guarded: TransformChain = attrs.field(init=False)
    _steps: tuple[Callable[[Sequence[Rows]], _Passed], ...] = attrs.field(init=False)

    @_guard.default
    def _new_guard(self) -> ColumnGuard:
        return ColumnGuard(self.name_case, self.metadata_columns.column_names)

    @_guarded.default
    def _new_guarded(self) -> TransformChain:
        return TransformChain([self._guard])

    @_steps.default
    def _new_steps(self) -> tuple[Callable[[Sequence[Rows]], _Passed], ...]:
        """The steps between the converter and the partitioner, in the order of the data."""
        return (
            _Step(Stage.TRANSFORM, self.transforms.apply),
            self._handle_tombstones,
            _Step(Stage.WRITE, self._guarded.apply),
            _Step(Stage.WRITE, functools.partial(_by_type_of_keys, self.metadata_columns.add)),
            *([_Step(Stage.WRITE, functools.partial(_by_type_of_keys, self.views.add))] if self.views is not None else []),
            _Step(Stage.WRITE, self._guard_added),
            _Step(Stage.WRITE, self._refuse_unwritable),
        )

    def __attrs_post_init__(self) -> None:
        has_keys = "key" in self.metadata_columns.names or (self.views is not None and self.views.keys)
        if self.on_tombstone == "write" and not has_keys:
            raise ConfigurationError(
                "Records without value can only be written with their keys: add the metadata column `key`, or write files of"
                " keys (store.kafka.keys=true)."
            )

    @property
    def fingerprint(self) -> str:
        """Names all settings that decide about rows, their columns and their folders."""
        return "|".join(
            [
                self.converter.fingerprint,
                self.transforms.fingerprint,
                self.partitioner.fingerprint,
                ",".join(self.metadata_columns.names),
                self.views.fingerprint if self.views is not None else "",
                self.on_tombstone,
            ]
            + ([self._guard.fingerprint] if self._guard.fingerprint else [])
        )

    @property
    def partitions_by_clock(self) -> bool:
        """Whether rows have to be partitioned again for each flush."""
        return self.partitioner.uses_clock

    def convert(self, batch: ConsumedBatch) -> PipelineOutput:
        """Makes each record of the batch (one or more) a row, a reject, or nothing.

        Raises:
            RejectedRecordError: a record has no value, and the policy says to fail.
            TransientError: a schema registry or the store doesn't answer; the same batch may be given again.
        """
        groups, found = self._decoded(batch)
        rejects = [*found]
        for step in self._steps:
            groups, found = step(groups)
            rejects += found
        rejects.sort(key=lambda reject: reject.offset)
        return PipelineOutput(MixedRows.of(groups) if groups else None, rejects)

    def _decoded(self, batch: ConsumedBatch) -> _Passed:
        """Converts the values. Records without a value are the last group."""
        groups: list[Rows] = []
        rejects: list[Reject] = []
        tombstones = pc.is_null(batch.values)
        valued = batch.filter(pc.invert(tombstones)) if batch.values.null_count else batch
        if len(valued):
            results, broken = catch(Stage.DECODE, valued, valued, functools.partial(converted, self.converter))
            rejects += broken
            for result in results:
                groups += [attrs.evolve(rows, batch=valued) for rows in result.groups]
                rejects += result.rejects
                if result.tombstones is not None and len(result.tombstones):
                    tombstones = pc.or_(tombstones, pc.is_in(batch.offsets, result.tombstones))
        if pc.any(tombstones).as_py():
            records = batch.filter(tombstones)
            columns = without_columns(len(records))
            groups.append(Rows(records, records.offsets, records.timestamps_ms, columns, tombstones=True))
        return groups, rejects

    def _handle_tombstones(self, groups: Sequence[Rows]) -> _Passed:
        """Leaves out the records without a value, unless the policy says to write them.

        Raises:
            RejectedRecordError: the policy says to fail, and there is one.
        """
        tombstones = [rows for rows in groups if rows.tombstones]
        if not tombstones or self.on_tombstone == "write":
            return groups, ()
        if self.on_tombstone == "fail":
            raise _null_value(min(tombstones, key=lambda rows: rows.offsets[0].as_py()))
        rejects: list[Reject] = []
        if self.on_tombstone == "report":
            for rows in tombstones:
                reasons = ["Skipping null value record."] * len(rows)
                rejects += rows.batch.reject_offsets(rows.offsets.to_numpy(), Stage.WRITE, reasons, DATA_EXCEPTION)
        return [rows for rows in groups if not rows.tombstones], rejects

    def _guard_added(self, rows: Rows) -> Transformed:
        """Refuses rows whose metadata columns or views would spoil a file."""
        return self._guard.apply_to_added(rows, rows.table.num_columns - len(self.metadata_columns.names))

    def _refuse_unwritable(self, rows: Rows) -> Transformed:
        """Refuses rows with values that the types of the files can't hold."""
        refused: dict[int, str] = {}
        if self.unwritable_rows is not None:
            for table in (rows.table, *rows.views.values()):
                refused |= self.unwritable_rows(table)
        return refuse(rows, refused, DATA_EXCEPTION)

    def partition(self, rows: Rows | MixedRows, opened_at: datetime.datetime) -> Partitioned:
        """Gives each row (one or more) its encoded partition; rows without one become rejects."""
        parts: list[PartitionedRows] = []
        rejects: list[Reject] = []
        for group in rows.groups:
            found, broken = catch(Stage.PARTITION, group.batch, group, lambda some: self._partitioned(some, opened_at))
            rejects += broken
            for part in found:
                parts.append(part.rows)
                rejects += part.rejects
        if not parts:
            parts.append(in_one_folder(rows.groups[0].slice(0, 0), "", rows.timestamps_ms.slice(0, 0)))
        return Partitioned(PartitionedRows.merged(parts), sorted(rejects, key=lambda reject: reject.offset))

    def _partitioned(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Partitions rows of one schema, or tombstones."""
        if rows.tombstones and self.views is not None:
            found = Partitioned(in_one_folder(rows, self.views.tombstone_partition, rows.timestamps_ms))
        else:
            found = partitioned(self.partitioner, rows, opened_at)
        outer = self.outer_folder(rows.batch.topic_partition.topic, rows.topic) if self.outer_folder is not None else ""
        if outer:
            folders = tuple(f"{outer}{folder}" for folder in found.rows.encoded_partitions)
            found = attrs.evolve(found, rows=attrs.evolve(found.rows, encoded_partitions=folders))
        return self._with_folders(found)

    def _with_folders(self, found: Partitioned) -> Partitioned:
        """Rejects rows whose folder the store can't have, before any file of their flush is named."""
        if self.why_no_folder is None:
            return found
        rows = found.rows
        topic = rows.rows.batch.topic_partition.topic
        reasons = {}
        for code, folder in enumerate(rows.encoded_partitions):
            reason = self._impossible_folders.get_or_create(
                (topic, folder), functools.partial(self.why_no_folder, topic, folder)
            )
            if reason is not None:
                reasons[code] = f"its folder can't contain objects: {reason}"
        if not reasons:
            return found
        codes, offsets = rows.codes.to_numpy(), rows.rows.offsets.to_numpy()
        refused = np.isin(codes, list(reasons))
        why = [reasons[code] for code in codes[refused].tolist()]
        rejects = rows.rows.batch.reject_offsets(offsets[refused], Stage.PARTITION, why, PARTITION_EXCEPTION)
        kept = pa.array(~refused)
        possible = PartitionedRows(
            rows.rows.filter(kept), rows.encoded_partitions, rows.codes.filter(kept), rows.timestamps_ms.filter(kept)
        )
        return Partitioned(possible, [*found.rejects, *rejects])


def _by_type_of_keys(add: Callable[[Rows], Transformed], rows: Rows) -> Transformed:
    """Adds columns to all rows at once or, where no column holds all keys, to the rows with keys of each type."""
    try:
        return add(rows)
    except KeyTypesDifferError as differ:
        results = [add(part) for part in differ.parts(rows) if len(part)]
    first, *others = [result.rows for result in results]
    return Transformed(first, [reject for result in results for reject in result.rejects], others)


def _null_value(rows: Rows) -> RejectedRecordError:
    """Makes the error for the first of the tombstones, which ends the task."""
    return RejectedRecordError(
        topic=rows.batch.topic_partition.topic,
        partition=rows.batch.topic_partition.partition,
        offset=rows.offsets[0].as_py(),
        stage=Stage.WRITE.value,
        reason="Null valued records are not writeable with current behavior.on.null.values 'settings",
        advice="The value is null (a tombstone). Nothing is committed past it. Leave such records out"
        " (behavior.on.null.values=ignore) or write them (write).",
    )
