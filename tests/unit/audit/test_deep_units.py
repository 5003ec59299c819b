"""A comparison with the log is split into units, which together have all flushes and gaps."""

from __future__ import annotations

import json
import pickle

import attrs
import pytest

from kafka2parquet.audit.coverage import Coverage, Finding, Kind
from kafka2parquet.audit.deep import DeepResult, DeepUnit, plan_deep, run_deep, with_results
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.records import TopicPartition
from kafka2parquet.storage import FsspecStorage
from kafka2parquet.testing import EmbeddedBroker
from tests.unit.audit.test_audit_coverage import footer, judge


@attrs.frozen
class Source:
    bootstrap: str

    def open(self) -> LogReader:
        return LogReader(self.bootstrap, "group", {})


@pytest.fixture
def covered() -> Coverage:
    """Ten flushes of ten offsets with one file each, a gap after the fifth, and a gap before the committed offset."""
    starts = [number * 10 + (5 if number >= 5 else 0) for number in range(10)]
    return judge({f"f{start}": footer(start, start + 10) for start in starts}, 120)


@pytest.mark.parametrize(("offsets", "files", "count"), [(1, 100, 10), (20, 100, 5), (1000, 3, 4), (1000, 100, 1)])
def test_units_tile_the_offsets(covered: Coverage, offsets: int, files: int, count: int) -> None:
    """Units follow each other without a gap, have different ids, and together have each flush and each gap once."""
    units = [*plan_deep(covered, offsets_of_unit=offsets, files_of_unit=files)]
    assert count == len(units) == len({unit.id for unit in units})
    assert [unit.end for unit in units] == [*(unit.start for unit in units[1:]), 120]
    assert [flush.start for flush in covered.flushes] == [flush.start for unit in units for flush in unit.flushes]
    assert [(50, 55), (105, 120)] == [gap for unit in units for gap in unit.gaps]


def test_new_flushes_leave_the_units_before_as_they_are(covered: Coverage) -> None:
    """When a log grows, only the last unit changes, and its id stays."""
    earlier = attrs.evolve(covered, flushes=covered.flushes[:7], committed=75, findings=covered.findings[:1])
    before, after = ([*plan_deep(each, offsets_of_unit=30)] for each in (earlier, covered))
    assert before[:2] == after[:2]
    assert [unit.id for unit in before] == [unit.id for unit in after][: len(before)]


def test_gaps_without_a_flush() -> None:
    """A committed offset without any file needs no unit, because nothing says where the files should begin."""
    assert [] == [*plan_deep(judge({}, 100))]


def test_units_and_results_are_values(covered: Coverage) -> None:
    """Units and results survive pickling and JSON."""
    for unit in plan_deep(covered, offsets_of_unit=30):
        assert unit == pickle.loads(pickle.dumps(unit)) == DeepUnit.from_json(json.loads(json.dumps(unit.to_json())))
    result = DeepResult("events-0@0", (Finding(Kind.MISSING_RECORDS, 1, 2, "text"),))
    assert result == pickle.loads(pickle.dumps(result)) == DeepResult.from_json(json.loads(json.dumps(result.to_json())))
    assert result.findings == with_results(covered, [result]).findings


def test_each_unit_finds_its_own(covered: Coverage) -> None:
    """The unit that has a gap finds the missing records, and units of offsets that Kafka has deleted find nothing."""
    gaps_only = attrs.evolve(covered, flushes=tuple(attrs.evolve(flush, row_files=()) for flush in covered.flushes))
    with EmbeddedBroker() as broker:
        broker.create_topic("events")
        broker.append_values("events", 0, [b"{}"] * 120, [0] * 120)
        broker.delete_records("events", 0, 104)
        storage = FsspecStorage("/nowhere")
        units = [*plan_deep(gaps_only, offsets_of_unit=20)]
        found = [run_deep(unit, storage, Source(broker.bootstrap)).findings for unit in units]
    assert [[]] * 4 == [list(each) for each in found[:-1]]
    assert [(Kind.MISSING_RECORDS, 105, 120)] == [(each.kind, each.start, each.end) for each in found[-1]]
    assert TopicPartition("events", 0) == covered.topic_partition
