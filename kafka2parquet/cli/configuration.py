"""Loads the configuration and the worker that the command line names, and lists their problems."""

from __future__ import annotations

import argparse

import attrs

from kafka2parquet.connect.build import load_for_worker
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.forms.container import variables_of_process
from kafka2parquet.connect.forms.properties import STANDARD_INPUT, source_name
from kafka2parquet.connect.worker import WorkerConfig, load_worker_config
from kafka2parquet.errors import ConfigurationError, Kafka2ParquetError
from kafka2parquet.problems import note
from kafka2parquet.util.display import counted, printable


def load(path: str, options: argparse.Namespace, *, missing_allowed: bool = False) -> tuple[ConnectConfig, WorkerConfig]:
    """Load a configuration for the worker that the options describe. Nothing is connected.

    Args:
        path: path of the connector's configuration; `-` is standard input.
        options: the options of `options.add_configuration`.
        missing_allowed: whether a variable that can't be looked up is only a note.

    Raises:
        ConfigurationError: lists all problems.
    """
    worker = load_worker(path, options, missing_allowed=missing_allowed)
    return load_for_worker(path, worker, name=options.name, missing_allowed=missing_allowed), worker


def load_worker(path: str, options: argparse.Namespace, *, missing_allowed: bool = False) -> WorkerConfig:
    """Load the worker that the options describe. The arguments are the same as for `load`.

    Raises:
        ConfigurationError: lists all problems of the worker.
    """
    if path == options.worker == STANDARD_INPUT:
        raise ConfigurationError("CONFIG and --worker can't both be standard input.")
    variables = variables_of_process() if options.worker is None else {}
    worker = load_worker_config(
        variables or options.worker,
        bootstrap_servers=options.bootstrap_server,
        endpoint_url=options.endpoint_url,
        missing_allowed=missing_allowed,
    )
    if variables:
        names = tuple(sorted(variables))
        origin = note(names, f"The worker's settings come from the environment: {', '.join(names)}")
        worker = attrs.evolve(worker, notes=(origin, *worker.notes))
    return worker


def error_text(error: Exception) -> str:
    """Return a sentence about an error that ended a command."""
    if isinstance(error, Kafka2ParquetError):
        return f"{type(error).__name__}: {error}"
    return f"Unexpected {type(error).__name__}: {error}. This is a bug; --verbose shows where."


def problems_text(path: str, error: ConfigurationError) -> str:
    """Return a sentence for one problem, or a numbered list."""
    path = source_name(path)
    if len(error.problems) == 1:
        return f"{path} can't work: {error}"
    numbered = (f"  {number}. {printable(problem)}" for number, problem in enumerate(error.problems, 1))
    return "\n".join([f"{path} can't work; it has {counted(len(error.problems), 'problem')}:", *numbered])
