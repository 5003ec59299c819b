"""A FastAPI service that embeds a sink.

The sink starts and ends with the service, which shows its status and metrics.

Run it with uvicorn; SINK_CONFIG is a configuration as `kafka2parquet run` reads it:

    export SINK_CONFIG=sink.json CONNECT_BOOTSTRAP_SERVERS=localhost:9092
    uvicorn --factory fastapi_service:make_app
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from kafka2parquet import build_runner, load_connect_config, load_worker_config
from kafka2parquet.connect import describe_connector
from kafka2parquet.http import StatusApp, make_asgi_app
from kafka2parquet.metrics.prometheus import PrometheusHook, StatusCollector


def make_app() -> FastAPI:
    """Make the service. Each process of uvicorn calls this once, and is one more member of the group."""
    config = load_connect_config(os.environ["SINK_CONFIG"])
    worker = load_worker_config(os.environ)
    counts = PrometheusHook()
    runner = build_runner(config, worker, hooks=[counts])
    registry = CollectorRegistry()
    registry.register(StatusCollector(runner.status, counts))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        runner.start()
        yield
        runner.stop()  # SIGTERM, Ctrl-C, or a reload: what is open is flushed, published and committed
        await asyncio.to_thread(runner.join)  # raises the error of a task that has failed

    app = FastAPI(lifespan=lifespan)
    connector = describe_connector(config, worker)
    # /sink/live, /sink/ready, /sink/healthy, /sink/status, /sink/metrics; Kafka Connect's API at /sink
    app.mount("/sink", make_asgi_app(StatusApp(runner.status, connector=connector, registry=registry)))

    @app.get("/rows")
    def rows() -> dict[str, int]:
        return {"committed": runner.status().totals.committed_rows}

    return app
