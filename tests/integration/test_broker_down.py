"""A broker that is stopped under `kafka2parquet run`: what the log says of that, and that the sink goes on when it is back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack.kafka import kafka
from tests.support.kafka_admin import committed_offsets
from tests.support.kafka_clients import LIMIT_S, fill, make_topic, wait_until
from tests.support.local_sink import local_sink, numbered, written

_LONG_S = 120.0


@pytest.fixture(scope="module")
def broker() -> Iterator[Any]:
    """A broker that this module stops."""
    with kafka() as server:
        yield server


class Run:
    """`kafka2parquet run` in a separate process, and the lines of its log."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kafka2parquet", "run", *arguments], stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr or ()))
        self._reader.start()

    def said(self, text: str) -> list[str]:
        return [line for line in self.lines if text in line]

    def end(self) -> int:
        """Stops the process in order and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(LIMIT_S)
        finally:
            self.process.kill()
            self._reader.join()
            self.process.stderr.close()  # type: ignore[union-attr]  # it is a pipe


def test_a_broker_that_is_down_is_one_line(broker: Any, tmp_path: Path) -> None:
    """A dozen lines of the client become one. When the broker is back, another line says so, and the sink continues."""
    topic = make_topic(broker.bootstrap)
    config = local_sink(topic, tmp_path)
    (tmp_path / "sink.json").write_text(json.dumps(config))
    fill(broker.bootstrap, topic, numbered(10))
    run = Run(str(tmp_path / "sink.json"), "--bootstrap-server", broker.bootstrap)

    def committed(offset: int) -> bool:
        return committed_offsets(broker.bootstrap, f"connect-{config['name']}", topic) == {0: offset}

    try:
        wait_until(lambda: committed(10), "the first rows", _LONG_S)
        before = len(run.lines)
        broker.kill()
        wait_until(lambda: run.said("can't be reached"), "the line about the outage", _LONG_S)
        broker.start()
        fill(broker.bootstrap, topic, numbered(10, 10))
        wait_until(lambda: committed(20), "the rows after the outage", _LONG_S)
    finally:
        code = run.end()

    assert 0 == code
    assert list(range(20)) == list(written(tmp_path, topic))
    about = [line for line in run.lines[before:] if " kafka-io" in line]
    assert 1 == len(run.said("A Kafka broker can't be reached"))
    assert 1 <= len(run.said("A Kafka broker is reached again, after "))
    assert not [line for line in about if "KafkaConnectionError" in line or "socket" in line]
    assert 1 == len(run.said("Stopping: "))


@pytest.mark.heavy
def test_a_broker_that_never_answers_is_one_line_and_the_end(tmp_path: Path) -> None:
    """After a minute the sink ends, and the line has the address and what to check."""
    (tmp_path / "sink.json").write_text(json.dumps(local_sink("events", tmp_path)))
    run = Run(str(tmp_path / "sink.json"), "--bootstrap-server", "127.0.0.1:1")
    try:
        wait_until(lambda: run.process.poll() is not None, "the end", _LONG_S)
    finally:
        run.end()

    assert 3 == run.process.returncode
    assert 1 == len(run.said("A Kafka broker can't be reached (111 ECONNREFUSED)"))
    assert run.lines[-1].startswith("KafkaUnavailableError: No Kafka broker answered at 127.0.0.1:1 within 60 s")
    assert [] == [line for line in run.lines if " kafka-io" in line and "can't be reached" not in line]
