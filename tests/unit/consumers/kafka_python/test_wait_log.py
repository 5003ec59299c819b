"""What is waited for is said: not at once, not too often, and again the next time."""

from __future__ import annotations

import logging

import pytest

from kafka2parquet.consumers.kafka_python.wait_log import WaitLog


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(waiting: WaitLog, clock: Clock, seconds: int) -> None:
    """Record a failed attempt in each of `seconds` seconds."""
    for _ in range(seconds):
        clock.now += 1
        waiting.failed(TimeoutError("no answer"))


def test_short_waits_are_not_logged(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Any number of waits shorter than five seconds logs nothing."""
    waiting = WaitLog("answer", "Is it up?", clock)
    with caplog.at_level(logging.INFO):
        for _ in range(10):
            fail(waiting, clock, 4)
            waiting.succeeded()
    assert [] == caplog.messages


def test_long_waits_are_logged_once_a_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """A long wait logs its purpose, duration, last error and advice once a minute, and then its end."""
    waiting = WaitLog("answer", "Is it up?", clock)
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            waiting.begin()
            fail(waiting, clock, 130)
            waiting.succeeded()
    logged = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert logged[:4] == logged[4:]
    assert ["WARNING", "WARNING", "WARNING", "INFO"] == [level for level, _ in logged[:4]]
    assert (
        "Waiting for Kafka to answer, for 5 s so far; still trying, and nothing is lost or written twice. The last attempt"
        " failed with TimeoutError('no answer'). Is it up?"
    ) == logged[0][1]
    assert "No longer waiting for Kafka to answer; that took 130 s." == logged[3][1]
