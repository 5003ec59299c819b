"""The pods of examples/kubernetes as processes, on Apache Kafka and S3: updated, killed, scaled up and down under load."""

from __future__ import annotations

import collections
import contextlib
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import yaml
from confluent_kafka import Producer

from kafka2parquet import load_connect_config
from kafka2parquet.audit import read_flushes
from kafka2parquet.connect.parts.files_and_rotation import make_naming
from kafka2parquet.connect.parts.storage import make_storage
from tests.stack.server import HOST, Server, free_port, http_answers
from tests.support.connect_sink import ConnectSink
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import unique, wait_until

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "kubernetes"
PARTITIONS = 12
TASKS = 2
ROWS_PER_S = 3_000
FLUSH_ROWS = 400
#: A pod has to be back within it, or the others take over what it reads. It has to be slow enough for a busy machine.
SESSION_S = 20
LIMIT_S = 60.0


class Deployment:
    """The pods of a StatefulSet as processes, and the topic that they drain.

    Attributes:
        sink_file: the sink's configuration.
        worker_file: the worker's properties.
        topic: the topic.
        produced: the number of records that were produced to each partition; final once the load has ended.
    """

    def __init__(self, kafka: Any, sink: ConnectSink, folder: Path) -> None:
        self._kafka, self._sink, self._folder = kafka, sink, folder
        self.topic = unique("orders")
        create_topic(kafka.bootstrap, self.topic, PARTITIONS)
        self.sink_file, self.worker_file = folder / "sink.json", folder / "worker.properties"
        self.sink_file.write_text(json.dumps(self._properties()), encoding="utf-8")
        self.worker_file.write_text(f"bootstrap.servers={kafka.bootstrap}\n", encoding="utf-8")
        self.pods: dict[int, Server] = {}
        self.urls: dict[int, str] = {}
        self.produced = [0] * PARTITIONS

    def _properties(self) -> Mapping[str, str]:
        """Returns the example's configuration with the servers of the test, small files and short timeouts."""
        own = self._sink.properties({})
        names = ("name", "s3.bucket.name", "s3.region", "aws.access.key.id", "aws.secret.access.key")
        return {
            **json.loads((EXAMPLE / "sink.json").read_text(encoding="utf-8")),
            **{name: own[name] for name in names},
            "topics": self.topic,
            "store.url": self._sink.worker().endpoint_url,
            "flush.size": str(FLUSH_ROWS),
            "rotate.schedule.interval.ms": "-1",  # would cut short what is open at the full hour
            "kafka2parquet.tasks": str(TASKS),
            "kafka2parquet.metadata.columns": "offset",
            "kafka2parquet.staging.dir": str(self._folder / "staging"),
            "consumer.override.session.timeout.ms": str(SESSION_S * 1000),
            "consumer.override.heartbeat.interval.ms": "500",
        }

    def _command(self, port: int) -> list[str]:
        """Returns the command line of the StatefulSet, with the paths and the address of a process."""
        manifest = yaml.safe_load((EXAMPLE / "stateful-set.yaml").read_text(encoding="utf-8"))
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        replaced = {"/etc/kafka2parquet": str(self._folder), "=:8083": f"={HOST}:{port}"}
        command = [sys.executable, "-W", "ignore", "-m", "kafka2parquet"]
        for argument in container["args"]:
            for text, other in replaced.items():
                argument = argument.replace(text, other)
            command.append(argument)
        return command

    def launch(self, *numbers: int) -> None:
        """Starts pods side by side, as `podManagementPolicy: Parallel` does, and waits until each is ready."""
        for number in numbers:
            port = free_port()
            self.urls[number] = f"http://{HOST}:{port}"
            ready = http_answers(f"{self.urls[number]}/ready", 200)
            environment = {"POD_NAME": f"orders-to-s3-{number}", "PYTHONPATH": str(ROOT)}
            server = Server(self._command(port), ready, self._folder / f"pod-{number}.log", environment)
            self.pods[number] = server
            server.launch()
        for number in numbers:
            self.pods[number].wait_until_ready()

    def terminate(self, *numbers: int) -> None:
        """Stops pods in order, as Kubernetes does, and expects that they end well within the grace period."""
        for number in numbers:
            self.pods[number].signal(signal.SIGTERM)
        for number in numbers:
            assert 0 == self.pods[number].wait(LIMIT_S)
            self.pods.pop(number).kill()

    def kill(self, number: int) -> None:
        """Ends a pod without any warning."""
        self.pods.pop(number).kill()

    def close(self) -> None:
        """Ends everything at once."""
        for number in [*self.pods]:
            self.kill(number)

    def rebalances(self, *numbers: int) -> dict[int, int]:
        """Returns how often the assignment of each pod's tasks has changed since the pod started."""
        found = {}
        for number in numbers:
            text = httpx.get(f"{self.urls[number]}/metrics", trust_env=False).text
            counts = re.findall(r"^kafka2parquet_rebalances_total\{.*\} (\S+)$", text, re.MULTILINE)
            found[number] = round(sum(map(float, counts)))
        return found

    def _statuses(self) -> dict[int, list[dict[str, Any]]]:
        """Returns the status of the topic-partitions of each pod."""
        found = {}
        for number in self.pods:
            tasks = httpx.get(f"{self.urls[number]}/status", trust_env=False).json()["tasks"]
            found[number] = [partition for task in tasks for partition in task["partitions"]]
        return found

    def all_taken(self) -> bool:
        """Returns whether each record of each partition has been read."""
        positions = {each["partition"]: each["position"] for pod in self._statuses().values() for each in pod}
        return positions == dict(enumerate(self.produced))

    def wait_until_shared_by(self, pods: int) -> None:
        """Waits until the partitions are read by this number of pods, and each of them by one."""

        def shared() -> bool:
            found = self._statuses()
            numbers = sorted(each["partition"] for pod in found.values() for each in pod)
            return numbers == [*range(PARTITIONS)] and sum(map(bool, found.values())) == pods

        wait_until(shared, f"{PARTITIONS} partitions among {pods} pods", LIMIT_S)

    def wait_for_new_files(self) -> None:
        """Waits until each partition has committed a file of records that came after this call."""
        before = [*self.produced]

        def committed() -> bool:
            found = {each["partition"]: each["committed"] or 0 for pod in self._statuses().values() for each in pod}
            return all(found.get(number, 0) > before[number] for number in range(PARTITIONS))

        wait_until(committed, "files of each partition", LIMIT_S)

    def offsets(self) -> dict[int, collections.Counter[int]]:
        """Reads how often each offset of each partition is in a file."""
        found: dict[int, collections.Counter[int]] = {number: collections.Counter() for number in range(PARTITIONS)}
        for name, table in self._sink.tables():
            found[name.partition].update(table["_kafka_offset"].to_pylist())
        return found

    def committed(self) -> dict[int, int]:
        """Returns the group's committed offsets."""
        return committed_offsets(self._kafka.bootstrap, f"connect-{load_connect_config(str(self.sink_file)).name}", self.topic)

    def audit(self) -> tuple[int, str]:
        """Runs `kafka2parquet audit`, and returns its exit code and what it prints."""
        files = (str(self.sink_file), "--worker", str(self.worker_file))
        command = [sys.executable, "-W", "ignore", "-m", "kafka2parquet", "audit", *files]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=ROOT)
        return finished.returncode, finished.stdout + finished.stderr

    def dropped_rows(self) -> int:
        """Returns how many rows the pods have given up because a partition moved. The next owner reads them again."""
        text = "".join(log.read_text(encoding="utf-8") for log in self._folder.glob("pod-*.log"))
        return sum(map(int, re.findall(r'"dropped_rows": (\d+)', text)))

    def flushes(self) -> list[dict[str, Any]]:
        """Returns the published flushes, as their footers describe them."""
        config = load_connect_config(str(self.sink_file))
        table = read_flushes(make_storage(config, self._sink.worker().endpoint_url), self.topic, naming=make_naming(config))
        return [row for row in table.to_pylist() if row["is_anchor"]]

    def load(self) -> contextlib.AbstractContextManager[None]:
        """Produces in a thread until the end of the context."""
        return _producing(self._kafka.bootstrap, self.topic, self.produced)


