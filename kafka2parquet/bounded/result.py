"""What a run that ends did, for each topic-partition and in all."""

from __future__ import annotations

from typing import Any

import attrs

from kafka2parquet.records import TopicPartition


@attrs.frozen
class PartitionResult:
    """What a run did with one topic-partition.

    Attributes:
        topic_partition: the topic-partition.
        start: the first offset of the range; None if the run never learned where the group continues.
        end: no record at this offset or a later one was taken; None if the run never learned the end of the log.
        position: all records before this offset are durable; None if unknown. It is greater than `end` if a flush that had
            been begun before reached beyond.
        is_complete: whether all records of the range are durable.
        committed_rows: rows that this run made durable and committed. Rows of rejects in the quarantine count too.
        files: files that this run made visible.
        file_bytes: size of the files that this run made visible.
        rejected: records that this run left out or moved to the quarantine or to a dead-letter topic. A record that was read
            twice counts twice.
    """

    topic_partition: TopicPartition
    start: int | None = None
    end: int | None = None
    position: int | None = None
    is_complete: bool = False
    committed_rows: int = 0
    files: int = 0
    file_bytes: int = 0
    rejected: int = 0


@attrs.frozen
class DrainResult:
    """What a run did.

    Attributes:
        partitions: the topic-partitions, ordered by topic and partition.
    """

    partitions: tuple[PartitionResult, ...]

    @property
    def is_complete(self) -> bool:
        """Whether all records of all topic-partitions are durable. False if the run was stopped before that."""
        return all(partition.is_complete for partition in self.partitions)

    @property
    def committed_rows(self) -> int:
        """Rows that this run made durable and committed."""
        return sum(partition.committed_rows for partition in self.partitions)

    @property
    def files(self) -> int:
        """Files that this run made visible."""
        return sum(partition.files for partition in self.partitions)

    @property
    def file_bytes(self) -> int:
        """Size of the files that this run made visible, in bytes."""
        return sum(partition.file_bytes for partition in self.partitions)

    @property
    def rejected(self) -> int:
        """Records that this run left out."""
        return sum(partition.rejected for partition in self.partitions)

    def to_json(self) -> dict[str, Any]:
        """Return the result for other programs, such as schedulers."""
        return {
            "complete": self.is_complete,
            "rows": self.committed_rows,
            "files": self.files,
            "bytes": self.file_bytes,
            "rejects": self.rejected,
            "partitions": [
                {
                    "topic": each.topic_partition.topic,
                    "partition": each.topic_partition.partition,
                    "from": each.start,
                    "to": each.end,
                    "durable_to": each.position,
                    "complete": each.is_complete,
                    "rows": each.committed_rows,
                    "files": each.files,
                    "bytes": each.file_bytes,
                    "rejects": each.rejected,
                }
                for each in self.partitions
            ],
        }
