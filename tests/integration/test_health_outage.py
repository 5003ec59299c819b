"""Health over HTTP while things break: a store that is down, a store that is down at the start, a driver thread that hangs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from kafka2parquet import build_runner, load_connect_config
from kafka2parquet.connect import describe_connector
from kafka2parquet.events import Event, FilePublished, Hook
from kafka2parquet.http import StatusApp, StatusServer
from tests.support.connect_sink import ConnectSink
from tests.support.kafka_clients import make_topic, python_producer, wait_until

LIMIT_S = 60.0
NAME = "orders"


class Sink:
    """A sink on real servers whose files are open for at most a second, and a client of its HTTP server."""

    def __init__(self, kafka: Any, store: ConnectSink) -> None:
        self.topic = make_topic(kafka.bootstrap, 2)
        self._kafka, self._store = kafka, store
        self.client = httpx.Client(trust_env=False)

    @contextlib.contextmanager
    def running(self, *hooks: Hook, live_limit_s: float = LIMIT_S) -> Iterator[None]:
        """Runs the sink; stops it in order at the end."""
        own = {"name": NAME, "topics": self.topic, "tasks.max": "2", "flush.size": "100000"}
        rotation = {"rotate.schedule.interval.ms": "1000", "value.converter.schemas.enable": "false"}
        converter = {"value.converter": "org.apache.kafka.connect.json.JsonConverter"}
        group = {"consumer.override.group.id": f"of-{self.topic}"}
        config = load_connect_config(self._store.properties({**own, **rotation, **converter, **group}))
        worker = self._store.worker()
        runner = build_runner(config, worker, hooks=hooks)
        app = StatusApp(runner.status, connector=describe_connector(config, worker), live_limit_s=live_limit_s)
        with StatusServer(app, "127.0.0.1:0") as server:
            self.client.base_url = httpx.URL(server.url)
            runner.start()
            try:
                yield
            finally:
                runner.stop()
                runner.join()

    def produce(self, count: int) -> None:
        """Writes records to both partitions."""
        with python_producer(self._kafka.bootstrap) as producer:
            for number in range(count):
                producer.send(self.topic, b'{"n": %d}' % number, partition=number % 2)

    def codes(self) -> dict[str, int]:
        """Returns the status code of each question about health."""
        return {path: self.client.get(f"/{path}").status_code for path in ("live", "ready", "healthy", "health")}

    def wait_for(self, path: str, code: int) -> Mapping[str, Any]:
        """Waits until a question is answered with a status code, and returns the answer."""
        wait_until(lambda: self.client.get(path).status_code == code, f"{path} {code}", LIMIT_S)
        answer: Mapping[str, Any] = self.client.get(path).json()
        return answer

    def committed(self) -> int:
        """Returns the number of committed records."""
        return sum(each["offset"]["kafka_offset"] for each in self.client.get(f"/connectors/{NAME}/offsets").json()["offsets"])

    def states(self) -> set[str]:
        """Returns the states of the connector and its tasks, as Kafka Connect names them."""
        status = self.client.get(f"/connectors/{NAME}/status").json()
        return {each["state"] for each in (status["connector"], *status["tasks"])}

    def stores(self) -> list[dict[str, Any]]:
        """Returns what each task says about its store."""
        return [task["storage"] for task in self.client.get("/status").json()["tasks"]]

    def rows(self) -> int:
        """Returns the number of rows in all files."""
        return sum(table.num_rows for _, table in self._store.tables())


@pytest.fixture
def store(kafka_server: Any, own_s3: Any) -> Iterator[ConnectSink]:
    made = ConnectSink(kafka_server, own_s3)
    yield made
    made.close()


@pytest.fixture
def sink(kafka_server: Any, store: ConnectSink) -> Iterator[Sink]:
    made = Sink(kafka_server, store)
    with made.client:
        yield made


@contextlib.contextmanager
def outage(s3: Any) -> Iterator[contextlib.ExitStack]:
    """Stops the store; closing the result, or leaving the context, starts it again."""
    s3.kill()
    with contextlib.ExitStack() as ends:
        ends.callback(s3.start)
        yield ends


def test_the_store_goes_down(sink: Sink, own_s3: Any) -> None:
    """While the store is down, the sink is live and ready and late. When the store is back, the sink is healthy again."""
    with sink.running():
        sink.produce(100)
        wait_until(lambda: sink.committed() == 100, "the first records", LIMIT_S)
        sink.wait_for("/healthy", 200)
        assert {"live": 200, "ready": 200, "healthy": 200, "health": 200} == sink.codes()
        with outage(own_s3):
            sink.produce(100)
            wait_until(lambda: False in [each["up"] for each in sink.stores()], "the first failed call", LIMIT_S)
            problems = sink.wait_for("/healthy", 503)["problems"]
            assert problems
            assert all("the limit is 2 s, twice what the rotation settings promise" in problem for problem in problems)
            assert {"live": 200, "ready": 200, "healthy": 503, "health": 200} == sink.codes()
            assert {"RUNNING"} == sink.states()
        wait_until(lambda: sink.committed() == 200, "all records", LIMIT_S)
        sink.wait_for("/healthy", 200)
        assert [True, True] == [each["up"] for each in sink.stores()]
    assert 200 == sink.rows()


def test_the_store_is_down_at_the_start(sink: Sink, own_s3: Any) -> None:
    """A sink that can't reach its store is live and not ready, and says why; it becomes ready by itself."""
    with outage(own_s3) as ends, sink.running():
        wait_until(lambda: own_s3.url in sink.client.get("/ready").text, "the cause", LIMIT_S)
        assert "has not passed its checks at the start yet: " in sink.client.get("/ready").text
        assert {"live": 200, "ready": 503, "healthy": 200, "health": 503} == sink.codes()
        assert {"RUNNING", "UNASSIGNED"} == sink.states()
        ends.close()
        sink.wait_for("/ready", 200)
        assert {"RUNNING"} == sink.states()
        sink.produce(10)
        wait_until(lambda: sink.committed() == 10, "the records", LIMIT_S)


def test_a_driver_thread_hangs(sink: Sink) -> None:
    """A sink with a driver thread that ends no step isn't live, and is live again when the thread goes on."""
    goes_on, hangs = threading.Event(), threading.Event()

    def hang(event: Event) -> None:
        if isinstance(event, FilePublished) and not hangs.is_set():
            hangs.set()
            goes_on.wait(LIMIT_S)

    with sink.running(hang, live_limit_s=3):
        sink.produce(100)
        assert hangs.wait(LIMIT_S)
        problems = sink.wait_for("/live", 503)["problems"]
        goes_on.set()
        assert problems
        assert all("has not ended a step for" in problem for problem in problems)
        sink.wait_for("/live", 200)
        wait_until(lambda: sink.committed() == 100, "all records", LIMIT_S)
