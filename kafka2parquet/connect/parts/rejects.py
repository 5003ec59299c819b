"""Makes the parts that handle bad records, from `errors.*` and `kafka2parquet.reject.*`."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from kafka2parquet.backoff import ConverterRetry
from kafka2parquet.connect.clients.translation import ClientSettings
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.properties.converters import CONVERTERS, converter_name
from kafka2parquet.connect.properties.names import (
    ERRORS_LOG_INCLUDE_MESSAGES,
    ERRORS_TOLERANCE,
    KEY_CONVERTER,
    TOPICS_DIR,
    VALUE_CONVERTER,
)
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.dead_letters.connect_report import FailureReporter
from kafka2parquet.dead_letters.kafka_queue import KafkaDeadLetterQueue
from kafka2parquet.dead_letters.log import RejectLog
from kafka2parquet.dead_letters.reject_limit import RejectLimit
from kafka2parquet.dead_letters.tolerance import Tolerance
from kafka2parquet.errors import ConfigurationError, collecting
from kafka2parquet.events import Hook
from kafka2parquet.problems import Problem
from kafka2parquet.util.display import counted

_TOPIC = "errors.deadletterqueue.topic.name"


@attrs.frozen
class DeadLetterPlan:
    """The settings of dead letters, before a task is made.

    Attributes:
        topic: the topic that dead letters are sent to.
        producer: settings of the producers.
        admin: settings of the client that checks the topic, and creates it.
    """

    topic: str
    producer: ClientSettings
    admin: ClientSettings

    @classmethod
    def of(cls, config: ConnectConfig, worker: WorkerConfig) -> DeadLetterPlan | None:
        """Read the settings; None if no topic is named. Nothing is connected.

        Raises:
            ConfigurationError: settings of a client are wrong; all problems.
        """
        topic = config.text(_TOPIC)
        if not topic:
            return None
        problems: list[Problem] = []
        settings = []
        for make in (worker.producer_for, worker.admin_for):
            with collecting(problems):
                settings.append(make(config))
        if problems:
            raise ConfigurationError(problems)
        return cls(topic, *settings)

    @property
    def notes(self) -> tuple[Problem, ...]:
        """Notes about settings without effect."""
        return (*self.producer.notes, *self.admin.notes)

    def queue(self, config: ConnectConfig, task_index: int) -> KafkaDeadLetterQueue:
        """Make the queue of one task. Nothing is connected yet."""
        has_headers = config.flag("errors.deadletterqueue.context.headers.enable")
        return KafkaDeadLetterQueue(
            bootstrap_servers=self.producer.bootstrap_servers,
            topic=self.topic,
            reporter=make_reporter(config, task_index) if has_headers else None,
            replication_factor=config.number("errors.deadletterqueue.topic.replication.factor"),
            producer_settings={"client_id": f"connector-dlq-producer-{task_index}", **self.producer.client_settings},
            admin_settings={"bootstrap_servers": self.admin.bootstrap_servers, **self.admin.client_settings},
        )


def make_reporter(config: ConnectConfig, task_index: int) -> FailureReporter:
    """Make the reporter of this task's rejects."""
    return FailureReporter(
        config.name,
        task_index,
        key_converter=_class_name(config.text(KEY_CONVERTER)),
        value_converter=_class_name(config.text(VALUE_CONVERTER)),
    )


def _class_name(name: str) -> str:
    """Return the full name of a converter's class, if the name is one of Connect's aliases."""
    return name if "." in name else CONVERTERS.get(f"{converter_name(name)}Converter", name)


def make_reject_log(config: ConnectConfig, task_index: int) -> tuple[Hook, ...]:
    """Make the hook that logs rejects; none if `errors.log.enable` is false."""
    if not config.flag("errors.log.enable"):
        return ()
    return (RejectLog(make_reporter(config, task_index), with_records=config.flag(ERRORS_LOG_INCLUDE_MESSAGES)),)


def make_tolerance(config: ConnectConfig) -> Tolerance:
    """Make the rule that decides which rejects end the task."""
    return Tolerance(everything=config.text(ERRORS_TOLERANCE) == "all", has_reporter=bool(reporters(config)))


def reporters(config: ConnectConfig) -> tuple[str, ...]:
    """Return the properties by which rejects are kept or reported."""
    return tuple(
        name
        for name, is_on in (
            (_TOPIC, bool(config.text(_TOPIC))),
            ("kafka2parquet.quarantine", config.flag("kafka2parquet.quarantine")),
            ("errors.log.enable", config.flag("errors.log.enable")),
        )
        if is_on
    )


def make_reject_limit(config: ConnectConfig) -> RejectLimit | None:
    """Make the limit of rejects; None for no limit."""
    share = config.fraction("kafka2parquet.reject.limit.share")
    return None if share >= 1 else RejectLimit(share, config.number("kafka2parquet.reject.limit.window.rows"))


def make_converter_retry(config: ConnectConfig) -> ConverterRetry:
    """Make the pauses while a schema registry is down.

    Connect's default is not to wait, which would skip the records. With this default the sink waits without limit.
    """
    timeout_ms = config.number("errors.retry.timeout")
    longest_ms = config.number("errors.retry.delay.max.ms")
    return ConverterRetry(timeout_ms / 1000 if timeout_ms > 0 else None, longest_ms / 1000)


def describe_rejects(config: ConnectConfig) -> Iterator[str]:
    """Describe in sentences what happens to a record that can't be read or written."""
    tolerance = make_tolerance(config)
    kept = " ".join(f"It is {sentence}." for sentence in _kept(config))
    if not tolerance.everything:
        yield f"A record that can't be read or written ends the task with an error; nothing is lost.{kept and ' ' + kept}"
        return
    if tolerance.has_reporter:
        yield f"A record that can't be read or written is left out. {kept}"
    else:
        yield "A record that can't be read is left out, and not kept anywhere."
        yield "A record that can be read but not written ends the task, as in Connect, because nothing would report it."
    limit = make_reject_limit(config)
    if limit is not None:
        records = counted(limit.window_rows, "record")
        yield f"More than {limit.share * 100:g} % of the last {records} of a topic-partition end the task."


def _kept(config: ConnectConfig) -> Iterator[str]:
    where = reporters(config)
    if _TOPIC in where:
        yield f"sent to the topic {config.text(_TOPIC)} (at least once)"
    if "kafka2parquet.quarantine" in where:
        yield f"written to Parquet files under {config.text(TOPICS_DIR)}/_kafka2parquet (exactly once)"
    if "errors.log.enable" in where:
        yield "logged"
