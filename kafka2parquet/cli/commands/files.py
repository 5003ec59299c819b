"""The command `kafka2parquet files`: lists what is published, from the names and footers of the files."""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.audit.flushes import SCHEMA, flushes_table
from kafka2parquet.cli.options import add_configuration
from kafka2parquet.cli.terminal import tell
from kafka2parquet.clock import utc_text
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.files_and_rotation import make_naming
from kafka2parquet.connect.parts.storage import make_storage
from kafka2parquet.connect.properties.names import TOPICS
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.errors import ConfigurationError

EXIT_OK = 0
_COLUMNS = ("topic", "folder", "partition", "offsets", "rows", "bytes", "ended by", "holds")
_LEFT_ALIGNED = frozenset({"topic", "folder", "ended by", "holds"})
_REJECTS = "(rejects)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_configuration(parser)
    parser.add_argument("--topic", metavar="TOPIC", help="list only this topic; required for topics.regex without a broker")
    parser.add_argument("--json", action="store_true", help="print everything that the footers say, one JSON object per line")


def run(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> int:
    """List the files of the configuration's topics, and return the exit code.

    Raises:
        Kafka2ParquetError: the store or Kafka can't be read.
    """
    storage, naming = make_storage(config, worker.endpoint_url), make_naming(config)
    topics = (options.topic,) if options.topic else _topics(config, worker)
    found = pa.concat_tables([SCHEMA.empty_table(), *(flushes_table(storage, naming, topic) for topic in topics)])
    if options.json:
        for row in found.to_pylist():
            tell(json.dumps({name: _plain(value) for name, value in row.items()}))
        return EXIT_OK
    if not found.num_rows:
        tell(f"No files of {', '.join(topics)} at {storage.url}.")
        return EXIT_OK
    for line in _table(
        found.sort_by([("topic", "ascending"), ("folder", "ascending"), ("partition", "ascending")]).to_pylist()
    ):
        tell(line)
    tell(_totals(found))
    return EXIT_OK


def _topics(config: ConnectConfig, worker: WorkerConfig) -> Collection[str]:
    """Return the topics of a configuration. Those of a pattern are looked up in Kafka."""
    if config.topics_pattern is None:
        return config.items(TOPICS)
    consumer = worker.consumer_for(config)
    if not consumer.bootstrap_servers:
        raise ConfigurationError("The topics of topics.regex are looked up in Kafka: name brokers, or a topic with --topic.")
    with LogReader(consumer.bootstrap_servers, consumer.group_id, consumer.client_settings) as log:
        return config.topics_among(log.topics)


def _plain(value: Any) -> Any:
    return utc_text(value) if isinstance(value, datetime.datetime) else value


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    lines = [_COLUMNS, *map(_line, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    for line in lines:
        cells = (
            cell.ljust(width) if name in _LEFT_ALIGNED else cell.rjust(width)
            for name, cell, width in zip(_COLUMNS, line, widths, strict=True)
        )
        yield "  ".join(cells).rstrip()


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    if row["role"] is None:
        offsets, holds = "-", "unknown: the footer is not readable, or not kafka2parquet's"
    else:
        has_rows = row["first_offset"] is not None
        offsets, holds = f"{row['first_offset']:,}-{row['last_offset']:,}" if has_rows else "-", row["role"]
    return (
        row["topic"],
        _REJECTS if row["folder"] is None else row["folder"],
        str(row["partition"]),
        offsets,
        *("-" if row[name] is None else f"{row[name]:,}" for name in ("rows", "bytes")),
        row["reason"] or "-",
        holds,
    )


def _totals(found: pa.Table) -> str:
    def rows(role: str) -> int:
        return pc.sum(found.filter(pc.equal(found["role"], role))["rows"]).as_py() or 0

    flushes = pc.sum(pc.cast(found["is_anchor"], pa.int64())).as_py() or 0
    size_bytes = pc.sum(found["bytes"]).as_py() or 0
    return (
        f"in all: files {found.num_rows:,}, flushes {flushes:,}, rows {rows('values'):,}, rejects {rows('rejects'):,},"
        f" bytes {size_bytes:,}"
    )
