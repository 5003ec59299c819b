"""The FastAPI service of the examples, on real Kafka: it survives reloads and SIGTERM, and every record is in one file."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from kafka2parquet.cli.main import main
from tests.stack.server import HOST, Server, free_port, http_answers
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import python_producer, unique, wait_until
from tests.support.local_sink import local_sink, numbered, written

ROOT = Path(__file__).parents[2]
PARTITIONS = 4
ROUNDS = 3
FLUSH_ROWS = 700
STARTED = "Application startup complete"


class Service:
    """The service in a process of uvicorn.

    Attributes:
        topic: the topic that its sink reads.
        folder: where it runs; its files are in `lake`.
        server: the process.
        client: asks the service.
    """

    def __init__(self, bootstrap: str, folder: Path, *, reload: bool, interval_ms: int) -> None:
        """Writes the configuration of a sink, and a copy of the example; nothing is started.

        Args:
            bootstrap: address of the brokers.
            folder: for all files.
            reload: whether uvicorn starts the service again when its source changes.
            interval_ms: how long files of fewer than `FLUSH_ROWS` records are open.
        """
        self.topic = unique("events")
        self.folder = folder
        self._bootstrap = bootstrap
        rotation = {"flush.size": str(FLUSH_ROWS), "rotate.schedule.interval.ms": str(interval_ms)}
        config = local_sink(self.topic, folder / "lake", {"tasks.max": "2", **rotation})
        self._group = f"connect-{config['name']}"
        self._config = folder / "sink.json"
        self._config.write_text(json.dumps(config))
        self._source = folder / "app" / "fastapi_service.py"
        self._source.parent.mkdir()
        shutil.copy(ROOT / "examples" / "fastapi_service.py", self._source)
        self._log = folder / "uvicorn.log"
        port = free_port()
        options = ["--factory", "--app-dir", self._source.parent, "--host", HOST, "--port", port]
        reloading = ["--reload", "--reload-dir", self._source.parent] if reload else []
        self.server = Server(
            [sys.executable, "-m", "uvicorn", *options, *reloading, "fastapi_service:make_app"],
            http_answers(f"http://{HOST}:{port}/sink/ready", 200),
            self._log,
            {"PYTHONPATH": str(ROOT), "SINK_CONFIG": str(self._config), "CONNECT_BOOTSTRAP_SERVERS": bootstrap},
        )
        self.client = httpx.Client(base_url=f"http://{HOST}:{port}", trust_env=False)

    def logged(self, text: str) -> int:
        """Returns how often uvicorn has logged a text."""
        return self._log.read_text().count(text)

    def reload(self) -> None:
        """Changes the source, and waits until the service has started again and is ready."""
        starts = self.logged(STARTED)
        self._source.write_text(f"{self._source.read_text()}# changed\n")
        wait_until(lambda: self.logged(STARTED) > starts, "the reload", 60)
        self.server.wait_until_ready()

    def produce(self, first: int, count: int) -> None:
        """Writes numbered records to all partitions."""
        with python_producer(self._bootstrap) as producer:
            for number, value in enumerate(numbered(count, first)):
                producer.send(self.topic, value, partition=number % PARTITIONS)

    def partitions(self) -> list[dict[str, Any]]:
        """Returns the status of the sink's topic-partitions."""
        tasks = self.client.get("/sink/status").json()["tasks"]
        return [partition for task in tasks for partition in task["partitions"]]

    def committed(self) -> int:
        """Returns how many records the group has committed."""
        return sum(committed_offsets(self._bootstrap, self._group, self.topic).values())

    def audit(self) -> int:
        """Returns the exit code of the audit."""
        return main(["audit", str(self._config), "--bootstrap-server", self._bootstrap, "--deep"])


@pytest.fixture
def service(request: pytest.FixtureRequest, kafka_server: Any, tmp_path: Path) -> Iterator[Service]:
    service = Service(kafka_server.bootstrap, tmp_path, **request.param)
    create_topic(kafka_server.bootstrap, service.topic, PARTITIONS)
    try:
        service.server.start()
        with service.client:
            yield service
    finally:
        service.server.kill()


def check_end(service: Service, records: int) -> None:
    """Ends the service by SIGTERM; then each record is committed, and in exactly one file."""
    service.server.stop()
    assert service.logged(STARTED) == service.logged("Application shutdown complete")
    assert 0 == service.logged("Traceback")
    assert records == service.committed()
    assert [*range(records)] == written(service.folder / "lake", service.topic)
    assert 0 == service.audit()


@pytest.mark.parametrize("service", [{"reload": True, "interval_ms": 1000}], indirect=True)
def test_reloads(service: Service) -> None:
    """Records that come before, between and after reloads are each in exactly one file."""
    records = 2_500
    for number in range(ROUNDS):
        service.produce(number * records, records)
        wait_until(lambda begin=number * records: service.committed() > begin, "the first files of this round")
        if number < ROUNDS - 1:
            service.reload()
    assert ROUNDS == service.logged(STARTED)
    wait_until(lambda: service.committed() == ROUNDS * records, "all records")
    check_end(service, ROUNDS * records)


@pytest.mark.parametrize("service", [{"reload": False, "interval_ms": 3_600_000}], indirect=True)
def test_views(service: Service) -> None:
    """The service shows health, status, metrics and Kafka Connect's API of its sink, and SIGTERM flushes what is open."""
    full, more = PARTITIONS * FLUSH_ROWS, PARTITIONS * 100
    service.produce(0, full)
    wait_until(lambda: service.client.get("/rows").json()["committed"] == full, "full files")
    service.produce(full, more)
    wait_until(lambda: sum(each["open_rows"] for each in service.partitions()) == more, "open rows")
    for path in ("/sink/live", "/sink/ready", "/sink/healthy", "/sink/health"):
        assert 200 == service.client.get(path).status_code, path
    assert [FLUSH_ROWS] * PARTITIONS == [each["committed"] for each in service.partitions()]
    (connector,) = service.client.get("/sink/connectors").json()
    connect = service.client.get(f"/sink/connectors/{connector}/status").json()
    assert ["RUNNING"] * 2 == [task["state"] for task in connect["tasks"]]
    metrics = service.client.get("/sink/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(metrics)}
    assert full == sum(sample.value for sample in families["kafka2parquet_committed_offset"].samples)
    assert more == sum(sample.value for sample in families["kafka2parquet_durable_lag_records"].samples)
    published = families["kafka2parquet_files_published"].samples
    assert len([*service.folder.rglob("*.parquet")]) == sum(sample.value for sample in published)
    check_end(service, full + more)
