"""The option `--http` of `run` and `publish`: answers HTTP requests about the sink, or about followers, while they run."""

from __future__ import annotations

import argparse
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.connector_description import describe_connector
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.events import Hook
from kafka2parquet.http import FollowerApp, MetricsRegistry, StatusApp, StatusServer
from kafka2parquet.http.app import LIVE_LIMIT_S
from kafka2parquet.http.server import parse_address
from kafka2parquet.metrics.reading import TableStatusSource
from kafka2parquet.runner import TaskRunner

if TYPE_CHECKING:
    from kafka2parquet.metrics.prometheus import PrometheusHook

_EVERY_INTERFACE = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound


def add_http(command: argparse.ArgumentParser, answers: str) -> None:
    """Add the option.

    Args:
        command: the parser of the command.
        answers: what the server answers, for the help text.
    """
    command.add_argument(
        "--http",
        metavar="HOST:PORT",
        type=_address,
        help=f"answer HTTP requests at this address, such as 127.0.0.1:8083: {answers}."
        " Anyone who reaches the address gets answers; :8083 listens on every interface",
    )


def serving_followers(
    address: str | None, statuses: Sequence[TableStatusSource], hide: Callable[[str], str]
) -> contextlib.AbstractContextManager[object]:
    """Return a context in which a server answers requests about followers.

    Args:
        address: `host:port` to listen on; None for no server.
        statuses: each returns the status of one follower.
        hide: hides secrets in the texts of errors.

    Raises:
        ConfigurationError: when the context is entered, if the address can't be listened on.
    """
    return contextlib.nullcontext() if address is None else StatusServer(FollowerApp(*statuses, hide=hide), address)


class HttpStatus:
    """The HTTP server of a running sink, or nothing if the command line doesn't ask for one."""

    def __init__(self, address: str | None) -> None:
        """Prepare the server. Nothing is bound before `serve`.

        Args:
            address: `host:port` to listen on; None for no server.
        """
        self._address = address
        self._hook = _prometheus_hook() if address is not None else None

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """The hooks that the sink's tasks have to call, for metrics of events."""
        return () if self._hook is None else (self._hook,)

    def serve(
        self, runner: TaskRunner, config: ConnectConfig, worker: WorkerConfig
    ) -> contextlib.AbstractContextManager[object]:
        """Return a context in which the server answers requests about the sink.

        Raises:
            ConfigurationError: when the context is entered, if the address can't be listened on.
        """
        if self._address is None:
            return contextlib.nullcontext()
        host, port = parse_address(self._address)
        worker_id = f"{socket.gethostname() if host in _EVERY_INTERFACE else host}:{port}"
        connector = describe_connector(config, worker, worker_id=worker_id)
        app = StatusApp(
            runner.status, connector=connector, registry=self._registry(runner), live_limit_s=_live_limit_s(config, worker)
        )
        return StatusServer(app, self._address)

    def _registry(self, runner: TaskRunner) -> MetricsRegistry | None:
        if self._hook is None:
            return None
        from prometheus_client import CollectorRegistry

        from kafka2parquet.metrics.prometheus import StatusCollector

        registry = CollectorRegistry()
        registry.register(StatusCollector(runner.status, self._hook))
        return registry


def _live_limit_s(config: ConnectConfig, worker: WorkerConfig) -> float:
    """Return how long a task may end no step, in seconds: after that time the consumer gives its partitions up."""
    limit_ms = worker.consumer_for(config).client_settings.get("max_poll_interval_ms")
    return limit_ms / 1000 if isinstance(limit_ms, int) else LIVE_LIMIT_S


def _prometheus_hook() -> PrometheusHook | None:
    """Return a hook that counts events for `/metrics`; None if prometheus-client is not installed."""
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        return None
    from kafka2parquet.metrics.prometheus import PrometheusHook

    return PrometheusHook()


def _address(text: str) -> str:
    """Check an address.

    Raises:
        argparse.ArgumentTypeError: the text isn't a host and a port.
    """
    try:
        parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
