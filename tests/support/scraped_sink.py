"""A process with a sink that Prometheus can scrape: `python -m tests.support.scraped_sink SINK.json BOOTSTRAP PORT`."""

from __future__ import annotations

import sys

import prometheus_client

from kafka2parquet import build_runner, load_connect_config, load_worker_config
from kafka2parquet.metrics.prometheus import PrometheusHook, StatusCollector


def main(path: str, bootstrap: str, port: int) -> None:
    """Runs the sink of a configuration until the process is killed."""
    hook = PrometheusHook()
    runner = build_runner(load_connect_config(path), load_worker_config(bootstrap_servers=bootstrap), hooks=[hook])
    registry = prometheus_client.CollectorRegistry()
    registry.register(StatusCollector(runner.status, hook))
    prometheus_client.start_http_server(port, "127.0.0.1", registry)
    runner.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
