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
    """The class that Kafka Connect has for what ended a task: any failure of a sink is a ConnectException."""
    return "ConfigException" if isinstance(error, ConfigurationError) else "ConnectException"


def java_class_of_reject(reject: Reject) -> str:
    """The class of exception that a dead letter tells, without package."""
    return _REPORTER.failure(reject).exception.rpartition(".")[2].rpartition("$")[2]


def java_message(error: Kafka2ParquetError) -> str:
    """What the error says, without where the record is, which Connect doesn't tell there."""
    if isinstance(error, RejectedRecordError):
        return str(error).partition(f"rejected at stage {error.stage!r}: ")[2]
    return str(error)


def is_class(seen: str, expected: str) -> bool:
    """Whether an exception of the class `seen` is one of `expected`, or of a class derived from it."""
    name: str | None = seen
    while name is not None:
        if name == expected:
            return True
        name = _PARENTS.get(name)
    return expected in ("Exception", "Throwable")


def fits(expected: Mapping[str, Any], type_: str, message: str, *, type_name: str = "type") -> bool:
    """Whether an error is what a case describes. A message may go on behind Connect's sentence, with what to do."""
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
