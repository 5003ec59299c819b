"""`kafka2parquet run` with `--from` and `--to`, on the embedded broker and a local folder."""

from __future__ import annotations

import argparse
import collections
import datetime
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.dataset
import pytest

from kafka2parquet import load_connect_config, load_worker_config
from kafka2parquet.cli.main import main
from kafka2parquet.cli.options import with_joined_ages
from kafka2parquet.cli.running import bounded_run
from kafka2parquet.cli.running.status_server import HttpStatus
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.events import Event, FilePublished
from kafka2parquet.records import TopicPartition
from kafka2parquet.testing import EmbeddedBroker
from tests.stack.server import free_port
from tests.support.sink_properties import json_sink

TOPIC = "events"
BEGIN = datetime.datetime(2026, 5, 17, 10, tzinfo=datetime.timezone.utc)
BEGIN_MS = int(BEGIN.timestamp() * 1000)
ROWS = 250


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """A broker with a topic of two partitions, and a record in each second."""
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC, partitions=2)
        for partition in (0, 1):
            values = [b'{"number":%d}' % number for number in range(ROWS)]
            broker.append_values(TOPIC, partition, values, [BEGIN_MS + number * 1000 for number in range(ROWS)])
        yield broker


class Sink:
    """A configuration in a folder, and runs of it."""

    def __init__(self, broker: EmbeddedBroker, folder: Path) -> None:
        self.broker, self.folder = broker, folder
        self.result, self.range = folder / "result.json", folder / "range.json"
        self.configure()

    def configure(self, **changes: str) -> None:
        properties = {
            "name": "orders",
            "partitioner.class": "io.confluent.connect.storage.partitioner.DefaultPartitioner",
            "consumer.override.fetch.min.bytes": "1",
            "kafka2parquet.storage.url": str(self.folder / "files"),
            "kafka2parquet.metadata.columns": "partition,offset",
        }
        (self.folder / "sink.json").write_text(json.dumps(json_sink({**properties, **changes})))

    def run(self, *options: str) -> int:
        arguments = ["run", str(self.folder / "sink.json"), "--bootstrap-server", self.broker.bootstrap]
        return main([*arguments, "--result", str(self.result), *options])

    def found(self) -> Any:
        return json.loads(self.result.read_text())

    def offsets(self, topics_dir: str = "topics") -> collections.Counter[tuple[int, int]]:
        table = pyarrow.dataset.dataset(self.folder / "files" / topics_dir / TOPIC).to_table()
        partitions, offsets = table["_kafka_partition"].to_pylist(), table["_kafka_offset"].to_pylist()
        return collections.Counter(zip(partitions, offsets, strict=True))

    def committed(self, group: str) -> dict[int, int]:
        with LogReader(self.broker.bootstrap, group, {}) as log:
            return {each.partition: offset for each, offset in log.committed([TOPIC]).items()}


@pytest.fixture
def sink(broker: EmbeddedBroker, tmp_path: Path) -> Sink:
    return Sink(broker, tmp_path)


def both(start: int, end: int) -> dict[tuple[int, int], int]:
    """Each offset of a range, in both partitions, once."""
    return {(partition, offset): 1 for partition in (0, 1) for offset in range(start, end)}


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("start", "now", (0, 250)),
        ("10", "120", (10, 120)),
        ("200", "9000", (200, 250)),
        ("2026-05-17T10:00:30", "2026-05-17T10:02Z", (30, 120)),
        ("2026-05-17T10:00:30.001", "end", (31, 250)),
        ("2020-01-01", "2026-05-17T10:00:05", (0, 5)),
        ("2030-01-01", "end", (250, 250)),
        ("-520w", "50", (0, 50)),
    ],
)
def test_ranges(sink: Sink, capsys: pytest.CaptureFixture[str], start: str, end: str, expected: tuple[int, int]) -> None:
    """A run takes exactly the records between two positions, and its result says what it took."""
    assert 0 == sink.run("--from", start, "--to", end)
    first, last = expected
    if first < last:
        assert both(first, last) == sink.offsets()
    found = sink.found()
    assert (True, 2 * (last - first), start, end) == (found["complete"], found["rows"], found["from"], found["to"])
    assert [(0, first, last), (1, first, last)] == [
        (each["partition"], each["from"], each["to"]) for each in found["partitions"]
    ]
    assert f"events-1  from {first} to {last}" in capsys.readouterr().out


