"""From a consumed batch to partitioned rows: tombstones, converter, transforms, added columns, views, partitioner."""

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
from kafka2parquet.rows import Converted, MixedRows, Partitioned, PartitionedRows, Rows, without_columns
from kafka2parquet.schema.column_rules import NameCase
from kafka2parquet.transforms.chain import TransformChain
from kafka2parquet.util.cache import BoundedCache

TombstonePolicy = Literal["fail", "ignore", "report", "write"]


@attrs.frozen(eq=False)
class Chained:
    """A converted batch: rows of each value schema, and the records that make no row."""

    rows: Rows | MixedRows | None
    rejects: Sequence[Reject]


@attrs.frozen(eq=False)
class RecordPipeline:
    """The pure steps in their order. Everything is done on whole columns, on the thread that drives the task.

    Attributes:
        converter: of the records' values.
        partitioner: of the rows.
        transforms: of the rows.
        metadata_columns: columns to add behind the others.
        views: keys and headers that get files of their own; None for none.
        on_tombstone: what a record without value is: `fail` ends the task, `ignore` leaves it out silently, `report` makes a
            reject of it, `write` writes it, without columns of a value.
        why_no_folder: says of a topic and an encoded partition why no object can lie there, None where one can.
        outer_folder: says of a topic and the one that transforms have made of it what the encoded partition begins with.
        unwritable_rows: finds the rows with values that the types of the files can't hold, as `ParquetWriter.unwritable_rows`
            does.
        name_case: what to do about columns whose names differ only in upper and lower case.
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

    @_guard.default
    def _new_guard(self) -> ColumnGuard:
        return ColumnGuard(self.name_case, self.metadata_columns.column_names)

    @_guarded.default
    def _new_guarded(self) -> TransformChain:
        return TransformChain([self._guard])

    def __attrs_post_init__(self) -> None:
        has_keys = "key" in self.metadata_columns.names or (self.views is not None and self.views.keys)
        if self.on_tombstone == "write" and not has_keys:
            raise ConfigurationError(
                "Records without value can only be written with their keys: add the metadata column `key`, or write files of"
                " keys (store.kafka.keys=true)."
            )

    @property
    def fingerprint(self) -> str:
        """Names all settings that decide which rows come out, with which columns, in which folder."""
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
        """Whether rows have to be partitioned anew for each flush."""
        return self.partitioner.uses_clock

    def convert(self, batch: ConsumedBatch) -> Chained:
        """Make each record of the batch (one or more) a row, a reject, or nothing.

        Raises:
            RejectedRecordError: a record has no value, and the policy says to fail.
            TransientError: a schema registry or the store doesn't answer; the same batch may be given again.
        """
        rejects: list[Reject] = []
        groups: list[Rows] = []
        tombstones = pc.is_null(batch.values)
        valued = batch.filter(pc.invert(tombstones)) if batch.values.null_count else batch
        for decoded in self._decoded(valued, rejects):
            rejects += decoded.rejects
            for rows in decoded.groups:
                groups += self._transformed(attrs.evolve(rows, batch=valued), rejects)
            if decoded.tombstones is not None and len(decoded.tombstones):
                tombstones = pc.or_(tombstones, pc.is_in(batch.offsets, decoded.tombstones))
        if pc.any(tombstones).as_py():
            records = batch.filter(tombstones)
            columns = without_columns(len(records))
            rows = Rows(records, records.offsets, records.timestamps_ms, columns, tombstones=True)
            groups += self._transformed(rows, rejects)
        groups = self._without_tombstones(groups, rejects)
        finished = [rows for group in groups for rows in self._finished(group, rejects) if len(rows)]
        rejects.sort(key=lambda reject: reject.offset)
        return Chained(MixedRows.of(finished) if finished else None, rejects)

    def _decoded(self, valued: ConsumedBatch, rejects: list[Reject]) -> list[Converted]:
        """What the converter makes of the records."""
        if not len(valued):
            return []
        decoded, broken = catch(Stage.DECODE, valued, valued, functools.partial(converted, self.converter))
        rejects += broken
        return decoded

    def _transformed(self, rows: Rows, rejects: list[Reject]) -> list[Rows]:
        """The rows as they come out of the transforms, in parts; those that are refused become rejects."""
        transformed, broken = catch(Stage.TRANSFORM, rows.batch, rows, self.transforms.apply)
        rejects += broken
        for part in transformed:
            rejects += part.rejects
        return [rows for part in transformed for rows in part.groups]

    def _without_tombstones(self, groups: Sequence[Rows], rejects: list[Reject]) -> list[Rows]:
        """The rows that are written: those with a value, and tombstones where the policy says so."""
        tombstones = [rows for rows in groups if rows.tombstones and len(rows)]
        if not tombstones or self.on_tombstone == "write":
            return list(groups)
        if self.on_tombstone == "fail":
            raise _null_value(min(tombstones, key=lambda rows: rows.offsets[0].as_py()))
        if self.on_tombstone == "report":
            for rows in tombstones:
                reasons = ["Skipping null value record."] * len(rows)
                rejects += rows.batch.reject_offsets(rows.offsets.to_numpy(), Stage.WRITE, reasons, DATA_EXCEPTION)
        return [rows for rows in groups if not rows.tombstones]

    def _finished(self, rows: Rows, rejects: list[Reject]) -> list[Rows]:
        """The rows with added columns and views, in parts; those that can't be written become rejects."""
        if not len(rows):
            return []
        finished, broken = catch(Stage.WRITE, rows.batch, rows, self._finish)
        rejects += broken
        parts = [part for parts in finished for part in parts]
        for part in parts:
            rejects += part.rejects
        return [part.rows for part in parts]

    def _finish(self, rows: Rows) -> list[Converted]:
        """The rows whose keys one column holds, together."""
        try:
            return [self._finish_together(rows)]
        except KeyTypesDifferError as differ:
            return [self._finish_together(part) for part in differ.parts(rows) if len(part)]

    def _finish_together(self, rows: Rows) -> Converted:
        guarded = self._guarded.apply(rows)
        rows, rejects = guarded.rows, list(guarded.rejects)
        columns = rows.table.num_columns
        for add in (self.metadata_columns.add, self.views.add if self.views is not None else None):
            if add is not None and len(rows):
                added = add(rows)
                rows = added.rows
                rejects += added.rejects
        if len(rows):
            rows, refused = self._guard.apply_to_added(rows, columns)
            rejects += refused
        fitting = self._fitting(rows)
        return Converted(fitting.rows, [*rejects, *fitting.rejects])

    def _fitting(self, rows: Rows) -> Converted:
        """The rows whose values the types of the files can hold; the others become rejects."""
        refused: dict[int, str] = {}
        if self.unwritable_rows is not None and len(rows):
            for table in (rows.table, *rows.views.values()):
                refused |= self.unwritable_rows(table)
        return Converted(*refuse(rows, refused, DATA_EXCEPTION))

    def partition(self, rows: Rows | MixedRows, opened_at: datetime.datetime) -> Partitioned:
        """The rows (one or more) with their encoded partitions; those without one are rejects."""
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
        """Rows of one group with their encoded partitions."""
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
        """The same, where rows whose folder no store can have are rejects, before any file of their flush is named."""
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
                reasons[code] = f"no object can lie in its folder: {reason}"
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


def _null_value(rows: Rows) -> RejectedRecordError:
    """That the first of the tombstones ends the task."""
    return RejectedRecordError(
        topic=rows.batch.topic_partition.topic,
        partition=rows.batch.topic_partition.partition,
        offset=rows.offsets[0].as_py(),
        stage=Stage.WRITE.value,
        reason="Null valued records are not writeable with current behavior.on.null.values 'settings",
        advice="The value is null (a tombstone). Nothing is committed past it. Leave such records out"
        " (behavior.on.null.values=ignore) or write them (write).",
    )
