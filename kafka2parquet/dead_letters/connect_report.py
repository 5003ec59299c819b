"""Describes failed records in Kafka Connect's terms: stage, class and exception, as log lines and as headers."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import attrs

from kafka2parquet.records import DATA_EXCEPTION, PARTITION_EXCEPTION, Reject, Stage
from kafka2parquet.util.arguments import Name, WholeNumber, checked

Headers = Sequence[tuple[str, bytes | None]]

_PREFIX = "__connect.errors."


class ConnectStage(enum.Enum):
    """The stage at which an operation failed (`org.apache.kafka.connect.runtime.errors.Stage`)."""

    KAFKA_CONSUME = "KAFKA_CONSUME"
    KEY_CONVERTER = "KEY_CONVERTER"
    VALUE_CONVERTER = "VALUE_CONVERTER"
    HEADER_CONVERTER = "HEADER_CONVERTER"
    TRANSFORMATION = "TRANSFORMATION"
    TASK_PUT = "TASK_PUT"
    TASK_POLL = "TASK_POLL"
    KAFKA_PRODUCE = "KAFKA_PRODUCE"

    @classmethod
    def of(cls, stage: Stage) -> ConnectStage:
        """Return Connect's stage for a record that failed at `stage`."""
        return _STAGES[stage]


_STAGES = {
    Stage.FETCH: ConnectStage.KAFKA_CONSUME,
    Stage.KEY: ConnectStage.KEY_CONVERTER,
    Stage.DECODE: ConnectStage.VALUE_CONVERTER,
    Stage.TRANSFORM: ConnectStage.TRANSFORMATION,
    Stage.TIMESTAMP: ConnectStage.TASK_PUT,
    Stage.PARTITION: ConnectStage.TASK_PUT,
    Stage.WRITE: ConnectStage.TASK_PUT,
}

#: Connect's exception by stage, for rejects that don't name one.
_EXCEPTIONS = {
    Stage.FETCH: "org.apache.kafka.common.errors.RecordDeserializationException",
    Stage.TIMESTAMP: PARTITION_EXCEPTION,
    Stage.PARTITION: PARTITION_EXCEPTION,
}

_JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"


@attrs.frozen
class Failure:
    """The description of one reject.

    Attributes:
        stage: the stage at which the record failed.
        class_name: the class that was running.
        exception: the exception's class.
        message: the exception's message, None if it has none.
    """

    stage: ConnectStage
    class_name: str
    exception: str
    message: str | None

    def __str__(self) -> str:
        """Format exception and message as Java does."""
        return self.exception if self.message is None else f"{self.exception}: {self.message}"


@checked
@attrs.frozen
class FailureReporter:
    """Describes rejects as Connect does, with connector, task and classes.

    Attributes:
        connector: name of the connector.
        task: number of the task, counted from 0.
        key_converter: class of the key converter.
        value_converter: class of the value converter.
        transformation: class that transforms records between converter and sink.
    """

    connector: Name
    task: WholeNumber = 0
    key_converter: str = _JSON_CONVERTER
    value_converter: str = _JSON_CONVERTER
    transformation: str = "org.apache.kafka.connect.transforms.Transformation"

    def failure(self, reject: Reject) -> Failure:
        """Describe a reject."""
        stage = ConnectStage.of(reject.stage)
        return Failure(
            stage,
            self._class_name(stage),
            reject.exception or _EXCEPTIONS.get(reject.stage, DATA_EXCEPTION),
            reject.reason or None,
        )

    def _class_name(self, stage: ConnectStage) -> str:
        return {
            ConnectStage.KAFKA_CONSUME: "org.apache.kafka.connect.runtime.WorkerSinkTask",
            ConnectStage.KEY_CONVERTER: self.key_converter,
            ConnectStage.VALUE_CONVERTER: self.value_converter,
            ConnectStage.TRANSFORMATION: self.transformation,
        }.get(stage, "org.apache.kafka.connect.sink.SinkTask")


def context_headers(reject: Reject, reporter: FailureReporter) -> Headers:
    """Return the ten headers that describe a failure, in the order of Kafka Connect's `DeadLetterQueueReporter`.

    They follow the record's own headers, which may include those of an earlier failure.
    """
    failure = reporter.failure(reject)
    # In place of Connect's Java stack trace: its first line, and then the place in the log instead of the place in the code.
    stacktrace = f"{failure}\n\tat {reject.topic_partition}, offset {reject.offset}, stage {reject.stage.value} (kafka2parquet)"
    texts: tuple[tuple[str, str | None], ...] = (
        ("topic", reject.topic_partition.topic),
        ("partition", str(reject.topic_partition.partition)),
        ("offset", str(reject.offset)),
        ("connector.name", reporter.connector),
        ("task.id", str(reporter.task)),
        ("stage", failure.stage.value),
        ("class.name", failure.class_name),
        ("exception.class.name", failure.exception),
        ("exception.message", failure.message),
        ("exception.stacktrace", stacktrace),
    )
    return [(_PREFIX + name, None if text is None else text.encode()) for name, text in texts]
