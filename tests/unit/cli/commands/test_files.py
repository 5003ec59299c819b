"""`kafka2parquet files`, over a local folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kafka2parquet import build_task, load_connect_config
from kafka2parquet.bounded import drain
from kafka2parquet.cli.main import main
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.testing import MemoryConsumer, MemoryKafka, MemoryRecord
from tests.support.sink_properties import json_sink

HOUR_MS = 3_600_000
BEGIN_MS = 1_779_012_000_000


@pytest.fixture
def sink(tmp_path: Path) -> Path:
    """The configuration of a sink that has written two flushes in hourly folders, and a reject."""
    path = tmp_path / "sink.json"
    properties = json_sink(
        {
            "flush.size": "1000",
            "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
            "locale": "en",
            "timezone": "UTC",
            "errors.tolerance": "all",
            "kafka2parquet.quarantine": "true",
            "kafka2parquet.storage.url": str(tmp_path / "files"),
        }
    )
    path.write_text(json.dumps(properties))
    kafka = MemoryKafka()
    kafka.create_topic("events")
    kafka.append("events", 0, [MemoryRecord(b'{"a":1}', timestamp_ms=BEGIN_MS + row % 2 * HOUR_MS) for row in range(1500)])
    kafka.append("events", 0, [MemoryRecord(b"not JSON", timestamp_ms=BEGIN_MS)])
    drain(build_task(load_connect_config(path), WorkerConfig(), consumer=MemoryConsumer(kafka, group_id="g", topics="events")))
    return path


def test_a_table(sink: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file is a line with its folder, offsets, rows, bytes and why its flush ended; the last line counts everything."""
    assert 0 == main(["files", str(sink)])
    heading, *lines, totals = capsys.readouterr().out.splitlines()
    assert ["topic", "folder", "partition", "offsets", "rows", "bytes", "ended", "by", "holds"] == heading.split()
    found = [line.split() for line in lines]
    assert [
        ("year=2026/month=05/day=17/hour=10", "0-998", "500", "rows", "values"),
        ("year=2026/month=05/day=17/hour=10", "1,000-1,498", "250", "range", "values"),
        ("year=2026/month=05/day=17/hour=11", "1-999", "500", "rows", "values"),
        ("year=2026/month=05/day=17/hour=11", "1,001-1,499", "250", "range", "values"),
        ("(rejects)", "1,500-1,500", "1", "range", "rejects"),
    ] == [(line[1], line[3], line[4], line[6], line[7]) for line in found]
    sizes = [path.stat().st_size for path in (sink.parent / "files").rglob("*.parquet")]
    assert sorted(sizes) == sorted(int(line[5].replace(",", "")) for line in found)
    assert f"in all: files 5, flushes 2, rows 1,500, rejects 1, bytes {sum(sizes):,}" == totals


def test_json(sink: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json, each line is a JSON object of one file with everything that its footer says."""
    assert 0 == main(["files", str(sink), "--json", "--topic", "events"])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert 5 == len(found)
    assert 1500 == sum(file["rows"] for file in found if file["role"] == "values")
    assert [(0, 1000), (1000, 1501)] == [(file["flush_start"], file["flush_end"]) for file in found if file["is_anchor"]]
    assert all(file["opened_at"].endswith("Z") for file in found)


def test_nothing_is_published(sink: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A place without files is said to have none, with its URL."""
    assert 0 == main(["files", str(sink), "--topic", "other"])
    assert f"No files of other at {sink.parent / 'files'}.\n" == capsys.readouterr().out


def test_a_file_with_a_foreign_footer(sink: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that has a name of the sink's and isn't one of its files is shown as unknown."""
    path = next((sink.parent / "files").rglob("*+0000000000.*"))
    path.write_bytes(b"not Parquet")
    assert 0 == main(["files", str(sink)])
    out = capsys.readouterr().out
    assert "unknown: the footer is not readable, or not kafka2parquet's" in out
    assert "in all: files 5, flushes 1," in out


def test_topics_of_a_pattern_need_a_broker(sink: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The topics of a pattern are not guessed from the folders."""
    properties = json.loads(sink.read_text())
    del properties["topics"]
    sink.write_text(json.dumps({**properties, "topics.regex": "eve.*"}))
    assert 1 == main(["files", str(sink)])
    assert "name brokers, or a topic with --topic" in capsys.readouterr().err
