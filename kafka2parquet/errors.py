"""Every error of the library, grouped by what the caller does next.

    Kafka2ParquetError
    ├── ConfigurationError          fix the settings; lists all problems at once
    │   └── GuaranteeError          the requested delivery guarantee can't be met here
    ├── AccessError                 fix credentials, rights or names
    │   ├── KafkaAuthenticationError
    │   ├── KafkaAuthorizationError
    │   ├── StorageAuthenticationError
    │   ├── StoragePermissionError
    │   ├── BucketNotFoundError
    │   ├── SchemaRegistryAuthenticationError
    │   └── CatalogAccessError
    ├── RecordError                 look at a record
    │   ├── RejectedRecordError
    │   ├── DeadLetterRefusedError
    │   ├── TooManyRejectsError
    │   └── CorruptRecordBatchError
    ├── TransientError              wait; nothing is lost, the library retries by itself
    │   ├── KafkaUnavailableError
    │   ├── StorageUnavailableError
    │   ├── SchemaRegistryUnavailableError
    │   └── CatalogUnavailableError
    ├── DeliveryError               an operator has to decide
    │   ├── DataLossError
    │   ├── LogTruncatedError
    │   ├── TopicRecreatedError
    │   ├── ForeignObjectError
    │   ├── DamagedFooterError
    │   ├── ConflictingSinkError
    │   ├── UnknownMetadataError
    │   └── FencedInstanceError
    ├── UsageError                  fix the calling code
    └── UnexpectedError             report a bug: some code raised an exception that nobody expected

A message says what happened, where (topic, partition, offset, key) and what to do. The adapter that owns a library maps
the library's errors to this tree.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import attrs

from kafka2parquet.problems import Problem, ProblemKind
from kafka2parquet.util.display import printable
from kafka2parquet.util.secrets import without_credentials

__all__ = [
    "AccessError",
    "BucketNotFoundError",
    "CatalogAccessError",
    "CatalogUnavailableError",
    "ConfigurationError",
    "ConflictingSinkError",
    "CorruptRecordBatchError",
    "DamagedFooterError",
    "DataLossError",
    "DeadLetterRefusedError",
    "DeliveryError",
    "FencedInstanceError",
    "ForeignObjectError",
    "GuaranteeError",
    "Kafka2ParquetError",
    "KafkaAuthenticationError",
    "KafkaAuthorizationError",
    "KafkaUnavailableError",
    "LogTruncatedError",
    "Problem",
    "ProblemKind",
    "RecordError",
    "RejectedRecordError",
    "SchemaRegistryAuthenticationError",
    "SchemaRegistryUnavailableError",
    "StorageAuthenticationError",
    "StoragePermissionError",
    "StorageUnavailableError",
    "TooManyRejectsError",
    "TopicRecreatedError",
    "TransientError",
    "UnexpectedError",
    "UnknownMetadataError",
    "UsageError",
]


class Kafka2ParquetError(Exception):
    """Base class of all errors that this library raises on purpose.

    The text of an error is one line: line ends and control characters that come from records or names are escaped.
    Recognizable credentials, such as a login in a URL, are hidden.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(without_credentials(message))

    def __str__(self) -> str:
        return printable(super().__str__())


class ConfigurationError(Kafka2ParquetError):
    """The settings can't work. The text has one line for each problem.

    Attributes:
        problems: one sentence for each problem. Lists all problems, not just the first one.
        details: the same problems, each with the properties that it is about; a problem given as text names none.
    """

    def __init__(self, problems: str | Problem | Sequence[str | Problem]) -> None:
        given = (problems,) if isinstance(problems, str | Problem) else tuple(problems)
        self.problems: tuple[str, ...] = tuple(without_credentials(str(problem)) for problem in given)
        details = (each if isinstance(each, Problem) else Problem((), each) for each in given)
        self.details = tuple(attrs.evolve(each, message=without_credentials(each.message)) for each in details)
        super().__init__("\n".join(self.problems))

    def __str__(self) -> str:
        return "\n".join(map(printable, self.problems))


@contextlib.contextmanager
def collecting(problems: list[Problem]) -> Iterator[None]:
    """Add the problems of a ConfigurationError to a list instead of raising the error; the rest of the block is skipped."""
    try:
        yield
    except ConfigurationError as error:
        problems.extend(error.details)


class GuaranteeError(ConfigurationError):
    """Exactly-once delivery was requested, but the broker or the store lacks something that it needs."""


class AccessError(Kafka2ParquetError):
    """Kafka, the store or the registry refused access. Retrying is pointless: correct the credentials, rights or names."""


class KafkaAuthenticationError(AccessError):
    """Kafka did not accept the credentials, the certificate or the security protocol."""


class KafkaAuthorizationError(AccessError):
    """The principal lacks a right on a topic or group; the message names it."""


class StorageAuthenticationError(AccessError):
    """The store did not accept the credentials, or they have expired for good."""


class StoragePermissionError(AccessError):
    """The store accepted the credentials but not the operation; the message names the missing right."""


class BucketNotFoundError(AccessError):
    """The bucket or base folder doesn't exist."""


class SchemaRegistryAuthenticationError(AccessError):
    """The schema registry did not accept the credentials, a right is missing, or its certificate is not trusted."""


class CatalogAccessError(AccessError):
    """The catalogue of a table did not accept the credentials, or a right is missing."""


class RecordError(Kafka2ParquetError):
    """A problem with one record, or with one batch of records, in the log.

    Attributes:
        topic: topic of the record.
        partition: partition of the record.
        offset: offset of the record, or the first offset of the batch.
    """

    def __init__(self, message: str, *, topic: str, partition: int, offset: int) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        super().__init__(message)


