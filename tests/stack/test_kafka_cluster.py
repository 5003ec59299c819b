"""The cluster outlives its brokers, and its log can be made shorter as an unclean leader election does it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kafka import OffsetAndMetadata, TopicPartition

from tests.stack.kafka_cluster import KafkaCluster, kafka_cluster
from tests.stack.kafka_fault_proxy import Action
from tests.support.kafka_admin import committed_offsets, create_replicated_topic, wait_for_all_replicas, wait_for_replicas
from tests.support.kafka_clients import fill, python_consumer, read, unique
from tests.support.raw_kafka_client import RawKafkaClient
from tests.support.truncated_log import TruncatedLog


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    with kafka_cluster() as cluster:
        yield cluster


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_another_broker_leads_where_one_is_gone(cluster: KafkaCluster, end: str) -> None:
    """Records stay; the broker comes back into the replicas in sync, and Kafka's tool gives it the lead again."""
    topic = unique("topic")
    create_replicated_topic(cluster.bootstrap, topic, [[2, 3]])
    fill(cluster.bootstrap, topic, [b"before"], acks="all")
    getattr(cluster.brokers[2], end)()
    wait_for_replicas(cluster.bootstrap, topic, 0, leader=3, in_sync=[3])
    fill(cluster.bootstrap, topic, [b"after"], acks="all")
    cluster.brokers[2].start()
    wait_for_replicas(cluster.bootstrap, topic, 0, leader=3, in_sync=[2, 3])
    cluster.tool("kafka-leader-election", "--election-type", "preferred", "--topic", topic, "--partition", "0")
    wait_for_replicas(cluster.bootstrap, topic, 0, leader=2, in_sync=[2, 3])
    assert [b"before", b"after"] == [record.value for record in read(cluster.bootstrap, topic, 2)]


def test_a_fault_meets_whichever_broker_is_asked() -> None:
    """Clients see the proxies only; a fault for one request takes one, of any broker; one broker can be unreachable alone."""
    with kafka_cluster(proxied=True) as cluster:
        topic = unique("topic")
        create_replicated_topic(cluster.direct, topic, [[1, 2], [2, 3], [3, 1]])
        fault = cluster.fault("Produce", Action.RESET_BEFORE)
        for partition in range(3):
            assert [0] == fill(cluster.bootstrap, topic, [b"value"], partition, acks="all")
        assert 1 == fault.hits
        cluster.clear()
        cluster.proxies[2].refuse()
        assert [1] == fill(cluster.bootstrap, topic, [b"value"], partition=2, acks="all")
        with pytest.raises(ConnectionRefusedError):
            RawKafkaClient(cluster.proxies[2].address)
        assert [1] == fill(cluster.direct, topic, [b"value"], partition=1, acks="all")
        cluster.brokers[2].kill()
        cluster.brokers[2].start()
        wait_for_all_replicas(cluster.direct)


def test_a_log_is_truncated(cluster: KafkaCluster) -> None:
    """The log is shorter than what the group has committed; then its offsets come again in a later leader epoch."""
    log, group = TruncatedLog(cluster), unique("group")
    partition = TopicPartition(log.topic, 0)
    log.write([b"kept 0", b"kept 1"])
    log.stop_follower()
    assert [2, 3, 4] == log.write([b"lost 2", b"lost 3", b"lost 4"])
    before = read(cluster.bootstrap, log.topic, 5)
    with python_consumer(cluster.bootstrap, group_id=group) as consumer:
        consumer.assign([partition])
        consumer.commit({partition: OffsetAndMetadata(5, "", before[-1].leader_epoch)})
    log.lose_tail()
    assert 2 == log.end()
    assert [2, 3, 4, 5] == log.write([b"other 2", b"other 3", b"other 4", b"other 5"])
    log.restore()
    after = read(cluster.bootstrap, log.topic, 6)
    assert [b"kept 0", b"kept 1", b"other 2", b"other 3", b"other 4", b"other 5"] == [record.value for record in after]
    assert {0: 5} == committed_offsets(cluster.bootstrap, group, log.topic)
    assert before[4].leader_epoch < after[2].leader_epoch
