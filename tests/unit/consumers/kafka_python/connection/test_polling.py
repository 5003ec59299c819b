"""A kafka-python that makes ordinary records is noticed, and the records become the same columns."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import confluent_kafka
import pytest

from kafka2parquet.consumers.base import PartitionFailed
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.errors import CorruptRecordBatchError
from kafka2parquet.records import TopicPartition
from kafka2parquet.testing import EmbeddedBroker
from kafka2parquet.testing.broker.record_batches import build_batches
from kafka2parquet.testing.contracts.consumer import Reader
from tests.support.kafka_clients import python_producer
from tests.support.kafka_consumers import Consumers
from tests.support.other_kafka_python import OTHER_VERSIONS, looks_elsewhere

TOPIC = "topic"
_POLLING = "kafka2parquet.consumers.kafka_python.connection.polling"


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(auto_create_topics=False) as broker:
        broker.create_topic(TOPIC)
        yield broker


def fill_with_all_kinds(broker: EmbeddedBroker) -> int:
    """Codecs, headers, tombstones, records without key and time, markers, aborted records, a hole; returns the end."""
    for codec in ("gzip", "snappy", "lz4", "zstd", None):
        with python_producer(broker.bootstrap, compression_type=codec) as producer:
            for number in range(30):
                headers = [("h", b"%d" % number), ("h", b"again"), ("é", b"")] if number % 3 else []
                value = None if number == 7 else b"v" * number
                producer.send(TOPIC, value, b"key" if number % 2 else None, headers, timestamp_ms=number)
    broker.append_values(TOPIC, 0, [b"no time"], [-1])
    java_like = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap})
    java_like.produce(TOPIC, b"null header", partition=0, headers=[("h", None)])
    assert 0 == java_like.flush(30)
    with python_producer(broker.bootstrap, transactional_id="transactions") as producer:
        producer.init_transactions()
        for aborted in (True, False, True):
            producer.begin_transaction()
            producer.send(TOPIC, b"aborted" if aborted else b"committed", partition=0)
            producer.flush()
            (producer.abort_transaction if aborted else producer.commit_transaction)()
    broker.leave_gap(TOPIC, 0, 40)
    broker.append_values(TOPIC, 0, [b"last"], [1])
    with python_producer(broker.bootstrap, transactional_id="transactions") as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(TOPIC, b"aborted", partition=0)
        producer.flush()
        producer.abort_transaction()
    return broker.log_end(TOPIC, 0)


def columns(reader: Reader) -> dict[str, list[Any]]:
    names = ("offsets", "timestamps_ms", "timestamp_types", "keys", "values", "headers")
    return {name: [value for batch in reader.batches for value in getattr(batch, name).to_pylist()] for name in names}


def read_all(broker: EmbeddedBroker, group: str, end: int) -> Reader:
    with Consumers(broker.bootstrap) as consumers:
        reader = Reader(consumers.consumer(group, TOPIC))
        reader.poll_until(lambda: reader.batches and reader.batches[-1].next_offset == end)
    bounds = [0, *(batch.next_offset for batch in reader.batches)]
    assert bounds[:-1] == [batch.first_offset for batch in reader.batches]
    return reader


def _more_failures(reader: Reader, seen: int) -> Callable[[], bool]:
    """Return a condition: the reader has seen more failures of partitions than `seen`."""
    return lambda: len(reader.events_of(PartitionFailed)) > seen


@pytest.mark.parametrize("other_version", OTHER_VERSIONS)
def test_ordinary_records_become_the_same_columns(
    broker: EmbeddedBroker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    other_version: Callable[[pytest.MonkeyPatch], None],
) -> None:
    """Batches cover the log without gaps, markers and aborted records at its end included; one warning is logged."""
    end = fill_with_all_kinds(broker)
    with caplog.at_level(logging.WARNING, _POLLING):
        expected = columns(read_all(broker, "columns", end))
        assert [] == [record for record in caplog.records if record.name == _POLLING]
        other_version(monkeypatch)
        assert expected == columns(read_all(broker, "records", end))
    (warning,) = (record for record in caplog.records if record.name == _POLLING)
    assert "one by one" in warning.getMessage()


def test_a_corrupt_batch_fails_its_partition(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A corrupt batch fails the partition at each start before it; a start behind it continues."""
    looks_elsewhere(monkeypatch)
    broker.append_values(TOPIC, 0, [b"good"] * 10, [0] * 10)
    good = b"".join(build_batches([b"broken"] * 3, [0] * 3))
    broker.append(TOPIC, 0, good[:-1] + bytes([good[-1] ^ 1]), check_crc=False)
    broker.append_values(TOPIC, 0, [b"good"] * 10, [0] * 10)
    with Consumers(broker.bootstrap) as consumers:
        reader = Reader(consumers.consumer("group", TOPIC))
        for start in (None, 10, 5):
            seen = len(reader.events_of(PartitionFailed))
            if start is not None:
                reader.consumer.start(reader.assignment, start)
            reader.poll_until(_more_failures(reader, seen))
            failed = reader.events_of(PartitionFailed)[-1]
            assert isinstance(failed, PartitionFailed)
            assert isinstance(failed.error, CorruptRecordBatchError)
            assert (TOPIC, 0, 10) == (failed.error.topic, failed.error.partition, failed.error.offset)
        assert [*range(10), *range(5, 10)] == reader.offsets()
        reader.consumer.start(reader.assignment, 13)
        reader.poll_until(lambda: reader.offsets()[-1] == 22)


def test_a_log_reader_reads_ordinary_records(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log reader reads ordinary records to the end of the log, whatever it contains."""
    looks_elsewhere(monkeypatch)
    end = fill_with_all_kinds(broker)
    with LogReader(broker.bootstrap, "group", {}) as log:
        batches = list(log.read(TopicPartition(TOPIC, 0), 0, end))
    assert end == batches[-1].next_offset
    assert b"last" == [value for batch in batches for value in batch.values.to_pylist()][-1]
