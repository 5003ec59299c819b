"""Compares rows with records, offset by offset, which proves more than footers can."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from kafka2parquet.audit.coverage import Coverage, Finding, FlushRange, Kind
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.storage.fsspec_storage import FsspecStorage

#: The column of offsets, by the role of a file.
_OFFSET_COLUMNS = {"values": "_kafka_offset", "rejects": "offset"}
_Int64s = npt.NDArray[np.int64]


def compare(coverage: Coverage, storage: FsspecStorage, log: LogReader) -> Coverage:
    """Compare the rows of a coverage with the log, and update its findings. Gaps without records are dropped. Blocks.

    A record without a value may have a row or not. A record that was rejected and not kept in the quarantine counts as
    missing, because the log doesn't show rejections. If files have the column `_kafka_offset`, offsets are compared, else
    numbers of rows.
    """
    end = max(coverage.end, coverage.committed or 0)
    in_log = _LogOffsets.read(coverage, log, end)
    findings = [finding for finding in coverage.findings if finding.kind is not Kind.GAP]
    for gap in (finding for finding in coverage.findings if finding.kind is Kind.GAP):
        missing = _between(in_log.valued, gap.start, gap.end)
        if len(missing):
            findings.append(Finding(Kind.MISSING_RECORDS, gap.start, gap.end, f"in no file: {_some(missing)}"))
    for flush in coverage.flushes:
        if flush.start >= in_log.start:
            findings += _compare_flush(flush, storage, in_log)
    return attrs.evolve(coverage, findings=tuple(findings))


@attrs.frozen(eq=False)
class _LogOffsets:
    """The offsets of all records in the log, the offsets of records with a value, and the first offset of the log."""

    all: _Int64s
    valued: _Int64s
    start: int

    @classmethod
    def read(cls, coverage: Coverage, log: LogReader, end: int) -> _LogOffsets:
        offsets: list[_Int64s] = [np.empty(0, np.int64)]
        valued: list[_Int64s] = [np.empty(0, np.int64)]
        start: int | None = None
        for batch in log.read(coverage.topic_partition, coverage.start, end):
            start = batch.first_offset if start is None else start
            found = batch.offsets.to_numpy()
            offsets.append(found)
            valued.append(found[batch.values.is_valid().to_numpy(zero_copy_only=False)])
        return cls(np.concatenate(offsets), np.concatenate(valued), coverage.start if start is None else start)


def _compare_flush(flush: FlushRange, storage: FsspecStorage, in_log: _LogOffsets) -> list[Finding]:
    expected = _between(in_log.valued, flush.start, flush.end)
    possible = _between(in_log.all, flush.start, flush.end)
    rows, offsets = _rows(flush, storage)
    if offsets is None:
        if len(expected) <= rows <= len(possible):
            return []
        kind = Kind.MISSING_RECORDS if rows < len(expected) else Kind.REPEATED_RECORDS
        return [Finding(kind, flush.start, flush.end, f"{len(expected)} records in the log, {rows} rows in the files")]
    findings = []
    missing = np.setdiff1d(expected, offsets)
    if len(missing):
        findings.append(Finding(Kind.MISSING_RECORDS, flush.start, flush.end, f"not in its files: {_some(missing)}"))
    distinct, counts = np.unique(offsets, return_counts=True)
    repeated = np.union1d(distinct[counts > 1], np.setdiff1d(distinct, possible))
    if len(repeated):
        findings.append(
            Finding(Kind.REPEATED_RECORDS, flush.start, flush.end, f"more often than in the log: {_some(repeated)}")
        )
    return findings


def _rows(flush: FlushRange, storage: FsspecStorage) -> tuple[int, _Int64s | None]:
    """Return the number of rows in the flush's files, and their offsets if all files have a column of offsets."""
    rows, offsets = 0, [np.empty(0, np.int64)]
    complete = True
    for key, role in flush.row_files:
        with storage.filesystem.open(storage.path(key), "rb") as source:
            file = pq.ParquetFile(source)
            rows += file.metadata.num_rows
            column = _OFFSET_COLUMNS[role]
            if column in file.schema_arrow.names:
                offsets.append(file.read([column], use_threads=False)[column].to_numpy())
            else:
                complete = False
    return rows, np.concatenate(offsets) if complete else None


def _between(offsets: _Int64s, start: int, end: int) -> _Int64s:
    return offsets[np.searchsorted(offsets, start) : np.searchsorted(offsets, end)]


def _some(offsets: _Int64s) -> str:
    shown = ", ".join(str(offset) for offset in offsets[:3].tolist())
    return f"{len(offsets)} records, offsets {shown}{', ...' if len(offsets) > 3 else ''}"
