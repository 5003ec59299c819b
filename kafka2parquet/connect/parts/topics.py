"""Finds the topics of a configuration."""

from __future__ import annotations

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.properties.names import TOPICS
from kafka2parquet.consumers.kafka_python.log_reader import LogReader


def topics_of(config: ConnectConfig, log: LogReader) -> tuple[str, ...]:
    """Return the topics of a configuration: those that it names, or those in Kafka that match its pattern.

    Raises:
        Kafka2ParquetError: Kafka can't be read.
    """
    pattern = config.topics_pattern
    return config.items(TOPICS) if pattern is None else tuple(topic for topic in log.topics() if pattern.fullmatch(topic))