class RejectedRecordError(RecordError):
    """A record can't be converted, and the settings say to stop at such a record.

    Attributes:
        stage: the stage at which the record failed (a value of `kafka2parquet.records.Stage`).
        reason: why the record failed.
    """

    def __init__(self, *, topic: str, partition: int, offset: int, stage: str, reason: str, advice: str = "") -> None:
        self.stage = stage
        self.reason = reason
        sentence = reason if reason.endswith((".", "!")) else f"{reason}."
        super().__init__(
            f"{topic}-{partition}, offset {offset}: rejected at stage {stage!r}: {sentence}{' ' + advice if advice else ''}",
            topic=topic,
            partition=partition,
            offset=offset,
        )


class DeadLetterRefusedError(RecordError):
    """Kafka refuses to store a rejected record in the dead-letter topic, for instance because the record is too large."""


class TooManyRejectsError(RecordError):
    """The share of rejected records of a topic-partition exceeds the limit; `offset` is the last reject's offset."""


class CorruptRecordBatchError(RecordError):
    """The broker returned bytes that fail their checksum, don't decode, or decompress to more than the limit.

    Attributes:
        next_offset: offset at which the next batch begins. None if the checksum is wrong and no later batch was fetched,
            because a damaged header can't say where its batch ends.
        content: the bytes of the batch.
    """

    def __init__(
        self,
        message: str,
        *,
        topic: str,
        partition: int,
        offset: int,
        next_offset: int | None = None,
        content: bytes = b"",
    ) -> None:
        self.next_offset = next_offset
        self.content = content
        super().__init__(message, topic=topic, partition=partition, offset=offset)


class TransientError(Kafka2ParquetError):
    """A service is down. The library retries, and raises this error only where the settings limit the retries.

    Attributes:
        retry_after_s: seconds to wait before the next attempt, if the service named a time.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class KafkaUnavailableError(TransientError):
    """No broker answers."""


class StorageUnavailableError(TransientError):
    """The store or the local staging folder can't take the file at the moment."""


class SchemaRegistryUnavailableError(TransientError):
    """The schema registry doesn't answer, or its answer is unusable. The records that need a schema wait."""


class CatalogUnavailableError(TransientError):
    """A table's catalogue or its log of transactions can't be read or written at the moment."""


class DeliveryError(Kafka2ParquetError):
    """Continuing automatically could lose or duplicate records; an operator has to decide.

    Attributes:
        topic: the affected topic.
        partition: the affected partition; None if all partitions are affected.
    """

    def __init__(self, message: str, *, topic: str, partition: int | None = None) -> None:
        self.topic = topic
        self.partition = partition
        super().__init__(message)


class DataLossError(DeliveryError):
    """Records disappeared from the log before they were written.

    Attributes:
        missing_start: first missing offset.
        missing_end: offset after the last missing one.
    """

    def __init__(self, message: str, *, topic: str, partition: int, missing_start: int, missing_end: int) -> None:
        self.missing_start = missing_start
        self.missing_end = missing_end
        super().__init__(message, topic=topic, partition=partition)


class LogTruncatedError(DeliveryError):
    """An unclean leader election truncated the log below the read position, and newer records reuse the offsets.

    Attributes:
        offset: first offset at which the log that was read and the current log differ.
        leader_epoch: leader epoch of the record before `offset`; -1 if unknown.
    """

    def __init__(self, message: str, *, topic: str, partition: int, offset: int, leader_epoch: int = -1) -> None:
        self.offset = offset
        self.leader_epoch = leader_epoch
        super().__init__(message, topic=topic, partition=partition)


class TopicRecreatedError(DeliveryError):
    """The topic was deleted and created again, so its offsets now refer to other records."""


class ForeignObjectError(DeliveryError):
    """A file's key is taken by an object that this library did not write for this topic.

    Attributes:
        key: the object's key.
    """

    def __init__(self, message: str, *, topic: str, partition: int, key: str) -> None:
        self.key = key
        super().__init__(message, topic=topic, partition=partition)


class DamagedFooterError(DeliveryError):
    """The footer of a file of this library contradicts itself, its anchor or the log, or has an unknown format version.

    Attributes:
        key: the object's key.
    """

    def __init__(self, message: str, *, topic: str, partition: int, key: str) -> None:
        self.key = key
        super().__init__(message, topic=topic, partition=partition)


class ConflictingSinkError(DeliveryError):
    """Another sink uses the same place with another consumer group, or the same group with another place."""


class UnknownMetadataError(DeliveryError):
    """The metadata of the committed offset is damaged, or comes from another library version or another cluster."""


class FencedInstanceError(DeliveryError):
    """Another process uses the same static member id (`group.instance.id`)."""


class UsageError(Kafka2ParquetError):
    """The calling code did something that can't work, such as using a closed task or forking with an open task."""


class UnexpectedError(Kafka2ParquetError):
    """A topic-partition can't continue because of an unexpected exception: a bug in this library or in a user's part.

    The original exception is the cause (`__cause__`).

    Attributes:
        topic: the affected topic.
        partition: the affected partition.
        offset: nothing at or after this offset is committed; earlier records were processed.
    """

    def __init__(self, message: str, *, topic: str, partition: int, offset: int | None) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        super().__init__(message)


def is_panic(error: BaseException) -> bool:
    """Return whether native Rust code panicked. Python sees a panic as a `BaseException` that is not an `Exception`."""
    return type(error).__name__ == "PanicException"


def is_unexpected(error: BaseException) -> bool:
    """Return whether an exception shows a bug: not an error of this library, an interrupt or a lack of memory."""
    if isinstance(error, Kafka2ParquetError | MemoryError):
        return False
    return isinstance(error, Exception) or is_panic(error)
