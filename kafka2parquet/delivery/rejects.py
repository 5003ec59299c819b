"""Handles rejected records: reports them, sends them to the dead letters, keeps them for the quarantine, or ends the task."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from kafka2parquet.dead_letters.base import DeadLetterFuture
from kafka2parquet.dead_letters.reject_limit import RejectLimitState
from kafka2parquet.delivery.context import PartitionContext
from kafka2parquet.events import NOT_YET, RecordRejected
from kafka2parquet.records import Reject


@attrs.frozen(eq=False)
class HandledReject:
    """A rejected record that the task tolerates.

    Attributes:
        reject: the record.
        sending: the record's dead letter, while it is sent; None without dead letters.
        is_written: whether the record becomes a row of the flush's file of rejects.
    """

    reject: Reject
    sending: DeadLetterFuture | None = None
    is_written: bool = False

    @property
    def offset(self) -> int:
        """The record's offset."""
        return self.reject.offset


class RejectHandler:
    """Handles the rejects of one topic-partition, on the driver thread."""

    def __init__(self, context: PartitionContext) -> None:
        self._context = context
        limit = context.task.rejects.limit
        self._limit_state = RejectLimitState(limit, context.topic_partition) if limit is not None else None

    def handle(self, rejects: Sequence[Reject], *, records: int = 0) -> list[HandledReject]:
        """Report rejects, and send their dead letters.

        Args:
            rejects: in the order of their offsets.
            records: the number of records that were converted, rejects included; 0 if they were counted before.

        Raises:
            RejectedRecordError: a reject is not tolerated. It was reported and sent before.
            TooManyRejectsError: the limit of rejects is reached.
        """
        policy = self._context.task.rejects
        handled = []
        now = self._context.clock.now() if rejects else NOT_YET
        for reject in rejects:
            self._context.emit(RecordRejected(self._context.topic_partition, reject, at=now))
            sending = policy.dead_letters.send(reject) if policy.dead_letters is not None else None
            if not policy.tolerance.tolerates(reject.stage):
                raise policy.tolerance.failure(reject)
            handled.append(HandledReject(reject, sending, policy.quarantine))
        if self._limit_state is not None:
            self._limit_state.count(records, rejects)
        return handled
