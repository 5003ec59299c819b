"""The examples and the command line, as separate processes, on an embedded broker and a local folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kafka2parquet.testing import EmbeddedBroker
from tests.support.avro_cases import number
from tests.support.files import offsets_by_partition
from tests.support.kafka_clients import wait_until
from tests.support.registries import framed
from tests.support.registry_server import RegistryServer
from tests.support.sink_properties import json_sink

ROOT = Path(__file__).parents[2]
TOPIC = "events"
BEGIN_MS = 1_779_012_000_000
FLUSH_ROWS = 100_000
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        values = [
            b'{"number":%d,"kind":"%s"}' % (n, b"checkpoint" if n % 50_000 == 49_999 else b"event") for n in range(100_010)
        ]
        broker.append_values(TOPIC, 0, values, range(BEGIN_MS, BEGIN_MS + 100_010))
        yield broker


def arguments(name: str, broker: EmbeddedBroker, folder: Path) -> list[str]:
    return [sys.executable, str(ROOT / "examples" / name), broker.bootstrap, TOPIC, str(folder)]


def check(broker: EmbeddedBroker, folder: Path, group: str = "parquet-sink") -> None:
    """Every committed offset is in exactly one file, and nothing else is."""
    end, _ = broker.committed(group, TOPIC, 0) or (0, "")
    assert end >= FLUSH_ROWS
    assert dict.fromkeys(range(end), 1) == dict(offsets_by_partition(folder)[0])


@pytest.mark.parametrize("name", ["run_in_thread.py", "asyncio_service.py"])
def test_examples_that_run_until_enter_is_pressed(name: str, broker: EmbeddedBroker, tmp_path: Path) -> None:
    """A full flush is committed while they run; what is open is flushed when they stop."""
    process = subprocess.Popen(arguments(name, broker, tmp_path), stdin=subprocess.PIPE, env=ENVIRONMENT)
    try:
        wait_until(lambda: (broker.committed("parquet-sink", TOPIC, 0) or (0,))[0] >= FLUSH_ROWS, "a full flush")
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
        assert 0 == process.wait(60)
    finally:
        process.kill()
        process.wait()
    check(broker, tmp_path)


@pytest.mark.parametrize("name", ["step_in_own_loop.py", "custom_rotation.py"])
def test_examples_that_stop_by_themselves(name: str, broker: EmbeddedBroker, tmp_path: Path) -> None:
    """They end when all that was there is taken."""
    finished = subprocess.run(arguments(name, broker, tmp_path), env=ENVIRONMENT, check=True, capture_output=True, timeout=100)
    check(broker, tmp_path)
    if name == "custom_rotation.py":
        assert finished.stdout.startswith(b"49999 rows in ")


def test_the_example_of_transforms(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """The example commits records that its filter leaves out too; its transforms decide the columns."""
    subprocess.run(arguments("transforms.py", broker, tmp_path), env=ENVIRONMENT, check=True, capture_output=True, timeout=100)
    assert 100_010 == (broker.committed("parquet-sink", TOPIC, 0) or (0, ""))[0]
    events = [offset for offset in range(100_010) if offset % 50_000 != 49_999]
    assert dict.fromkeys(events, 1) == dict(offsets_by_partition(tmp_path)[0])
    file = next(tmp_path.rglob("*.parquet"))
    assert ["event_number", "kind", "region"] == pq.read_schema(file).names[:3]
    assert "int32" == str(pq.read_schema(file).field("event_number").type)


def test_the_example_of_avro(tmp_path: Path) -> None:
    """The columns are those of the schema in the registry; times finer than milliseconds are times."""
    schema = {
        "type": "record",
        "name": "Event",
        "fields": [
            {"name": "number", "type": "int"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        ],
    }
    with EmbeddedBroker() as broker, RegistryServer() as registry:
        broker.create_topic(TOPIC)
        schema_id = registry.add(f"{TOPIC}-value", schema)
        values = [framed(schema_id, number(n) + number(BEGIN_MS * 1000 + n)) for n in range(1000)]
        broker.append_values(TOPIC, 0, values, range(BEGIN_MS, BEGIN_MS + 1000))
        command = [*arguments("avro.py", broker, tmp_path), registry.url]
        subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, timeout=100)
        assert 1000 == (broker.committed("parquet-sink", TOPIC, 0) or (0, ""))[0]
    table = pq.read_table(next(tmp_path.rglob("*.parquet")))
    assert [*range(1000)] == table.column("number").to_pylist()
    assert "timestamp[us, tz=UTC]" == str(table.schema.field("at").type)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_line_runs_until_a_signal(number: signal.Signals, broker: EmbeddedBroker, tmp_path: Path) -> None:
    """Then it flushes what is open and exits with 0."""
    config = json_sink(
        {
            "name": "command-line",
            "topics": TOPIC,
            "flush.size": str(FLUSH_ROWS),
            "kafka2parquet.storage.url": str(tmp_path / "files"),
            "kafka2parquet.metadata.columns": "offset",
        }
    )
    (tmp_path / "sink.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "kafka2parquet", "run", str(tmp_path / "sink.json")]
    process = subprocess.Popen([*command, "--bootstrap-server", broker.bootstrap], env=ENVIRONMENT, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: (broker.committed("connect-command-line", TOPIC, 0) or (0,))[0] >= FLUSH_ROWS, "a full flush")
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert 0 == process.returncode, errors
    check(broker, tmp_path / "files", "connect-command-line")


def test_the_demo(tmp_path: Path) -> None:
    """Rows in are rows out, and it says so."""
    command = [sys.executable, "-m", "kafka2parquet", "demo", "--events", "50000", "--to", str(tmp_path)]
    finished = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True, timeout=100)
    assert "Rows in 50,000, rows out 50,000" in finished.stdout
    assert "hour=" in finished.stdout
