"""Outages of the store and of the schema registry are logged when they begin, once in a while meanwhile, and when they end."""

from __future__ import annotations

import datetime
import logging

import pytest

from kafka2parquet.errors import SchemaRegistryUnavailableError, StorageUnavailableError
from kafka2parquet.events import ConverterRetried, StorageRetried
from kafka2parquet.records import TopicPartition
from kafka2parquet.task.outages import OutageLog

LOGGER = "kafka2parquet.task.outages"
BEGIN = datetime.datetime(2026, 5, 17, 10, tzinfo=datetime.timezone.utc)
ONE, TWO = TopicPartition("events", 1), TopicPartition("events", 2)


def at(seconds: float) -> datetime.datetime:
    return BEGIN + datetime.timedelta(seconds=seconds)


def store_failed(topic_partition: TopicPartition, seconds: float) -> StorageRetried:
    return StorageRetried(topic_partition, StorageUnavailableError("the store is down"), 3, 5.0, at=at(seconds))


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


def test_an_outage_of_half_an_hour_takes_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    """The first failed attempt is a warning, then one after each pause; what other topic-partitions try is for debugging."""
    caplog.set_level(logging.DEBUG, logger=LOGGER)
    log = OutageLog()
    for seconds in range(0, 1800, 5):
        log.failed(store_failed(ONE if seconds % 2 else TWO, seconds))
        log.look({ONE: "storage", TWO: "storage"}, at(seconds))
    warned = [
        (record.event.at - BEGIN).total_seconds()  # type: ignore[attr-defined]  # a field that the log adds
        for record in caplog.records
        if record.levelno == logging.WARNING
    ]
    assert [0, 60, 180, 420, 900, 1500] == warned
    assert 360 - 6 == len(lines(caplog, logging.DEBUG))
    assert "events-2: attempt 3 failed, next in 5.0 s: the store is down" == lines(caplog, logging.WARNING)[0]
    assert [] == lines(caplog, logging.INFO)


def test_the_end_is_logged_when_nobody_waits(caplog: pytest.LogCaptureFixture) -> None:
    """The last topic-partition that gets an answer ends the outage, and the next failure begins another one."""
    caplog.set_level(logging.INFO, logger=LOGGER)
    log = OutageLog()
    log.failed(store_failed(ONE, 0))
    log.failed(store_failed(TWO, 1))
    log.look({ONE: None, TWO: "storage"}, at(2))
    assert [] == lines(caplog, logging.INFO)
    log.look({ONE: None, TWO: None}, at(12.5))
    assert ["The store answers again, after 12.5 s."] == lines(caplog, logging.INFO)
    assert log.is_quiet
    log.failed(store_failed(ONE, 13))
    assert 2 == len(lines(caplog, logging.WARNING))


def test_topic_partitions_that_leave_say_nothing_about_the_store(caplog: pytest.LogCaptureFixture) -> None:
    """If all that waited have gone to another task, this task doesn't know whether the store answers."""
    caplog.set_level(logging.INFO, logger=LOGGER)
    log = OutageLog()
    log.failed(store_failed(ONE, 0))
    log.look({TWO: None}, at(1))
    assert log.is_quiet
    assert [] == lines(caplog, logging.INFO)


def test_the_registry_has_an_outage_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """Outages of the store and of the registry are logged one beside the other; a contract comes from the store."""
    caplog.set_level(logging.INFO, logger=LOGGER)
    log = OutageLog()
    log.failed(store_failed(ONE, 0))
    log.failed(ConverterRetried(TWO, SchemaRegistryUnavailableError("the registry is down"), 1, 1.0, at=at(0)))
    log.failed(ConverterRetried(TWO, StorageUnavailableError("the store is down"), 1, 1.0, at=at(1)))
    assert 2 == len(lines(caplog, logging.WARNING))
    log.look({ONE: "storage", TWO: None}, at(3))
    assert ["The schema registry answers again, after 3.0 s."] == lines(caplog, logging.INFO)


def test_a_topic_partition_that_waits_for_both(caplog: pytest.LogCaptureFixture) -> None:
    """While a topic-partition waits for the store and for the registry in turns, neither is said to answer again."""
    caplog.set_level(logging.INFO, logger=LOGGER)
    log = OutageLog()
    for seconds in range(0, 20, 2):
        log.failed(store_failed(ONE, seconds))
        log.look({ONE: "storage"}, at(seconds))
        log.failed(ConverterRetried(ONE, SchemaRegistryUnavailableError("the registry is down"), 1, 1.0, at=at(seconds + 1)))
        log.look({ONE: "registry"}, at(seconds + 1))
    assert (2, []) == (len(lines(caplog, logging.WARNING)), lines(caplog, logging.INFO))
    log.look({ONE: None}, at(30))
    assert 2 == len(lines(caplog, logging.INFO))
