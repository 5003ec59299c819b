"""The embedded broker's own methods: direct appends, inspection, faults, life cycle."""

from __future__ import annotations

import logging
import struct
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError, TopicAuthorizationFailedError
from kafka.protocol.consumer import FetchRequest, FetchResponse
from kafka.protocol.metadata import ApiVersionsRequest, ApiVersionsResponse
from kafka.structs import OffsetAndMetadata

from kafka2parquet.testing import EmbeddedBroker
from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.messages import APIS
from tests.support.kafka_clients import drain, fill, python_consumer, python_producer, read, wait_until
from tests.support.raw_kafka_client import RawKafkaClient


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


def commit(broker: EmbeddedBroker, offset: int, metadata: str = "") -> None:
    partition = TopicPartition("topic", 0)
    with python_consumer(broker.bootstrap, group_id="group") as consumer:
        consumer.assign([partition])
        consumer.commit({partition: OffsetAndMetadata(offset, metadata, -1)})


def test_appended_values_can_be_consumed(broker: EmbeddedBroker) -> None:
    """Appended values look to a consumer as if a producer had sent them."""
    broker.create_topic("topic", 2)
    timestamps_ms = np.arange(5000, dtype=np.int64)

    offsets = [
        broker.append_values("topic", 1, [b"%d" % number for number in range(5000)], timestamps_ms, compression="zstd"),
        broker.append_values("topic", 1, [b"last"], [7], keys=[b"key"], headers=[[("name", b"value")]]),
    ]
    records = read(broker.bootstrap, "topic", 2, offset=4999, partition=1)

    assert [0, 5000] == offsets
    assert [(b"4999", 4999, None, []), (b"last", 7, b"key", [("name", b"value")])] == [
        (each.value, each.timestamp, each.key, [tuple(header) for header in each.headers]) for each in records
    ]


def test_log_start_and_log_end(broker: EmbeddedBroker) -> None:
    """Retention moves the log start, appending moves the log end, and compaction leaves gaps."""
    broker.create_topic("topic")
    broker.append_values("topic", 0, [b"value"] * 10, range(10))
    broker.leave_gap("topic", 0, 5)
    start = broker.delete_records("topic", 0, 4)

    assert (4, 4, 15) == (start, broker.log_start("topic", 0), broker.log_end("topic", 0))
    assert 0 < broker.log_size_bytes("topic", 0)


def test_committed_offsets(broker: EmbeddedBroker) -> None:
    """`committed` returns offset and metadata, or None if the group has not committed."""
    broker.create_topic("topic")
    before = broker.committed("group", "topic", 0)
    commit(broker, 3, "metadata")

    assert None is before
    assert (3, "metadata") == broker.committed("group", "topic", 0)
    assert {("topic", 0): (3, "metadata")} == broker.all_committed("group")


def test_members_of_a_group(broker: EmbeddedBroker) -> None:
    """State and members of a group can be read, and evicted members join again."""
    broker.create_topic("topic")
    before = broker.group_state("group"), broker.group_members("group")
    with python_consumer(broker.bootstrap, "topic", group_id="group", heartbeat_interval_ms=100) as consumer:

        def is_stable() -> bool:
            consumer.poll(timeout_ms=50)
            return broker.group_state("group") == "Stable"

        wait_until(is_stable, "a stable group")
        (member,) = broker.group_members("group")
        broker.evict("group")
        wait_until(lambda: is_stable() and broker.group_members("group") != [member], "the member to be back")

    assert ("Dead", []) == before
    wait_until(lambda: broker.group_state("group") == "Empty", "an empty group")


def test_evicting_an_unknown_group_is_an_error(broker: EmbeddedBroker) -> None:
    """Evicting an unknown group is an error, so a typing mistake in a test is found."""
    with pytest.raises(BrokerError) as caught:
        broker.evict("no such group")
    assert ErrorCode.GROUP_ID_NOT_FOUND == caught.value.code


def test_topics_get_another_id_when_created_again(broker: EmbeddedBroker) -> None:
    """A topic that is created again has another id, and its committed offsets are gone."""
    first = broker.create_topic("topic")
    commit(broker, 3)
    broker.delete_topic("topic")
    second = broker.create_topic("topic")

    assert first != second
    assert second == broker.topic_id("topic")
    assert None is broker.committed("group", "topic", 0)


def test_topics_can_grow(broker: EmbeddedBroker) -> None:
    """Partitions that are added to a topic are empty."""
    broker.create_topic("topic")
    broker.create_partitions("topic", 3)

    assert 0 == broker.log_end("topic", 2)


