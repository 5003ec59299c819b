"""TableTarget: what a follower needs of a table format, and the values that go to and fro."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import attrs
import pyarrow as pa

from kafka2parquet.records import TopicPartition


@attrs.frozen(order=True)
class LogId:
    """The identity of one topic-partition's log. A topic that is deleted and created again gets another id.

    Attributes:
        topic_id: the topic's id.
        partition: the partition.
    """

    topic_id: str
    partition: int


@attrs.frozen
class DataFile:
    """A published file of record values, to be registered.

    Attributes:
        key: object key in the storage.
        location: full URL of the file, unescaped.
        folder: the encoded partition: the folders between the topic's folder and the file.
        rows: number of rows.
        size_bytes: size of the file.
        topic_partition: the topic-partition of the rows.
        parquet: Parquet metadata of the file (`pyarrow.parquet.FileMetaData`): schema and statistics.
    """

    key: str
    location: str
    folder: str
    rows: int
    size_bytes: int
    topic_partition: TopicPartition
    parquet: Any = attrs.field(repr=False, eq=False)

    @property
    def schema(self) -> pa.Schema:
        """The file's schema, without metadata."""
        return self.parquet.schema.to_arrow_schema().remove_metadata()


class RefusedFileError(Exception):
    """A table can't take a file as it is.

    Attributes:
        key: object key of the file.
        reason: why, as the end of a sentence.
    """

    def __init__(self, key: str, reason: str) -> None:
        self.key = key
        self.reason = reason
        super().__init__(f"{key}: {reason}")


class TableTarget(Protocol):
    """A table, or a catalogue's entry for it, that takes files and a follower's positions in one transaction.

    A target is used by one thread. Its calls block. Several targets, also in several processes, may belong to one table.

    Raises:
        ConfigurationError: the table can't hold such files at all, or its catalogue isn't configured.
        CatalogUnavailableError: the catalogue or the table's store doesn't answer.
    """

    @property
    def name(self) -> str:
        """The table's name, for messages."""

    def positions(self, logs: Collection[LogId]) -> Mapping[LogId, int]:
        """Read the table's current state, and return the position of each of the logs that has one.

        All rows of a log below its position are in the table, or were deleted from it by the table's owner.
        """

    def commit(self, files: Sequence[DataFile], positions: Mapping[LogId, int]) -> bool:
        """Add files and set positions in one transaction, if no position has moved since `positions` was called.

        A target whose registration is idempotent may apply them one after the other, files first.

        Args:
            files: at least one file.
            positions: the new positions of the logs that the files are from.

        Returns:
            Whether the transaction took place. If False, nothing has changed, because the table has been changed by another;
            the caller calls `positions` again. After an error the outcome is unknown, and `positions` shows it.

        Raises:
            RefusedFileError: the table can't take one of the files. Nothing has changed.
        """