@contextlib.contextmanager
def _producing(bootstrap: str, topic: str, counts: list[int]) -> Iterator[None]:
    stopping = threading.Event()

    def produce() -> None:
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "compression.type": "zstd"})
        began, sent = time.monotonic(), 0
        while not stopping.wait(0.05):
            due = int((time.monotonic() - began) * ROWS_PER_S)
            for number in range(sent, due):
                partition = number % PARTITIONS
                producer.produce(topic, b'{"n":%d}' % counts[partition], partition=partition)
                counts[partition] += 1
            sent = due
            producer.poll(0)
        producer.flush()

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


@pytest.fixture
def deployment(kafka_server: Any, s3_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """A topic without records, and no pod yet."""
    monkeypatch.setenv("POD_NAME", "nobody")  # for the commands that only read the configuration
    sink = ConnectSink(kafka_server, s3_server)
    made = Deployment(kafka_server, sink, tmp_path)
    try:
        yield made
    finally:
        made.close()
        sink.close()


@attrs.define
class Report:
    """Counts, event by event, the flushes that ended before they were full.

    Attributes:
        short: the reasons of these flushes, by event.
    """

    _deployment: Deployment
    short: dict[str, collections.Counter[str]] = attrs.field(factory=dict)
    _dropped_rows: int = 0
    _at_s: float = attrs.field(factory=time.monotonic)
    _known: set[str] = attrs.field(factory=set)

    def after(self, event: str) -> None:
        """Counts those since the last call, once each partition has a file of records that came after the event."""
        self._deployment.wait_for_new_files()
        new = [flush for flush in self._deployment.flushes() if flush["key"] not in self._known]
        self._known.update(flush["key"] for flush in new)
        took_s, self._at_s = time.monotonic() - self._at_s, time.monotonic()
        short = self.short[event] = collections.Counter(flush["reason"] for flush in new if flush["reason"] != "rows")
        dropped_rows = self._deployment.dropped_rows() - self._dropped_rows
        self._dropped_rows += dropped_rows
        what = f"{len(new)} flushes, {short.total()} of them short, {dropped_rows} rows to be read again"
        print(f"{event}: {took_s:.0f} s, {what}", flush=True)


@pytest.mark.timeout(400)
def test_pods_are_updated_killed_and_scaled(deployment: Deployment) -> None:
    """Every record is in exactly one file. Only orderly stops make short files, one for each partition of the pod.

    A pod that comes back under its name, updated or killed, gets its partitions back, and the others don't notice.
    """
    report = Report(deployment)
    with deployment.load():
        deployment.launch(0, 1, 2)
        deployment.wait_until_shared_by(3)
        report.after("start")

        for number in (2, 1, 0):
            deployment.terminate(number)
            deployment.launch(number)
            deployment.wait_until_shared_by(3)
        report.after("rolling restart")

        deployment.kill(1)
        deployment.launch(1)
        deployment.wait_until_shared_by(3)
        report.after("one killed")
        assert dict.fromkeys(range(3), TASKS) == deployment.rebalances(0, 1, 2), "each task was assigned partitions once"

        deployment.launch(3, 4)
        deployment.wait_until_shared_by(5)
        report.after("scaled to five")

        deployment.terminate(4, 3)
        deployment.wait_until_shared_by(3)
        report.after("scaled to three")
    wait_until(deployment.all_taken, "all records to be read", LIMIT_S)
    deployment.terminate(0, 1, 2)

    assert dict(enumerate(deployment.produced)) == deployment.committed()
    once = {number: collections.Counter(range(count)) for number, count in enumerate(deployment.produced)}
    assert once == deployment.offsets()
    code, text = deployment.audit()
    assert 0 == code, text
    assert [True, False, True, True, False] == [not reasons for reasons in report.short.values()], report.short
    for event in ("rolling restart", "scaled to three"):
        assert {"shutdown"} == {*report.short[event]}
        assert report.short[event].total() <= PARTITIONS
