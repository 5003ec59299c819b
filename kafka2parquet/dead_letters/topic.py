"""Looks up the dead-letter topic, or creates it as Kafka Connect does."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import kafka.errors as kafka_errors
from kafka import KafkaAdminClient

from kafka2parquet.consumers.kafka_python.connection.bootstrap_log import BootstrapLog, check_certificates
from kafka2parquet.consumers.kafka_python.connection.errors import translate
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.util.display import counted

_LOG = logging.getLogger(__name__)
BOOTSTRAP_TIMEOUT_MS = 5000

#: Errors which mean that the topic exists: it is still being created, or another task created it.
_THERE = (
    kafka_errors.NoError,
    kafka_errors.LeaderNotAvailableError,
    kafka_errors.ReplicaNotAvailableError,
    kafka_errors.TopicAlreadyExistsError,
)
#: Permanent refusals.
_MISTAKES = (
    kafka_errors.InvalidTopicError,
    kafka_errors.InvalidReplicationFactorError,
    kafka_errors.InvalidConfigurationError,
    kafka_errors.PolicyViolationError,
)


def ensure_topic(
    bootstrap_servers: str | Sequence[str], topic: str, replication_factor: int, settings: Mapping[str, Any]
) -> None:
    """Create the topic with one partition, as Connect does, unless it exists. Blocks for some seconds at most.

    Args:
        bootstrap_servers: addresses of some brokers.
        topic: name of the topic.
        replication_factor: replication factor of the topic.
        settings: further settings of kafka-python's admin client.

    Raises:
        ConfigurationError: Kafka can't create the topic with these settings.
        AccessError: Kafka refuses access.
        kafka.errors.KafkaError: the attempt failed, and a later one may succeed.
    """
    configuration = {"bootstrap_servers": bootstrap_servers, **settings, "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS}
    check_certificates(configuration)
    with BootstrapLog(bootstrap_servers):
        admin = KafkaAdminClient(**configuration)
    try:
        found = admin.describe_topics([topic])[0]
        error_class = kafka_errors.for_code(found["error_code"])
        if error_class is kafka_errors.UnknownTopicOrPartitionError:
            _create(admin, topic, replication_factor)
        elif error_class not in _THERE:
            _raise(error_class, None, topic, replication_factor)
    finally:
        admin.close()


def _create(admin: KafkaAdminClient, topic: str, replication_factor: int) -> None:
    wanted = {topic: {"num_partitions": 1, "replication_factor": replication_factor}}
    try:
        created = admin.create_topics(wanted, raise_errors=False)["topics"][0]
    # kafka-python raises a RuntimeError while a controller is being elected. This can go once it raises a KafkaError.
    except RuntimeError as error:
        raise kafka_errors.NotControllerError(str(error)) from error
    error_class = kafka_errors.for_code(created["error_code"])
    if error_class not in _THERE:
        _raise(error_class, created["error_message"], topic, replication_factor)
    if error_class is kafka_errors.TopicAlreadyExistsError:  # another task was faster
        return
    _LOG.info("Dead-letter topic %s was created with 1 partition and %s", topic, counted(replication_factor, "replica"))


def _raise(error_class: type[Exception], message: str | None, topic: str, replication_factor: int) -> None:
    error = error_class(message) if message else error_class()
    if isinstance(error, _MISTAKES):
        advice = (
            "Set errors.deadletterqueue.topic.replication.factor to the number of brokers at most"
            if isinstance(error, kafka_errors.InvalidReplicationFactorError)
            else "Change errors.deadletterqueue.topic.name"
        )
        reason = str(error).rstrip(".")
        raise ConfigurationError(
            f"The dead-letter topic {topic} can't be created with {replication_factor} replicas: {reason}. {advice}, or "
            "create the topic yourself."
        ) from error
    rights = f"DESCRIBE and WRITE on the dead-letter topic {topic}, and CREATE if it is missing"
    ours = translate(error, f"looking for the dead-letter topic {topic}", rights)
    if ours is None:
        raise error
    raise ours from error
