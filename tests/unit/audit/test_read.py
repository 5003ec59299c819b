"""An audit of files in a store."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet import ObjectNaming, RecordCountRotation
from kafka2parquet.audit.coverage import Coverage, Kind
from kafka2parquet.audit.read import read_coverage
from kafka2parquet.audit.report import table, to_json, verdict
from kafka2parquet.parquet.footer import METADATA_KEY
from kafka2parquet.records import TopicPartition
from kafka2parquet.testing import MemoryRecord
from kafka2parquet.testing.memory_storage import StoredObject
from tests.support.sink_world import TOPIC, SinkWorld

DAMAGED = "topics/events/partition=0/events+0+0000000010.snappy.parquet"


@pytest.mark.parametrize("footer", ["", "{", '{"version": 99}', '{"version": 1, "start": 5}'])
def test_a_damaged_footer_is_a_finding(footer: str) -> None:
    """A file whose footer can't be read is named, its offsets are a gap, and the other files count."""
    world = SinkWorld()
    world.append(*[b"{}"] * 30)
    world.run(30, rotation=RecordCountRotation(10))
    stored = world.storage.objects[DAMAGED]
    world.storage.objects[DAMAGED] = StoredObject(stored.content, {METADATA_KEY: footer})
    stray = "topics/events/partition=0/copy.parquet"
    world.storage.objects[stray] = world.storage.objects[DAMAGED]

    audit = read_coverage(world.storage, ObjectNaming(), TOPIC, {TopicPartition(TOPIC, 0): 30})

    (coverage,) = audit.coverages
    assert [Kind.DAMAGED_FOOTER, Kind.GAP] == [finding.kind for finding in coverage.findings]
    assert coverage.findings[0].text.startswith(f"{DAMAGED}: its footer can't be read: ")
    assert (10, 20) == (coverage.findings[1].start, coverage.findings[1].end)
    assert [(Kind.DAMAGED_FOOTER, True)] == [(finding.kind, stray in finding.text) for finding in audit.strays]
    assert 20 == coverage.rows


@pytest.fixture
def migrated() -> SinkWorld:
    """A sink that has written offsets 10 to 29, because its group began at offset 10, in flushes of ten rows."""
    world = SinkWorld()
    world.append(*[b"{}"] * 30)
    world.kafka.commit("group", TOPIC, 0, 10, "")
    world.run(30, rotation=RecordCountRotation(10))
    return world


def _put(world: SinkWorld, first_offset: int, rows: int, *, content: bytes | None = None) -> str:
    """Puts a file of another tool into the topic's folder."""
    key = f"topics/{TOPIC}/partition=0/{TOPIC}+0+{first_offset:010}.gz.parquet"
    pq.write_table(pa.table({"a": [1] * rows}), sink := pa.BufferOutputStream())
    world.storage.objects[key] = StoredObject(sink.getvalue().to_pybytes() if content is None else content)
    return key


def _audit(world: SinkWorld, committed: int | None = 30) -> Coverage:
    offsets = {} if committed is None else {TopicPartition(TOPIC, 0): committed}
    (coverage,) = read_coverage(world.storage, ObjectNaming(), TOPIC, offsets).coverages
    return coverage


def test_files_of_another_tool_before_the_first_flush_are_history(migrated: SinkWorld) -> None:
    """They are counted in one line and are not findings, and their rows and offsets don't count."""
    before = _audit(migrated)
    _put(migrated, 0, 4)
    _put(migrated, 4, 6)
    audit = read_coverage(migrated.storage, ObjectNaming(), TOPIC, {TopicPartition(TOPIC, 0): 30})
    (coverage,) = audit.coverages
    assert (2, ()) == (coverage.history_files, coverage.findings)
    assert (before.start, before.end, before.rows, before.files) == (10, 30, 20, 2)
    assert (before.start, before.end, before.rows, before.files) == (
        coverage.start,
        coverage.end,
        coverage.rows,
        coverage.files,
    )
    assert "2 files of another tool, below the first offset of this sink's files: history" in table(audit)
    assert verdict(audit, deep=False).startswith("EXACT: every offset is covered once; 20 rows in 2 files")
    assert [2] == [each["history_files"] for each in to_json(audit, deep=False)["partitions"]]


@pytest.mark.parametrize("first_offset", [10, 15, 29, 30])
def test_files_of_another_tool_behind_the_first_offset_are_findings(migrated: SinkWorld, first_offset: int) -> None:
    """A file within the sink's range, or behind it, is a finding."""
    key = _put(migrated, first_offset, 1)
    coverage = _audit(migrated)
    assert 0 == coverage.history_files
    assert [(Kind.FOREIGN_FILE, f"{key} was not written by kafka2parquet")] == [
        (finding.kind, finding.text) for finding in coverage.findings
    ]


def test_a_file_of_another_tool_that_reaches_into_the_range(migrated: SinkWorld) -> None:
    """A file with more rows than offsets between its name and the sink's first offset is a finding that says so."""
    _put(migrated, 4, 7)
    (finding,) = _audit(migrated).findings
    assert Kind.FOREIGN_FILE is finding.kind
    assert "its 7 rows it reaches past offset 10, where this sink's files begin" in finding.text


@pytest.mark.parametrize("content", [b"", b"no Parquet", b"damagedPAR1"])
def test_what_is_not_a_readable_file_is_never_history(migrated: SinkWorld, content: bytes) -> None:
    """An unreadable file may be one of the sink's own, so it is a finding wherever its name says that it begins."""
    _put(migrated, 0, 0, content=content)
    assert [Kind.FOREIGN_FILE] == [finding.kind for finding in _audit(migrated).findings]


def test_without_files_of_the_sink_the_committed_offset_decides() -> None:
    """Before the sink's first file, files below the committed offset are history; without an offset, nothing is."""
    world = SinkWorld()
    world.append(*[b"{}"] * 10)
    _put(world, 0, 10)
    coverage = _audit(world, 10)
    assert (1, (), 0) == (coverage.history_files, coverage.findings, coverage.files)
    assert 1 == len(_audit(world, 9).findings)
    assert 1 == len(_audit(world, None).findings)
    audit = read_coverage(world.storage, ObjectNaming(), TOPIC, {TopicPartition(TOPIC, 0): 10})
    assert verdict(audit, deep=False).startswith("NOTHING OF THIS SINK YET")


def test_a_gap_says_that_another_tool_has_files_there(migrated: SinkWorld) -> None:
    """After back and forth, the offsets that the other tool wrote are a gap that counts its files."""
    migrated.kafka.append(TOPIC, 0, [MemoryRecord(b"{}")] * 10)
    _put(migrated, 30, 4)
    _put(migrated, 34, 6)
    gap = _audit(migrated, 40).findings[-1]
    assert (Kind.GAP, 30, 40) == (gap.kind, gap.start, gap.end)
    assert gap.text.endswith("By their names, 2 files of another tool begin there")
