import logging
from typing import Any

import pytest

from kafka2parquet.cli.log_filter import CONNECTIONS, BrokerOutages, WithoutRepeats


def _record(name: Any, text: Any, at_s: Any) -> Any:
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, "Topic %s not found", (text,), None)
    record.created = at_s
    return record


def test_repeats_are_left_out_for_a_while() -> None:
    """A text is logged again when the pause is over."""
    without = WithoutRepeats("kafka", pause_s=60)
    assert [True, False, False, True] == [without.filter(_record("kafka.cluster", "a", at)) for at in (0, 0.1, 59, 60)]


def test_other_texts_are_logged() -> None:
    """A text that differs in any word is logged."""
    without = WithoutRepeats("kafka")
    assert [True, True] == [without.filter(_record("kafka.cluster", topic, 0)) for topic in ("a", "b")]


def test_lines_of_others_are_not_touched() -> None:
    """A logger whose name only begins like the library's is not filtered."""
    without = WithoutRepeats("kafka")
    assert [True, True] == [without.filter(_record("kafka2parquet.runner", "a", 0)) for _ in range(2)]


def test_memory_is_bounded() -> None:
    """The number of remembered texts is bounded, because there may be any number."""
    without = WithoutRepeats("kafka", pause_s=60)
    assert all(without.filter(_record("kafka", "x" * number, 0)) for number in range(3000))


def test_texts_that_differ_in_numbers_are_one() -> None:
    """Texts that differ only in numbers, such as pauses and attempts, count as one."""
    without = WithoutRepeats("kafka", pause_s=60)
    assert [True, False, False] == [without.filter(_record("kafka.x", f"backoff {pause} secs", 0)) for pause in (0.1, 0.33, 2)]


def test_texts_that_differ_in_addresses_are_one() -> None:
    """Texts that differ only in the address of an object count as one."""
    without = WithoutRepeats("kafka", pause_s=60)
    assert [True, False] == [
        without.filter(_record("kafka.x", f"<Task at {at}>", 0)) for at in ("0x7f5c74103b90", "0x7f5c4da8")
    ]


def _line(text: Any, at_s: Any, *, logger: Any = "kafka.net.manager", level: Any = logging.ERROR, arguments: Any = ()) -> Any:
    record = logging.LogRecord(logger, level, __file__, 1, text, arguments, None)
    record.created = at_s
    return record


def _connected(at_s: Any) -> Any:
    return _line("%s: Connected", at_s, logger=CONNECTIONS, level=logging.INFO, arguments=("<conn>",))


LOST = (
    "<KafkaTCPTransport>: socket disconnected",
    "<KafkaConnection node_id=1>: Connection lost: KafkaConnectionError: 111 ECONNREFUSED",
    "Bootstrap connection to bootstrap-0 failed: KafkaConnectionError: 111 ECONNREFUSED (backoff 0.10 secs)",
    "Bootstrap bootstrap-0 not ready; waiting 0.10 secs",
    "No node available for metadata refresh - backoff/retry",
)


def test_a_broker_that_is_down_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """The line is repeated with growing pauses, until a broker is reached."""
    outages = BrokerOutages()
    caplog.set_level(logging.INFO)
    shown = [outages.filter(_line(LOST[second % len(LOST)], 1.0 + second)) for second in range(1000)]
    outages.filter(_connected(1001.0))
    outages.filter(_connected(1002.0))

    assert not any(shown)
    said = [record.getMessage() for record in caplog.records]
    assert "A Kafka broker can't be reached. The client retries with growing pauses; nothing is lost." == said[0]
    assert [" for 60 s now", " for 180 s now", " for 420 s now", " for 900 s now"] == [
        line.removeprefix("A Kafka broker can't be reached").split(" (")[0].split(".")[0] for line in said[1:-1]
    ]
    assert "A Kafka broker is reached again, after 1000 s." == said[-1]


def test_the_reason_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The line has the reason, if the client's line has one."""
    BrokerOutages().filter(_line(LOST[2], 1))
    assert caplog.messages[0].startswith("A Kafka broker can't be reached (111 ECONNREFUSED). ")


def test_a_later_outage_is_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    """An outage is logged again when enough time has passed without one."""
    outages = BrokerOutages()
    for at_s in (0, 30, 700, 1400):
        outages.filter(_line(LOST[0], at_s))
    assert 3 == len(caplog.records)


def test_connections_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """New connections are logged only after an outage."""
    caplog.set_level(logging.INFO)
    assert not BrokerOutages().filter(_connected(0))
    assert [] == caplog.records


def test_other_lines_stay() -> None:
    """Lines about other subjects, and lines of other loggers, stay."""
    outages = BrokerOutages()
    assert outages.filter(_line("Topic x not found", 0))
    assert outages.filter(_line("KafkaConnectionError", 0, logger="kafka2parquet.task"))
    assert not outages.filter(_line("No partition metadata for topic x", 0))
    assert not outages.filter(_line("Unhandled Heartbeat loop error: NetworkSelector closed!", 0))
    assert not outages.filter(
        _line("Task <Task> ran for 0.105s (>0.100s threshold). It is blocking the event loop -- likely", 0)
    )
