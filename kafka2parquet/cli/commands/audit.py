"""The command `kafka2parquet audit`: audits topics, prints the result, and returns the exit code."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import attrs

from kafka2parquet.audit.coverage import Audit
from kafka2parquet.audit.deep import compare
from kafka2parquet.audit.html import page
from kafka2parquet.audit.read import read_coverage
from kafka2parquet.audit.report import table, to_json, verdict
from kafka2parquet.cli.options import add_configuration
from kafka2parquet.cli.terminal import tell
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.files_and_rotation import make_naming
from kafka2parquet.connect.parts.storage import make_storage
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.merged.reading import merged_naming

EXIT_EXACT = 0
EXIT_NOT_EXACT = 4


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_configuration(command)
    command.add_argument("--deep", action="store_true", help="read all rows and the log, and compare them offset by offset")
    command.add_argument("--json", action="store_true", help="print everything as JSON")
    command.add_argument(
        "--group", metavar="GROUP", help="use the offsets of this consumer group, such as that of a run with --from"
    )
    command.add_argument("--merged", metavar="PREFIX", help="prefix of merged files (default: topics.dir with -merged)")
    command.add_argument("--html", metavar="FILE", help="write a page that draws the coverage of each partition")


def run(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> int:
    """Audit the topics of a configuration, print the findings, and return the exit code.

    Raises:
        Kafka2ParquetError: Kafka or the store can't be read.
    """
    found = audit(config, worker, deep=options.deep, group_id=options.group, merged=options.merged)
    if options.html:
        title = f"{config.name}: coverage of the topics' offsets"
        Path(options.html).write_text(page(title, found, deep=options.deep), encoding="utf-8")
    if options.json:
        tell(json.dumps(to_json(found, deep=options.deep), indent=1))
    else:
        tell(table(found))
        tell(verdict(found, deep=options.deep))
    return EXIT_EXACT if found.is_exact else EXIT_NOT_EXACT


def audit(
    config: ConnectConfig,
    worker: WorkerConfig,
    *,
    deep: bool = False,
    group_id: str | None = None,
    merged: str | None = None,
) -> Audit:
    """Audit all partitions of the configuration's topics, with the offsets of the sink's group or of another one.

    Blocks: reads each file's footer, and with `deep` also all rows and the log.

    Raises:
        Kafka2ParquetError: Kafka or the store can't be read.
    """
    consumer = worker.consumer_for(config)
    storage, naming = make_storage(config, worker.endpoint_url), make_naming(config)
    names_of_merged = merged_naming(naming, merged)
    with LogReader(consumer.bootstrap_servers, group_id or consumer.group_id, consumer.client_settings) as log:
        topics = config.topics_among(log.topics)
        committed = log.committed(topics)
        found = sum((read_coverage(storage, naming, topic, committed, merged=names_of_merged) for topic in topics), Audit())
        if not deep:
            return found
        return attrs.evolve(found, coverages=tuple(compare(coverage, storage, log) for coverage in found.coverages))
