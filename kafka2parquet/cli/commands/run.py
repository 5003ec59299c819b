"""The command `kafka2parquet run`: runs a sink until it is stopped, or up to an end."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys

from kafka2parquet.cli.logs import log_event
from kafka2parquet.cli.options import add_configuration
from kafka2parquet.cli.running import bounded_run, live
from kafka2parquet.cli.running.status_server import HttpStatus, add_http
from kafka2parquet.connect.build import build_runner
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.util.stop_signals import exit_at_once, stopping_on_signals

_LOG = logging.getLogger(__name__)
EXIT_STOPPED = 0
#: How often a progress line is logged, in seconds, where there is no live view.
_PROGRESS_INTERVAL_S = 10.0
_NEVER_S = 1e9


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_configuration(command)
    command.add_argument(
        "--no-live",
        action="store_true",
        help="log lines instead of the table that a terminal shows; the table needs the extra cli",
    )
    add_http(command, "health, status, metrics, and Kafka Connect's REST API for reading")
    command.add_argument("--doctor", action="store_true", help="examine everything first, and don't start if a check fails")
    bounded_run.add_arguments(command)


def run(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> int:
    """Run the sink until a signal stops it, and return the exit code. A second signal ends the process at once.

    With `--doctor` the sink starts only if no check fails.

    Raises:
        Kafka2ParquetError: the error of the first task that failed.
    """
    if options.doctor:
        from kafka2parquet.cli.commands.doctor import EXIT_READY, examined  # its checks take long to import

        code = examined(config, worker)
        if code != EXIT_READY:
            return code
    for finding in config.warnings:
        _LOG.warning("%s", finding)
    for finding in (*config.notes, *worker.notes):
        _LOG.info("%s", finding)
    has_view = options.log_format == "text" and not options.no_live and live.is_possible(sys.stderr)
    http = HttpStatus(options.http)
    hooks = (*((log_event,) if options.log_format == "json" else ()), *http.hooks)
    if bounded_run.is_wanted(options):
        return bounded_run.run(options, config, worker, hooks, has_view=has_view, http=http)
    runner = build_runner(
        config,
        worker,
        hooks=hooks,
        progress_interval_s=_NEVER_S if has_view else _PROGRESS_INTERVAL_S,
    )
    for finding in worker.consumer_for(config).notes:
        _LOG.info("%s", finding)
    hide = (config.secrets | worker.secrets).hide
    view = live.live_view(runner.status, sys.stderr, hide=hide) if has_view else contextlib.nullcontext()
    with http.serve(runner, config, worker), stopping_on_signals(runner.stop, second=exit_at_once), view:
        runner.run()
    return EXIT_STOPPED
