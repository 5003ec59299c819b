"""Compares rows with records, offset by offset, which proves more than footers can.

The flushes of a topic-partition are split into ranges of offsets, each a unit of work, which may run in another process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from kafka2parquet.audit.coverage import Coverage, Finding, FlushRange, Kind
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.parquet.footer import Role
from kafka2parquet.records import TopicPartition
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.util.display import counted

#: The column of offsets, by the role of a file.
_OFFSET_COLUMNS = {"values": "_kafka_offset", "rejects": "offset"}
#: Number of offsets in a unit, about. All of them are in memory while the unit runs.
_OFFSETS_OF_UNIT = 2_000_000
_FILES_OF_UNIT = 200
_Int64s = npt.NDArray[np.int64]


@attrs.frozen
class LogSource:
    """How to connect to Kafka. It can be pickled, and contains the client's passwords.

    Attributes:
        bootstrap_servers: some brokers.
        group_id: the consumer group of the sink.
        client_settings: further settings of the Kafka client.
    """

    bootstrap_servers: str | Sequence[str]
    group_id: str
    client_settings: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    def open(self) -> LogReader:
        """Connect. Blocks.

        Raises:
            KafkaUnavailableError: no broker answers.
            AccessError: Kafka refuses access.
        """
        return LogReader(self.bootstrap_servers, self.group_id, self.client_settings)


@attrs.frozen
class DeepFlush:
    """A flush that is compared with the log: offsets [start, end).

    Attributes:
        start: first offset.
        end: offset after the last one.
        row_files: key and role of each file whose rows are records.
    """

    start: int
    end: int
    row_files: tuple[tuple[str, Role], ...]


@attrs.frozen
class DeepUnit:
    """Offsets [start, end) of a topic-partition, and the flushes and gaps in this range.

    Attributes:
        topic: name of the topic.
        partition: partition of the topic.
        start: first offset.
        end: offset after the last one.
        flushes: the flushes that start in the range.
        gaps: the ranges of offsets that are in no file, and start in the range.
    """

    topic: str
    partition: int
    start: int
    end: int
    flushes: tuple[DeepFlush, ...] = attrs.field(repr=False)
    gaps: tuple[tuple[int, int], ...] = attrs.field(repr=False)

    @property
    def id(self) -> str:
        """The unit's name. It has no end, so that new flushes at the end of a log don't change it."""
        return f"{self.topic}-{self.partition}@{self.start}"

    def to_json(self) -> dict[str, Any]:
        """Return the unit as JSON."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DeepUnit:
        """Parse what `to_json` returned.

        Raises:
            KeyError: a name is missing.
            TypeError: a name is unknown.
        """
        flushes = tuple(
            DeepFlush(each["start"], each["end"], tuple((key, role) for key, role in each["row_files"]))
            for each in values["flushes"]
        )
        gaps = tuple((start, end) for start, end in values["gaps"])
        return cls(**{**values, "flushes": flushes, "gaps": gaps})


