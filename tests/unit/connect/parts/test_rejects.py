"""`errors.*` and `kafka2parquet.reject.*` become parts, findings and sentences."""

from typing import Any

import pytest

from kafka2parquet.backoff import ConverterRetry
from kafka2parquet.connect.describe import describe
from kafka2parquet.connect.load import load_connect_config, validate
from kafka2parquet.connect.parts.rejects import (
    DeadLetterPlan,
    describe_rejects,
    make_converter_retry,
    make_reject_limit,
    make_reject_log,
    make_reporter,
    make_tolerance,
)
from kafka2parquet.connect.text import read_properties
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.dead_letters.connect_report import FailureReporter
from kafka2parquet.dead_letters.log import RejectLog
from kafka2parquet.dead_letters.reject_limit import RejectLimit
from kafka2parquet.dead_letters.tolerance import Tolerance
from kafka2parquet.errors import ConfigurationError
from tests.support.connect_story import STORY

_WORKER = WorkerConfig(bootstrap_servers="a:1,b:2")
_NAME = "s3-sink-my-topic-parquet-hourly"
_TOPIC = "errors.deadletterqueue.topic.name"
_ALL = {"errors.tolerance": "all"}


def _properties(given: Any) -> Any:
    return {**read_properties(STORY).values, **given}


def _config(given: Any) -> Any:
    return load_connect_config(_properties(given))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Tolerance(everything=False, has_reporter=False)),
        (_ALL, Tolerance(everything=True, has_reporter=False)),
        ({**_ALL, _TOPIC: "d"}, Tolerance(everything=True, has_reporter=True)),
        ({**_ALL, "errors.log.enable": "true"}, Tolerance(everything=True, has_reporter=True)),
        ({**_ALL, "kafka2parquet.quarantine": "true"}, Tolerance(everything=True, has_reporter=True)),
    ],
)
def test_tolerance(given: Any, expected: Any) -> None:
    """A topic, the log and the quarantine each report rejects."""
    assert expected == make_tolerance(_config(given))


def test_no_log_without_being_asked_for() -> None:
    """Rejects are not logged by default, as in Connect."""
    assert () == make_reject_log(_config({}), 0)


def test_log() -> None:
    """The log has connector, task and converters with their full names."""
    config = _config({"errors.log.enable": "true", "errors.log.include.messages": "true", "value.converter": "JsonConverter"})
    string, json = "org.apache.kafka.connect.storage.StringConverter", "org.apache.kafka.connect.json.JsonConverter"
    reporter = FailureReporter(_NAME, 3, key_converter=string, value_converter=json)
    assert (RejectLog(reporter, with_records=True),) == make_reject_log(config, 3)


def test_class_of_a_user_keeps_its_name() -> None:
    """Connect doesn't have an alias for the class of a user."""
    name = "kafka2parquet.converters.string:StringConverter"
    assert name == make_reporter(_config({"value.converter": name}), 0).value_converter


@pytest.mark.parametrize(("given", "timeout_s"), [("0", None), ("-1", None), ("6000", 6.0)])
def test_retries(given: str, timeout_s: float | None) -> None:
    """Unlike Connect, whose default would skip records, the sink waits while the registry is down."""
    config = _config({"errors.retry.timeout": given, "errors.retry.delay.max.ms": "1000"})
    assert ConverterRetry(timeout_s, 1.0) == make_converter_retry(config)


def test_no_limit_by_default() -> None:
    """The default share of 1 means no limit."""
    assert make_reject_limit(_config({})) is None


def test_limit() -> None:
    """The limit has a share and a window."""
    given = {"kafka2parquet.reject.limit.share": "0.05", "kafka2parquet.reject.limit.window.rows": "500"}
    assert RejectLimit(0.05, 500) == make_reject_limit(_config(given))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("5%", "Not a number of type DOUBLE"),
        ("1.5", "Value must be no more than 1"),
        ("-0.1", "Value must be at least 0"),
        ("nan", "Value must be at least 0"),
    ],
)
def test_share_has_to_be_a_share(text: str, rule: str) -> None:
    """A percentage is refused, and not interpreted as something else."""
    with pytest.raises(ConfigurationError, match=f"Invalid value {text} for configuration .*share: {rule}"):
        _config({"kafka2parquet.reject.limit.share": text})


