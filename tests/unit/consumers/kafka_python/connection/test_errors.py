"""kafka-python's exceptions are translated to this library's errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kafka.errors as kafka_errors
import pytest
from kafka.structs import OffsetAndMetadata

from kafka2parquet.consumers.kafka_python.connection.errors import offset_out_of_range, translate, truncated
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


def classes(parent: type[kafka_errors.KafkaError]) -> Iterator[type[kafka_errors.KafkaError]]:
    """Yield a class and all classes derived from it."""
    yield parent
    for child in parent.__subclasses__():
        yield from classes(child)


KAFKA_ERRORS = sorted(set(classes(kafka_errors.KafkaError)), key=lambda error: error.__name__)

#: The translation of each permanent error that has a class more precise than `KafkaUnavailableError`.
PRECISE: dict[str, type[Kafka2ParquetError]] = {
    "AuthorizationError": KafkaAuthorizationError,
    "ClusterAuthorizationFailedError": KafkaAuthorizationError,
    "DelegationTokenAuthorizationFailedError": KafkaAuthorizationError,
    "GroupAuthorizationFailedError": KafkaAuthorizationError,
    "TopicAuthorizationFailedError": KafkaAuthorizationError,
    "TransactionalIdAuthorizationFailedError": KafkaAuthorizationError,
    "IllegalSaslStateError": KafkaAuthenticationError,
    "SaslAuthenticationFailedError": KafkaAuthenticationError,
    "UnsupportedSaslMechanismError": KafkaAuthenticationError,
    "FencedInstanceIdError": FencedInstanceError,
    "InconsistentGroupProtocolError": ConfigurationError,
    "KafkaConfigurationError": ConfigurationError,
    "InvalidCommitOffsetSizeError": GuaranteeError,
    "OffsetMetadataTooLargeError": GuaranteeError,
}


def make(error_class: type[kafka_errors.KafkaError]) -> kafka_errors.KafkaError:
    """Return an error of the class, as kafka-python would raise it."""
    arguments: dict[str, tuple[Any, ...]] = {"LogTruncationError": ({},)}
    return error_class(*arguments.get(error_class.__name__, ()))


@pytest.mark.parametrize("error_class", KAFKA_ERRORS, ids=lambda error: error.__name__)
def test_each_exception_of_kafka_python_is_translated(error_class: type[kafka_errors.KafkaError]) -> None:
    """A retriable error is temporary, and each other error becomes one of this library's errors that names the action."""
    ours = translate(make(error_class), "fetching")

    if error_class.retriable:
        assert ours is None
        return
    assert PRECISE.get(error_class.__name__, KafkaUnavailableError) is type(ours)
    assert "fetching" in str(ours) or error_class is kafka_errors.KafkaConfigurationError


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), TimeoutError("slow"), OSError("no route")])
def test_errors_of_the_network_are_temporary(error: Exception) -> None:
    """An error of the operating system's network functions passes by itself, so there is nothing to raise."""
    assert translate(error, "fetching") is None


def test_an_unexpected_exception_of_the_client_is_an_error() -> None:
    """A bug in kafka-python stops the consumer with an error that shows the exception."""
    ours = translate(KeyError("state"), "fetching")

    assert KafkaUnavailableError is type(ours)
    assert "KeyError('state')" in str(ours)


def test_our_own_errors_pass_unchanged() -> None:
    """An error of this library that a callback raised is returned as it is."""
    error = ConfigurationError("no")

    assert error is translate(error, "fetching")


@pytest.mark.parametrize(
    ("error", "right"),
    [
        (kafka_errors.TopicAuthorizationFailedError({"b", "a"}), "READ on the topics a, b"),
        (kafka_errors.TopicAuthorizationFailedError({"a"}), "READ on the topic a"),
        (kafka_errors.GroupAuthorizationFailedError("sink"), "READ on the group sink"),
        (kafka_errors.ClusterAuthorizationFailedError(), "READ on the topics and on the group"),
    ],
)
def test_a_refusal_names_the_missing_right(error: Exception, right: str) -> None:
    """The message names the right that the principal lacks on the resource of kafka-python's error."""
    assert f"The principal needs {right}." in str(translate(error, "fetching"))


@pytest.mark.parametrize(
    ("error", "setting"),
    [
        (kafka_errors.OffsetMetadataTooLargeError(), "The broker setting offset.metadata.max.bytes"),
        (kafka_errors.InvalidCommitOffsetSizeError(), "max.message.bytes of the topic __consumer_offsets"),
    ],
)
def test_commits_that_are_too_large_name_the_setting(error: Exception, setting: str) -> None:
    """A commit that the brokers refuse as too large is an error that names the broker setting to change."""
    ours = translate(error, "committing offsets")

    assert isinstance(ours, GuaranteeError)
    assert setting in str(ours)


def test_an_offset_before_the_log_is_lost_data() -> None:
    """An offset below the log's start is a `DataLossError` with the missing range."""
    error = offset_out_of_range("t", 0, 5, 8)

    assert isinstance(error, DataLossError)
    assert (5, 8) == (error.missing_start, error.missing_end)


def test_an_offset_beyond_the_log_belongs_to_another_topic() -> None:
    """An offset above the log's end means that the topic was truncated or created again."""
    assert isinstance(offset_out_of_range("t", 0, 5, 3), TopicRecreatedError)


def test_a_truncated_log_is_distinguished_from_another_log() -> None:
    """A divergent offset means a truncated log; without one the log has never known the leader epoch."""
    error = truncated("t", 0, OffsetAndMetadata(20, "", 3))

    assert isinstance(error, LogTruncatedError)
    assert (20, 3) == (error.offset, error.leader_epoch)
    assert isinstance(truncated("t", 0, None), TopicRecreatedError)
