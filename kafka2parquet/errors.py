"""Every error of the library, grouped by what the caller does next.

    Kafka2ParquetError
    ├── ConfigurationError          fix the settings; lists all problems at once
    │   └── GuaranteeError          the delivery that was asked for can't be kept here
    ├── AccessError                 fix credentials, rights or names
    │   ├── KafkaAuthenticationError
    │   ├── KafkaAuthorizationError
    │   ├── StorageAuthenticationError
    │   ├── StoragePermissionError
    │   ├── BucketNotFoundError
    │   └── SchemaRegistryAuthenticationError
    ├── RecordError                 look at a record
    │   ├── RejectedRecordError
    │   ├── DeadLetterRefusedError
    │   ├── TooManyRejectsError
    │   └── CorruptRecordBatchError
    ├── TransientError              wait; nothing is lost, the library retries by itself
    │   ├── KafkaUnavailableError
    │   ├── StorageUnavailableError
    │   └── SchemaRegistryUnavailableError
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
    └── UnexpectedError             report a bug: something raised what nobody foresaw

A message says what happened, where (topic, partition, offset, key) and what to do. Errors of other libraries are mapped
to these in the adapter that owns the library.
"""

from __future__ import annotations

from collections.abc import Sequence

from kafka2parquet.util.printable import printable
from kafka2parquet.util.secrets import without_credentials


class Kafka2ParquetError(Exception):
    """Base of all errors that this library raises on purpose.

    As text, an error is one line: what records and names hold is shown with line ends and control characters escaped.
    Credentials that show by their form, such as those in a URL, are hidden.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(without_credentials(message))

    def __str__(self) -> str:
        return printable(super().__str__())


class ConfigurationError(Kafka2ParquetError):
    """The settings can't work. As text, an error has a line for each problem.

    Attributes:
        problems: one sentence for each problem found; all of them, not the first.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        given = (problems,) if isinstance(problems, str) else problems
        self.problems: tuple[str, ...] = tuple(map(without_credentials, given))
        super().__init__("\n".join(self.problems))

    def __str__(self) -> str:
        return "\n".join(map(printable, self.problems))


class GuaranteeError(ConfigurationError):
    """Exactly-once delivery was asked for and the broker or the store can't give what it needs."""


class AccessError(Kafka2ParquetError):
    """Kafka, the store or the registry refused us: credentials, rights or names have to be corrected, retrying is pointless."""


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
    """The schema registry did not accept the credentials, or we its certificate; or a right is missing."""


class RecordError(Kafka2ParquetError):
    """Something about one record, or one batch of records, in the log.

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
    """A record can't be converted, and the settings say to stop then.

    Attributes:
        stage: where the record failed (a value of `kafka2parquet.records.Stage`).
        reason: why.
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
    """Kafka does not take a rejected record into the dead-letter topic, because it is too large for instance."""


class TooManyRejectsError(RecordError):
    """More than the set share of a topic-partition's records is rejected; the offset is that of the last one."""


class CorruptRecordBatchError(RecordError):
    """The broker returned bytes that fail their checksum, don't decode, or decompress to more than is allowed.

    Attributes:
        next_offset: where the batch after it begins; None where the checksum is wrong and no batch was fetched behind it, for
            what the batch itself says of its end can't be trusted then.
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
    """Something is down. The library retries; this is raised only where a limit was set.

    Attributes:
        retry_after_s: how long to wait before the next attempt, in seconds, if the other side said so.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class KafkaUnavailableError(TransientError):
    """No broker answers."""


class StorageUnavailableError(TransientError):
    """The store, or the local staging folder, can't take the file just now."""


class SchemaRegistryUnavailableError(TransientError):
    """The schema registry doesn't answer, or not as it should; the records that need it wait."""


class DeliveryError(Kafka2ParquetError):
    """Going on could lose or repeat records: an operator has to decide.

    Attributes:
        topic: topic concerned.
        partition: partition concerned, None for all.
    """

    def __init__(self, message: str, *, topic: str, partition: int | None = None) -> None:
        self.topic = topic
        self.partition = partition
        super().__init__(message)


class DataLossError(DeliveryError):
    """Records that were not yet written are gone from the log.

    Attributes:
        missing_start: first offset that is missing.
        missing_end: offset after the last one that is missing.
    """

    def __init__(self, message: str, *, topic: str, partition: int, missing_start: int, missing_end: int) -> None:
        self.missing_start = missing_start
        self.missing_end = missing_end
        super().__init__(message, topic=topic, partition=partition)


class LogTruncatedError(DeliveryError):
    """An unclean leader election truncated the log below what was read: other records come at the same offsets.

    Attributes:
        offset: where the log that was read and today's log begin to differ.
    """

    def __init__(self, message: str, *, topic: str, partition: int, offset: int) -> None:
        self.offset = offset
        super().__init__(message, topic=topic, partition=partition)


class TopicRecreatedError(DeliveryError):
    """The topic was deleted and created again: its offsets mean other records now."""


class ForeignObjectError(DeliveryError):
    """An object that this library did not write for this topic stands where a file should go.

    Attributes:
        key: the object's key.
    """

    def __init__(self, message: str, *, topic: str, partition: int, key: str) -> None:
        self.key = key
        super().__init__(message, topic=topic, partition=partition)


class DamagedFooterError(DeliveryError):
    """The footer of a file of this library contradicts itself or the log, or an unknown version of the library wrote it.

    Attributes:
        key: the object's key.
    """

    def __init__(self, message: str, *, topic: str, partition: int, key: str) -> None:
        self.key = key
        super().__init__(message, topic=topic, partition=partition)


class ConflictingSinkError(DeliveryError):
    """Another sink wrote to the same place under another consumer group, or to another place under the same group."""


class UnknownMetadataError(DeliveryError):
    """The committed offset carries metadata that is damaged, of another version of this library, or of another cluster."""


class FencedInstanceError(DeliveryError):
    """Another process uses the same static member id (`group.instance.id`)."""


class UsageError(Kafka2ParquetError):
    """The calling code did something that can't work, such as using a closed task or forking with an open one."""


class UnexpectedError(Kafka2ParquetError):
    """A topic-partition can't go on, because of an exception that nobody foresaw: a bug of this library or of a user's part.

    The exception itself is the cause (`__cause__`).

    Attributes:
        topic: topic concerned.
        partition: partition concerned.
        offset: what is before it was taken; nothing at or after it is committed.
    """

    def __init__(self, message: str, *, topic: str, partition: int, offset: int | None) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        super().__init__(message)


def is_panic(error: BaseException) -> bool:
    """Tell whether native code in Rust has panicked, which Python sees as a `BaseException` that is not an `Exception`."""
    return type(error).__name__ == "PanicException"


def is_unexpected(error: BaseException) -> bool:
    """Whether an exception comes from a mistake in code: not an error of this library, an interrupt or a lack of memory."""
    if isinstance(error, Kafka2ParquetError | MemoryError):
        return False
    return isinstance(error, Exception) or is_panic(error)
