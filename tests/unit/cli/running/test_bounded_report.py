"""Files of runs that end, which other programs may read at any moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kafka2parquet.bounded import DrainResult, PartitionResult, Ranges, TopicRange
from kafka2parquet.cli.running.bounded_report import Report, create_json, plan_text, summary_text, write_json
from kafka2parquet.errors import ConfigurationError, StorageUnavailableError
from kafka2parquet.records import TopicPartition

FIRST = TopicPartition("orders", 0)


def ranges(partitions: int) -> Ranges:
    return Ranges({TopicPartition("orders", number): TopicRange(0, 1000) for number in range(partitions)}, "cluster", "group")


def test_a_file_is_created_once(tmp_path: Path) -> None:
    """Of two processes that create a file, the first one wins, and the other one learns that."""
    path = tmp_path / "range.json"
    assert [True, False] == [create_json(str(path), {"number": number}) for number in (1, 2)]
    assert {"number": 1} == json.loads(path.read_text())
    assert [path] == list(tmp_path.iterdir())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """A newer result replaces an older one, and no other file is left behind."""
    path = tmp_path / "result.json"
    for number in (1, 2):
        write_json(str(path), {"number": number})
    assert {"number": 2} == json.loads(path.read_text())
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("write", [write_json, create_json])
def test_a_file_that_can_not_be_written(tmp_path: Path, write: object) -> None:
    """The error names the file and the reason."""
    path = tmp_path / "missing" / "result.json"
    with pytest.raises(ConfigurationError, match=r"result\.json can't be written: No such file or directory"):
        write(str(path), {})  # type: ignore[operator]


def test_a_killed_process_leaves_a_result_that_is_not_complete(tmp_path: Path) -> None:
    """The result is there from the beginning, with the ranges and without anything done."""
    path = tmp_path / "result.json"
    Report(str(path), "sink", ranges(2), "start", "now").begin()
    found = json.loads(path.read_text())
    assert (False, 0, "group", [(0, 1000), (0, 1000)]) == (
        found["complete"],
        found["files"],
        found["group"],
        [(each["from"], each["to"]) for each in found["partitions"]],
    )
    assert "ended_at" not in found


def test_a_result_without_published_files(tmp_path: Path) -> None:
    """A store that doesn't answer after the run doesn't make the run incomplete; its figures are left out."""

    def fails() -> object:
        raise StorageUnavailableError("503")

    path = tmp_path / "result.json"
    result = DrainResult((PartitionResult(FIRST, 0, 1000, 1000, True, 1000, 1, 10, 0),))
    Report(str(path), "sink", ranges(1), None, "now").end(result, "", fails)  # type: ignore[arg-type]
    found = json.loads(path.read_text())
    assert (True, 1000) == (found["complete"], found["rows"])
    assert "published" not in found


def test_many_topic_partitions_are_not_all_printed() -> None:
    """The plan shows the first topic-partitions and counts the rest."""
    lines = plan_text("sink", ranges(25)).splitlines()
    assert "sink: 25,000 offsets in 25 topic-partitions, consumer group group" == lines[0]
    assert "  and 5 more topic-partitions; --range FILE writes all to a file" == lines[-1]
    assert 22 == len(lines)


@pytest.mark.parametrize(
    ("is_complete", "rows", "expected"),
    [
        (True, 1000, "COMPLETE: its topic-partition is at its end; this run: 1 file, 1,000 rows"),
        (True, 0, "COMPLETE before: its topic-partition was at its end, and this run wrote nothing."),
        (False, 1000, "ENDED BEFORE: its topic-partition is not at its end; this run: 1 file, 1,000 rows"),
    ],
)
def test_summaries(is_complete: bool, rows: int, expected: str) -> None:
    """The last line says whether the run is complete, whether it did anything, and what."""
    partition = PartitionResult(FIRST, 0, 1000, 1000, is_complete, rows, 1 if rows else 0)
    assert summary_text(DrainResult((partition,)), 3.0).startswith(expected)
