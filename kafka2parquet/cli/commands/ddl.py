"""The command `kafka2parquet ddl`: prints the statement that makes a table of the published folders."""

from __future__ import annotations

import argparse
import re

from kafka2parquet.cli.options import add_configuration
from kafka2parquet.cli.terminal import tell
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.storage import make_storage
from kafka2parquet.connect.properties.names import TOPICS
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.tables.ddl.layout import read_layout
from kafka2parquet.tables.ddl.statements import ENGINES, statement

EXIT_PRINTED = 0
_NOT_IN_NAMES = re.compile("[^A-Za-z0-9_]")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_configuration(command)
    command.add_argument("--for", dest="engine", choices=sorted(ENGINES), required=True, help="the engine that reads the table")
    command.add_argument("--topic", metavar="TOPIC", help="the topic; not needed if the configuration has only one")
    command.add_argument("--table", metavar="TABLE", help="name of the table (default: the topic's, with _ for . and -)")


def run(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> int:
    """Print the statement, and return the exit code.

    Raises:
        Kafka2ParquetError: the store can't be read, or there is nothing to make a table of.
    """
    topics = config.items(TOPICS)
    if options.topic is None and len(topics) != 1:
        raise ConfigurationError("Name the topic with --topic.")
    topic = options.topic or topics[0]
    layout = read_layout(config, make_storage(config, worker.endpoint_url), topic)
    tell(statement(options.engine, options.table or _NOT_IN_NAMES.sub("_", topic), layout))
    return EXIT_PRINTED