def test_unknown_topics_are_an_error_where_auto_creation_is_off() -> None:
    """Without auto creation, as on most clusters in production, an unknown topic is an error."""
    with EmbeddedBroker(auto_create_topics=False) as broker, python_producer(broker.bootstrap, max_block_ms=300) as producer:
        with pytest.raises(KafkaError):
            producer.send("unknown", b"value")

        with pytest.raises(BrokerError):
            broker.topic_id("unknown")


def test_injected_errors_reach_the_client(broker: EmbeddedBroker) -> None:
    """A request with an injected error is not handled; the requests before and after it are."""
    broker.create_topic("topic")
    broker.inject("Produce", skip=1, times=1, error=29)
    with python_producer(broker.bootstrap, retries=0) as producer:
        first = producer.send("topic", b"1", partition=0).get(timeout=10)
        with pytest.raises(TopicAuthorizationFailedError):
            producer.send("topic", b"2", partition=0).get(timeout=10)
        third = producer.send("topic", b"3", partition=0).get(timeout=10)

    assert [0, 1] == [first.offset, third.offset]


def test_lost_answers_belong_to_requests_that_were_carried_out(broker: EmbeddedBroker) -> None:
    """A request whose response is lost has taken effect at the broker."""
    broker.create_topic("topic")
    broker.inject("OffsetCommit", lose_response=True)
    commit(broker, 3)

    assert (3, "") == broker.committed("group", "topic", 0)
    assert 2 == broker.request_count("OffsetCommit")


def test_closed_connections_belong_to_requests_that_were_not(broker: EmbeddedBroker) -> None:
    """A request whose connection is closed has not taken effect, and a retry succeeds."""
    broker.create_topic("topic")
    broker.inject("Produce", close=True)
    offsets = fill(broker.bootstrap, "topic", [b"value"])

    assert [0] == offsets
    assert 1 == broker.log_end("topic", 0)


def test_delayed_requests_are_carried_out_though_the_client_has_gone(broker: EmbeddedBroker) -> None:
    """A delayed request is handled although the client has disconnected, so commits can arrive late."""
    broker.create_topic("topic")
    broker.inject("OffsetCommit", delay_s=1.0)
    partition = TopicPartition("topic", 0)
    with python_consumer(broker.bootstrap, group_id="group") as consumer:
        consumer.assign([partition])
        with pytest.raises(KafkaError):
            consumer.commit({partition: OffsetAndMetadata(1, "late", -1)}, timeout_ms=200)
    commit(broker, 2, "newer")

    wait_until(lambda: broker.committed("group", "topic", 0) == (1, "late"), "the late commit")


def test_faults_can_be_cleared(broker: EmbeddedBroker) -> None:
    """A planned fault that has been cleared doesn't occur."""
    broker.inject("Produce", error=29, times=100)
    broker.clear_faults()

    assert [0] == fill(broker.bootstrap, "topic", [b"value"])


def test_faults_of_unknown_requests_are_refused(broker: EmbeddedBroker) -> None:
    """Planning a fault for an unknown request is an error that lists the known requests."""
    with pytest.raises(ValueError, match=r"'Comit'.*OffsetCommit"):
        broker.inject("Comit")


def test_an_outage_loses_no_state(broker: EmbeddedBroker) -> None:
    """After an outage the broker listens on the same port with the same records, and clients continue."""
    broker.create_topic("topic")
    broker.append_values("topic", 0, [b"before"], [0])
    address = broker.bootstrap
    with python_consumer(address) as consumer:
        consumer.assign([TopicPartition("topic", 0)])
        before = drain(consumer, 1)
        broker.stop_listening()
        with pytest.raises(OSError, match="refused"):
            RawKafkaClient(address)
        broker.append_values("topic", 0, [b"after"], [0])
        broker.start_listening()
        after = drain(consumer, 1)

    assert (address, [b"before"], [b"after"]) == (broker.bootstrap, [r.value for r in before], [r.value for r in after])


def fetch(min_bytes: int, max_wait_ms: int) -> FetchRequest:
    topic_class = FetchRequest.FetchTopic
    partition = topic_class.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
    return FetchRequest(
        max_wait_ms=max_wait_ms,
        min_bytes=min_bytes,
        max_bytes=1 << 20,
        isolation_level=0,
        topics=[topic_class(topic="topic", partitions=[partition])],
    )


