"""The command `kafka2parquet schema show|learn|pin`: shows and changes the contract of a topic's schema."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs

from kafka2parquet.cli.options import add_configuration
from kafka2parquet.cli.parser import examples_text
from kafka2parquet.cli.terminal import tell
from kafka2parquet.clock import SystemClock
from kafka2parquet.connect.build import with_worker_converter
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.files_and_rotation import make_naming
from kafka2parquet.connect.parts.schema_files import read_schema_file
from kafka2parquet.connect.parts.schemas import SchemaSettings, schema_versions
from kafka2parquet.connect.parts.storage import make_storage
from kafka2parquet.connect.properties.converters import converter_name
from kafka2parquet.connect.properties.names import TOPICS, VALUE_CONVERTER, VALUE_CONVERTER_SCHEMAS_ENABLE
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json.contract import SchemaVersions, check_growth, next_version
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.records import ConsumedBatch, Reject, TopicPartition
from kafka2parquet.schema.contract import SchemaVersion
from kafka2parquet.schema.learned import LearnedSchema
from kafka2parquet.schema.schema_text import fields_to_json, schema_from_json
from kafka2parquet.util.display import counted, printable

_ACTIONS = {
    "show": "print the stored schema of a topic, or a line for each topic",
    "learn": "propose a schema from sample records, extending the stored schema",
    "pin": "store a schema as the topic's next version, which members pick up within a minute",
}
_EXAMPLES = {
    "show": ("schema show sink.json", "schema show sink.json --topic orders --version 3"),
    "learn": (
        "schema learn sink.json --from samples.jsonl",
        "schema learn sink.json --bootstrap-server localhost:9092 --records 10000 --write",
    ),
    "pin": ("schema pin sink.json orders.schema.json --topic orders",),
}
EXIT_OK = 0
EXIT_REFUSED = 1
_MOST_REASONS = 5
_BATCH_ROWS = 5000


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the actions of the command, each with the common options and its own."""
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, does in _ACTIONS.items():
        action = actions.add_parser(
            name,
            help=does,
            description=does[0].upper() + does[1:] + ".",
            epilog=examples_text(_EXAMPLES[name]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_configuration(action)
        action.add_argument("--topic", metavar="TOPIC", help="the topic; not needed if the configuration has only one")
        if name == "show":
            action.add_argument("--version", metavar="N", type=int, help="version to show (default: the newest)")
        elif name == "learn":
            action.add_argument("--from", metavar="FILE", dest="samples", help="file with values of records, one per line")
            action.add_argument(
                "--records",
                metavar="N",
                type=int,
                default=1000,
                help="number of newest records to read from Kafka (default: %(default)s)",
            )
            action.add_argument("--write", action="store_true", help="store the learned schema as the next version")
        else:
            action.add_argument("file", metavar="FILE", help="the schema: JSON as `show` prints it, Arrow or Parquet")


def run(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> int:
    """Run an action, and return the exit code.

    Raises:
        Kafka2ParquetError: Kafka or the store can't be reached, or refuse access.
    """
    versions = schema_versions(make_storage(config, worker.endpoint_url), make_naming(config))
    try:
        if options.action == "show":
            return _show(options, config, versions)
        topic = _topic(options, config)
        if options.action == "pin":
            return _pin(options, versions, topic)
        return _learn(options, config, worker, versions, topic)
    except ConfigurationError as error:
        tell(str(error), to=sys.stderr)
        return EXIT_REFUSED


def _topic(options: argparse.Namespace, config: ConnectConfig) -> str:
    topics = config.items(TOPICS)
    if options.topic:
        return str(options.topic)
    if len(topics) != 1:
        raise ConfigurationError("Name the topic with --topic.")
    return topics[0]


def _show(options: argparse.Namespace, config: ConnectConfig, versions: SchemaVersions) -> int:
    if options.version is None and not options.topic and len(config.items(TOPICS)) != 1:
        for topic in config.items(TOPICS) or versions.topics():
            newest = versions.newest(topic)
            if newest is None:
                tell(f"{topic}: no stored schema")
            else:
                url = versions.url(topic, newest.number)
                tell(f"{topic}: version {newest.number} of {newest.created_at}, {counted(len(newest.schema), 'column')}, {url}")
        return EXIT_OK
    topic = _topic(options, config)
    version = versions.newest(topic) if options.version is None else versions.read(topic, options.version)
    if version is None:
        numbers = versions.numbers(topic)
        there = f"There are {', '.join(map(str, numbers))}" if numbers else "None is"
        raise ConfigurationError(
            f"Topic {topic} has no stored schema{f' of version {options.version}' if options.version else ''}. {there} at "
            f"{versions.url(topic, options.version or 1)}.{_none_is_learned(config)}"
        )
    tell(version.to_json().decode(), end="")
    return EXIT_OK


def _none_is_learned(config: ConnectConfig) -> str:
    """Return why the sink doesn't keep a schema of a topic, after a space; "" if it does."""
    name = converter_name(config.text(VALUE_CONVERTER))
    return "" if name in ("", "Json") else f" The columns of {name}Converter are not learned, so no schema is kept."


def _pin(options: argparse.Namespace, versions: SchemaVersions, topic: str) -> int:
    schema = schema_from_json(fields_to_json(read_schema_file(options.file)), options.file, learnable=True)
    before = versions.newest(topic)
    version = next_version(
        topic,
        before,
        schema,
        clock=SystemClock(),
        because_of=f"pinned from {Path(options.file).name}",
        created_by="kafka2parquet schema pin",
    )
    check_growth(before, version, options.file)
    return _store(versions, before, version)


def _store(versions: SchemaVersions, before: SchemaVersion | None, version: SchemaVersion) -> int:
    if before is not None and before.schema.equals(version.schema, check_metadata=True):
        tell(f"Topic {version.topic} already has this schema, as version {before.number}; nothing was stored.", to=sys.stderr)
        return EXIT_OK
    url = versions.url(version.topic, version.number)
    if not versions.create(version):
        raise ConfigurationError(
            f"Another process has stored {url} in the meantime, so nothing was changed. Look at that version with"
            " `schema show`, and try again."
        )
    tell(f"Stored {url}:", to=sys.stderr)
    for change in version.changes:
        tell(f"  {printable(change)}", to=sys.stderr)
    return EXIT_OK


def _learn(
    options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig, versions: SchemaVersions, topic: str
) -> int:
    before = versions.newest(topic)
    rules = SchemaSettings.of(config, topic).rules
    learned = LearnedSchema(before.schema if before is not None else None, rules=rules)
    converter = _learning_converter(with_worker_converter(config, worker), topic, learned)
    if options.samples:
        batches, source = _from_file(options.samples, topic), Path(options.samples).name
    else:
        batches, source = _from_kafka(config, worker, topic, options.records), "the topic, the newest ones"
    records, rejects = 0, list[Reject]()
    for batch in batches:
        valued = batch.filter(batch.values.is_valid())
        if len(valued):
            records += len(valued)
            rejects += converter.convert(valued).rejects
    were, do = "was" if records == 1 else "were", "doesn't" if len(rejects) == 1 else "don't"
    tell(f"{counted(records, 'record')} {were} read, {len(rejects):,} of them {do} fit.", to=sys.stderr)
    for reject in rejects[:_MOST_REASONS]:
        tell(f"  {reject.topic_partition}, offset {reject.offset}: {printable(reject.reason)}", to=sys.stderr)
    if not len(learned.schema):
        raise ConfigurationError(
            f"The schema of topic {topic} can't be learned: none of these records has a member with a value."
        )
    because_of = f"learned from {counted(records, 'record')} of {source}"
    version = next_version(topic, before, learned.schema, clock=SystemClock(), because_of=because_of)
    tell(version.to_json().decode(), end="")
    return _store(versions, before, version) if options.write else EXIT_OK


def _learning_converter(config: ConnectConfig, topic: str, learned: LearnedSchema) -> RecordConverter:
    if converter_name(config.text(VALUE_CONVERTER)) != "Json":
        raise ConfigurationError("Only schemas of JSON can be learned, but value.converter is not JsonConverter.")
    settings = attrs.evolve(SchemaSettings.of(config, topic), evolution="add", file="")
    converter = settings.converter(learned)
    if config.flag(VALUE_CONVERTER_SCHEMAS_ENABLE):
        return JsonEnvelopeConverter(schemaless=converter)
    return converter


def _from_file(path: str, topic: str) -> Iterator[ConsumedBatch]:
    """Yield the lines of a file as records, with offsets from 0; empty lines are left out."""
    try:
        lines = [line for line in Path(path).read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from error
    for start in range(0, len(lines), _BATCH_ROWS):
        values = lines[start : start + _BATCH_ROWS]
        yield ConsumedBatch.of_values(TopicPartition(topic, 0), values, first_offset=start)


def _from_kafka(config: ConnectConfig, worker: WorkerConfig, topic: str, records: int) -> Iterator[ConsumedBatch]:
    """Yield about `records` of the newest records, the same number from each partition."""
    consumer = worker.consumer_for(config)
    if not consumer.bootstrap_servers:
        raise ConfigurationError(
            "Samples are read from Kafka: name brokers with --bootstrap-server, or a file with --from FILE."
        )
    with LogReader(consumer.bootstrap_servers, consumer.group_id, consumer.client_settings) as log:
        bounds = log.bounds(topic)
        if not bounds:
            raise ConfigurationError(f"Kafka has no topic {topic}, or access to it is denied.")
        share = -(-records // len(bounds))
        for topic_partition, (start, end) in bounds.items():
            yield from log.read(topic_partition, max(start, end - share), end)
