from typing import Any

import pytest

from kafka2parquet.dead_letters.connect_report import FailureReporter, context_headers
from kafka2parquet.records import Reject, Stage, TopicPartition

_PREFIX = "__connect.errors."


def _headers(stage: Stage = Stage.DECODE, reason: str = "not JSON", exception: str = "") -> dict[str, str | None]:
    reject = Reject(TopicPartition("orders", 7), 10, stage, reason, exception)
    reporter = FailureReporter("job", 2, key_converter="K", value_converter="V")
    headers = context_headers(reject, reporter)
    assert 10 == len(headers)
    return {name.removeprefix(_PREFIX): None if value is None else value.decode() for name, value in headers}


def test_headers_are_those_of_connect() -> None:
    """Names, order and texts of the headers are Kafka Connect's."""
    headers = _headers()
    stacktrace = headers.pop("exception.stacktrace")
    assert [
        ("topic", "orders"),
        ("partition", "7"),
        ("offset", "10"),
        ("connector.name", "job"),
        ("task.id", "2"),
        ("stage", "VALUE_CONVERTER"),
        ("class.name", "V"),
        ("exception.class.name", "org.apache.kafka.connect.errors.DataException"),
        ("exception.message", "not JSON"),
    ] == list(headers.items())
    assert stacktrace is not None
    assert "org.apache.kafka.connect.errors.DataException: not JSON" == stacktrace.splitlines()[0]


def test_reject_without_reason_has_a_null_message() -> None:
    """A reject without a reason has a null message, like a Java exception without a message."""
    headers = _headers(reason="", exception="a.B")
    stacktrace = headers["exception.stacktrace"]
    assert stacktrace is not None
    assert (None, "a.B") == (headers["exception.message"], stacktrace.splitlines()[0])


@pytest.mark.parametrize(
    ("stage", "reported", "class_name"),
    [
        (Stage.FETCH, "KAFKA_CONSUME", "org.apache.kafka.connect.runtime.WorkerSinkTask"),
        (Stage.KEY, "KEY_CONVERTER", "K"),
        (Stage.DECODE, "VALUE_CONVERTER", "V"),
        (Stage.TRANSFORM, "TRANSFORMATION", "org.apache.kafka.connect.transforms.Transformation"),
        (Stage.TIMESTAMP, "TASK_PUT", "org.apache.kafka.connect.sink.SinkTask"),
        (Stage.PARTITION, "TASK_PUT", "org.apache.kafka.connect.sink.SinkTask"),
        (Stage.WRITE, "TASK_PUT", "org.apache.kafka.connect.sink.SinkTask"),
    ],
)
def test_stages_have_their_names_in_connect(stage: Any, reported: str, class_name: str) -> None:
    """Each stage is reported as the stage at which the record would have failed in Connect."""
    headers = _headers(stage)
    assert (reported, class_name) == (headers["stage"], headers["class.name"])


def test_every_stage_has_a_name_in_connect() -> None:
    """Each stage has an equivalent in Connect."""
    assert [] == [stage for stage in Stage if not _headers(stage)["exception.class.name"]]
