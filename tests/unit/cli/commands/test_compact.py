"""`kafka2parquet compact` on the embedded broker and a local folder: merging, shards, deleting, and the audit afterwards."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from moto import mock_aws

from kafka2parquet.bounded import drain
from kafka2parquet.cli.main import main
from kafka2parquet.compaction import SinkCompaction
from kafka2parquet.connect import build_task, load_connect_config, load_worker_config
from kafka2parquet.errors import CatalogUnavailableError
from kafka2parquet.testing import EmbeddedBroker
from tests.support.sink_properties import json_sink

TOPIC = "events"
HOUR_MS = 3_600_000
#: The beginning of an hour that has ended.
HOUR = round(time.time() * 1000) // HOUR_MS * HOUR_MS - 9 * HOUR_MS
ROWS = 40


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """A broker with a topic of two partitions, which has rows of four hours and of the hour after."""
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC, partitions=2)
        for partition in range(2):
            times_ms = [HOUR + number * 4 * HOUR_MS // ROWS for number in range(ROWS)]
            broker.append_values(TOPIC, partition, [b'{"a":1}'] * (ROWS + 1), [*times_ms, HOUR + 4 * HOUR_MS])
        yield broker


@pytest.fixture
def sink(broker: EmbeddedBroker, tmp_path: Path) -> Path:
    """The configuration of a sink with hourly folders and five rows in a flush, which has read everything."""
    path = tmp_path / "sink.json"
    properties = {
        "topics": TOPIC,
        "flush.size": "5",
        "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
        "locale": "en",
        "timezone": "UTC",
        "consumer.override.fetch.min.bytes": "1",
        "kafka2parquet.storage.url": str(tmp_path / "files"),
        "kafka2parquet.metadata.columns": "partition,offset",
    }
    path.write_text(json.dumps(json_sink(properties)))
    drain(build_task(load_connect_config(path), load_worker_config(bootstrap_servers=broker.bootstrap)))
    return path


def run(sink: Path, broker: EmbeddedBroker, command: str, *options: str) -> int:
    return main([command, str(sink), "--bootstrap-server", broker.bootstrap, *options])


def rows(sink: Path, prefix: str) -> Sequence[Any]:
    files = f"{sink.parent}/files/{prefix}/{TOPIC}/**/*.parquet"
    query = "select _kafka_partition, _kafka_offset from read_parquet(?) order by all"
    with duckdb.connect() as connection:
        return connection.execute(query, [files]).fetchall()


def expected(count: int) -> Sequence[tuple[int, int]]:
    return [(partition, offset) for partition in range(2) for offset in range(count)]


def test_merging(sink: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run writes nothing; a run merges each hour into one file, says so, and a second run finds nothing to do."""
    files = sink.parent / "files"
    before = sorted(files.rglob("*"))
    assert 0 == run(sink, broker, "compact", "--dry-run")
    assert "Would merge 16 files" in capsys.readouterr().out
    assert before == sorted(files.rglob("*"))
    assert 0 == run(sink, broker, "compact")
    lines = capsys.readouterr().out.splitlines()
    assert [4, 1] == [sum("_merge-0000.json: 4 files" in line for line in lines), sum("into 4 files" in line for line in lines)]
    assert expected(ROWS) == rows(sink, "topics-merged")
    assert expected(ROWS + 1) == rows(sink, "topics")
    assert 0 == run(sink, broker, "compact")
    assert "Merged 0 files of 0 B into 0 files of 0 B; files that have to wait 2; merged before 16." in capsys.readouterr().out
    assert 0 == run(sink, broker, "audit")
    assert "EXACT" in capsys.readouterr().out


