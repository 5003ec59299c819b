"""Finds the files of keys, certificates and credentials that a configuration names and this machine can't read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from kafka2parquet.connect.clients.translation import ClientSettings
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.converters import registry_files
from kafka2parquet.problems import Problem, ProblemKind

_GCS_CREDENTIALS = "gcs.credentials.path"


def unreadable_files(config: ConnectConfig, clients: Iterable[ClientSettings]) -> Iterator[Problem]:
    """Yield a problem for each file that can't be read.

    Args:
        config: the connector's configuration, with the worker's converters.
        clients: the settings of all clients of Kafka.
    """
    files = {name: file for client in clients for name, file in client.files.items()} | registry_files(config)
    if config.provider == "gcs" and config.destination.startswith(("gs:", "gcs:")) and config.text(_GCS_CREDENTIALS):
        files[_GCS_CREDENTIALS] = config.text(_GCS_CREDENTIALS)
    for name, file in files.items():
        try:
            with Path(file).open("rb"):
                pass
        except OSError as error:
            yield Problem(name, f"{name}={file} can't be read on this machine: {error.strerror}")


def only_for_runs(problem: Problem) -> Problem:
    """Return the problem that a file can't be read as a note, for a configuration that is only checked here."""
    return attrs.evolve(problem, advice="`run` needs the file.", kind=ProblemKind.NOTE)


def without_files(config: ConnectConfig, unreadable: Iterable[Problem]) -> ConnectConfig:
    """Return the configuration without the files that can't be read, to check the rest of it."""
    names = {name for problem in unreadable for name in problem.properties}
    return attrs.evolve(config, given={name: text for name, text in config.given.items() if name not in names})
