"""Translates the settings of Java's producer and admin client to kafka-python's, for dead letters."""

from __future__ import annotations

from collections.abc import Mapping

from kafka2parquet.connect.clients.translation import (
    INTERCEPTORS,
    NO_PREFIXED,
    ClientSettings,
    ClientTable,
    PrefixedSettings,
    Translation,
)
from kafka2parquet.connect.properties.option import ValueType

_UNTIL_IT_HAS_THEM = "dead letters are sent again until Kafka has them"
_AT_LEAST_ONCE = "dead letters are sent at least once, one request after the other"

PRODUCER_TABLE = ClientTable(
    client="Producer",
    in_python="Build the KafkaDeadLetterQueue in Python, with producer_settings",
    own_same_name={
        "batch.size": ValueType.INT,
        "linger.ms": ValueType.LONG,
        "max.request.size": ValueType.INT,
    },
    own_without_effect={
        "acks": "a dead letter has arrived when all in-sync replicas have it",
        "buffer.memory": "dead letters are sent in groups of some megabytes",
        "delivery.timeout.ms": _UNTIL_IT_HAS_THEM,
        "enable.idempotence": _AT_LEAST_ONCE,
        "key.serializer": "keys are sent as they were",
        "max.block.ms": _UNTIL_IT_HAS_THEM,
        "max.in.flight.requests.per.connection": _AT_LEAST_ONCE,
        "metadata.max.idle.ms": "dead letters go to one topic",
        "partitioner.class": "dead letters with keys are partitioned like Java's default",
        "retries": _UNTIL_IT_HAS_THEM,
        "transaction.timeout.ms": "the producer doesn't use transactions",
        "value.serializer": "values are sent as they were",
    },
    own_unsupported={
        "interceptor.classes": INTERCEPTORS,
        "transactional.id": "Dead letters are sent at least once: remove it",
    },
    own_choices={"compression.type": ("none", "gzip", "snappy", "lz4", "zstd")},
)

ADMIN_TABLE = ClientTable(
    client="Admin",
    in_python="Build the KafkaDeadLetterQueue in Python, with admin_settings",
    own_same_name={},
    own_without_effect={"retries": _UNTIL_IT_HAS_THEM},
    own_unsupported={},
)


def producer_settings(given: Mapping[str, str], prefixed: PrefixedSettings = NO_PREFIXED) -> ClientSettings:
    """Translate settings with the names of the Java producer.

    Args:
        given: settings without a prefix.
        prefixed: settings that take precedence over `given`; problems and notes name them with their prefixes.

    Raises:
        ConfigurationError: settings are wrong; all problems, without passwords.
    """
    translation = Translation(PRODUCER_TABLE, given, prefixed)
    compression = translation.given.get("compression.type", "none")
    if compression != "none":
        translation.settings["compression_type"] = compression
    return translation.finish()


def admin_settings(given: Mapping[str, str], prefixed: PrefixedSettings = NO_PREFIXED) -> ClientSettings:
    """Translate settings with the names of the Java admin client.

    Args:
        given: settings without a prefix.
        prefixed: settings that take precedence over `given`; problems and notes name them with their prefixes.

    Raises:
        ConfigurationError: settings are wrong; all problems, without passwords.
    """
    return Translation(ADMIN_TABLE, given, prefixed).finish()
