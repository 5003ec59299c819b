"""`kafka2parquet run --http`, as a process, on an embedded broker and a local folder."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from kafka2parquet.testing import EmbeddedBroker
from tests.stack.prometheus import prometheus
from tests.stack.server import HOST, free_port, http_answers
from tests.support.kafka_clients import wait_until
from tests.support.sink_properties import json_sink

TOPIC = "events"
NAME = "orders-to-lake"
SECRET = "AKIA-tops3cret"
FLUSH_ROWS = 100
OPEN_ROWS = 7


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        values = [b'{"n": %d}' % number for number in range(FLUSH_ROWS + OPEN_ROWS)]
        broker.append_values(TOPIC, 0, values, [time.time_ns() // 1_000_000] * len(values))
        yield broker


@pytest.fixture
def command(broker: EmbeddedBroker, tmp_path: Path) -> list[str]:
    own = {"kafka2parquet.storage.url": str(tmp_path / "lake"), "my.password": SECRET}
    config = json_sink({"name": NAME, "topics": TOPIC, "flush.size": str(FLUSH_ROWS), **own})
    (tmp_path / "sink.json").write_text(json.dumps(config))
    run = [sys.executable, "-W", "ignore", "-m", "kafka2parquet", "run", str(tmp_path / "sink.json")]
    return [*run, "--bootstrap-server", broker.bootstrap]


def test_it_answers_while_it_runs(command: list[str]) -> None:
    """All views are there until the sink has stopped in order; no answer shows a secret."""
    address = f"{HOST}:{free_port()}"
    process = subprocess.Popen([*command, "--http", address], stderr=subprocess.PIPE, text=True)
    try:
        wait_until(http_answers(f"http://{address}/ready", 200), "the task is ready")
        with httpx.Client(base_url=f"http://{address}", trust_env=False) as client:
            wait_until(
                lambda: client.get("/status").json()["tasks"][0]["partitions"][0]["open_rows"] == OPEN_ROWS, "the open rows"
            )
            for path in ("/live", "/healthy", "/health"):
                assert 200 == client.get(path).status_code, path
            assert [NAME] == client.get("/connectors").json()
            connector = client.get(f"/connectors/{NAME}/status").json()["connector"]
            assert {"state": "RUNNING", "worker_id": address}.items() <= connector.items()
            assert "[hidden]" == client.get(f"/connectors/{NAME}/config").json()["my.password"]
            metrics = client.get("/metrics").text
            families = {family.name: family for family in text_string_to_metric_families(metrics)}
            assert FLUSH_ROWS == families["kafka2parquet_committed_offset"].samples[0].value
            flushes = {sample.labels["reason"]: sample.value for sample in families["kafka2parquet_flushes"].samples}
            assert 1 == sum(flushes.values())
            for path in ("/status", "/metrics", f"/connectors/{NAME}", f"/connectors/{NAME}/tasks"):
                assert SECRET not in client.get(path).text
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert 0 == process.returncode, errors
    assert f"http://{address}/status" in errors
    assert not http_answers(f"http://{address}/live", 200)()


def test_prometheus_scrapes_it(command: list[str]) -> None:
    """A real Prometheus finds /metrics by itself and understands the page in the format that it asks for."""
    address = f"{HOST}:{free_port()}"
    process = subprocess.Popen([*command, "--http", address], stderr=subprocess.DEVNULL)
    try:
        wait_until(http_answers(f"http://{address}/ready", 200), "the task is ready")
        with prometheus([address]) as server:
            committed = wait_until(lambda: server.query(f"kafka2parquet_committed_offset == {FLUSH_ROWS}"), "a scrape")
            (target,) = server.targets()
    finally:
        process.kill()
        process.wait()
    assert (NAME, TOPIC, "0") == tuple(committed[0]["metric"][label] for label in ("sink", "topic", "partition"))
    assert ("up", "") == (target["health"], target["lastError"])


def test_a_port_in_use(command: list[str], broker: EmbeddedBroker) -> None:
    """A port that is in use ends the command before a task starts, with the exit code of a wrong configuration."""
    finished = subprocess.run([*command, "--http", broker.bootstrap], capture_output=True, text=True, timeout=60)
    assert 1 == finished.returncode
    assert f"The HTTP server can't listen on {broker.bootstrap}: Address already in use." in finished.stderr
    assert "kafka2parquet-task" not in finished.stderr


@pytest.mark.parametrize("address", ["8083", "localhost:http"])
def test_a_wrong_address(command: list[str], address: str) -> None:
    """An address without a host and a port is a wrong command line."""
    finished = subprocess.run([*command, "--http", address], capture_output=True, text=True, timeout=60)
    assert 2 == finished.returncode
    assert f"argument --http: '{address}' is not an address to listen on, such as 127.0.0.1:8083." in finished.stderr
