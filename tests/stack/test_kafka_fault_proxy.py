"""Each action of the fault proxy: what the broker gets of a commit, and what the client hears of it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.protocol.consumer import OffsetCommitRequest, OffsetCommitResponse

from kafka2parquet.testing import EmbeddedBroker
from tests.stack.kafka_fault_proxy import Action, KafkaFaultProxy
from tests.support.kafka_clients import wait_until
from tests.support.raw_kafka_client import RawKafkaClient

VERSION = 7


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        broker.create_topic("topic")
        yield broker


@pytest.fixture
def proxy(broker: EmbeddedBroker) -> Iterator[KafkaFaultProxy]:
    host, _, port = broker.bootstrap.partition(":")
    with KafkaFaultProxy(host, int(port)) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: KafkaFaultProxy) -> Iterator[RawKafkaClient]:
    with RawKafkaClient(proxy.address) as client:
        yield client


def commit_request(offset: int) -> Any:
    topic_class = OffsetCommitRequest.OffsetCommitRequestTopic
    partition = topic_class.OffsetCommitRequestPartition(
        partition_index=0, committed_offset=offset, committed_leader_epoch=-1, committed_metadata=""
    )
    return OffsetCommitRequest(
        group_id="group",
        generation_id_or_member_epoch=-1,
        member_id="",
        group_instance_id=None,
        topics=[topic_class(name="topic", partitions=[partition])],
    )


def commit(client: RawKafkaClient, offset: int) -> int:
    """Commits, and returns the error code of the answer."""
    answer = client.ask(commit_request(offset), OffsetCommitResponse, VERSION)
    code: int = answer.topics[0].partitions[0].error_code
    return code


def committed(broker: EmbeddedBroker) -> int | None:
    found = broker.committed("group", "topic", 0)
    return None if found is None else found[0]


def hears_nothing(client: RawKafkaClient) -> bool:
    """Returns whether the connection is open and silent."""
    client.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.socket.recv(1)
    return True


def test_passes_on_what_no_fault_is_for(broker: EmbeddedBroker, proxy: KafkaFaultProxy, client: RawKafkaClient) -> None:
    """A fault of another API does nothing."""
    fault = proxy.fault("Fetch", Action.RESET_BEFORE)
    assert 0 == commit(client, 7)
    assert (7, 0) == (committed(broker), fault.hits)


def test_reset_before(broker: EmbeddedBroker, proxy: KafkaFaultProxy, client: RawKafkaClient) -> None:
    """The client sees a reset, and the broker doesn't see the request."""
    fault = proxy.fault("OffsetCommit", Action.RESET_BEFORE)
    with pytest.raises(ConnectionResetError):
        commit(client, 7)
    assert (None, 1) == (committed(broker), fault.hits)


def test_lose_response(broker: EmbeddedBroker, proxy: KafkaFaultProxy, client: RawKafkaClient) -> None:
    """The client sees a reset, although the offset is committed."""
    fault = proxy.fault("OffsetCommit", Action.LOSE_RESPONSE)
    with pytest.raises(ConnectionResetError):
        commit(client, 7)
    assert (7, 1) == (committed(broker), fault.hits)


def test_cut_response(broker: EmbeddedBroker, proxy: KafkaFaultProxy, client: RawKafkaClient) -> None:
    """The client gets the first half of the answer, then the end of the connection."""
    proxy.fault("OffsetCommit", Action.CUT_RESPONSE)
    client.send(commit_request(7), VERSION)
    received = b""
    while chunk := client.socket.recv(1024):
        received += chunk
    size = 4 + struct.unpack_from(">i", received)[0]
    assert (size // 2, 7) == (len(received), committed(broker))


def test_delay_request(broker: EmbeddedBroker, proxy: KafkaFaultProxy, client: RawKafkaClient) -> None:
    """A commit that the client gave up arrives after a newer one, and the committed offset goes back."""
    proxy.fault("OffsetCommit", Action.DELAY_REQUEST, delay_s=0.3)
    client.send(commit_request(7), VERSION)
    with RawKafkaClient(proxy.address) as other:
        assert 0 == commit(other, 8)
        assert 8 == committed(broker)
    wait_until(lambda: committed(broker) == 7, "the late commit")


def test_delay_response(broker: EmbeddedBroker, proxy: KafkaFaultProxy, client: RawKafkaClient) -> None:
    """The broker commits at once, and the client gets the answer later."""
    proxy.fault("OffsetCommit", Action.DELAY_RESPONSE, delay_s=0.5)
    client.send(commit_request(7), VERSION)
    assert hears_nothing(client)
    assert 7 == committed(broker)
    client.socket.settimeout(10)
    client.receive(OffsetCommitResponse, VERSION)


@pytest.mark.parametrize(("action", "expected"), [(Action.FREEZE_BEFORE, None), (Action.FREEZE_AFTER, 7)])
def test_freeze(
    broker: EmbeddedBroker, proxy: KafkaFaultProxy, client: RawKafkaClient, action: Action, expected: int | None
) -> None:
    """The connection stays open and silent, and other connections work."""
    fault = proxy.fault("OffsetCommit", action)
    client.send(commit_request(7), VERSION)
    wait_until(lambda: fault.hits, "the fault")
    assert hears_nothing(client)
    assert expected == committed(broker)
    with RawKafkaClient(proxy.address) as other:
        assert 0 == commit(other, 8)


def test_a_fault_is_used_up(proxy: KafkaFaultProxy) -> None:
    """The proxy breaks as many requests as it was asked to; clear() returns how many."""
    proxy.fault("OffsetCommit", Action.LOSE_RESPONSE, times=2)
    for _ in range(2):
        with RawKafkaClient(proxy.address) as client, pytest.raises(ConnectionResetError):
            commit(client, 7)
    with RawKafkaClient(proxy.address) as client:
        assert 0 == commit(client, 8)
    assert {"OffsetCommit LOSE_RESPONSE": 2} == proxy.clear()


def test_cut(proxy: KafkaFaultProxy, client: RawKafkaClient) -> None:
    """Open connections are reset, and new ones are accepted."""
    assert 0 == commit(client, 7)
    proxy.cut()
    with pytest.raises(ConnectionError):
        commit(client, 8)
    with RawKafkaClient(proxy.address) as other:
        assert 0 == commit(other, 8)


def test_refuse(proxy: KafkaFaultProxy) -> None:
    """Connections are refused until the proxy listens again, at the same address."""
    address = proxy.address
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    proxy.listen()
    with RawKafkaClient(address) as client:
        assert 0 == commit(client, 7)


def test_a_broker_that_is_down_resets(broker: EmbeddedBroker, proxy: KafkaFaultProxy) -> None:
    """The proxy accepts the connection, but closes it immediately or at the first request."""
    broker.stop_listening()
    with pytest.raises(ConnectionError), RawKafkaClient(proxy.address) as client:
        commit(client, 7)
