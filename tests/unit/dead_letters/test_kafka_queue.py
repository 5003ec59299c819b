"""Dead letters into a broker of this process: what arrives, what is repeated, what is refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kafka2parquet.dead_letters.base import DeadLetterFuture
from kafka2parquet.dead_letters.connect_report import FailureReporter
from kafka2parquet.dead_letters.kafka_queue import KafkaDeadLetterQueue
from kafka2parquet.errors import (
    ConfigurationError,
    DeadLetterRefusedError,
    KafkaAuthenticationError,
    KafkaAuthorizationError,
    UsageError,
)
from kafka2parquet.records import Reject, Stage, TopicPartition
from kafka2parquet.testing import EmbeddedBroker
from tests.support.kafka_clients import admin_client, read, wait_until

TOPIC = "dead-letters"
MESSAGE_TOO_LARGE, TOPIC_AUTHORIZATION_FAILED, INVALID_REPLICATION_FACTOR, NOT_ENOUGH_REPLICAS = 10, 29, 38, 19


def reject(offset: int = 0, **fields: Any) -> Reject:
    given = {"key": b"k%d" % offset, "value": b"v%d" % offset, "timestamp_ms": 1000 + offset, **fields}
    return Reject(TopicPartition("orders", 3), offset, Stage.DECODE, "not JSON", **given)


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(auto_create_topics=False) as broker:
        yield broker


@pytest.fixture
def make_queue(broker: EmbeddedBroker) -> Iterator[Callable[..., KafkaDeadLetterQueue]]:
    made = []

    def make(**settings: Any) -> KafkaDeadLetterQueue:
        made.append(KafkaDeadLetterQueue(bootstrap_servers=broker.bootstrap, topic=TOPIC, replication_factor=1, **settings))
        return made[-1]

    yield make
    for queue in made:
        queue.close(5)


def wait(*sendings: DeadLetterFuture) -> None:
    wait_until(lambda: all(sending.done() for sending in sendings), "the dead letters")


def test_record_arrives_as_it_was(broker: Any, make_queue: Any) -> None:
    """Key, value, timestamp and headers are those of the record; without a reporter no headers are added."""
    wait(make_queue().send(reject(headers=(("a", b"1"), ("b", None), ("a", b"2")))))
    record = read(broker.bootstrap, TOPIC, 1)[0]
    assert (b"k0", b"v0", 1000) == (record.key, record.value, record.timestamp)
    assert [("a", b"1"), ("b", None), ("a", b"2")] == list(record.headers)


def test_record_without_key_and_value_arrives(broker: Any, make_queue: Any) -> None:
    """A tombstone without key arrives like any other record."""
    wait(make_queue().send(reject(key=None, value=None)))
    record = read(broker.bootstrap, TOPIC, 1)[0]
    assert (None, None) == (record.key, record.value)


def test_record_without_timestamp_gets_the_time_of_sending(broker: Any, make_queue: Any) -> None:
    """A record without a timestamp gets the time of sending, as from any producer."""
    before_ms = time.time_ns() // 1_000_000
    wait(make_queue().send(reject(timestamp_ms=None)))
    assert before_ms <= read(broker.bootstrap, TOPIC, 1)[0].timestamp <= time.time_ns() // 1_000_000


def test_context_headers_follow_the_records_own(broker: Any, make_queue: Any) -> None:
    """The headers are appended, so those of an earlier failure are kept."""
    earlier = ("__connect.errors.topic", b"first")
    wait(make_queue(reporter=FailureReporter("job")).send(reject(headers=(earlier,))))
    headers = list(read(broker.bootstrap, TOPIC, 1)[0].headers)
    assert [earlier, ("__connect.errors.topic", b"orders"), ("__connect.errors.partition", b"3")] == headers[:3]
    assert 11 == len(headers)


def test_order_is_kept(broker: Any, make_queue: Any) -> None:
    """Letters arrive in the order of sending, over many groups too."""
    queue = make_queue()
    wait(*[queue.send(reject(offset)) for offset in range(1200)])
    assert [b"v%d" % offset for offset in range(1200)] == [record.value for record in read(broker.bootstrap, TOPIC, 1200)]


def test_missing_topic_is_created_with_one_partition(broker: Any, make_queue: Any) -> None:
    """A missing topic is created before the first letter, as in Connect."""
    wait(make_queue().prepare())
    with admin_client(broker.bootstrap) as admin:
        assert 1 == len(admin.describe_topics([TOPIC])[0]["partitions"])


def test_topic_that_is_there_is_kept(broker: Any, make_queue: Any) -> None:
    """An existing topic keeps its partitions, and letters with keys spread over them as from a Java producer."""
    broker.create_topic(TOPIC, partitions=3)
    wait(*[make_queue().send(reject(key=b"a")) for _ in range(3)])
    assert [0, 0, 3] == sorted(broker.log_end(TOPIC, partition) for partition in range(3))


@pytest.mark.parametrize(
    "fault",
    [
        {"api": "Produce", "error": NOT_ENOUGH_REPLICAS},
        {"api": "Produce", "close": True},
        {"api": "Produce", "lose_response": True},
        {"api": "CreateTopics", "close": True},
        {"api": "Metadata", "close": True, "times": 2},
    ],
)
def test_what_passes_is_repeated(broker: Any, make_queue: Any, fault: dict[str, Any]) -> None:
    """After a temporary error the letter arrives, perhaps twice."""
    broker.inject(**fault)
    wait(make_queue().send(reject()))
    assert {b"v0"} == {record.value for record in read(broker.bootstrap, TOPIC, 1)}


def test_outage_at_the_start_is_waited_out(broker: Any, make_queue: Any) -> None:
    """No letter is lost while no broker answers, and the sender never waits."""
    broker.stop_listening()
    queue = make_queue()
    sendings = [queue.send(reject(offset)) for offset in range(3)]
    assert [False, False, False] == [sending.done() for sending in sendings]
    broker.start_listening()
    wait(*sendings)
    assert [b"v0", b"v1", b"v2"] == [record.value for record in read(broker.bootstrap, TOPIC, 3)]


def test_outage_later_is_waited_out(broker: Any, make_queue: Any) -> None:
    """Confirmed letters are not sent again."""
    queue = make_queue()
    wait(queue.send(reject(0)))
    broker.stop_listening()
    sending = queue.send(reject(1))
    assert not sending.done()
    broker.start_listening()
    wait(sending)
    assert [b"v0", b"v1"] == [record.value for record in read(broker.bootstrap, TOPIC, 2)]


def test_topic_that_is_deleted_is_made_again(broker: Any, make_queue: Any) -> None:
    """A deleted topic is created again, and later letters are not lost."""
    queue = make_queue(producer_settings={"request_timeout_ms": 500, "metadata_max_age_ms": 200})
    wait(queue.send(reject(0)))
    broker.delete_topic(TOPIC)
    wait(queue.send(reject(1)))
    assert [b"v1"] == [record.value for record in read(broker.bootstrap, TOPIC, 1)]


def test_record_that_the_topic_refuses(broker: Any, make_queue: Any) -> None:
    """The letter's error says where the record is and what to change, and other letters are sent."""
    queue = make_queue()
    wait(queue.prepare())
    broker.inject("Produce", error=MESSAGE_TOO_LARGE)
    sending = queue.send(reject(7))
    with pytest.raises(DeadLetterRefusedError, match=r"^orders-3, offset 7: the dead-letter topic dead-letters .*max\.message"):
        wait(sending)
    wait(queue.send(reject(8)))


