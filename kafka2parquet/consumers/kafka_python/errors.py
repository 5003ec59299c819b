"""What kafka-python raises, in our errors: by what has to be done about it."""

from __future__ import annotations

from collections.abc import Iterable

import kafka.errors as kafka_errors

from kafka2parquet.errors import (
    ConfigurationError,
    FencedInstanceError,
    GuaranteeError,
    Kafka2ParquetError,
    KafkaAuthenticationError,
    KafkaAuthorizationError,
    KafkaUnavailableError,
)

#: The commit was not stored, and never will be: the partition isn't ours any more.
REFUSED_COMMITS = (
    kafka_errors.CommitFailedError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.UnknownMemberIdError,
)

#: Settings of the brokers that are too small for the metadata of our commits, by the error that says so.
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
    """Return our error for one of kafka-python's; None for one that passes by itself, when the same is tried again.

    Args:
        error: what was raised.
        what: what was being done, for the message.
        rights: which rights that takes; by default READ on the topics or the group that the error names.
    """
    if isinstance(error, Kafka2ParquetError):
        return error
    if isinstance(error, kafka_errors.FencedInstanceIdError):
        return FencedInstanceError(
            f"While {what}: another process has joined with the same group.instance.id. Give each process its own, and"
            " restart this one.",
            topic="",
        )
    if isinstance(error, _AUTHENTICATION):
        return KafkaAuthenticationError(f"While {what}, Kafka did not accept the credentials: {error}.")
    if isinstance(error, _AUTHORIZATION):
        return KafkaAuthorizationError(
            f"While {what}, Kafka refused it: {error}. The principal needs {rights or _missing_right(error)}."
        )
    if type(error) in _TOO_SMALL:
        return GuaranteeError(
            f"While {what}, Kafka did not take the metadata that exactly-once delivery keeps with a committed offset, up to 300"
            f" bytes. The broker setting {_TOO_SMALL[type(error)]}."
        )
    if isinstance(error, kafka_errors.InconsistentGroupProtocolError):
        return ConfigurationError(
            f"While {what}, Kafka refused to let us join the group: its members offer other assignors, or it is not a consumer"
            " group. Set partition.assignment.strategy (in Python partition_assignment_strategy) to one that all members offer."
        )
    if isinstance(error, kafka_errors.KafkaConfigurationError):
        return ConfigurationError(f"kafka-python does not accept the settings: {error}")
    if isinstance(error, kafka_errors.KafkaError) and not error.retriable:
        return KafkaUnavailableError(f"While {what}, Kafka answered with an error that does not pass by itself: {error}.")
    if isinstance(error, kafka_errors.KafkaError | OSError | TimeoutError):
        return None
    return KafkaUnavailableError(f"While {what}, the Kafka client failed: {error!r}.")


def _missing_right(error: Exception) -> str:
    """READ, which includes DESCRIBE, on what kafka-python's error names."""
    named = error.args[0] if error.args else ""
    if isinstance(error, kafka_errors.TopicAuthorizationFailedError) and isinstance(named, set | frozenset | list | tuple):
        return read_right(named)
    if isinstance(error, kafka_errors.GroupAuthorizationFailedError) and named:
        return f"READ on the group {named}"
    return "READ on the topics and on the group"


def read_right(topics: Iterable[str]) -> str:
    """READ on these topics, for messages."""
    names = sorted(topics)
    return f"READ on the {'topic' if len(names) == 1 else 'topics'} {', '.join(names)}"
