"""Tolerance: which rejects are left out, and which end the task (Kafka Connect's `errors.tolerance`)."""

from __future__ import annotations

import attrs

from kafka2parquet.dead_letters.connect_report import ConnectStage
from kafka2parquet.errors import RejectedRecordError
from kafka2parquet.records import Reject, Stage
from kafka2parquet.util.arguments import checked

#: What Connect itself does with a record, before the sink has it.
_BEFORE_THE_SINK = frozenset(
    {
        ConnectStage.KEY_CONVERTER,
        ConnectStage.VALUE_CONVERTER,
        ConnectStage.HEADER_CONVERTER,
        ConnectStage.TRANSFORMATION,
    }
)
_REPORTERS = "errors.deadletterqueue.topic.name, errors.log.enable=true or kafka2parquet.quarantine=true"


@checked
@attrs.frozen
class Tolerance:
    """The rule of `RetryWithToleranceOperator` and, for the sink's own stages, of `WorkerErrantRecordReporter`.

    Attributes:
        everything: `errors.tolerance=all`; otherwise no reject is tolerated.
        has_reporter: whether rejects are kept or reported: dead letters, quarantine, log. Without any of these, Connect gives
            the sink no way to leave a record out.
    """

    everything: bool
    has_reporter: bool = False

    def tolerates(self, stage: Stage) -> bool:
        """Return whether a record that fails at this stage is left out; if not, it ends the task."""
        return self.everything and (self.has_reporter or self.tolerates_in_connect(ConnectStage.of(stage)))

    def tolerates_in_connect(self, stage: ConnectStage, *, retriable: bool = False) -> bool:
        """Return whether Connect leaves out a record whose exception nobody reports.

        Args:
            stage: where it was raised.
            retriable: whether it is a `RetriableException`, of which the attempts are used up.
        """
        return self.everything and (retriable or stage in _BEFORE_THE_SINK)

    def failure(self, reject: Reject) -> RejectedRecordError:
        """Return the error that ends the task at a reject that is not tolerated, with Connect's words for it."""
        could_be_tolerated = self.has_reporter or ConnectStage.of(reject.stage) in _BEFORE_THE_SINK
        words = "Tolerance exceeded" if could_be_tolerated else "Unhandled exception"
        if self.everything:
            advice = (
                f"errors.tolerance=all covers the stage {reject.stage.value} only where such records are kept or reported: set"
                f" {_REPORTERS}."
            )
        else:
            where = "" if could_be_tolerated else f", with {_REPORTERS}"
            advice = (
                f"Mend the settings or the producer, or leave such records out (errors.tolerance=all, which is none now{where};"
                " null values: behavior.on.null.values=ignore)."
            )
        return RejectedRecordError(
            topic=reject.topic_partition.topic,
            partition=reject.topic_partition.partition,
            offset=reject.offset,
            stage=reject.stage.value,
            reason=reject.reason,
            advice=f"{words} in error handler. {advice} Nothing is committed past it.",
        )
