"""The command `kafka2parquet run`: runs a sink until it is stopped."""

from __future__ import annotations

import argparse
import logging
import os
from types import FrameType

from kafka2parquet.cli.logs import log_event
from kafka2parquet.cli.options import add_configuration
from kafka2parquet.connect.build import build_runner
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.util.stop_signals import stopping_on_signals

_LOG = logging.getLogger(__name__)
EXIT_STOPPED = 0


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_configuration(command)


def run(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> int:
    """Run the sink until a signal stops it, and return the exit code. A second signal ends the process at once.

    Raises:
        Kafka2ParquetError: the error of the first task that failed.
    """
    for finding in (*config.warnings, *config.notes, *worker.notes):
        _LOG.warning("%s", finding)
    hooks = (log_event,) if options.log_format == "json" else ()
    runner = build_runner(config, worker, hooks=hooks)
    for finding in worker.consumer_for(config).notes:
        _LOG.warning("%s", finding)
    with stopping_on_signals(runner.stop, second=_exit_at_once):
        runner.run()
    return EXIT_STOPPED


def _exit_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)
