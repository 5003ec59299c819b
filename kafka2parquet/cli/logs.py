"""Where the command line's log goes: to stderr, as text for people or as JSON for programs."""

from __future__ import annotations

import datetime
import json
import logging
from typing import Any, Literal, Protocol

import attrs

from kafka2parquet.cli.log_filter import CONNECTIONS, BrokerOutages, WithoutRepeats
from kafka2parquet.cli.terminal import PrintableFormatter
from kafka2parquet.clock import utc_text
from kafka2parquet.events import ConverterRetried, Event, RecordRejected, StorageRetried, TaggingFailed
from kafka2parquet.util.secrets import Secrets

LogFormat = Literal["text", "json"]
_LOG = logging.getLogger(__name__)
_LOGGED_ELSEWHERE = (RecordRejected, StorageRetried, ConverterRetried, TaggingFailed)
_TEXT = "%(asctime)s %(levelname)s %(threadName)s %(message)s"


class HidingFormatter(Protocol):
    """A formatter that hides secrets."""

    secrets: Secrets


class JsonFormatter(logging.Formatter):
    """Formats log records as JSON objects, one on each line.

    Members are `time` (ISO 8601 in UTC), `level`, `logger`, `thread`, `message`, and `exception` if there is one. If the record
    has an attribute `event`, members for the event's class (`event`) and for each of its fields follow; its topic-partition is
    `topic` and `partition`.

    Attributes:
        secrets: texts that no member may show.
    """

    secrets = Secrets()

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line."""
        members: dict[str, object] = {
            "time": utc_text(datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)),
            "level": record.levelname,
            "logger": record.name,
            "thread": record.threadName,
            "message": record.getMessage(),
        }
        event = getattr(record, "event", None)
        if event is not None:
            members |= {"event": type(event).__name__, **_fields(event)}
        if record.exc_info:
            members["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: self._hidden(value) for name, value in members.items()})

    def _hidden(self, value: object) -> object:
        """Hide secrets in texts before they become JSON, because a replacement in JSON could break its syntax."""
        if isinstance(value, str):
            return self.secrets.hide(value)
        if isinstance(value, dict):
            return {name: self._hidden(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._hidden(each) for each in value]
        return value


def log_to_stderr(
    *, verbose: bool = False, log_format: LogFormat = "text", text: str = _TEXT, level: int = logging.INFO
) -> HidingFormatter:
    """Send the log to stderr, and return the formatter, which takes the configuration's secrets later.

    Args:
        verbose: whether to log details, including the Kafka client's.
        log_format: lines of text, or a JSON object per line.
        text: format of the lines of text.
        level: the least level of this library's lines that are logged, unless `verbose` is set.
    """
    handler = logging.StreamHandler()
    if not verbose:
        handler.addFilter(BrokerOutages())
        handler.addFilter(WithoutRepeats("kafka"))
        logging.getLogger(CONNECTIONS).setLevel(logging.INFO)
    formatter = JsonFormatter() if log_format == "json" else PrintableFormatter(text)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("kafka2parquet").setLevel(logging.DEBUG if verbose else level)
    if verbose:
        logging.getLogger("kafka").setLevel(logging.INFO)
    return formatter


def log_event(event: Event) -> None:
    """Log an event with its fields, for a log in JSON. This is a hook.

    Events that a task logs itself are left out: failures that it survives, and rejected records, whose log is limited and never
    shows a payload.
    """
    if not isinstance(event, _LOGGED_ELSEWHERE):
        _LOG.info("%s: %s", event.topic_partition, type(event).__name__, extra={"event": event})


def _fields(event: Any) -> dict[str, object]:
    """Return the fields of an event as values that `json.dumps` takes."""
    found: dict[str, object] = {}
    for name, value in attrs.asdict(event, recurse=False).items():
        if name == "topic_partition":
            found |= {"topic": value.topic, "partition": value.partition}
        else:
            found[name] = _plain(value)
    return found


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime.datetime):
        return utc_text(value)
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value)
