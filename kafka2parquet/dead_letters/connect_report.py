"""What Kafka Connect says of a record that failed: stage, class and exception by the names that its users know."""

from __future__ import annotations

import enum

import attrs

from kafka2parquet.records import DATA_EXCEPTION, PARTITION_EXCEPTION, Reject, Stage
from kafka2parquet.util.arguments import Name, WholeNumber, checked


class ConnectStage(enum.Enum):
    """Where an operation failed (`org.apache.kafka.connect.runtime.errors.Stage`)."""

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
        """Return the stage in Connect in which a record would have failed that failed in `stage` here."""
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

#: What Connect would have raised, where the reject itself doesn't say.
_EXCEPTIONS = {
    Stage.FETCH: "org.apache.kafka.common.errors.RecordDeserializationException",
    Stage.TIMESTAMP: PARTITION_EXCEPTION,
    Stage.PARTITION: PARTITION_EXCEPTION,
}

_JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"


@attrs.frozen
class Failure:
    """What is reported of one reject.

    Attributes:
        stage: where it failed.
        class_name: the class that was at work.
        exception: class of the exception.
        message: of the exception; None where there is none.
    """

    stage: ConnectStage
    class_name: str
    exception: str
    message: str | None

    def __str__(self) -> str:
        """Exception and message, as Java prints them."""
        return self.exception if self.message is None else f"{self.exception}: {self.message}"


@checked
@attrs.frozen
class FailureReporter:
    """Describes rejects as Connect does, by connector, task and classes.

    Attributes:
        connector: its name.
        task: its number, counted from 0.
        key_converter: class that reads keys.
        value_converter: class that reads values.
        transformation: class that changes records between converter and sink.
    """

    connector: Name
    task: WholeNumber = 0
    key_converter: str = _JSON_CONVERTER
    value_converter: str = _JSON_CONVERTER
    transformation: str = "org.apache.kafka.connect.transforms.Transformation"

    def failure(self, reject: Reject) -> Failure:
        """Return what is reported of a reject."""
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