@attrs.frozen
class DeepResult:
    """What a unit's comparison has found.

    Attributes:
        unit_id: id of the unit.
        findings: everything that is wrong.
    """

    unit_id: str
    findings: tuple[Finding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return {"unit_id": self.unit_id, "findings": [{**attrs.asdict(f), "kind": f.kind.value} for f in self.findings]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DeepResult:
        """Parse what `to_json` returned.

        Raises:
            KeyError: a name is missing.
            TypeError: a name is unknown.
            ValueError: a kind of finding is unknown.
        """
        return cls(values["unit_id"], tuple(Finding(**{**f, "kind": Kind(f["kind"])}) for f in values["findings"]))


class _Opens(Protocol):
    """Connects to Kafka, as a `LogSource` does."""

    def open(self) -> LogReader:
        """Connect."""


def plan_deep(
    coverage: Coverage, *, offsets_of_unit: int = _OFFSETS_OF_UNIT, files_of_unit: int = _FILES_OF_UNIT
) -> Iterator[DeepUnit]:
    """Yield the units that together compare all flushes and gaps of a coverage.

    Where a unit starts depends on the flushes before it, and not on those after it.

    Args:
        coverage: the coverage.
        offsets_of_unit: number of offsets after which a unit ends with a flush.
        files_of_unit: number of files, likewise.
    """
    end = max(coverage.end, coverage.committed or 0)
    gaps = [(finding.start, finding.end) for finding in coverage.findings if finding.kind is Kind.GAP]
    runs = [*_runs(coverage.flushes, offsets_of_unit, files_of_unit)]
    starts = [run[0].start for run in runs] or [coverage.start]
    for number, start in enumerate(starts):
        until = starts[number + 1] if number + 1 < len(starts) else end
        flushes = tuple(DeepFlush(flush.start, flush.end, flush.row_files) for flush in (runs[number] if runs else ()))
        within = tuple(gap for gap in gaps if start <= gap[0] < until)
        if flushes or within:
            yield DeepUnit(coverage.topic_partition.topic, coverage.topic_partition.partition, start, until, flushes, within)


def run_deep(unit: DeepUnit, storage: FsspecStorage, source: _Opens) -> DeepResult:
    """Compare the rows of a unit with the log. Blocks: reads the unit's range of the log, and the offsets of its files.

    A record without a value may have a row or not. A record that was rejected and not kept in the quarantine counts as
    missing, because the log doesn't show rejections. If files have the column `_kafka_offset`, offsets are compared, else
    numbers of rows. What the log doesn't have any more is not compared.

    Args:
        unit: the unit.
        storage: where the files are.
        source: connects to Kafka.

    Raises:
        Kafka2ParquetError: Kafka or the store can't be read.
    """
    topic_partition = TopicPartition(unit.topic, unit.partition)
    end = max([unit.end, *(flush.end for flush in unit.flushes), *(end for _, end in unit.gaps)])
    findings: list[Finding] = []
    with source.open() as log:
        in_log = _LogOffsets.read(topic_partition, log, unit.start, end)
    for gap_start, gap_end in unit.gaps:
        missing = _between(in_log.valued, gap_start, gap_end)
        if len(missing):
            findings.append(Finding(Kind.MISSING_RECORDS, gap_start, gap_end, f"in no file: {_some(missing)}"))
    for flush in unit.flushes:
        if flush.start >= in_log.start:
            findings += _compare_flush(flush, storage, in_log)
    return DeepResult(unit.id, tuple(findings))


def with_results(coverage: Coverage, results: Iterable[DeepResult]) -> Coverage:
    """Return a coverage with the findings of a comparison instead of the gaps that the footers show.

    Args:
        coverage: the coverage.
        results: results of units of the coverage.
    """
    findings = [finding for finding in coverage.findings if finding.kind is not Kind.GAP]
    findings += [finding for result in results for finding in result.findings]
    return attrs.evolve(coverage, findings=tuple(findings))


def _runs(flushes: Sequence[FlushRange], offsets_of_unit: int, files_of_unit: int) -> Iterator[list[FlushRange]]:
    """Yield runs of flushes that have enough offsets or files for a unit."""
    run: list[FlushRange] = []
    for flush in flushes:
        run.append(flush)
        if flush.end - run[0].start >= offsets_of_unit or sum(each.files for each in run) >= files_of_unit:
            yield run
            run = []
    if run:
        yield run


@attrs.frozen(eq=False)
class _LogOffsets:
    """The offsets of all records in the log, the offsets of records with a value, and the first offset of the log."""

    all: _Int64s
    valued: _Int64s
    start: int

    @classmethod
    def read(cls, topic_partition: TopicPartition, log: LogReader, begin: int, end: int) -> _LogOffsets:
        offsets: list[_Int64s] = [np.empty(0, np.int64)]
        valued: list[_Int64s] = [np.empty(0, np.int64)]
        start = log.bounds(topic_partition.topic).get(topic_partition, (begin, end))[0]
        is_cut = start >= begin  # the log begins in this range, and perhaps later than it says, if the topic is compacted
        for batch in log.read(topic_partition, begin, end) if start < end else ():
            if is_cut:
                start, is_cut = max(start, batch.first_offset), False
            found = batch.offsets.to_numpy()
            offsets.append(found)
            valued.append(found[batch.values.is_valid().to_numpy(zero_copy_only=False)])
        return cls(np.concatenate(offsets), np.concatenate(valued), start)


def _compare_flush(flush: DeepFlush, storage: FsspecStorage, in_log: _LogOffsets) -> list[Finding]:
    expected = _between(in_log.valued, flush.start, flush.end)
    possible = _between(in_log.all, flush.start, flush.end)
    rows, offsets = _rows(flush, storage)
    if offsets is None:
        if len(expected) <= rows <= len(possible):
            return []
        kind = Kind.MISSING_RECORDS if rows < len(expected) else Kind.REPEATED_RECORDS
        return [
            Finding(
                kind,
                flush.start,
                flush.end,
                f"{counted(len(expected), 'record')} in the log, {counted(rows, 'row')} in the files",
            )
        ]
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


def _rows(flush: DeepFlush, storage: FsspecStorage) -> tuple[int, _Int64s | None]:
    """Return the number of rows in the flush's files, and their offsets if all files have a column of offsets.

    A file that does not exist has no rows.
    """
    rows, offsets = 0, [np.empty(0, np.int64)]
    complete = True
    for key, role in flush.row_files:
        try:
            with storage.filesystem.open(storage.path(key), "rb") as source:
                file = pq.ParquetFile(source)
                column = _OFFSET_COLUMNS[role]
                has_offsets = column in file.schema_arrow.names
                found = file.read([column], use_threads=False)[column].to_numpy() if has_offsets else None
        except FileNotFoundError:
            continue
        rows += file.metadata.num_rows
        if found is None:
            complete = False
        else:
            offsets.append(found)
    return rows, np.concatenate(offsets) if complete else None


def _between(offsets: _Int64s, start: int, end: int) -> _Int64s:
    return offsets[np.searchsorted(offsets, start) : np.searchsorted(offsets, end)]


def _some(offsets: _Int64s) -> str:
    shown = ", ".join(str(offset) for offset in offsets[:3].tolist())
    return f"{counted(len(offsets), 'record')}, offsets {shown}{', ...' if len(offsets) > 3 else ''}"