def test_the_result_adds_up(sink: Sink) -> None:
    """Files, rows, bytes and rejects of the topic-partitions are those that are in the folder."""
    sink.broker.append_values(TOPIC, 1, [b"not JSON"], [BEGIN_MS])
    sink.configure(**{"errors.tolerance": "all", "kafka2parquet.metadata.columns": "partition,offset"})
    assert 0 == sink.run("--from", "start", "--to", "end")
    found, files = sink.found(), [*(sink.folder / "files").rglob("*.parquet")]
    assert (len(files), sum(path.stat().st_size for path in files), 500, 1) == (
        found["files"],
        found["bytes"],
        found["rows"],
        found["rejects"],
    )
    for name in ("files", "bytes", "rows", "rejects"):
        assert found[name] == sum(each[name] for each in found["partitions"])
        assert found["published"][name] == sum(each["published"][name] for each in found["partitions"])
    assert {"files": len(files), "bytes": found["bytes"], "rows": 500, "rejects": 0} == found["published"]
    assert [250, 251] == [each["durable_to"] for each in found["partitions"]]
    assert found["group"].startswith("connect-orders-range-")
    assert found["started_at"] <= found["ended_at"]


def test_a_second_run_writes_nothing_and_says_so(sink: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    """The same range again is complete at once, in the same group."""
    assert 0 == sink.run("--from", "0", "--to", "120")
    first = sink.found()
    capsys.readouterr()
    assert 0 == sink.run("--from", "0", "--to", "120")
    second = sink.found()
    assert (True, 0, 0, 0) == (second["complete"], second["files"], second["rows"], second["bytes"])
    assert (first["group"], first["published"]) == (second["group"], second["published"])
    assert (240, first["files"]) == (second["published"]["rows"], second["published"]["files"])
    assert "COMPLETE before: all 2 topic-partitions were at their end, and this run wrote nothing" in capsys.readouterr().out
    assert both(0, 120) == sink.offsets()


def test_what_is_published_counts_the_files_of_the_range_alone(sink: Sink) -> None:
    """Files of other ranges don't count, and rejects in the quarantine are rejects."""
    sink.broker.append_values(TOPIC, 1, [b"not JSON"] * 3, [BEGIN_MS] * 3)
    sink.configure(**{"errors.tolerance": "all", "kafka2parquet.quarantine": "true"})
    assert 0 == sink.run("--from", "0", "--to", "100")
    assert 0 == sink.run("--from", "100", "--to", "end")
    assert [(150, 0), (150, 3)] == [
        (each["published"]["rows"], each["published"]["rejects"]) for each in sink.found()["partitions"]
    ]


def test_the_audit_of_a_range(sink: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    """A range is audited with the offsets of its group; those of the sink's group say nothing about its files."""
    assert 0 == sink.run("--to", "200")
    sink.configure(**{"topics.dir": "again"})
    assert 0 == sink.run("--from", "0", "--to", "100")
    command = ["audit", str(sink.folder / "sink.json"), "--bootstrap-server", sink.broker.bootstrap]
    capsys.readouterr()
    assert 4 == main(command)
    assert "[100, 200) is in no file" in capsys.readouterr().out
    assert 0 == main([*command, "--deep", "--group", sink.found()["group"]])
    assert "EXACT: every offset is covered once; 200 rows" in capsys.readouterr().out


def test_a_range_leaves_the_sinks_offsets_alone(sink: Sink) -> None:
    """A range has a group for itself; without --from, the sink's own group continues where it stopped."""
    assert 0 == sink.run("--to", "100")
    assert {0: 100, 1: 100} == sink.committed("connect-orders")
    assert "connect-orders" == sink.found()["group"]
    assert 0 == sink.run("--from", "100", "--to", "150")
    assert {0: 100, 1: 100} == sink.committed("connect-orders")
    assert {0: 150, 1: 150} == sink.committed(sink.found()["group"])
    sink.configure(**{"topics.dir": "again"})
    assert 0 == sink.run("--from", "100", "--to", "150")
    assert both(100, 150) == sink.offsets("again")


def test_runs_without_a_start_continue(sink: Sink) -> None:
    """`--to now` on a schedule writes what has arrived since the last run."""
    assert 0 == sink.run("--to", "now")
    sink.broker.append_values(TOPIC, 0, [b'{"number":1}'] * 20, [BEGIN_MS] * 20)
    assert 0 == sink.run("--to", "now")
    assert both(0, 250) | {(0, offset): 1 for offset in range(250, 270)} == sink.offsets()
    assert (20, [(250, 270), (250, 250)]) == (
        sink.found()["rows"],
        [(each["from"], each["to"]) for each in sink.found()["partitions"]],
    )


def test_a_range_file_keeps_the_offsets(sink: Sink) -> None:
    """The first run writes what `now` was, and later runs of the same command line take the same offsets."""
    options = ("--from", "-520w", "--to", "now", "--range", str(sink.range))
    assert 0 == sink.run(*options)
    group = sink.found()["group"]
    assert [(0, 250), (0, 250)] == [(each["from"], each["to"]) for each in json.loads(sink.range.read_text())["ranges"]]
    sink.broker.append_values(TOPIC, 0, [b'{"number":1}'] * 20, [BEGIN_MS] * 20)
    assert 0 == sink.run(*options)
    assert (group, 0) == (sink.found()["group"], sink.found()["files"])
    assert 0 == sink.run("--range", str(sink.range))
    assert both(0, 250) == sink.offsets()


def test_a_range_file_of_the_sinks_own_group(sink: Sink) -> None:
    """A file that a run without --from wrote stands for the sink's own group."""
    assert 0 == sink.run("--to", "100", "--range", str(sink.range))
    assert 0 == sink.run("--range", str(sink.range))
    assert "connect-orders" == sink.found()["group"]


def test_a_range_file_that_can_not_be_read(sink: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder in place of the file is a problem of the command line, as is text that isn't JSON."""
    sink.range.mkdir()
    assert 1 == sink.run("--range", str(sink.range))
    assert "range.json can't be read" in capsys.readouterr().err
    sink.range.rmdir()
    sink.range.write_bytes(b"\xff")
    assert 1 == sink.run("--range", str(sink.range))
    assert "range.json is not a file of ranges" in capsys.readouterr().err


def edit(path: Path, **changes: Any) -> None:
    found = json.loads(path.read_text())
    for line in found["ranges"]:
        line.update({name: value for name, value in changes.items() if name in ("topic", "to", "topic_id")})
    path.write_text(json.dumps({**found, **{name: value for name, value in changes.items() if name == "cluster_id"}}))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"topic": "other"}, "Kafka has no topic other"),
        ({"to": 251}, "events-0: the range ends at 251, and the log ends at 250"),
        ({"topic_id": "AAAAAAAAQACAAAAAAAAAAA"}, "Topic events was created again"),
        ({"cluster_id": "elsewhere"}, "The ranges are for the Kafka cluster elsewhere"),
    ],
)
def test_a_range_file_that_does_not_fit(
    sink: Sink, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], problem: str
) -> None:
    """Ranges of another cluster, another topic or a log that was cut off are refused before anything is written."""
    assert 0 == sink.run("--from", "0", "--to", "10", "--range", str(sink.range))
    edit(sink.range, **changes)
    assert 1 == sink.run("--range", str(sink.range))
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--from", "start"), "--from needs --to"),
        ((), "--result needs --to"),
        (("--from", "10", "--to", "9"), "--to is before --from"),
        (("--from", "-1h", "--to", "-2h"), "--to is before --from"),
        (("--from", "yesterday", "--to", "now"), "'yesterday' is not a position in a log"),
        (("--to", "now", "--range", "/dev/null/range.json"), "range.json can't be written"),
    ],
)
def test_wrong_options(sink: Sink, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], problem: str) -> None:
    """A mistake in the options is found before anything is written."""
    assert 1 == sink.run(*options)
    assert problem in capsys.readouterr().err
    assert not (sink.folder / "files").exists()


