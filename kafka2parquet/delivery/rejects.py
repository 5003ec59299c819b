"""What is done with rejected records: reported, sent to the dead letters, kept for the quarantine; or they end the task."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from kafka2parquet.dead_letters.base import DeadLetterFuture
from kafka2parquet.dead_letters.reject_limit import RejectLimitState
from kafka2parquet.delivery.context import PartitionContext
from kafka2parquet.events import RecordRejected
from kafka2parquet.records import Reject


@attrs.frozen(eq=False)
class HandledReject:
    """A reject that is left out.

    Attributes:
        reject: the record.
        sending: its dead letter on its way; None where there are none.
        is_written: whether it becomes a row of the flush's file of rejects.
    """

    reject: Reject
    sending: DeadLetterFuture | None = None
    is_written: bool = False

    @property
    def offset(self) -> int:
        """Of the record."""
        return self.reject.offset


class RejectHandler:
    """Handles the rejects of one topic-partition. On the driver thread."""

    def __init__(self, context: PartitionContext) -> None:
        self._context = context
        limit = context.rejects.limit
        self._breaker = RejectLimitState(limit, context.topic_partition) if limit is not None else None

    def handle(self, rejects: Sequence[Reject], *, records: int = 0) -> list[HandledReject]:
        """Report rejects, and send their dead letters.

        Args:
            rejects: in the order of their offsets.
            records: how many records were looked at, rejects included; 0 where they were counted before.

        Raises:
            RejectedRecordError: one of them is not tolerated. It was reported and sent before.
            TooManyRejectsError: the limit is reached.
        """
        policy = self._context.rejects
        handled = []
        for reject in rejects:
            self._context.emit(RecordRejected(self._context.topic_partition, reject))
            sending = policy.dead_letters.send(reject) if policy.dead_letters is not None else None
            if not policy.tolerance.tolerates(reject.stage):
                raise policy.tolerance.failure(reject)
            handled.append(HandledReject(reject, sending, policy.quarantine))
        if self._breaker is not None:
            self._breaker.count(records, rejects)
        return handled
