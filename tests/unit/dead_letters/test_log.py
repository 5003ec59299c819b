import logging
from typing import Any

import attrs
import pytest

from kafka2parquet.dead_letters.connect_report import FailureReporter
from kafka2parquet.dead_letters.log import RejectLog
from kafka2parquet.events import OffsetCommitted, PartitionStopped, RecordRejected
from kafka2parquet.records import Reject, Stage, TopicPartition
from kafka2parquet.testing import ManualClock

_TOPIC_PARTITION = TopicPartition("orders", 5)
_REPORTER = FailureReporter("job", value_converter="a.V")


def _reject(timestamp_ms: int | None = None) -> Reject:
    return Reject(
        _TOPIC_PARTITION, 100, Stage.DECODE, "not JSON", "", timestamp_ms, b"the key", b"the value", (("h", b"the header"),)
    )


@pytest.mark.parametrize(
    ("with_records", "timestamp_ms", "record"),
    [
        (False, 7, ""),
        (True, None, ", where consumed record is {topic='orders', partition=5, offset=100}"),
        (True, 7, ", where consumed record is {topic='orders', partition=5, offset=100, timestamp=7}"),
    ],
)
def test_line_is_that_of_connect(with_records: bool, timestamp_ms: int | None, record: str) -> None:
    """The line has topic, partition, offset and timestamp if they are requested."""
    expected = f"Error encountered in task job-0. Executing stage 'VALUE_CONVERTER' with class 'a.V'{record}."
    assert expected == RejectLog(_REPORTER, with_records).line(_reject(timestamp_ms))


def test_reject_is_logged_as_an_error_without_its_payload(caplog: pytest.LogCaptureFixture) -> None:
    """Each reject has one log record: Connect's line, then exception and reason."""
    log = RejectLog(_REPORTER, with_records=True)
    log(RecordRejected(_TOPIC_PARTITION, _reject()))
    assert [
        (
            "kafka2parquet.dead_letters.log",
            logging.ERROR,
            f"{log.line(_reject())}\norg.apache.kafka.connect.errors.DataException: not JSON",
        )
    ] == caplog.record_tuples
    assert "the " not in caplog.text.replace("with class", "")


@pytest.mark.parametrize("end", [OffsetCommitted(_TOPIC_PARTITION, 1, 1), PartitionStopped(_TOPIC_PARTITION, 0), None])
def test_of_many_rejects_in_a_second_most_are_only_counted(end: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Rejects that are not logged one by one are reported with their number and offsets."""
    clock = ManualClock()
    log = RejectLog(_REPORTER, most_per_s=3, clock=clock)
    for offset in range(1000):
        log(RecordRejected(_TOPIC_PARTITION, attrs.evolve(_reject(), offset=offset)))
    assert 3 == len(caplog.messages)
    if end is not None:
        log(end)
    clock.advance(1)
    log(RecordRejected(_TOPIC_PARTITION, _reject()))
    assert 5 == len(caplog.messages)
    assert (
        "Error encountered in task job-0. orders-5: 997 more records were rejected, at offsets from 3 to 999."
        == caplog.messages[3]
    )
    log(OffsetCommitted(_TOPIC_PARTITION, 1, 1))
    assert 5 == len(caplog.messages)


def test_other_events_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Events other than rejects are not logged."""
    RejectLog(_REPORTER)(OffsetCommitted(_TOPIC_PARTITION, 1, 1))
    assert [] == caplog.record_tuples
