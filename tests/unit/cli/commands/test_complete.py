"""`kafka2parquet complete` on the embedded broker and a local folder."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet.bounded import drain
from kafka2parquet.cli.commands.complete import EXIT_NOT_ANSWERED, EXIT_OK
from kafka2parquet.cli.main import main
from kafka2parquet.cli.options import duration
from kafka2parquet.connect import build_task, load_connect_config, load_worker_config
from kafka2parquet.testing import EmbeddedBroker
from tests.support.sink_properties import json_sink

ROOT = Path(__file__).parents[4]
TOPIC = "events"
HOUR_MS = 3_600_000
#: The beginning of an hour that has ended.
HOUR = round(time.time() * 1000) // HOUR_MS * HOUR_MS - 5 * HOUR_MS


def _name(hour_ms: int) -> str:
    moment = datetime.datetime.fromtimestamp(hour_ms / 1000, datetime.timezone.utc)
    return f"topics/{TOPIC}/{moment:year=%Y/month=%m/day=%d/hour=%H}"


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """A broker with a topic of two partitions; the second one is one hour behind."""
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC, partitions=2)
        broker.append_values(TOPIC, 0, [b"{}"] * 3, [HOUR, HOUR + HOUR_MS, HOUR + 2 * HOUR_MS])
        broker.append_values(TOPIC, 1, [b"{}"] * 2, [HOUR + 5, HOUR + HOUR_MS])
        yield broker


@pytest.fixture
def sink(broker: EmbeddedBroker, tmp_path: Path) -> Path:
    """The configuration of a sink with hourly folders, which has read everything."""
    path = tmp_path / "sink.json"
    _configure(path)
    _drain(path, broker)
    return path


def _configure(path: Path, **changes: str) -> None:
    properties = {
        "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
        "locale": "en",
        "timezone": "UTC",
        "consumer.override.fetch.min.bytes": "1",
        "kafka2parquet.storage.url": str(path.parent / "files"),
    }
    path.write_text(json.dumps(json_sink({**properties, **{name.replace("_", "."): text for name, text in changes.items()}})))


def _drain(path: Path, broker: EmbeddedBroker) -> None:
    drain(build_task(load_connect_config(path), load_worker_config(bootstrap_servers=broker.bootstrap)))


def _markers(sink: Path) -> list[str]:
    return sorted(str(path.relative_to(sink.parent / "files")) for path in sink.parent.rglob("_SUCCESS*"))


def _complete(sink: Path, broker: EmbeddedBroker, *options: str) -> int:
    return main(["complete", str(sink), "--bootstrap-server", broker.bootstrap, *options])


def test_a_table_and_a_sentence(sink: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    """Folders that got a marker or wait are lines; a sentence says until when the topic is complete, and who is last."""
    assert EXIT_OK == _complete(sink, broker)
    heading, *lines, summary = capsys.readouterr().out.splitlines()
    assert ["topic", "folder", "ends", "at", "files", "rows", "marker"] == heading.split()
    assert [
        [TOPIC, _name(HOUR), "2", "2", "_SUCCESS"],
        [TOPIC, _name(HOUR + HOUR_MS), "2", "2", "waits", "for", "partition", "1"],
        [TOPIC, _name(HOUR + 2 * HOUR_MS), "1", "1", "waits", "for", "partition", "0,", "1"],
    ] == [[*line.split()[:2], *line.split()[3:]] for line in lines]
    end = f"{datetime.datetime.fromtimestamp((HOUR + HOUR_MS) / 1000, datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    assert end in lines[0]
    assert (
        f"{TOPIC}: complete until {end}; folders complete 1, waiting 2, without an answer 0, markers written 1."
        f" Partition 1 is last: it has reached {end}."
    ) == summary
    assert [f"{_name(HOUR)}/_SUCCESS"] == _markers(sink)


def test_dry_run(sink: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run says where markers are due, and writes none."""
    assert EXIT_OK == _complete(sink, broker, "--dry-run")
    out = capsys.readouterr().out
    assert "_SUCCESS is due" in out
    assert "markers due 1." in out
    assert [] == _markers(sink)