def test_fetch_waits_for_enough_bytes(broker: EmbeddedBroker) -> None:
    """A fetch returns once `min_bytes` are there, long before its maximum wait."""
    broker.create_topic("topic")
    with RawKafkaClient(broker.bootstrap) as client:
        began = time.monotonic()
        client.send(fetch(min_bytes=2000, max_wait_ms=20_000), 11)
        wait_until(lambda: broker.request_count("Fetch") == 1, "the fetch")
        broker.append_values("topic", 0, [bytes(1000)], [0])
        broker.append_values("topic", 0, [bytes(1000)], [0])
        answer = client.receive(FetchResponse, 11)

    assert 2000 < len(answer.responses[0].partitions[0].records)
    assert time.monotonic() - began < 10


def test_fetch_gives_what_there_is_after_the_longest_wait(broker: EmbeddedBroker) -> None:
    """After its maximum wait, a fetch returns whatever is there, even if that is nothing."""
    broker.create_topic("topic")
    with RawKafkaClient(broker.bootstrap) as client:
        began = time.monotonic()
        empty = client.ask(fetch(min_bytes=1, max_wait_ms=300), FetchResponse, 11)
        waited_s = time.monotonic() - began

    assert b"" == bytes(empty.responses[0].partitions[0].records)
    assert 0.3 <= waited_s < 5


def test_unknown_versions_are_answered_with_the_known_ones(broker: EmbeddedBroker) -> None:
    """An unknown version gets a response in version 0, which every client can read, with the supported versions."""
    with RawKafkaClient(broker.bootstrap) as client:
        request = ApiVersionsRequest()
        request.API_VERSION = 4
        request.with_header(correlation_id=9)
        frame = bytearray(request.encode(header=True, framed=True))
        frame[6:8] = b"\0\x63"  # version 99
        client.send_frame(bytes(frame))
        answer = client.receive(ApiVersionsResponse, 0)

    assert ErrorCode.UNSUPPORTED_VERSION == answer.error_code
    assert {api.key: api.max_version for api in APIS.values()} == {each.api_key: each.max_version for each in answer.api_keys}


def test_brokers_live_side_by_side() -> None:
    """Two brokers in one process have separate topics and cluster ids."""
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        one.create_topic("topic")

        assert one.cluster_id != other.cluster_id
        with pytest.raises(BrokerError):
            other.topic_id("topic")


def test_a_taken_port_is_an_error(broker: EmbeddedBroker) -> None:
    """Starting on a port in use is an error, and leaves no thread behind."""
    port = int(broker.bootstrap.rpartition(":")[2])

    with pytest.raises(OSError, match="in use"), EmbeddedBroker(port=port):
        raise AssertionError("The port was free.")


def test_stopping_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    """Stopping ends the thread quietly, also while a client's request is waiting; stopping again does nothing."""
    broker = EmbeddedBroker()
    broker.start()
    broker.create_topic("topic")
    with RawKafkaClient(broker.bootstrap) as client:
        client.send(fetch(min_bytes=1, max_wait_ms=60_000), 11)
        wait_until(lambda: broker.request_count("Fetch") == 1, "the fetch")
        broker.stop()
        broker.stop()

        with pytest.raises(ConnectionError):
            client.receive(FetchResponse, 11)
    assert [] == [thread for thread in threading.enumerate() if thread.name == "embedded-broker"]
    assert [] == [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_stopped_broker_can_be_started_again() -> None:
    """A broker that is started again has all of its topics and records."""
    broker = EmbeddedBroker()
    with broker:
        broker.create_topic("topic")
        fill(broker.bootstrap, "topic", [b"before"])
    with broker:
        fill(broker.bootstrap, "topic", [b"after"])

        assert [b"before", b"after"] == [record.value for record in read(broker.bootstrap, "topic", 2)]


def test_a_request_that_breaks_the_broker_fails_the_test() -> None:
    """`stop` raises the exception that a malformed request caused inside the broker."""
    broker = EmbeddedBroker()
    broker.start()
    with RawKafkaClient(broker.bootstrap) as client:
        client.send_frame(b"\0\0\0\x08\0\x03\0\x0c\0\0\0\1")  # Metadata, cut short
        with pytest.raises(ConnectionError):
            client.receive(FetchResponse, 11)

    with pytest.raises(struct.error):
        broker.stop()


def test_methods_need_a_running_broker() -> None:
    """The methods of a broker that is not running are errors."""
    with pytest.raises(RuntimeError, match="not running"):
        EmbeddedBroker().create_topic("topic")
