"""Errors of the library by the names that Kafka Connect has for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka2parquet.dead_letters.connect_report import FailureReporter
from kafka2parquet.errors import ConfigurationError, Kafka2ParquetError, RejectedRecordError
from kafka2parquet.records import Reject

#: What each class derives from, among those that cases name.
_PARENTS = {
    "PartitionException": "ConnectException",
    "DataException": "ConnectException",
    "SchemaProjectorException": "DataException",
    "SchemaBuilderException": "DataException",
    "RetriableException": "ConnectException",
    "IllegalWorkerStateException": "ConnectException",
    "NotFoundException": "ConnectException",
    "ConfigException": "ConnectException",  # of Kafka itself, but what a connector fails with
    "ConnectException": "KafkaException",
    "NumberFormatException": "IllegalArgumentException",
    "IllegalFieldValueException": "IllegalArgumentException",
    "FileExistsException": "IOException",
}
_REPORTER = FailureReporter("acceptance")


def java_class(error: Kafka2ParquetError) -> str:
    """Returns Kafka Connect's class for the error that ended a task: any failure of a sink is a ConnectException."""
    return "ConfigException" if isinstance(error, ConfigurationError) else "ConnectException"


def java_class_of_reject(reject: Reject) -> str:
    """Returns the class of exception in a dead letter, without its package."""
    return _REPORTER.failure(reject).exception.rpartition(".")[2].rpartition("$")[2]


def java_message(error: Kafka2ParquetError) -> str:
    """Returns the text of the error without the place of the record, which Connect doesn't give."""
    if isinstance(error, RejectedRecordError):
        return str(error).partition(f"rejected at stage {error.stage!r}: ")[2]
    return str(error)


def is_class(seen: str, expected: str) -> bool:
    """Returns whether an exception of the class `seen` is one of `expected`, or of a derived class."""
    name: str | None = seen
    while name is not None:
        if name == expected:
            return True
        name = _PARENTS.get(name)
    return expected in ("Exception", "Throwable")


def fits(expected: Mapping[str, Any], type_: str, message: str, *, type_name: str = "type") -> bool:
    """Returns whether an error matches a case. A message may add advice after Connect's sentence."""
    if expected.get("any"):
        return True
    return (
        is_class(type_, expected.get(type_name, type_))
        and (expected.get("equals", message) == message or _goes_on(message, str(expected.get("equals", ""))))
        and message.startswith(expected.get("starts_with", ""))
        and expected.get("contains", "") in message
    )


def _goes_on(message: str, sentence: str) -> bool:
    rest = message.removeprefix(sentence)
    if not sentence or rest == message:
        return False
    return rest.startswith((". ", ": ", ", ", "; ")) or (sentence.endswith(".") and rest.startswith(" "))