def test_idle_partition(sink: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    """An idle partition holds up nothing; how long ago its last file was written is what the file system says."""
    assert EXIT_OK == _complete(sink, broker, "--idle-after", "1h", "--json")
    assert [False, False] == [each["idle"] for each in json.loads(capsys.readouterr().out)["topics"][0]["partitions"]]
    old_s = time.time() - 3700
    for path in sink.parent.rglob("*.parquet"):
        os.utime(path, (old_s, old_s))
    assert EXIT_OK == _complete(sink, broker, "--idle-after", "1h", "--json")
    (topic,) = json.loads(capsys.readouterr().out)["topics"]
    assert [True, True] == [each["idle"] for each in topic["partitions"]]
    assert [(True, 1, 0, 0), (True, 1, 1, 0), (True, 1, 1, 0)] == [
        (each["complete"], each["markers"], each["written"], each["unmarked_files"]) for each in topic["folders"]
    ]
    assert [f"{_name(HOUR + hour * HOUR_MS)}/_SUCCESS" for hour in range(3)] == _markers(sink)


def test_late_rows(sink: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    """Late rows get a numbered marker, which the table shows."""
    assert EXIT_OK == _complete(sink, broker)
    broker.append_values(TOPIC, 0, [b"{}"] * 2, [HOUR + 7, HOUR + 2 * HOUR_MS + 7])
    _drain(sink, broker)
    capsys.readouterr()
    assert EXIT_OK == _complete(sink, broker)
    assert ["1", "1", "_SUCCESS-1"] == capsys.readouterr().out.splitlines()[1].split()[3:]


def test_reader_of_the_documentation(sink: Path, broker: EmbeddedBroker) -> None:
    """The function on the page counts the rows of all markers, and notices a file with other rows."""
    text = (ROOT / "docs" / "complete-hours.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(text.partition("```python\n")[2].partition("```")[0], names)
    assert EXIT_OK == _complete(sink, broker)
    broker.append_values(TOPIC, 0, [b"{}"] * 2, [HOUR + 7, HOUR + 2 * HOUR_MS + 7])
    _drain(sink, broker)
    assert EXIT_OK == _complete(sink, broker)
    folder = sink.parent / "files" / _name(HOUR)
    assert 3 == names["rows_of_hour"](f"file://{folder}")
    first, other = sorted(folder.glob("*.parquet"))[:2]
    table = pq.read_table(first)
    pq.write_table(pa.concat_tables([table, table]), other)
    with pytest.raises(ValueError, match="2 markers, 4 rows"):
        names["rows_of_hour"](str(folder))


def test_a_folder_without_an_answer(sink: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    """Something wrong with a folder is a line with the reason, and the exit code is that of a failed audit."""
    path = next((sink.parent / "files" / _name(HOUR)).glob("*.parquet"))
    path.write_bytes(b"not Parquet")
    assert EXIT_NOT_ANSWERED == _complete(sink, broker)
    out = capsys.readouterr().out
    assert f"{_name(HOUR)}: {path.relative_to(sink.parent / 'files')} was not written by kafka2parquet." in out
    assert "without an answer 1" in out
    assert [] == _markers(sink)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partitioner_class": "io.confluent.connect.storage.partitioner.DefaultPartitioner"}, "doesn't make folders of time"),
        (
            {
                "partitioner_class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
                "path_format": "'hour'=HH",
                "partition_duration_ms": "3600000",
            },
            "Name all units of time in path.format",
        ),
        ({"topics": "nowhere"}, "Kafka has no topic nowhere, or access to it is denied."),
        (
            {
                "topics": "events,others",
                "transforms": "one",
                "transforms_one_type": "org.apache.kafka.connect.transforms.RegexRouter",
                "transforms_one_regex": ".*",
                "transforms_one_replacement": "all",
            },
            "Topics events and others share the folder all.",
        ),
    ],
)
def test_configurations_without_complete_folders(
    broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], message: str
) -> None:
    """Where no folder can ever be complete, one sentence says why."""
    broker.create_topic("others")
    _configure(tmp_path / "sink.json", **changes)
    assert 1 == _complete(tmp_path / "sink.json", broker)
    assert message in capsys.readouterr().err


def test_brokers_are_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without brokers there are no committed offsets."""
    _configure(tmp_path / "sink.json")
    assert 1 == main(["complete", str(tmp_path / "sink.json")])
    assert "bootstrap.servers is not set." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86_400), ("1w", 604_800), ("0s", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    """Durations are a number and a unit."""
    assert datetime.timedelta(seconds=seconds) == duration(text)


@pytest.mark.parametrize("text", ["", "15", "m", "-1m", "1.5h", "15 m", "1y", "9" * 20 + "w"])
def test_wrong_durations(text: str) -> None:
    """Anything else is an error of the command line."""
    with pytest.raises(argparse.ArgumentTypeError, match="is not a duration such as"):
        duration(text)


def _follow(sink: Path, broker: EmbeddedBroker, *options: str) -> Any:
    command = [sys.executable, "-m", "kafka2parquet", "complete", str(sink), "--bootstrap-server", broker.bootstrap]
    return subprocess.Popen(
        [*command, "--follow", "--every", "1s", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def test_follow(sink: Path, broker: EmbeddedBroker) -> None:
    """With --follow, each new marker is a line, also after an outage of Kafka; SIGTERM ends the process in order."""
    with _follow(sink, broker) as process:
        try:
            assert f"{_name(HOUR)}: _SUCCESS, 2 files, 2 rows\n" == process.stdout.readline()
            broker.append_values(TOPIC, 1, [b"{}"], [HOUR + 2 * HOUR_MS])
            _drain(sink, broker)
            assert f"{_name(HOUR + HOUR_MS)}: _SUCCESS, 2 files, 2 rows\n" == process.stdout.readline()
            broker.stop_listening()
            while "The next look follows in 1s: " not in process.stderr.readline():
                pass
            broker.start_listening()
            broker.append_values(TOPIC, 0, [b"{}"], [HOUR + 9])
            _drain(sink, broker)
            assert f"{_name(HOUR)}: _SUCCESS-1, 1 file, 1 row\n" == process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            assert (EXIT_OK, "") == (process.wait(60), process.stdout.read())
            assert "SIGTERM: ending after this look" in process.stderr.read()
        finally:
            process.kill()


def test_follow_as_json(sink: Path, broker: EmbeddedBroker) -> None:
    """With --json, each look is a line, without the folders in which nothing is left to do."""
    with _follow(sink, broker, "--json") as process:
        try:
            first, second = (json.loads(process.stdout.readline())["topics"][0]["folders"] for _ in range(2))
            assert ([1, 0, 0], [0, 0]) == tuple([folder["written"] for folder in each] for each in (first, second))
        finally:
            process.kill()