@pytest.mark.parametrize("api", ["Produce", "CreateTopics"])
def test_missing_right(broker: Any, make_queue: Any, api: str) -> None:
    """The error of every letter, including later ones, names the missing rights."""
    broker.inject(api, error=TOPIC_AUTHORIZATION_FAILED)
    queue = make_queue()
    sending = queue.send(reject())
    with pytest.raises(KafkaAuthorizationError, match="needs DESCRIBE and WRITE on the dead-letter topic dead-letters"):
        wait(sending)
    with pytest.raises(KafkaAuthorizationError):
        queue.send(reject(1)).done()


def test_too_few_brokers(broker: Any, make_queue: Any) -> None:
    """The error names the property to change, before the first letter."""
    broker.inject("CreateTopics", error=INVALID_REPLICATION_FACTOR)
    with pytest.raises(ConfigurationError, match=r"Set errors\.deadletterqueue\.topic\.replication\.factor to the number of"):
        wait(make_queue().prepare())


def test_unknown_setting(make_queue: Any) -> None:
    """A setting that kafka-python refuses before it connects is a configuration error, not an outage."""
    sending = make_queue(producer_settings={"no_such_setting": 1}).prepare()
    with pytest.raises(ConfigurationError, match="no_such_setting"):
        wait(sending)


def test_missing_certificate(make_queue: Any) -> None:
    """A missing file, which kafka-python only logs, is a configuration error."""
    sending = make_queue(producer_settings={"security_protocol": "SSL", "ssl_cafile": "/no/ca.pem"}).prepare()
    with pytest.raises(KafkaAuthenticationError, match=r"No such file or directory.* Check .* the certificates"):
        wait(sending)


def test_pending_bytes(broker: Any, make_queue: Any) -> None:
    """Letters count as pending until they are delivered."""
    broker.stop_listening()
    queue = make_queue()
    sending = queue.send(reject(headers=(("ab", b"c"), ("d", None))))
    assert 2 + 2 + 2 + 1 + 1 == queue.pending_bytes
    broker.start_listening()
    wait(sending)
    wait_until(lambda: queue.pending_bytes == 0, "the count")


def test_close_sends_what_waits(broker: Any, make_queue: Any) -> None:
    """Closing sends pending letters, so a record that ends the task is reported first."""
    queue = make_queue()
    sending = queue.send(reject())
    queue.close(30)
    assert sending.done()


def test_close_gives_up_in_time(broker: Any, make_queue: Any) -> None:
    """While Kafka is down, closing takes at most the time limit."""
    broker.stop_listening()
    queue = make_queue()
    sending = queue.send(reject())
    began = time.monotonic()
    queue.close(0.3)
    queue.close(0.3)
    assert time.monotonic() - began < 5
    assert not sending.done()
    broker.start_listening()


def test_closed_queue_takes_nothing(make_queue: Any) -> None:
    """A closed queue refuses letters, because their outcome would never be reported."""
    queue = make_queue()
    queue.close(1)
    with pytest.raises(UsageError):
        queue.send(reject())
