"""RejectLimitState: ends a task that leaves out too much, before a wrong setting empties a topic into the dead letters."""

from __future__ import annotations

import collections
from collections.abc import Sequence

import attrs

from kafka2parquet.errors import TooManyRejectsError
from kafka2parquet.records import Reject, TopicPartition
from kafka2parquet.util.arguments import Count, Share, checked


@checked
@attrs.frozen
class RejectLimit:
    """How much of a topic-partition may be rejected.

    Attributes:
        share: a larger share than this of the window ends the task; 1 never does.
        window_rows: how many of the last records are looked at, rounded up to whole batches.
        minimum_rows: the limit applies from this number of records on, so that a bad first record isn't a share of 100 %.
    """

    share: Share
    window_rows: Count = 10_000
    minimum_rows: Count = 100


@attrs.define
class _Counted:
    records: int
    rejects: int


class RejectLimitState:
    """Counts the records of one topic-partition.

    Of one, and not of the task: a partition that is all wrong would be hidden behind eleven that are right, and whether it
    were would depend on how the group shares the partitions out.
    """

    def __init__(self, limit: RejectLimit, topic_partition: TopicPartition) -> None:
        """Begin to count.

        Args:
            limit: how much may be rejected.
            topic_partition: whose records are counted.
        """
        self._limit = limit
        self._topic_partition = topic_partition
        self._window: collections.deque[_Counted] = collections.deque()
        self._records = 0
        self._rejects = 0

    def count(self, records: int, rejects: Sequence[Reject]) -> None:
        """Count a batch.

        Args:
            records: how many records it had, rejects included; 0 for further rejects of records that were counted before.
            rejects: those of them that were rejected.

        Raises:
            TooManyRejectsError: the share of the window is above the limit.
        """
        if records or not self._window:
            self._window.append(_Counted(records, 0))
        self._window[-1].rejects += len(rejects)
        self._records += records
        self._rejects += len(rejects)
        while self._records - self._window[0].records >= self._limit.window_rows:
            left = self._window.popleft()
            self._records -= left.records
            self._rejects -= left.rejects
        if rejects and self._records >= min(self._limit.minimum_rows, self._limit.window_rows):
            self._judge(rejects[-1])

    def _judge(self, last: Reject) -> None:
        if self._rejects <= self._limit.share * self._records:
            return
        raise TooManyRejectsError(
            f"{self._topic_partition}: {self._rejects:,} of the last {self._records:,} records were rejected, more than the"
            f" {self._limit.share:.3g} that kafka2parquet.reject.limit.share allows; the last one at offset {last.offset},"
            f" stage {last.stage.value!r}: {last.reason}. Nothing is committed past what is written. Mend the settings or the"
            " producer, or raise the limit.",
            topic=self._topic_partition.topic,
            partition=self._topic_partition.partition,
            offset=last.offset,
        )