def test_a_topic_that_does_not_exist(sink: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that ends doesn't wait for a topic to appear."""
    sink.configure(topics="missing")
    assert 1 == sink.run("--to", "now")
    assert "Kafka has no topic missing" in capsys.readouterr().err


def test_a_run_that_fails(sink: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure before the end is exit code 5, and the result has the error and what was done before."""
    sink.broker.append_values(TOPIC, 1, [b"not JSON"], [BEGIN_MS])
    assert 5 == sink.run("--from", "0", "--to", "251")
    found, shown = sink.found(), capsys.readouterr()
    assert not found["complete"]
    assert found["error"].startswith("RejectedRecordError: events-1, offset 250")
    assert found["error"] in shown.err
    assert "ENDED BEFORE" in shown.out
    sink.configure(**{"errors.tolerance": "all"})
    assert 0 == sink.run("--from", "0", "--to", "251")
    assert (500, 1) == (found["rows"] + sink.found()["rows"], sink.found()["rejects"])
    assert both(0, 250) == sink.offsets()


def test_a_run_that_is_stopped_by_a_signal(sink: Sink) -> None:
    """SIGTERM flushes what was taken; exit code 5 says that the end is not reached, and the next run continues."""
    sink.configure(**{"flush.size": "10"})
    options = argparse.Namespace(start="0", end="250", range=None, result=str(sink.result))
    config, worker = load_connect_config(sink.folder / "sink.json"), load_worker_config(bootstrap_servers=sink.broker.bootstrap)
    stopped: list[Event] = []

    def stop(event: Event) -> None:
        if isinstance(event, FilePublished) and not stopped:
            stopped.append(event)
            os.kill(os.getpid(), signal.SIGTERM)

    assert 5 == bounded_run.run(options, config, worker, [stop])
    found = sink.found()
    assert (False, sink.offsets().total()) == (found["complete"], found["rows"])
    assert "error" not in found
    assert 0 == sink.run("--from", "0", "--to", "250")
    assert both(0, 250) == sink.offsets()
    assert 500 == found["rows"] + sink.found()["rows"]


def test_ages_are_not_options() -> None:
    """An age after --from or --to is its value, although it begins with a minus."""
    assert ["run", "--from=-24h", "--to=-1h", "--to", "now", "-v"] == with_joined_ages(
        ["run", "--from", "-24h", "--to", "-1h", "--to", "now", "-v"]
    )


def test_offsets_of_a_time(broker: EmbeddedBroker) -> None:
    """LogReader finds the first record of each partition that is not older than a time."""
    with LogReader(broker.bootstrap, "group", {}) as log:
        assert {TopicPartition(TOPIC, 0): 1, TopicPartition(TOPIC, 1): 1} == log.offsets_since(TOPIC, BEGIN_MS + 1)
        assert {TopicPartition(TOPIC, 0): None, TopicPartition(TOPIC, 1): None} == log.offsets_since(TOPIC, BEGIN_MS * 2)


def test_http(sink: Sink) -> None:
    """`--http` answers requests while a run that ends runs, and no longer."""
    address = f"127.0.0.1:{free_port()}"
    sink.configure(**{"flush.size": "10"})
    options = argparse.Namespace(start="0", end="250", range=None, result=str(sink.result))
    config, worker = load_connect_config(sink.folder / "sink.json"), load_worker_config(bootstrap_servers=sink.broker.bootstrap)
    answers: list[Any] = []

    def ask(event: Event) -> None:
        if isinstance(event, FilePublished) and not answers:
            answers.append(httpx.get(f"http://{address}/status", trust_env=False).json())

    assert 0 == bounded_run.run(options, config, worker, [ask], http=HttpStatus(address))
    assert {TOPIC} == {each["topic"] for task in answers[0]["tasks"] for each in task["partitions"]}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{address}/status", trust_env=False)
