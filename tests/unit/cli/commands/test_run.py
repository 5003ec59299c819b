"""`kafka2parquet run` with and without a terminal, on the embedded broker and a local folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.testing import EmbeddedBroker
from tests.support.kafka_clients import wait_until
from tests.support.sink_properties import json_sink
from tests.support.terminal import ROOT, on_terminal

TOPIC = "orders"
#: A process takes seconds to start, and much longer on a busy machine.
LIMIT_S = 120.0


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    """A broker with a topic of 250 records in each of two partitions."""
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC, partitions=2, configs={"retention.ms": "86400000", "cleanup.policy": "delete"})
        for partition in (0, 1):
            broker.append_values(TOPIC, partition, [b'{"a": 1}'] * 250, [round(time.time() * 1000)] * 250)
        yield broker


@pytest.fixture
def command(broker: EmbeddedBroker, tmp_path: Path) -> list[str]:
    """The command line of a sink that flushes after 100 records."""
    sink = tmp_path / "sink.json"
    changes = {
        "name": tmp_path.name,
        "topics": TOPIC,
        "kafka2parquet.storage.url": str(tmp_path / "files"),
        "consumer.override.fetch.min.bytes": "1",
        "unknown.password": "Zsecret-Zsecret",
    }
    sink.write_text(json.dumps(json_sink(changes)))
    return [sys.executable, "-m", "kafka2parquet", "run", str(sink), "--bootstrap-server", broker.bootstrap]


def _files(folder: Path) -> int:
    return len(list(folder.rglob("*.parquet")))


def test_on_a_terminal(command: list[str], tmp_path: Path) -> None:
    """On a terminal, a table shows each topic-partition; after Ctrl-C its last state stays below the lines of the log."""
    pytest.importorskip("rich")
    with on_terminal(command) as process:
        wait_until(
            lambda: any(line.startswith(f"{TOPIC}-1") and "by records" in line for line in process.lines), "the table", LIMIT_S
        )
        wait_until(lambda: any("400 rows in 4 files" in line for line in process.lines), "four files", LIMIT_S)
        process.process.send_signal(signal.SIGINT)
        assert 0 == process.wait(LIMIT_S)
        lines, written = process.lines, process.written
    (first,) = [number for number, line in enumerate(lines) if line.startswith(f"{tmp_path.name}   ")]
    assert f"{tmp_path.name}   stopped, 1 task, 2 partitions" in lines[first]
    assert any("500 rows in 6 files" in line for line in lines[first:])
    assert [f"{TOPIC}-0", f"{TOPIC}-1"] == [line.split()[0] for line in lines if line.startswith(f"{TOPIC}-")]
    assert any("SIGINT: flushing open files" in line for line in lines[:first])
    assert "rows committed (" not in written
    assert "Zsecret" not in written
    assert 6 == _files(tmp_path / "files")


def test_on_a_terminal_without_the_table(command: list[str], tmp_path: Path) -> None:
    """With --no-live, a terminal gets log lines only, and nothing on it is written over."""
    with on_terminal([*command, "--no-live"]) as process:
        wait_until(lambda: _files(tmp_path / "files") == 4, "four files", LIMIT_S)
        process.process.send_signal(signal.SIGINT)
        assert 0 == process.wait(LIMIT_S)
        written = process.written
    assert "\x1b" not in written
    assert "Stopped: 500 rows committed, 6 files, 0 records rejected" in written


def test_second_signal_leaves_the_cursor(command: list[str], broker: EmbeddedBroker, tmp_path: Path) -> None:
    """A process that a second signal ends at once leaves the terminal with its cursor."""
    pytest.importorskip("rich")
    with on_terminal(command) as process:
        wait_until(lambda: any(line.startswith(f"{TOPIC}-1") for line in process.lines), "the table", LIMIT_S)
        broker.inject("OffsetCommit", times=1000, delay_s=60.0)
        process.process.send_signal(signal.SIGINT)
        wait_until(lambda: any("SIGINT" in line for line in process.lines), "the first signal", LIMIT_S)
        process.process.send_signal(signal.SIGINT)
        code = process.wait(LIMIT_S)
        written = process.written
    broker.clear_faults()
    assert 130 == code
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_log_as_json(command: list[str], tmp_path: Path) -> None:
    """With --log-format json, each line on stderr is a JSON object, and each event is a line with its fields."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*command, "--log-format", "json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as process:
        assert process.stderr is not None
        wait_until(lambda: _files(tmp_path / "files") == 4, "four files", LIMIT_S)
        process.send_signal(signal.SIGTERM)
        found: list[dict[str, Any]] = [json.loads(line) for line in process.stderr]
        assert 0 == process.wait(LIMIT_S)
    assert all({"time", "level", "logger", "thread", "message"} <= line.keys() for line in found)
    published = [line for line in found if line.get("event") == "FilePublished"]
    assert 6 == len(published)
    assert {(TOPIC, 0), (TOPIC, 1)} == {(line["topic"], line["partition"]) for line in published}
    assert 500 == sum(line["rows"] for line in published)
    assert 6 == len([line for line in found if line.get("event") == "FlushDelivered" and line["publish_s"] >= 0])
    assert "Zsecret" not in json.dumps(found)
