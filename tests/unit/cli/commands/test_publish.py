"""`kafka2parquet publish` on the embedded broker and a local folder: a follower that is watched over HTTP."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata
from prometheus_client.parser import text_string_to_metric_families

from kafka2parquet.bounded import drain
from kafka2parquet.cli.commands.publish import EXIT_REGISTERED, EXIT_STANDS_STILL
from kafka2parquet.cli.main import main
from kafka2parquet.connect import build_task, load_connect_config, load_worker_config
from kafka2parquet.testing import EmbeddedBroker
from tests.stack.server import HOST, free_port
from tests.support.kafka_clients import python_consumer, wait_until
from tests.support.sink_properties import json_sink

ROOT = Path(__file__).parents[4]
TOPIC = "events"
NOW_MS = round(time.time() * 1000)


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """A broker with a topic of one partition."""
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        yield broker


@pytest.fixture
def sink(broker: EmbeddedBroker, tmp_path: Path) -> Path:
    """The configuration of a sink that has written two files of two rows."""
    path = _configuration(tmp_path)
    broker.append_values(TOPIC, 0, [b"{}"] * 4, [NOW_MS] * 4)
    drain(build_task(load_connect_config(path), load_worker_config(bootstrap_servers=broker.bootstrap)))
    return path


def _configuration(folder: Path) -> Path:
    path = folder / "sink.json"
    changes = {"flush.size": "2", "kafka2parquet.storage.url": str(folder / "files")}
    path.write_text(json.dumps(json_sink(changes)))
    return path


def _commit(broker: EmbeddedBroker, offset: int) -> None:
    partition = TopicPartition(TOPIC, 0)
    with python_consumer(broker.bootstrap, group_id="connect-sink") as consumer:
        consumer.assign([partition])
        consumer.commit({partition: OffsetAndMetadata(offset, "", -1)})


class Follower:
    """A process that follows, and a client of its HTTP server."""

    def __init__(self, sink: Path, broker: EmbeddedBroker) -> None:
        port = free_port()
        self.client = httpx.Client(base_url=f"http://{HOST}:{port}", trust_env=False)
        self._log = (sink.parent / "log").open("w")
        command = [sys.executable, "-m", "kafka2parquet", "publish", str(sink), "--bootstrap-server", broker.bootstrap]
        self.process = subprocess.Popen(
            [*command, "--to", "delta", "--follow", "--interval", "0.2", "--http", f"{HOST}:{port}"],
            stdout=self._log,
            stderr=self._log,
            cwd=ROOT,
        )

    def answers(self, path: str, code: int) -> Any:
        """Waits until a path is answered with a status code, and returns the document."""
        found: list[Any] = []

        def answered() -> bool:
            assert self.process.poll() is None
            with contextlib.suppress(httpx.ConnectError):
                response = self.client.get(path)
                found[:] = [response.json()] if response.status_code == code else []
            return bool(found)

        wait_until(answered, f"{code} at {path}")
        return found[0]

    def values(self) -> dict[str, float]:
        """Scrapes the metrics, and returns the value of each; the topic has only one partition."""
        families = text_string_to_metric_families(self.client.get("/metrics").text)
        return {sample.name.removeprefix("kafka2parquet_table_"): sample.value for each in families for sample in each.samples}

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._log.close()
        self.client.close()


@pytest.fixture
def follower(sink: Path, broker: EmbeddedBroker) -> Iterator[Follower]:
    """A follower of the sink."""
    with contextlib.closing(Follower(sink, broker)) as follower:
        yield follower


def test_health_status_and_metrics(follower: Follower, broker: EmbeddedBroker) -> None:
    """The server shows what is in the table, and a partition that stands still; SIGTERM ends the process in order."""
    assert {"ready": True, "problems": []} == follower.answers("/ready", 200)
    wait_until(lambda: follower.values().get("lag_offsets") == 0, "both files")
    assert {"healthy": True, "problems": []} == follower.answers("/healthy", 200)
    (table,) = follower.client.get("/status").json()["tables"]
    assert (TOPIC, "running", True, 0.2, 2, 4) == tuple(
        table[name] for name in ("topic", "state", "up", "interval_s", "files", "rows")
    )
    expected = {"topic": TOPIC, "partition": 0, "position": 4, "committed": 4, "lag_offsets": 0, "problem": ""}
    assert [expected] == table["partitions"]
    values = follower.values()
    assert (4, 0, 1, 2, 4) == tuple(
        values[name]
        for name in ("position_offset", "partition_blocked", "up", "files_registered_total", "rows_registered_total")
    )
    broker.append_values(TOPIC, 0, [b"{}"] * 2, [NOW_MS] * 2)
    _commit(broker, 6)  # although no file has the records
    (problem,) = follower.answers("/healthy", 503)["problems"]
    gap = f"takes no more of {TOPIC}-0: gap: [4, 6) is in no file, and the log has records with a value there"
    assert gap == problem.removeprefix(f"{table['table']} ")
    assert 2 == follower.values()["lag_offsets"]
    assert 1 == follower.values()["partition_blocked"]
    follower.process.send_signal(signal.SIGTERM)
    assert EXIT_STANDS_STILL == follower.process.wait(60)


def test_http_without_follow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A single round has no server: the command refuses the option."""
    arguments = [str(_configuration(tmp_path)), "--bootstrap-server", "127.0.0.1:9", "--to", "delta", "--http", "127.0.0.1:0"]
    assert main(["publish", *arguments]) not in (EXIT_REGISTERED, EXIT_STANDS_STILL)
    assert "--http needs --follow" in capsys.readouterr().err
