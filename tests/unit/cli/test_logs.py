"""The log of the command line as JSON."""

from __future__ import annotations

import datetime
import json
import logging
import sys
from typing import Any

import attrs
import pytest

from kafka2parquet.cli.logs import JsonFormatter, log_event
from kafka2parquet.events import Event, FilePublished, RecordRejected, StorageRetried
from kafka2parquet.records import Reject, Stage, TopicPartition
from kafka2parquet.util.secrets import Secrets

ORDERS = TopicPartition("orders", 3)
PUBLISHED = FilePublished(ORDERS, "orders/hour=11/a.parquet", rows=10, size_bytes=2048, is_anchor=True, created=True)


def _record(message: str, *arguments: object, event: Event | None = None) -> logging.LogRecord:
    record = logging.LogRecord("kafka2parquet.x", logging.WARNING, __file__, 1, message, arguments, None)
    record.created = 1_769_866_620.25
    record.threadName = "main"
    if event is not None:
        record.event = event
    return record


def _line(record: logging.LogRecord, secrets: Secrets | None = None) -> Any:
    formatter = JsonFormatter()
    formatter.secrets = secrets or Secrets()
    line = formatter.format(record)
    assert "\n" not in line
    return json.loads(line)


def test_members() -> None:
    """A line has time, level, logger, thread and message."""
    assert {
        "time": "2026-01-31T13:37:00.250Z",
        "level": "WARNING",
        "logger": "kafka2parquet.x",
        "thread": "main",
        "message": "a\nb 1",
    } == _line(_record("a\nb %d", 1))


def test_event_has_its_fields() -> None:
    """The fields of an event are members of their own; its topic-partition is two."""
    found = _line(_record("published", event=PUBLISHED))
    assert {
        "event": "FilePublished",
        "topic": "orders",
        "partition": 3,
        "key": PUBLISHED.key,
        "rows": 10,
    }.items() <= found.items()
    failed = _line(_record("retry", event=StorageRetried(ORDERS, OSError("503"), attempt=2, retry_in_s=1.5)))
    assert {"error": "OSError: 503", "attempt": 2, "retry_in_s": 1.5}.items() <= failed.items()


def test_times_and_durations_of_events() -> None:
    """A time is ISO 8601 in UTC, and a mapping of durations is an object."""

    @attrs.frozen
    class Finished(Event):
        at: datetime.datetime
        steps_s: dict[str, float]

    at = datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc)
    found = _line(_record("x", event=Finished(ORDERS, at, {"stage": 0.5})))
    assert ("2026-01-31T00:00:00.000Z", {"stage": 0.5}) == (found["at"], found["steps_s"])


def test_traceback_is_one_member() -> None:
    """An exception's traceback is in the same line."""
    record = _record("failed")
    try:
        raise ValueError("no")
    except ValueError:
        record.exc_info = sys.exc_info()
    assert _line(record)["exception"].endswith("ValueError: no")


def test_secrets_are_hidden() -> None:
    """Secrets are hidden in messages, tracebacks and fields of events, and the line stays valid JSON."""
    secrets = Secrets({"Zsecret": "[hidden]"})
    record = _record('password="%s" and {"token": "%s"}', "Zsecret", "x", event=attrs.evolve(PUBLISHED, key="a/Zsecret/b"))
    record.exc_text = None
    found = _line(record, secrets)
    assert "Zsecret" not in json.dumps(found)
    assert "a/[hidden]/b" == found["key"]
    assert found["message"].startswith("password=")


def test_events_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """The hook logs events, but not those that a task logs itself; a rejected record's payload is never logged."""
    caplog.set_level(logging.INFO)
    reject = Reject(ORDERS, 7, Stage.DECODE, "no", key=b"k", value=b"payload")
    for event in (PUBLISHED, RecordRejected(ORDERS, reject), StorageRetried(ORDERS, OSError("503"), 1, 1.0)):
        log_event(event)
    assert ["orders-3: FilePublished"] == caplog.messages
    assert "FilePublished" == json.loads(JsonFormatter().format(caplog.records[0]))["event"]
