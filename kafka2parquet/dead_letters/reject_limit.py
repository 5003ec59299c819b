"""RejectLimitState: ends a task that rejects too many records, for instance because of a wrong setting."""

from __future__ import annotations

import collections
from collections.abc import Sequence

import attrs

from kafka2parquet.errors import TooManyRejectsError
from kafka2parquet.records import Reject, TopicPartition
from kafka2parquet.util.arguments import Count, Share, checked
from kafka2parquet.util.display import counted


@checked
@attrs.frozen
class RejectLimit:
    """The share of a topic-partition's records that may be rejected.

    Attributes:
        share: the task ends if a larger share of the window is rejected. With 1 it never ends.
        window_rows: number of last records in the window, rounded up to whole batches.
        minimum_rows: number of records from which on the limit applies, so that a bad first record doesn't count as 100 %.
    """

    share: Share
    window_rows: Count = 10_000
    minimum_rows: Count = 100


@attrs.define
class _Counted:
    records: int
    rejects: int


class RejectLimitState:
    """Counts the records and rejects of one topic-partition.

    The limit doesn't apply to the task as a whole: eleven good partitions would hide one that is all bad, depending on how the
    group assigns the partitions.
    """

    def __init__(self, limit: RejectLimit, topic_partition: TopicPartition) -> None:
        """Start to count.

        Args:
            limit: the share that may be rejected.
            topic_partition: the topic-partition of the records.
        """
        self._limit = limit
        self._topic_partition = topic_partition
        self._window: collections.deque[_Counted] = collections.deque()
        self._records = 0
        self._rejects = 0

    def count(self, records: int, rejects: Sequence[Reject]) -> None:
        """Count a batch.

        Args:
            records: number of records in the batch, rejects included; 0 for later rejects of records that are counted already.
            rejects: the rejected records of the batch.

        Raises:
            TooManyRejectsError: the share of rejects in the window exceeds the limit.
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
        were = "was" if self._rejects == 1 else "were"
        raise TooManyRejectsError(
            f"{self._topic_partition}: {self._rejects:,} of the last {counted(self._records, 'record')} {were} rejected, more"
            f" than the {self._limit.share:.3g} that kafka2parquet.reject.limit.share allows; the last one at offset"
            f" {last.offset}, stage {last.stage.value!r}: {last.reason}. Nothing is committed past what is written. Fix the"
            " settings or the producer, or raise the limit.",
            topic=self._topic_partition.topic,
            partition=self._topic_partition.partition,
            offset=last.offset,
        )
