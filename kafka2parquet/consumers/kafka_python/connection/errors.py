"""Translates kafka-python's exceptions to this library's errors, by what has to be done about them."""

from __future__ import annotations

from collections.abc import Iterable

import kafka.errors as kafka_errors
from kafka.structs import OffsetAndMetadata

from kafka2parquet.errors import (
    ConfigurationError,
    DataLossError,
    FencedInstanceError,
    GuaranteeError,
    Kafka2ParquetError,
    KafkaAuthenticationError,
    KafkaAuthorizationError,
    KafkaUnavailableError,
    LogTruncatedError,
    TopicRecreatedError,
)
from kafka2parquet.records import TopicPartition

#: Errors which mean that a commit was not stored and never will be, because the partition has another owner.
REFUSED_COMMITS = (
    kafka_errors.CommitFailedError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.UnknownMemberIdError,
)

#: Broker settings that are too small for the metadata of commits, by the error that reports them.
_TOO_SMALL = {
    kafka_errors.OffsetMetadataTooLargeError: "offset.metadata.max.bytes is too small for it: set it to 512 or more (Kafka's"
    " default is 4096)",
    kafka_errors.InvalidCommitOffsetSizeError: "max.message.bytes of the topic __consumer_offsets is too small for it: set it"
    " to 1048588, Kafka's default",
}
_AUTHENTICATION = tuple(
    error
    for name in (
        "SaslAuthenticationFailedError",
        "AuthenticationFailedError",
        "UnsupportedSaslMechanismError",
        "IllegalSaslStateError",
        "SslAuthenticationFailedError",
    )
    if isinstance(error := getattr(kafka_errors, name, None), type)
)
_AUTHORIZATION = tuple(
    error
    for name in (
        "TopicAuthorizationFailedError",
        "GroupAuthorizationFailedError",
        "ClusterAuthorizationFailedError",
        "TransactionalIdAuthorizationFailedError",
        "AuthorizationError",
    )
    if isinstance(error := getattr(kafka_errors, name, None), type)
)


def translate(error: Exception, what: str, rights: str = "") -> Kafka2ParquetError | None:
    """Translate one of kafka-python's exceptions. Returns None for a temporary error, after which retrying helps.

    Args:
        error: the exception.
        what: the action that failed, for the message.
        rights: the rights that the action needs; by default READ on the topics or the group that the error names.
    """
    if isinstance(error, Kafka2ParquetError):
        return error
    if isinstance(error, kafka_errors.FencedInstanceIdError):
        return FencedInstanceError(
            f"While {what}: another process joined with the same group.instance.id. Give each process a different id, and"
            " restart this one.",
            topic="",
        )
    if isinstance(error, _AUTHENTICATION):
        return KafkaAuthenticationError(f"While {what}, Kafka did not accept the credentials: {error}.")
    if isinstance(error, _AUTHORIZATION):
        return KafkaAuthorizationError(
            f"While {what}, Kafka refused access: {error}. The principal needs {rights or _missing_right(error)}."
        )
    if type(error) in _TOO_SMALL:
        return GuaranteeError(
            f"While {what}, Kafka refused the metadata that exactly-once delivery stores with a committed offset, up to 300"
            f" bytes. The broker setting {_TOO_SMALL[type(error)]}."
        )
    if isinstance(error, kafka_errors.InconsistentGroupProtocolError):
        return ConfigurationError(
            f"While {what}, Kafka refused to let this member join the group: the other members offer other assignors, or it is"
            " not a consumer group. If the other members belong to a connector that this sink replaces, running or paused, stop"
            " the connector first. Set partition.assignment.strategy (in Python partition_assignment_strategy) to an assignor"
            " that all members offer only if all members belong to this sink."
        )
    if isinstance(error, kafka_errors.KafkaConfigurationError):
        return ConfigurationError(f"kafka-python does not accept the settings: {error}")
    if isinstance(error, kafka_errors.KafkaError) and not error.retriable:
        return KafkaUnavailableError(f"While {what}, Kafka answered with a permanent error: {error}.")
    if isinstance(error, kafka_errors.KafkaError | OSError | TimeoutError):
        return None
    return KafkaUnavailableError(f"While {what}, the Kafka client failed: {error!r}.")


def _missing_right(error: Exception) -> str:
    """Return the missing right: READ, which includes DESCRIBE, on the resource that kafka-python's error names."""
    named = error.args[0] if error.args else ""
    if isinstance(error, kafka_errors.TopicAuthorizationFailedError) and isinstance(named, set | frozenset | list | tuple):
        return read_right(named)
    if isinstance(error, kafka_errors.GroupAuthorizationFailedError) and named:
        return f"READ on the group {named}"
    return "READ on the topics and on the group"


def read_right(topics: Iterable[str]) -> str:
    """Describe the right to READ the given topics, for an error's text."""
    names = sorted(topics)
    return f"READ on the {'topic' if len(names) == 1 else 'topics'} {', '.join(names)}"


def offset_out_of_range(topic: str, partition: int, offset: int, log_start: int) -> Kafka2ParquetError:
    """Return the error for an offset that the log doesn't have, with the log's first offset."""
    if offset < log_start:
        return DataLossError(
            f"{topic}-{partition}: offsets [{offset}, {log_start}) are gone from the log (retention) and were not"
            " yet written. To continue without them set kafka2parquet.on.data.loss=continue.",
            topic=topic,
            partition=partition,
            missing_start=offset,
            missing_end=log_start,
        )
    return TopicRecreatedError(
        f"{topic}-{partition}: offset {offset} is beyond the end of the log. The topic was truncated or created"
        " again, so its offsets now refer to other records. Choose another topics.dir, or reset the group's offsets.",
        topic=topic,
        partition=partition,
    )


def truncated(topic: str, partition: int, divergence: OffsetAndMetadata | None) -> Kafka2ParquetError:
    """Return the error for a truncated log.

    Args:
        topic: the topic's name.
        partition: the partition's number.
        divergence: where the log was truncated, and the leader epoch of the record before; None if the log doesn't know the
            leader epoch of the records that were read.
    """
    if divergence is None:
        return TopicRecreatedError(
            f"{topic}-{partition}: the log does not know the leader epoch of the records that were read. The topic was"
            " created again, or restored from elsewhere, so its offsets now refer to other records. Choose another topics.dir,"
            " or reset the group's offsets.",
            topic=topic,
            partition=partition,
        )
    offset = divergence.offset
    return LogTruncatedError(
        f"{topic}-{partition}: the log was truncated at offset {offset} by an unclean leader election, below the read"
        " position. The records from that offset on are gone, and newer records reuse their offsets. None of the newer"
        f" records was written. To take them, stop all members, move the files of offset {offset} and later away, and set"
        f" the group's offset to {offset} with Kafka's tools. To keep the older records and leave out the newer records at"
        " their offsets, set kafka2parquet.on.data.loss=continue.",
        topic=topic,
        partition=partition,
        offset=offset,
        leader_epoch=divergence.leader_epoch,
    )


def recreated(topic_partition: TopicPartition, was: str, now: str) -> TopicRecreatedError:
    """Return the error for a topic whose id has changed."""
    return TopicRecreatedError(
        f"{topic_partition}: the topic was deleted and created again (its id was {was} and is {now} now), so its offsets now"
        " refer to other records. Choose another topics.dir and another group.",
        topic=topic_partition.topic,
        partition=topic_partition.partition,
    )
