"""A log that an unclean leader election makes shorter: its last offsets come again, with other records."""

from __future__ import annotations

from collections.abc import Sequence

from kafka import TopicPartition

from tests.stack.kafka_cluster import KafkaCluster
from tests.support.kafka_admin import create_replicated_topic, wait_for_replicas
from tests.support.kafka_clients import fill, python_consumer, unique, wait_until

_LEADER, _FOLLOWER = 1, 2


class TruncatedLog:
    """A topic of one partition with replicas on brokers 1 and 2 of a cluster of three, and unclean elections enabled.

    The methods are the story, in the order in which they are called; `write` may be called between any of them, and a sink may
    run all the time. Broker 3 keeps the consumer groups through it.

        log = TruncatedLog(cluster)
        log.write([b"kept"])
        log.stop_follower()
        log.write([b"lost"])
        ...  # commit what was read
        log.lose_tail()
        log.write([b"other"])  # at the offset of b"lost", in a later leader epoch
        log.restore()
    """

    def __init__(self, cluster: KafkaCluster) -> None:
        self._cluster = cluster
        self._kept_end = 0
        self.topic = unique("truncated")
        create_replicated_topic(
            cluster.bootstrap,
            self.topic,
            [[_LEADER, _FOLLOWER]],
            min_insync_replicas="1",
            unclean_leader_election_enable="true",
        )

    def write(self, values: Sequence[bytes | None]) -> list[int]:
        """Appends records on all replicas in sync, and returns their offsets."""
        return fill(self._cluster.bootstrap, self.topic, values, acks="all")

    def stop_follower(self) -> None:
        """Stops the follower, so that only the leader has later records."""
        self._kept_end = self.end()
        self._cluster.brokers[_FOLLOWER].stop()
        wait_for_replicas(self._cluster.bootstrap, self.topic, 0, leader=_LEADER, in_sync=[_LEADER])

    def lose_tail(self) -> None:
        """Kills the leader; the follower takes over with its shorter log."""
        self._cluster.brokers[_LEADER].kill()
        self._cluster.brokers[_FOLLOWER].start()
        wait_for_replicas(self._cluster.bootstrap, self.topic, 0, leader=_FOLLOWER, in_sync=[_FOLLOWER])
        # a new leader shows its records only when it has moved its high watermark
        wait_until(lambda: self.end() == self._kept_end, "the records that the follower has")

    def restore(self) -> None:
        """Restarts the old leader as a follower, which drops the records that only it had."""
        self._cluster.brokers[_LEADER].start()
        wait_for_replicas(self._cluster.bootstrap, self.topic, 0, leader=_FOLLOWER, in_sync=[_LEADER, _FOLLOWER])

    def end(self) -> int:
        """Returns the offset behind the last record that readers can see."""
        partition = TopicPartition(self.topic, 0)
        with python_consumer(self._cluster.bootstrap) as consumer:
            return int(consumer.end_offsets([partition])[partition])
