"""Tolerance: decides which rejects are skipped and which end the task (Kafka Connect's `errors.tolerance`)."""

from __future__ import annotations

import attrs

from kafka2parquet.dead_letters.connect_report import ConnectStage
from kafka2parquet.errors import RejectedRecordError
from kafka2parquet.records import Reject, Stage
from kafka2parquet.util.arguments import checked

#: The stages that Connect runs before it passes a record to the sink.
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
        everything: whether `errors.tolerance` is `all`; otherwise no reject is tolerated.
        has_reporter: whether rejects are stored or reported: dead letters, quarantine or log. Without any of these, Connect
            doesn't allow the sink to skip a record.
    """

    everything: bool
    has_reporter: bool = False

    def tolerates(self, stage: Stage) -> bool:
        """Return whether a record that fails at `stage` is skipped. Otherwise it ends the task."""
        return self.everything and (self.has_reporter or self.tolerates_in_connect(ConnectStage.of(stage)))

    def tolerates_in_connect(self, stage: ConnectStage, *, retriable: bool = False) -> bool:
        """Return whether Connect skips a record whose exception is not reported.

        Args:
            stage: the stage that raised the exception.
            retriable: whether it is a `RetriableException` whose attempts are used up.
        """
        return self.everything and (retriable or stage in _BEFORE_THE_SINK)

    def failure(self, reject: Reject) -> RejectedRecordError:
        """Return the error that ends the task at a reject that is not tolerated, in Connect's words."""
        could_be_tolerated = self.has_reporter or ConnectStage.of(reject.stage) in _BEFORE_THE_SINK
        words = "Tolerance exceeded" if could_be_tolerated else "Unhandled exception"
        if self.everything:
            advice = (
                f"errors.tolerance=all covers the stage {reject.stage.value} only if such records are stored or reported: set"
                f" {_REPORTERS}."
            )
        else:
            where = "" if could_be_tolerated else f", with {_REPORTERS}"
            advice = (
                f"Fix the settings or the producer, or skip such records (errors.tolerance=all instead of none{where}; for"
                " null values behavior.on.null.values=ignore)."
            )
        return RejectedRecordError(
            topic=reject.topic_partition.topic,
            partition=reject.topic_partition.partition,
            offset=reject.offset,
            stage=reject.stage.value,
            reason=reject.reason,
            advice=f"{words} in error handler. {advice} Nothing is committed past it.",
        )