def test_no_dead_letters_without_a_topic() -> None:
    """Dead letters are off by default, as in Connect."""
    assert DeadLetterPlan.of(_config({}), _WORKER) is None


def test_dead_letters() -> None:
    """Topic and clients are known before any connection, and settings without effect are noted."""
    given = {_TOPIC: "d", "producer.override.acks": "1", "admin.override.client.id": "me"}
    plan = DeadLetterPlan.of(_config(given), _WORKER)
    assert plan is not None
    assert ("d", ("a:1", "b:2"), {"client_id": "me"}) == (
        plan.topic,
        plan.producer.bootstrap_servers,
        plan.admin.client_settings,
    )
    assert (
        "Producer setting producer.override.acks has no effect: a dead letter has arrived when all in-sync replicas have it.",
    ) == tuple(map(str, plan.notes))


def test_settings_of_both_clients_are_checked_at_once() -> None:
    """The error lists the problems of both clients."""
    given = {_TOPIC: "d", "producer.override.linger.ms": "x", "admin.override.request.timeout.ms": "y"}
    with pytest.raises(ConfigurationError) as caught:
        DeadLetterPlan.of(_config(given), _WORKER)
    assert (
        "Invalid value x for configuration producer.override.linger.ms: Not a number of type LONG.",
        "Invalid value y for configuration admin.override.request.timeout.ms: Not a number of type INT.",
    ) == caught.value.problems


@pytest.mark.parametrize(
    ("given", "place"),
    [({}, "'topics=your-source-topic-name'"), ({"topics": "", "topics.regex": "your-.*"}, r"'topics\.regex=your-\.\*'")],
)
def test_dead_letter_topic_must_not_be_read(given: dict[str, Any], place: str) -> None:
    """The topic is refused, because the task would read its own rejects forever."""
    given = {name: text for name, text in _properties({**given, _TOPIC: "your-source-topic-name"}).items() if text}
    validation = validate(given)
    assert not validation.is_valid
    with pytest.raises(ConfigurationError, match=rf"{place}\) consumed by the connector"):
        load_connect_config(given)


@pytest.mark.parametrize(
    ("given", "warning"),
    [
        (
            {"errors.deadletterqueue.context.headers.enable": "true"},
            f"errors.deadletterqueue.context.headers.enable has no effect: {_TOPIC} is not set.",
        ),
        ({"producer.override.linger.ms": "5"}, f"producer.override.linger.ms has no effect: {_TOPIC} is not set."),
        (
            {"errors.log.include.messages": "true"},
            "errors.log.include.messages has no effect: errors.log.enable is not true.",
        ),
    ],
)
def test_settings_without_what_they_belong_to(given: dict[str, str], warning: str) -> None:
    """Such settings have warnings, because they are probably mistakes."""
    assert warning in map(str, _config(given).warnings)


@pytest.mark.parametrize(
    ("given", "sentences"),
    [
        ({}, ["A record that can't be read or written ends the task with an error; nothing is lost."]),
        (
            {_TOPIC: "d"},
            [
                "A record that can't be read or written ends the task with an error; nothing is lost. It is sent to the topic d"
                " (at least once)."
            ],
        ),
        (
            _ALL,
            [
                "A record that can't be read is left out, and not kept anywhere.",
                "A record that can be read but not written ends the task, as in Connect, because nothing would report it.",
            ],
        ),
        (
            {
                **_ALL,
                _TOPIC: "d",
                "kafka2parquet.quarantine": "true",
                "errors.log.enable": "true",
                "kafka2parquet.reject.limit.share": "0.05",
            },
            [
                "A record that can't be read or written is left out. It is sent to the topic d (at least once). It is written"
                " to Parquet files under raw/kafka-source/_kafka2parquet (exactly once). It is logged.",
                "More than 5 % of the last 10,000 records of a topic-partition end the task.",
            ],
        ),
    ],
)
def test_sentences(given: Any, sentences: list[str]) -> None:
    """`check` describes the treatment of bad records."""
    config = _config(given)
    assert sentences == list(describe_rejects(config))
    assert "\n".join(sentences) in describe(config, _WORKER).text
