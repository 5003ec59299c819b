"""The command `kafka2parquet audit`: audits topics, prints the result, and returns the exit code."""

from __future__ import annotations

import argparse
import datetime
import functools
import json
from pathlib import Path
from typing import Any

import attrs

from kafka2parquet.audit.coverage import Audit
from kafka2parquet.audit.deep import LogSource, plan_deep, run_deep, with_results
from kafka2parquet.audit.html.page import page
from kafka2parquet.audit.html.summary import Subject
from kafka2parquet.audit.read import read_coverage
from kafka2parquet.audit.report import table, to_json, verdict
from kafka2parquet.cli.options import add_configuration, add_units
from kafka2parquet.cli.terminal import tell
from kafka2parquet.clock import SystemClock
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.files_and_rotation import make_naming
from kafka2parquet.connect.parts.storage import make_storage
from kafka2parquet.connect.properties.names import TOPICS, TOPICS_REGEX
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.merged.reading import may_be_listed, merged_naming
from kafka2parquet.units import Shard, run_units

EXIT_EXACT = 0
EXIT_NOT_EXACT = 4


@attrs.frozen
class _Comparison:
    """The ids of all units of a comparison with the log, and of those that this process has done."""

    shard: Shard | None
    planned: tuple[str, ...]
    done: tuple[str, ...]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_configuration(command)
    command.add_argument("--deep", action="store_true", help="read all rows and the log, and compare them offset by offset")
    add_units(command)
    command.add_argument("--json", action="store_true", help="print everything as JSON")
    command.add_argument(
        "--group", metavar="GROUP", help="use the offsets of this consumer group, such as that of a run with --from"
    )
    command.add_argument("--merged", metavar="PREFIX", help="prefix of merged files (default: topics.dir with -merged)")
    command.add_argument(
        "--html", metavar="FILE", help="write a page for people: verdict, findings with cures, a picture of the offsets"
    )


def run(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> int:
    """Audit the topics of a configuration, print the findings, and return the exit code.

    Raises:
        ConfigurationError: the options contradict each other, or the folder of the page does not exist.
        Kafka2ParquetError: Kafka or the store can't be read.
    """
    shard: Shard | None = options.shard
    if not options.deep and (shard is not None or options.workers > 1):
        raise ConfigurationError("--workers and --shard are for --deep. Without it, an audit reads only footers.")
    if options.html and not Path(options.html).parent.is_dir():
        raise ConfigurationError(f"--html {options.html}: the folder does not exist. Create it, or choose another one.")
    began_at = SystemClock().now()
    found, comparison = _audited(config, worker, options)
    if options.json:
        shown = to_json(found, deep=options.deep, shard=shard)
        tell(json.dumps(shown if comparison is None else {**shown, **_to_json(comparison)}, indent=1))
    else:
        tell(table(found))
        tell(verdict(found, deep=options.deep, shard=shard))
    if options.html:
        subject = _subject(config, worker, options, began_at, comparison)
        drawn = page(subject, found, deep=options.deep, shard=shard, hide=(config.secrets | worker.secrets).hide)
        Path(options.html).write_text(drawn, encoding="utf-8")
    return EXIT_EXACT if found.is_exact else EXIT_NOT_EXACT


def _audited(config: ConnectConfig, worker: WorkerConfig, options: argparse.Namespace) -> tuple[Audit, _Comparison | None]:
    found = audit(config, worker, group_id=options.group, merged=options.merged)
    if not options.deep:
        return found, None
    return _deepened(found, config, worker, group_id=options.group, workers=options.workers, shard=options.shard)


def _subject(
    config: ConnectConfig,
    worker: WorkerConfig,
    options: argparse.Namespace,
    began_at: datetime.datetime,
    comparison: _Comparison | None,
) -> Subject:
    pattern = config.text(TOPICS_REGEX)
    folder = make_naming(config).base
    url = make_storage(config, worker.endpoint_url).url
    return Subject(
        config.name,
        ", ".join(config.items(TOPICS)) if not pattern else f"those that match {pattern}",
        _log_source(config, worker, options.group).group_id,
        f"{url.rstrip('/')}/{folder}" if folder else url,
        began_at,
        None if comparison is None else (len(comparison.done), len(comparison.planned)),
    )


def _to_json(comparison: _Comparison) -> dict[str, Any]:
    shard = None if comparison.shard is None else str(comparison.shard)
    return {"shard": shard, "planned_units": comparison.planned, "units": comparison.done}


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
    storage, naming = make_storage(config, worker.endpoint_url), make_naming(config)
    names_of_merged = merged_naming(naming, merged)
    with _log_source(config, worker, group_id).open() as log:
        topics = config.topics_among(log.topics)
        committed = log.committed(topics)
        found = Audit()
        for topic in topics:
            known = merged is not None or may_be_listed(storage, names_of_merged, topic)
            found += read_coverage(storage, naming, topic, committed, merged=names_of_merged if known else None)
    return _deepened(found, config, worker, group_id=group_id)[0] if deep else found


def _deepened(
    found: Audit,
    config: ConnectConfig,
    worker: WorkerConfig,
    *,
    group_id: str | None,
    workers: int = 1,
    shard: Shard | None = None,
) -> tuple[Audit, _Comparison]:
    """Compare the rows of an audit with the log. With a shard, only the shard's units count."""
    run = functools.partial(
        run_deep, storage=make_storage(config, worker.endpoint_url), source=_log_source(config, worker, group_id)
    )
    planned = {coverage.topic_partition: [*plan_deep(coverage)] for coverage in found.coverages}
    units = [unit for of_partition in planned.values() for unit in of_partition]
    own = [unit for unit in units if shard is None or shard.takes(unit)]
    results = {unit.id: result for unit, result in run_units(run, own, workers=workers)}
    coverages = tuple(
        with_results(coverage, [results[unit.id] for unit in planned[coverage.topic_partition] if unit.id in results])
        for coverage in found.coverages
    )
    comparison = _Comparison(shard, tuple(unit.id for unit in units), tuple(sorted(results)))
    return attrs.evolve(found, coverages=coverages), comparison


def _log_source(config: ConnectConfig, worker: WorkerConfig, group_id: str | None) -> LogSource:
    consumer = worker.consumer_for(config)
    return LogSource(consumer.bootstrap_servers, group_id or consumer.group_id, consumer.client_settings)