def test_target_and_prefix(sink: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    """The target size and the prefix are options, and a prefix among the sink's own files is refused."""
    assert 0 == run(sink, broker, "compact", "--target-bytes", "1B", "--into", "large/files")
    assert 16 == len(list((sink.parent / "files" / "large" / "files").rglob("*.parquet")))
    assert expected(ROWS) == rows(sink, "large/files")
    assert 0 == run(sink, broker, "audit", "--merged", "large/files")
    assert 1 == run(sink, broker, "compact", "--into", "topics/merged")
    assert "Choose a prefix outside" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(sink, broker, "compact", "--target-bytes", "12")


def test_shards(sink: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    """Shards share the units, and their JSON says which; together they do everything."""
    done: list[str] = []
    for index in range(3):
        assert 0 == run(sink, broker, "compact", "--shard", f"{index}/3", "--json")
        found = json.loads(capsys.readouterr().out)
        assert (f"{index}/3", {}) == (found["shard"], found["problems"])
        done += found["units"]
    assert 4 == len(done) == len(set(done))
    assert expected(ROWS) == rows(sink, "topics-merged")
    with pytest.raises(SystemExit):
        run(sink, broker, "compact", "--shard", "3/3")


def test_workers(sink: Path, broker: EmbeddedBroker) -> None:
    """Worker processes merge what one process merges."""
    assert 0 == run(sink, broker, "compact", "--workers", "2")
    assert expected(ROWS) == rows(sink, "topics-merged")


def test_deleting(sink: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    """Originals are deleted only with --yes, when Kafka doesn't have their records; the audit is exact before and after."""
    run(sink, broker, "compact")
    capsys.readouterr()
    options = ("--delete-originals", "--older-than", "0s")
    assert 0 == run(sink, broker, "compact", *options)
    assert "kept 16 files: Kafka still has records of the flush" in capsys.readouterr().out
    for partition in range(2):
        broker.delete_records(TOPIC, partition, ROWS)
    assert 0 == run(sink, broker, "compact", *options)
    out = capsys.readouterr().out
    assert "would delete 16 files" in out
    assert "Nothing was deleted. Add --yes" in out
    assert expected(ROWS + 1) == rows(sink, "topics")
    assert 0 == run(sink, broker, "compact", *options, "--dry-run", "--json")
    found = json.loads(capsys.readouterr().out)
    assert (False, 16) == (found["deleted"], sum(len(topic["anchors"]) + len(topic["keys"]) for topic in found["topics"]))
    assert 0 == run(sink, broker, "compact", *options, "--yes")
    assert "deleted 16 files" in capsys.readouterr().out
    assert [(0, ROWS), (1, ROWS)] == rows(sink, "topics")
    assert expected(ROWS) == rows(sink, "topics-merged")
    for deep in ([], ["--deep"]):
        assert 0 == run(sink, broker, "audit", *deep)
        assert "EXACT: every offset is covered once; 82 rows" in (out := capsys.readouterr().out)
        assert "merged files 4 stand for 16 deleted ones" in out
    assert 0 == run(sink, broker, "complete", "--dry-run")


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch, sink: Path) -> Iterator[Any]:
    """A client of a catalogue that has a table with a partition for each hour, at the sink's files."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        client = boto3.client("glue")
        client.create_database(DatabaseInput={"Name": "raw"})
        keys = [{"Name": name, "Type": "string"} for name in ("year", "month", "day", "hour")]
        table = {"Name": TOPIC, "PartitionKeys": keys, "StorageDescriptor": {"Location": "file:///"}}
        client.create_table(DatabaseName="raw", TableInput=table)
        for folder in (sink.parent / "files" / "topics" / TOPIC).glob("*/*/*/*"):
            values = [part.partition("=")[2] for part in folder.parts[-4:]]
            partition = {"Values": values, "StorageDescriptor": {"Location": f"file://{folder}"}}
            client.create_partition(DatabaseName="raw", TableName=TOPIC, PartitionInput=partition)
        yield client


def locations(glue: Any) -> list[str]:
    """Returns the location of each partition in Glue, in the order of their hours."""
    found = glue.get_partitions(DatabaseName="raw", TableName=TOPIC)["Partitions"]
    return [each["StorageDescriptor"]["Location"] for each in sorted(found, key=lambda each: each["Values"])]


def rows_at(places: Sequence[str]) -> Sequence[Any]:
    """Returns partition and offset of each row that a query over partitions at some places reads."""
    files = [str(path) for place in places for path in Path(place.removeprefix("file://")).rglob("*.parquet")]
    with duckdb.connect() as connection:
        return connection.execute(
            "select _kafka_partition, _kafka_offset from read_parquet(?) order by all", [files]
        ).fetchall()


def test_switching(sink: Path, broker: EmbeddedBroker, glue: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Partitions of merged hours move to the merged files, with the same rows; late rows are counted, merged, and seen then."""
    to = ("--switch", "glue:raw.{topic}")
    assert 0 == run(sink, broker, "compact", *to, "--dry-run")
    assert "Glue table raw.events: would move 0 partitions to merged files; moved before 0" in capsys.readouterr().out
    assert expected(ROWS + 1) == rows_at(locations(glue))
    assert 0 == run(sink, broker, "compact", *to)
    assert "Glue table raw.events: moved 4 partitions to merged files; moved before 0" in capsys.readouterr().out
    assert [4, 1] == [sum(f"files/{name}/" in place for place in locations(glue)) for name in ("topics-merged", "topics")]
    assert expected(ROWS + 1) == rows_at(locations(glue))
    broker.append_values(TOPIC, 0, [b'{"a":1}'], [HOUR + 1])
    drain(build_task(load_connect_config(sink), load_worker_config(bootstrap_servers=broker.bootstrap)))
    assert 0 == run(sink, broker, "compact", *to, "--dry-run")
    assert "queries don't see 1 late file in 1 partition until the next run" in capsys.readouterr().out
    assert 0 == run(sink, broker, "compact", *to, "--json")
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert ("events", [], 4, {}, {}) == (table["topic"], table["moved"], table["moved_before"], table["kept"], table["unseen"])
    assert sorted([*expected(ROWS + 1), (0, ROWS + 1)]) == rows_at(locations(glue))


def test_switching_around_a_stray_file(
    sink: Path, broker: EmbeddedBroker, glue: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The partition of a folder with a file of another tool stays at the originals, and the exit code says so."""
    run(sink, broker, "compact")
    (merged, *_) = sorted((sink.parent / "files" / "topics-merged").rglob("*.parquet"))
    merged.with_name("copy.parquet").write_bytes(merged.read_bytes())
    capsys.readouterr()
    assert 4 == run(sink, broker, "compact", "--switch", "glue:raw.events")
    out = capsys.readouterr().out
    assert "moved 3 partitions" in out
    assert "copy.parquet is in no plan" in out
    assert expected(ROWS + 1) == rows_at(locations(glue))


def test_merges_are_reported_if_the_catalogue_fails_afterwards(
    sink: Path, broker: EmbeddedBroker, glue: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the partitions can't be moved after the merges, the merges are reported before the error."""

    def fail(*_: object, **__: object) -> None:
        raise CatalogUnavailableError("the credentials have expired")

    monkeypatch.setattr(SinkCompaction, "switch", fail)
    assert 0 != run(sink, broker, "compact", "--switch", "glue:raw.events")
    shown = capsys.readouterr()
    assert "Merged 16 files" in shown.out
    assert "the credentials have expired" in shown.err


def test_deleting_after_switching(sink: Path, broker: EmbeddedBroker, glue: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Originals of a table are deleted only if their partition was moved, and long enough ago."""
    run(sink, broker, "compact")
    for partition in range(2):
        broker.delete_records(TOPIC, partition, ROWS)
    delete = ("--delete-originals", "--yes", "--switch", "glue:raw.events", "--older-than")
    assert 0 == run(sink, broker, "compact", *delete, "0s")
    assert "kept 16 files: the table's partition is not at the merged files" in capsys.readouterr().out
    assert 0 == run(sink, broker, "compact", "--switch", "glue:raw.events")
    for path in (sink.parent / "files" / "topics-merged").rglob("_merged-*"):
        os.utime(path, (HOUR / 1000, HOUR / 1000))
    capsys.readouterr()
    assert 0 == run(sink, broker, "compact", *delete, "1h")
    assert "kept 16 files: the table's partition was moved to the merged files less than --older-than ago" in (
        capsys.readouterr().out
    )
    assert expected(ROWS + 1) == rows_at(locations(glue))
    assert 0 == run(sink, broker, "compact", *delete, "0s")
    assert "deleted 16 files" in capsys.readouterr().out
    assert expected(ROWS + 1) == rows_at(locations(glue))


@pytest.mark.parametrize(
    ("table", "changes", "text"),
    [
        ("glue:raw.nothing", {}, "Glue table raw.nothing doesn't exist"),
        ("glue:raw", {}, "is not a table"),
        ("delta", {}, "the table's own compaction"),
        ("glue:raw.events", {"directory.delim": "-"}, "need / as directory.delim"),
        (
            "glue:raw.events",
            {"partitioner.class": "io.confluent.connect.storage.partitioner.DefaultPartitioner"},
            "Only folders of time can be switched",
        ),
    ],
)
def test_tables_that_can_not_be_switched(
    sink: Path,
    broker: EmbeddedBroker,
    glue: Any,
    capsys: pytest.CaptureFixture[str],
    table: str,
    changes: dict[str, str],
    text: str,
) -> None:
    """A table that can't be switched is refused before anything is merged."""
    path = sink.with_name("changed.json")
    path.write_text(json.dumps({**json.loads(sink.read_text()), **changes}))
    assert 1 == run(path, broker, "compact", "--switch", table)
    assert text in capsys.readouterr().err
    assert not (sink.parent / "files" / "topics-merged").exists()


def test_a_young_result_is_kept(sink: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    """By default, files are deleted two days after they were merged."""
    run(sink, broker, "compact")
    for partition in range(2):
        broker.delete_records(TOPIC, partition, ROWS)
    capsys.readouterr()
    assert 0 == run(sink, broker, "compact", "--delete-originals", "--yes")
    assert "kept 16 files: the result is younger than --older-than" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options", [["--yes"], ["--delete-originals", "--shard", "0/2"], ["--delete-originals", "--workers", "2"]]
)
def test_options_that_contradict_each_other(
    sink: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """Options that have no effect are refused."""
    assert 1 == run(sink, broker, "compact", *options)
    assert "--delete-originals" in capsys.readouterr().err


def test_a_wrong_merged_file(sink: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    """The audit finds a merged file that was deleted or copied, and nothing is deleted then."""
    run(sink, broker, "compact")
    (merged, *_) = (sink.parent / "files" / "topics-merged").rglob("*.parquet")
    merged.with_name("copy.parquet").write_bytes(merged.read_bytes())
    capsys.readouterr()
    assert 4 == run(sink, broker, "audit")
    assert "copy.parquet is in no plan" in capsys.readouterr().out
    merged.with_name("copy.parquet").unlink()
    content = merged.read_bytes()
    merged.unlink()
    assert 4 == run(sink, broker, "audit")
    assert "a merged file of _merged-0000.json, does not exist" in capsys.readouterr().out
    assert 4 == run(sink, broker, "compact", "--delete-originals", "--older-than", "0s", "--yes")
    assert 16 + 2 == len(list((sink.parent / "files" / "topics").rglob("*.parquet")))
    merged.write_bytes(content)
    assert 0 == run(sink, broker, "audit")
