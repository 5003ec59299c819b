"""The option `--http`: what it prepares. tests/examples runs the command with it."""

from __future__ import annotations

import argparse
import socket
import sys
import threading

import httpx
import pytest

from kafka2parquet.cli.running.status_server import HttpStatus, _live_limit_s, add_http
from kafka2parquet.connect import build_runner, load_connect_config, load_worker_config
from kafka2parquet.metrics.prometheus import PrometheusHook
from tests.stack.server import free_port
from tests.support.sink_properties import json_sink

CONFIG = load_connect_config(json_sink({}))
WORKER = load_worker_config({"bootstrap.servers": "127.0.0.1:9"})


def parsed(*arguments: str) -> str | None:
    parser = argparse.ArgumentParser()
    add_http(parser, "nothing")
    address: str | None = parser.parse_args(arguments).http
    return address


def test_it_is_off_by_default() -> None:
    """Without the option there is no address, no hook and no server."""
    http = HttpStatus(parsed())
    assert () == http.hooks
    with http.serve(build_runner(CONFIG, WORKER), CONFIG, WORKER):
        assert "kafka2parquet-http" not in [thread.name for thread in threading.enumerate()]


def test_metrics_count_events() -> None:
    """The metrics of the page include those that only events have, so the tasks get a hook."""
    (hook,) = HttpStatus("127.0.0.1:0").hooks
    assert isinstance(hook, PrometheusHook)


def test_without_prometheus_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library there is no hook, and the server answers everything but metrics."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    address = f"127.0.0.1:{free_port()}"
    http = HttpStatus(address)
    assert () == http.hooks
    with http.serve(build_runner(CONFIG, WORKER), CONFIG, WORKER), httpx.Client(trust_env=False) as client:
        assert 200 == client.get(f"http://{address}/live").status_code
        assert 404 == client.get(f"http://{address}/metrics").status_code


@pytest.mark.parametrize("host", ["", "0.0.0.0"])
def test_the_worker_of_a_server_on_every_interface(host: str) -> None:
    """Kafka Connect's id of the worker names the machine, where the server listens on every interface."""
    port = free_port()
    http = HttpStatus(f"{host}:{port}")
    with http.serve(build_runner(CONFIG, WORKER), CONFIG, WORKER), httpx.Client(trust_env=False) as client:
        status = client.get(f"http://127.0.0.1:{port}/connectors/sink/status").json()
    assert f"{socket.gethostname()}:{port}" == status["connector"]["worker_id"]


@pytest.mark.parametrize(
    ("properties", "limit_s"), [({}, 300.0), ({"consumer.override.max.poll.interval.ms": "600000"}, 600.0)]
)
def test_the_limit_of_live(properties: dict[str, str], limit_s: float) -> None:
    """A task is live for as long as the consumer keeps its partitions without a step."""
    assert limit_s == _live_limit_s(load_connect_config(json_sink(properties)), WORKER)
