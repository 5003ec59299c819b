"""What is waited for is said: not at once, not too often, and again the next time."""

from __future__ import annotations

import logging

import pytest

from kafka2parquet.consumers.kafka_python.waiting import Waiting


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(waiting: Waiting, clock: Clock, seconds: int) -> None:
    """An attempt that fails each second."""
    for _ in range(seconds):
        clock.now += 1
        waiting.failed(TimeoutError("no answer"))


def test_short_waits_are_not_worth_a_word(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """However many there are."""
    waiting = Waiting("answer", "Is it up?", clock)
    with caplog.at_level(logging.INFO):
        for _ in range(10):
            fail(waiting, clock, 4)
            waiting.succeeded()
    assert [] == caplog.messages


def test_long_waits_are_told_once_a_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """With what is waited for, how long, the last error and where to look; and when it is over."""
    waiting = Waiting("answer", "Is it up?", clock)
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            waiting.begin()
            fail(waiting, clock, 130)
            waiting.succeeded()
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert told[:4] == told[4:]
    assert ["WARNING", "WARNING", "WARNING", "INFO"] == [level for level, _ in told[:4]]
    assert (
        "Waiting for Kafka to answer, for 5 s so far; still trying, and nothing gets lost or written twice. The last attempt"
        " ended with TimeoutError('no answer'). Is it up?"
    ) == told[0][1]
    assert "Kafka did answer after 130 s." == told[3][1]
