"""What becomes of records that fail: waits, tolerance, dead letters (through a broker of this process) and log lines."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import attrs

from kafka2parquet.backoff import ConverterRetry
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.rejects import DeadLetterPlan, make_reject_log
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.dead_letters.connect_report import ConnectStage, FailureReporter
from kafka2parquet.dead_letters.log import RejectLog
from kafka2parquet.dead_letters.tolerance import Tolerance
from kafka2parquet.events import RecordRejected
from kafka2parquet.records import Reject, Stage, TopicPartition
from kafka2parquet.testing import EmbeddedBroker
from tests.acceptance.cases import CaseFolder
from tests.acceptance.outcome import CaseError, NotApplicableError
from tests.acceptance.values import plain
from tests.support.kafka_clients import read, wait_until

_TOPIC = "errors.deadletterqueue.topic.name"
_STACKTRACE = "__connect.errors.exception.stacktrace"


def retry_backoff(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the pauses between attempts, until one succeeds or the time is over."""
    retry = _retry(given, given.get("errors.retry.timeout", 0))
    waits_ms: list[int] = []
    for attempt in range(1, given["retriable_failures"] + 1):
        pause_s = retry.pause_s(attempt, sum(waits_ms) / 1000)
        if pause_s is None:
            return {"waits_ms": waits_ms, "outcome": "failure"}
        waits_ms.append(round(pause_s * 1000))
    return {"waits_ms": waits_ms, "outcome": "success"}


def backoff_wait(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the pause after one attempt, or 0 if no time is left."""
    pause_s = _retry(given, given["deadline_ms"]).pause_s(given["attempt"], given["elapsed_ms"] / 1000)
    return {"value": round((pause_s or 0) * 1000)}


def _retry(given: Mapping[str, Any], timeout_ms: int) -> ConverterRetry:
    timeout_s = timeout_ms / 1000 if timeout_ms >= 0 else None
    return ConverterRetry(timeout_s, given.get("errors.retry.delay.max.ms", 60_000) / 1000)


def error_tolerance(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns whether a record whose exception isn't reported is skipped.

    Raises:
        CaseError: it ends the task.
    """
    tolerance = Tolerance(everything=given.get("errors.tolerance", "none") == "all")
    stage = ConnectStage(given["stage"])
    if tolerance.tolerates_in_connect(stage, retriable=given["exception"].endswith("RetriableException")):
        return {"value": "record_failed"}
    reject = Reject(TopicPartition("test-topic", 0), 0, _stage(stage) or Stage.WRITE, "test", given["exception"])
    raise CaseError("ConnectException", str(tolerance.failure(reject)))


def report_error(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the topics that receive dead letters of a record."""
    config = folder.config({name: text for name, text in given.items() if name.startswith("errors.")})
    reject = Reject(TopicPartition("test-topic", 5), 100, _known_stage(given), "test", "", None, b"k", b"v")
    letters = _dead_letters(config, [reject] * given.get("times", given.get("reports", 1)), given.get("task", 0))
    return {"produced": [{"topic": letter.topic} for letter in letters]}


def dlq_headers(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the headers of a dead letter; only the beginning of the stack trace is Java's."""
    changes = {_TOPIC: "test-dlq", "name": given["connector"], **_converter(given), **given["config"]}
    headers = [(name, None if value is None else _bytes(value)) for name, value in given.get("record_headers", ())]
    exception, message = given["exception"], given["message"]
    where = TopicPartition(given["topic"], given["partition"])
    reject = Reject(where, given["offset"], _known_stage(given), message or "", exception, None, b"k", b"v", tuple(headers))
    (letter,) = _dead_letters(folder.config(changes), [reject], given["task"])
    texts = [[name, None if value is None else value.decode()] for name, value in letter.headers]
    found = [text for name, text in texts if name == _STACKTRACE]
    return {
        "headers": [header for header in texts if header[0] != _STACKTRACE],
        "stacktrace": {"header": _STACKTRACE, "text": found[-1]} if found else None,
    }


def error_log_line(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the line that is logged for a record, or null."""
    config = folder.config({"name": given["connector"], **_converter(given), **given["config"]})
    where = TopicPartition(given["topic"], given["partition"])
    reject = Reject(where, given["offset"], _known_stage(given), "test", "", given.get("timestamp"))
    lines = [log.line(reject) for log in _logs(config, given)]
    return {"value": lines[0] if lines else None}


def errors_logged(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the number of lines that are logged for a number of failures."""
    counted = _Counting()
    logger = logging.getLogger(RejectLog.__module__)
    logger.addHandler(counted)
    try:
        for offset in range(given["failures"]):
            reject = Reject(TopicPartition("test-topic", 5), offset, Stage.DECODE, "test")
            for log in make_reject_log(folder.config(given["config"]), 0):
                log(RecordRejected(reject.topic_partition, reject))
    finally:
        logger.removeHandler(counted)
    return {"value": counted.lines}


class _Counting(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += 1


def _logs(config: ConnectConfig, given: Mapping[str, Any]) -> list[RejectLog]:
    """Returns the hooks that log. A class that none of the library's converters has is put into the report itself."""
    logs = [log for log in make_reject_log(config, given["task"]) if isinstance(log, RejectLog)]
    reporter = FailureReporter(
        given["connector"],
        given["task"],
        key_converter=given["class"],
        value_converter=given["class"],
        transformation=given["class"],
    )
    return [attrs.evolve(log, reporter=reporter) for log in logs]


def _converter(given: Mapping[str, Any]) -> dict[str, str]:
    """Returns the property that sets the converter class, if the class is a converter."""
    of_stage = {"KEY_CONVERTER": "key.converter", "VALUE_CONVERTER": "value.converter"}.get(given["stage"])
    return {} if of_stage is None else {of_stage: given["class"]}


def _dead_letters(config: ConnectConfig, rejects: list[Reject], task: int) -> list[Any]:
    """Returns the records that a broker gets when these letters are sent as the configuration says."""
    with EmbeddedBroker(auto_create_topics=False) as broker:
        plan = DeadLetterPlan.of(config, WorkerConfig(bootstrap_servers=broker.bootstrap))
        if plan is None:
            return []
        queue = plan.queue(config, task)
        try:
            sendings = [queue.send(reject) for reject in rejects]
            wait_until(lambda: all(sending.done() for sending in sendings), "the dead letters")
        finally:
            queue.close(5)
        return read(broker.bootstrap, plan.topic, len(rejects))


def _known_stage(given: Mapping[str, Any]) -> Stage:
    """Returns the library's stage for Connect's name.

    Raises:
        NotApplicableError: records don't fail there.
    """
    stage = _stage(ConnectStage(given["stage"]))
    if stage is None:
        raise NotApplicableError(f"records don't fail at {given['stage']}")
    return stage


def _stage(connect_stage: ConnectStage) -> Stage | None:
    return next((stage for stage in Stage if ConnectStage.of(stage) is connect_stage), None)


def _bytes(value: Any) -> bytes:
    known = plain(value)
    return known if isinstance(known, bytes) else str(known).encode()
