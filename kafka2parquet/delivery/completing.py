"""Selects the records of a published flush's missing files, by the anchor's layout instead of the current configuration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.delivery.recovery import CompleteFlush
from kafka2parquet.delivery.rejects import HandledReject
from kafka2parquet.parquet.footer import FlushFooter, Layout
from kafka2parquet.pipeline.record_pipeline import PipelineOutput
from kafka2parquet.records import ConsumedBatch, Stage
from kafka2parquet.rows import MixedRows, PartitionedRows, Rows


def routed_rows(rows: Rows | MixedRows, plan: CompleteFlush) -> PartitionedRows | None:
    """The rows of the missing files, each with its file's number instead of an encoded partition."""
    offsets = rows.offsets.to_numpy()
    numbers = _file_numbers(plan.flush.footer, offsets)
    files = sorted(plan.missing - {rejects_file(plan.flush.footer)})
    wanted = np.isin(numbers, files) & (offsets >= plan.flush.footer.start)
    if not wanted.any():
        return None
    codes = np.searchsorted(files, numbers[wanted]).astype(np.int32)
    chosen = rows.filter(pa.array(wanted))
    return PartitionedRows(chosen, tuple(str(number) for number in files), pa.array(codes), chosen.timestamps_ms)


def routed_rejects(batch: ConsumedBatch, converted: PipelineOutput, plan: CompleteFlush) -> Sequence[HandledReject]:
    """The records of the missing file of rejects, including records that are rows under the current configuration.

    The layout only stores where runs start, so the offset of a record that produced nothing falls into its neighbour's run.
    Records that are neither a row nor a reject now are therefore skipped.
    """
    footer = plan.flush.footer
    number = rejects_file(footer)
    if number is None or number not in plan.missing:
        return ()
    offsets = batch.offsets.to_numpy()
    wanted = (_file_numbers(footer, offsets) == number) & (offsets >= footer.start)
    rejects = {reject.offset: reject for reject in converted.rejects}
    rows = set(converted.rows.offsets.to_pylist()) if converted.rows is not None else set()
    found = []
    for row in np.flatnonzero(wanted).tolist():
        offset = int(offsets[row])
        reject = rejects.get(offset)
        if reject is None and offset in rows:
            reject = batch.reject(row, Stage.DECODE, "rejected when its flush was published, under another configuration")
        if reject is not None:
            found.append(HandledReject(reject, is_written=True))
    return found


def left_out_files(
    batch: ConsumedBatch, rows: PartitionedRows | None, rejects: Sequence[HandledReject], plan: CompleteFlush
) -> set[int]:
    """Numbers of the missing files that lack a record now, because the record is in their runs and is not written.

    Args:
        batch: the records.
        rows: the rows of `batch` that go into the missing files.
        rejects: the rejects of `batch` that go into the missing file of rejects.
        plan: says which files are missing.
    """
    footer = plan.flush.footer
    offsets = batch.offsets.to_numpy()
    numbers = _file_numbers(footer, offsets)
    left_out = np.isin(numbers, list(plan.missing)) & (offsets >= footer.start) & (offsets < footer.end)
    if rows is not None:
        left_out &= ~np.isin(offsets, rows.rows.offsets.to_numpy())
    left_out &= ~np.isin(offsets, np.array([reject.offset for reject in rejects], np.int64))
    return set(numbers[left_out].tolist())


def rejects_file(footer: FlushFooter) -> int | None:
    """The number of the flush's file of rejects; None without one."""
    if footer.role == "rejects":
        return 0
    return next((sibling.file for sibling in footer.siblings or () if sibling.role == "rejects"), None)


def _file_numbers(footer: FlushFooter, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return Layout.decode(footer.layout or "").files(offsets)
