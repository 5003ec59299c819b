"""The command `kafka2parquet lag`: shows the durable lag of a sink from outside, without joining its group."""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Sequence

import attrs

from kafka2parquet.audit.lag import PartitionLag, read_lags
from kafka2parquet.audit.report import aligned
from kafka2parquet.cli.options import add_configuration
from kafka2parquet.cli.terminal import tell
from kafka2parquet.clock import SystemClock, utc_text
from kafka2parquet.connect.build import NO_BROKERS
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.consumers.kafka_python.log_reader import LITTLE, LogReader
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.util.display import counted, duration

EXIT_SHOWN = 0
_JSON_VERSION = 1
_COLUMNS = ("topic-partition", "log start", "log end", "committed", "not durable", "oldest", "kept for", "deleted in")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_configuration(command)
    command.add_argument("--json", action="store_true", help="print everything as JSON")


def run(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> int:
    """Print the lag of each topic-partition, the longest first, and return the exit code.

    Raises:
        Kafka2ParquetError: Kafka can't be read, or has none of the topics.
    """
    consumer = worker.consumer_for(config)
    if not consumer.bootstrap_servers:
        raise ConfigurationError(NO_BROKERS)
    settings = {**consumer.client_settings, **LITTLE}
    with LogReader(consumer.bootstrap_servers, consumer.group_id, settings) as log:
        topics = config.topics_among(log.topics)
        now = SystemClock().now()
        lags = read_lags(log, topics, now, from_latest=consumer.first_start == "latest")
    if not lags:
        names = f" {', '.join(topics)}" if topics else " that matches topics.regex"
        raise ConfigurationError(f"Kafka has no topic{names}, or access to it is denied.")
    if options.json:
        tell(json.dumps(_to_json(consumer.group_id, now, lags), indent=1))
    else:
        worst_first = sorted(lags, key=lambda lag: (-lag.lost_records, -(lag.durable_lag_s or 0.0), lag.topic_partition))
        tell("\n".join(aligned([_COLUMNS, *map(_line, worst_first)])))
        tell(_summary(consumer.group_id, lags))
    return EXIT_SHOWN


def _line(lag: PartitionLag) -> tuple[str, ...]:
    return (
        str(lag.topic_partition),
        f"{lag.log_start:,}",
        f"{lag.log_end:,}",
        "-" if lag.committed is None else f"{lag.committed:,}",
        f"{lag.durable_lag_records:,}",
        duration(lag.durable_lag_s) if lag.durable_lag_records else "-",
        "-" if lag.retention_s is None else duration(lag.retention_s),
        "-" if lag.retention_margin_s is None else duration(lag.retention_margin_s),
    )


def _summary(group_id: str, lags: Sequence[PartitionLag]) -> str:
    """Return sentences with the sum of the lags, the longest lag, the shortest margin, and lost records."""
    records = sum(lag.durable_lag_records for lag in lags)
    oldest_s = max((lag.durable_lag_s or 0.0 for lag in lags), default=0.0)
    margins_s = [lag.retention_margin_s for lag in lags if lag.retention_margin_s is not None]
    lost = sum(lag.lost_records for lag in lags)
    oldest = f", the oldest for {duration(oldest_s)}" if records else ""
    sentences = [
        f"Group {group_id}: records in {counted(len(lags), 'topic-partition')} that are not durable: {records:,}{oldest}."
    ]
    if margins_s:
        sentences.append(f"Kafka may delete the first of them in {duration(min(margins_s))}.")
    if lost:
        sentences.append(f"Offsets that Kafka deleted before they were written: {lost:,}.")
    return " ".join(sentences)


def _to_json(group_id: str, now: datetime.datetime, lags: Sequence[PartitionLag]) -> dict[str, object]:
    partitions = []
    for lag in lags:
        fields = attrs.asdict(lag, recurse=False)
        name = fields.pop("topic_partition")
        partitions.append({"topic": name.topic, "partition": name.partition, **fields})
    return {"version": _JSON_VERSION, "group_id": group_id, "at": utc_text(now), "partitions": partitions}
