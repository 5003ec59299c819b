"""look_up_ranges: the ranges of a connector's topics between two positions, and the group of their run."""

from __future__ import annotations

import datetime
from typing import Literal, cast

import attrs

from kafka2parquet.bounded.positions import parse_position
from kafka2parquet.bounded.ranges import Ranges
from kafka2parquet.bounded.resolving import check_ranges, resolve, resolve_end
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.files_and_rotation import make_naming
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.util.arguments import Name, checked


@checked
def look_up_ranges(config: ConnectConfig, worker: WorkerConfig, *, start: Name | None = None, end: Name = "now") -> Ranges:
    """Look up which offsets a run takes of each topic-partition, and in which consumer group. Blocks.

    Pass the result to `drain`, and its `group_id` to `build_runner`. A position is an offset, a time (ISO 8601, UTC if no zone
    is given), an age such as `-24h`, `start`, `end` or `now`. Offsets outside a log mean its start or its end.

    Args:
        config: the connector's configuration.
        worker: brokers, security and defaults.
        start: the first record to take, in a group for these ranges alone. None continues where the sink's group stopped.
        end: the first record not to take.

    Raises:
        ConfigurationError: a position can't be read, `end` is before `start`, or a topic doesn't exist.
        KafkaUnavailableError: Kafka does not answer.
        AccessError: Kafka refuses access.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    last = parse_position(end, now)
    consumer = worker.consumer_for(config)
    with LogReader(consumer.bootstrap_servers, consumer.group_id, consumer.client_settings) as log:
        topics = config.topics_among(log.topics)
        if start is not None:
            return with_group(resolve(log, topics, parse_position(start, now), last), config, worker)
        first_start = cast(Literal["earliest", "latest"], consumer.first_start)
        return attrs.evolve(resolve_end(log, topics, last, first_start), group_id=consumer.group_id)


def check_for(config: ConnectConfig, worker: WorkerConfig, ranges: Ranges) -> Ranges:
    """Check that ranges of a file fit the topics as they are now, and give them a group if the file names none. Blocks.

    Raises:
        ConfigurationError: the ranges belong to another cluster or to other topics, or end beyond the log.
        KafkaUnavailableError: Kafka does not answer.
        AccessError: Kafka refuses access.
    """
    consumer = worker.consumer_for(config)
    with LogReader(consumer.bootstrap_servers, consumer.group_id, consumer.client_settings) as log:
        check_ranges(log, ranges, config.topics_among(log.topics))
    return ranges if ranges.group_id else with_group(ranges, config, worker)


def with_group(ranges: Ranges, config: ConnectConfig, worker: WorkerConfig) -> Ranges:
    """Return ranges with a group for them alone: the same ranges to the same place have the same group."""
    digest = ranges.digest(f"{config.destination}/{make_naming(config).base}")
    return attrs.evolve(ranges, group_id=f"{worker.consumer_for(config).group_id}-range-{digest}")
