"""The command `kafka2parquet publish`: registers the published files in a table, once or following the sink."""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import threading
from collections.abc import Iterator, Mapping

import attrs

from kafka2parquet.cli.options import add_configuration, pause
from kafka2parquet.cli.running.status_server import add_http, serving_followers
from kafka2parquet.cli.terminal import tell
from kafka2parquet.connect.build import NO_BROKERS
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.files_and_rotation import make_naming
from kafka2parquet.connect.parts.storage import make_storage
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.tables.destination import FORMS, TOPIC, destinations, make_target
from kafka2parquet.tables.follower import CatalogFollower
from kafka2parquet.tables.log import KafkaTopicLog
from kafka2parquet.tables.progress import Followed
from kafka2parquet.util.display import counted
from kafka2parquet.util.stop_signals import SIGNAL_POLL_S, stopping_on_signals

EXIT_REGISTERED = 0
EXIT_STANDS_STILL = 4
_JSON_VERSION = 1


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_configuration(command)
    command.add_argument(
        "--to",
        metavar="TABLE",
        required=True,
        help=f"{FORMS}; {TOPIC} in a name stands for the topic. CATALOG is a name in pyiceberg's configuration",
    )
    command.add_argument(
        "--partition-by",
        metavar="COLUMN",
        action="append",
        help="partition a new table by this; repeat it for several. Iceberg: a column, or hour(COLUMN), day(COLUMN), …"
        " (default: none). Delta: a column that the folders name (default: all of them)",
    )
    command.add_argument("--follow", action="store_true", help="go on until it is stopped with Ctrl-C or SIGTERM")
    command.add_argument(
        "--interval",
        metavar="DURATION",
        type=pause,
        default="5m",
        help="pause between rounds of --follow; a plain number is seconds (default: %(default)s)",
    )
    command.add_argument(
        "--pass-gaps",
        action="store_true",
        help="go on after offsets that are in no file of the sink, although the log has values there or no longer has them, or"
        " another tool has files there",
    )
    add_http(command, "health, status and metrics of --follow")
    command.add_argument("--json", action="store_true", help="print the outcome as one JSON object per topic and round")


def run(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> int:
    """Register what is published and committed, print the outcome, and return the exit code.

    Raises:
        Kafka2ParquetError: Kafka, the store or the catalogue can't be read, or the table can't hold the files.
    """
    if options.http is not None and not options.follow:
        raise ConfigurationError("--http needs --follow: without it, the command ends after one round.")
    followers = _followers(options, config, worker)
    if not followers:
        raise ConfigurationError("Kafka has no topic that matches topics.regex, or access to it is denied.")
    stop = threading.Event()

    def report(topic: str, found: Followed) -> None:
        tell(_to_json(topic, found) if options.json else _text(topic, found))

    def follow(topic: str, follower: CatalogFollower) -> Followed | None:
        if not options.follow:
            found = follower.once(stop)
            report(topic, found)
            return found
        try:
            return follower.follow(
                stop, interval_s=options.interval.total_seconds(), on_round=lambda found: report(topic, found)
            )
        finally:
            stop.set()  # the process ends with the first follower that fails

    hide = (config.secrets | worker.secrets).hide
    statuses = [follower.status for follower in followers.values()]
    with serving_followers(options.http, statuses, hide), _threads(stop, len(followers)) as pool:
        outcomes = [pool.submit(follow, topic, follower) for topic, follower in followers.items()]
        while concurrent.futures.wait(outcomes, SIGNAL_POLL_S).not_done:
            pass
    found = [outcome.result() for outcome in outcomes]
    return EXIT_STANDS_STILL if any(each is not None and each.findings for each in found) else EXIT_REGISTERED


def _followers(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> Mapping[str, CatalogFollower]:
    consumer = worker.consumer_for(config)
    if not consumer.bootstrap_servers:
        raise ConfigurationError(NO_BROKERS)
    with LogReader(consumer.bootstrap_servers, consumer.group_id, consumer.client_settings) as log:
        topics = config.topics_among(log.topics)
    return {
        topic: CatalogFollower(
            make_target(destination, topic, config, worker, partition_by=options.partition_by),
            make_storage(config, worker.endpoint_url),
            topic,
            KafkaTopicLog(topic, consumer.bootstrap_servers, consumer.group_id, consumer.client_settings),
            naming=make_naming(config),
            pass_gaps=options.pass_gaps,
        )
        for topic, destination in destinations(options.to, topics).items()
    }


@contextlib.contextmanager
def _threads(stop: threading.Event, count: int) -> Iterator[concurrent.futures.ThreadPoolExecutor]:
    """Provide a thread for each topic. The main thread waits for them, and handles signals meanwhile."""
    with (
        stopping_on_signals(stop.set, log="ending after the current transactions"),
        concurrent.futures.ThreadPoolExecutor(count, thread_name_prefix="kafka2parquet-publish") as pool,
    ):
        yield pool


def _text(topic: str, found: Followed) -> str:
    unknown = len(found.unknown_lags)
    lag = f"{found.lag_offsets:,}" + (f", and unknown for {counted(unknown, 'partition')}" if unknown else "")
    lines = [
        f"{topic}: registered {counted(found.files, 'file')} with {counted(found.rows, 'row')} in"
        f" {counted(found.commits, 'transaction')}; committed offsets that are not in the table: {lag}"
    ]
    for partition in found.partitions:
        if partition.finding is not None:
            lines.append(
                f"  {partition.topic_partition} stands still: {partition.finding.kind.value}: {partition.finding.text}"
            )
    return "\n".join(lines)


def _to_json(topic: str, found: Followed) -> str:
    partitions = []
    for partition in found.partitions:
        finding = partition.finding
        shown = None if finding is None else {**attrs.asdict(finding), "kind": finding.kind.value}
        partitions.append(
            {
                "partition": partition.topic_partition.partition,
                "position": partition.position,
                "committed": partition.committed,
                "lag_offsets": partition.lag_offsets,
                "finding": shown,
            }
        )
    lag_offsets = None if found.unknown_lags else found.lag_offsets
    figures = {"commits": found.commits, "files": found.files, "rows": found.rows, "lag_offsets": lag_offsets}
    return json.dumps({"version": _JSON_VERSION, "topic": topic, **figures, "partitions": partitions})
