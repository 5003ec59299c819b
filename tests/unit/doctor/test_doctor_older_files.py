"""What the doctor says about files of another tool, by the offsets that the group has committed."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet import load_connect_config, load_worker_config
from kafka2parquet.doctor.broker.cluster import Committed, TopicInfo
from kafka2parquet.doctor.check import Finding, Level
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.doctor.store import older
from kafka2parquet.records import TopicPartition
from tests.support.sink_properties import json_sink
from tests.support.sink_world import TOPIC
from tests.support.tables import TableWorld


def _put(
    folder: Path, first_offset: int, *, partition: int = 0, name: str = "+{}+{:010}.snappy.parquet", rows: int = 1
) -> None:
    path = folder / f"topics/{TOPIC}/partition={partition}" / f"{TOPIC}{name.format(partition, first_offset)}"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"a": [1] * rows}), path)


def _look(folder: Path, *committed: int) -> list[Finding]:
    """Looks at a topic of three partitions, of which the first ones have committed offsets."""
    sink = json_sink({"topics": TOPIC, "kafka2parquet.storage.url": str(folder)})
    facts = Facts.of(load_connect_config(sink), load_worker_config(bootstrap_servers="broker:9092"))
    facts.topics = (TopicInfo(TOPIC, 0, leaders={0: 1, 1: 1, 2: 1}),)
    facts.committed = {TopicPartition(TOPIC, number): Committed(offset, "") for number, offset in enumerate(committed)}
    return list(older.look_for_older_files(facts))


def test_files_below_the_offsets(tmp_path: Path) -> None:
    """After a stop in order, all files are below the committed offsets, and nothing is wrong."""
    _put(tmp_path, 0)
    _put(tmp_path, 299)
    (finding,) = _look(tmp_path, 300)
    assert (Level.OK, "none past the committed offsets") == (finding.level, finding.text)


@pytest.mark.parametrize("name", ["+{}+{:010}.snappy.parquet", "+{}+{:010}.avro", "+{}+{:010}.json.gz"])
def test_a_file_past_the_offset(tmp_path: Path, name: str) -> None:
    """A file at the committed offset fails the check, whatever its format is, and the cure names the step of the page."""
    _put(tmp_path, 200)
    _put(tmp_path, 300, name=name)
    _put(tmp_path, 400, name=name)
    (finding,) = _look(tmp_path, 300)
    assert (Level.FAILED, "past-offset") == (finding.level, finding.cause)
    assert f"{TOPIC}+0+0000000300." in finding.text
    assert (
        f"begins at offset 300 of {TOPIC}-0, not below the committed offset 300. This concerns at least 2 files" in finding.text
    )
    assert "Step 3 of the page" in finding.cure


@pytest.mark.parametrize(("rows", "is_across"), [(1, False), (100, False), (101, True)])
def test_a_file_across_the_offset(tmp_path: Path, rows: int, is_across: bool) -> None:
    """The last file before the offset fails the check if it has more rows than offsets are left before the offset."""
    _put(tmp_path, 0)
    _put(tmp_path, 200, rows=rows)
    (finding,) = _look(tmp_path, 300)
    assert (Level.FAILED if is_across else Level.OK, "across-offset" if is_across else "") == (finding.level, finding.cause)
    if is_across:
        assert f"whose 101 rows reach past the committed offset 300 of {TOPIC}-0" in finding.text


def test_a_partition_without_an_offset(tmp_path: Path) -> None:
    """Where nothing is committed, each file of another tool is past the offset."""
    _put(tmp_path, 0, partition=1)
    (finding,) = _look(tmp_path, 300)
    assert "past-offset" == finding.cause
    assert f"begins at offset 0 of {TOPIC}-1, not below the first offset, as nothing is committed" in finding.text


def test_files_and_no_offsets(tmp_path: Path) -> None:
    """Files of another tool and a group without offsets are a wrong name, or offsets that were not handed over."""
    _put(tmp_path, 0)
    (finding,) = _look(tmp_path)
    assert (Level.FAILED, "no-offsets") == (finding.level, finding.cause)
    assert "This sink would start at earliest" in finding.text
    assert "Under another group name" in finding.cure


def test_files_of_the_sink_itself(tmp_path: Path) -> None:
    """Files of kafka2parquet past the committed offset are published and not committed, and nothing is wrong."""
    world = TableWorld(tmp_path)
    world.write(b"{}", b"{}")
    for committed in ((), (0,), (1,)):
        (finding,) = _look(world.folder, *committed)
        assert Level.OK is finding.level


def test_names_that_are_not_the_topics(tmp_path: Path) -> None:
    """Markers and files without an offset in their names say nothing."""
    _put(tmp_path, 5, name="-{}-{}.parquet")
    (tmp_path / f"topics/{TOPIC}/_SUCCESS").write_bytes(b"")
    (finding,) = _look(tmp_path)
    assert Level.OK is finding.level


def test_more_names_than_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If there are more files than are listed, a warning says so."""
    monkeypatch.setattr(older, "_MOST_NAMES", 2)
    for first_offset in range(3):
        _put(tmp_path, first_offset)
    assert [(Level.WARNING, "too-many")] == [(each.level, each.cause) for each in _look(tmp_path, 300)]
