"""The settings of Java's producer and admin client, translated to those of kafka-python: for dead letters."""

from __future__ import annotations

from collections.abc import Mapping

from kafka2parquet.connect.clients.translation import ClientSettings, ClientTable, Translation
from kafka2parquet.connect.properties.option import ValueType

_UNTIL_IT_HAS_THEM = "dead letters are repeated until Kafka has them"
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
        "acks": "a dead letter has arrived when all replicas in sync have it",
        "buffer.memory": "dead letters go in groups of some megabytes",
        "delivery.timeout.ms": _UNTIL_IT_HAS_THEM,
        "enable.idempotence": _AT_LEAST_ONCE,
        "key.serializer": "keys are sent as they were",
        "max.block.ms": _UNTIL_IT_HAS_THEM,
        "max.in.flight.requests.per.connection": _AT_LEAST_ONCE,
        "metadata.max.idle.ms": "there is one topic",
        "partitioner.class": "letters with keys are spread as Java's default does it",
        "retries": _UNTIL_IT_HAS_THEM,
        "transaction.timeout.ms": "there are no transactions",
        "value.serializer": "values are sent as they were",
    },
    own_unsupported={
        "interceptor.classes": "Use a hook of the task",
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


def producer_settings(given: Mapping[str, str]) -> ClientSettings:
    """Translate settings that have the names of the Java producer.

    Raises:
        ConfigurationError: with all problems; passwords are not shown.
    """
    translation = Translation(PRODUCER_TABLE, given)
    compression = given.get("compression.type", "none")
    if compression != "none":
        translation.settings["compression_type"] = compression
    return translation.finish()


def admin_settings(given: Mapping[str, str]) -> ClientSettings:
    """Translate settings that have the names of the Java admin client.

    Raises:
        ConfigurationError: with all problems; passwords are not shown.
    """
    return Translation(ADMIN_TABLE, given).finish()
