"""How far a follower is: frozen values."""

from __future__ import annotations

import attrs

from kafka2parquet.audit.coverage import Finding
from kafka2parquet.records import TopicPartition


@attrs.frozen
class FollowedPartition:
    """How far a table is with one topic-partition.

    Attributes:
        topic_partition: the topic-partition.
        position: all rows below this offset are in the table; None before the first flush.
        committed: committed offset of the sink's group; None without one.
        finding: what keeps the table from taking more; None if nothing does.
    """

    topic_partition: TopicPartition
    position: int | None
    committed: int | None
    finding: Finding | None = None

    @property
    def lag_offsets(self) -> int | None:
        """The number of offsets that are committed and not in the table; None before the first flush."""
        if self.committed is None or self.position is None:
            return None
        return max(0, self.committed - self.position)


@attrs.frozen
class Followed:
    """The outcome of a round.

    Attributes:
        commits: number of transactions.
        files: number of files that the round registered.
        rows: number of rows in these files.
        partitions: how far the table is with each partition, in their order.
    """

    commits: int = 0
    files: int = 0
    rows: int = 0
    partitions: tuple[FollowedPartition, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings."""
        return tuple(partition.finding for partition in self.partitions if partition.finding is not None)

    @property
    def lag_offsets(self) -> int:
        """The number of offsets that are committed and not in the table, over all partitions for which the number is known."""
        return sum(partition.lag_offsets or 0 for partition in self.partitions)

    @property
    def unknown_lags(self) -> tuple[TopicPartition, ...]:
        """The partitions that stand still before their first flush: how many offsets are not in the table is unknown."""
        return tuple(each.topic_partition for each in self.partitions if each.finding is not None and each.lag_offsets is None)
