"""The command `kafka2parquet doctor`: examines what a sink needs, prints the findings, and returns the exit code."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator

from kafka2parquet.cli.configuration import load, load_worker
from kafka2parquet.cli.options import add_configuration
from kafka2parquet.cli.terminal import tell
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.forms.properties import source_name
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.doctor import rights
from kafka2parquet.doctor.check import Finding
from kafka2parquet.doctor.examination import examine, has_failed
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.doctor.report import as_json, lines, verdict
from kafka2parquet.doctor.table import STEPS

EXIT_READY = 0
EXIT_NOT_READY = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_configuration(parser)
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument(
        "--rights",
        action="store_true",
        help="only print the least rights that the sink and `compact` need, and connect to nothing",
    )


def load_configuration(path: str, options: argparse.Namespace) -> tuple[ConnectConfig, WorkerConfig]:
    """Load a configuration and its worker. For `--rights`, only what the rights depend on has to be right.

    Raises:
        ConfigurationError: lists all problems.
    """
    if not options.rights:
        return load(path, options)
    worker = load_worker(path, options, missing_allowed=True)
    config, problems = rights.read_leniently(path, worker, name=options.name)
    if problems:
        tell(f"{source_name(path)} can't work yet; `kafka2parquet check` lists its problems.", to=sys.stderr)
    return config, worker


def run(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> int:
    """Examine what the sink needs, or print the least rights, and return the exit code. Blocks for some seconds.

    Raises:
        ConfigurationError: the configuration can't run; all problems.
    """
    if not options.rights:
        return examined(config, worker, as_document=options.json)
    facts = Facts.for_rights(config, worker)
    tell(facts.secrets.hide(json.dumps(rights.as_json(facts), indent=1) if options.json else rights.text(facts)))
    return EXIT_READY


def examined(config: ConnectConfig, worker: WorkerConfig, *, as_document: bool = False) -> int:
    """Examine what the sink needs, print the findings, and return the exit code. Blocks for some seconds.

    Raises:
        ConfigurationError: the configuration can't run; all problems.
    """
    facts = Facts.of(config, worker)
    with contextlib.closing(facts):
        findings = list(examine(facts, STEPS)) if as_document else list(_printed(facts))
        if as_document:
            tell(json.dumps(as_json(config.name, findings, rights.as_json(facts)), indent=1, ensure_ascii=False))
        else:
            tell(f"\n{verdict(findings)}")
    return EXIT_NOT_READY if has_failed(findings) else EXIT_READY


def _printed(facts: Facts) -> Iterator[Finding]:
    """Yield the findings, after the lines of each were printed."""
    findings: list[Finding] = []

    def kept() -> Iterator[Finding]:
        for finding in examine(facts, STEPS):
            findings.append(finding)
            yield finding

    for line in lines(kept()):
        tell(line)
    yield from findings
