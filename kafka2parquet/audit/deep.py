"""Compares rows with records, offset by offset: what footers can't prove."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from kafka2parquet.audit.coverage import Coverage, Finding, FlushRange, Kind
from kafka2parquet.consumers.log_reader import LogReader
from kafka2parquet.storage.fsspec_storage import FsspecStorage

_OFFSET_COLUMN = "_kafka_offset"
_Int64s = npt.NDArray[np.int64]


def compare(coverage: Coverage, storage: FsspecStorage, log: LogReader) -> Coverage:
    """The coverage with what its rows and the log add; gaps without records are no findings any more. Blocks.

    Records without value make no rows; what was rejected counts as missing, because the log doesn't tell. Where the files
    have the column `_kafka_offset` single offsets are compared, else numbers of rows.
    """
    end = max(coverage.end, coverage.committed or 0)
    in_log, log_start = _offsets_in_log(coverage, log, end)
    findings = [finding for finding in coverage.findings if finding.kind is not Kind.GAP]
    for gap in (finding for finding in coverage.findings if finding.kind is Kind.GAP):
        missing = _between(in_log, gap.start, gap.end)
        if len(missing):
            findings.append(Finding(Kind.MISSING_RECORDS, gap.start, gap.end, f"in no file: {_some(missing)}"))
    for flush in coverage.flushes:
        if flush.start >= log_start:
            findings += _compare_flush(flush, storage, _between(in_log, flush.start, flush.end))
    return attrs.evolve(coverage, findings=tuple(findings))


def _offsets_in_log(coverage: Coverage, log: LogReader, end: int) -> tuple[_Int64s, int]:
    """The offsets of records with a value, and where the log begins."""
    found: list[_Int64s] = []
    log_start: int | None = None
    for batch in log.read(coverage.topic_partition, coverage.start, end):
        log_start = batch.first_offset if log_start is None else log_start
        valued = batch.values.is_valid().to_numpy(zero_copy_only=False)
        found.append(batch.offsets.to_numpy()[valued])
    offsets = np.concatenate(found) if found else np.empty(0, np.int64)
    return offsets, coverage.start if log_start is None else log_start


def _compare_flush(flush: FlushRange, storage: FsspecStorage, expected: _Int64s) -> list[Finding]:
    rows, offsets = _rows(flush, storage)
    if offsets is None:
        if rows == len(expected):
            return []
        kind = Kind.MISSING_RECORDS if rows < len(expected) else Kind.REPEATED_RECORDS
        return [Finding(kind, flush.start, flush.end, f"{len(expected)} records in the log, {rows} rows in the files")]
    findings = []
    missing = np.setdiff1d(expected, offsets)
    if len(missing):
        findings.append(Finding(Kind.MISSING_RECORDS, flush.start, flush.end, f"not in its files: {_some(missing)}"))
    distinct, counts = np.unique(offsets, return_counts=True)
    repeated = np.union1d(distinct[counts > 1], np.setdiff1d(distinct, expected))
    if len(repeated):
        findings.append(
            Finding(Kind.REPEATED_RECORDS, flush.start, flush.end, f"more often than in the log: {_some(repeated)}")
        )
    return findings


def _rows(flush: FlushRange, storage: FsspecStorage) -> tuple[int, _Int64s | None]:
    """How many rows the flush's files have; their offsets, where they have that column."""
    rows, offsets = 0, []
    for key in flush.keys:
        with storage.filesystem.open(storage.path(key), "rb") as source:
            file = pq.ParquetFile(source)
            rows += file.metadata.num_rows
            if _OFFSET_COLUMN in file.schema_arrow.names:
                offsets.append(file.read([_OFFSET_COLUMN], use_threads=False)[_OFFSET_COLUMN].to_numpy())
    complete = len(offsets) == len(flush.keys)
    return rows, np.concatenate(offsets) if complete else None


def _between(offsets: _Int64s, start: int, end: int) -> _Int64s:
    return offsets[np.searchsorted(offsets, start) : np.searchsorted(offsets, end)]


def _some(offsets: _Int64s) -> str:
    shown = ", ".join(str(offset) for offset in offsets[:3].tolist())
    return f"{len(offsets)} records, offsets {shown}{', ...' if len(offsets) > 3 else ''}"
