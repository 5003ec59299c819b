"""A topic whose log is truncated: an unclean election makes a replica the leader that lacks what the last leader acknowledged.

Its partitions have two replicas each, on all pairs of the three brokers. The replica that follows is held back, the leader runs
ahead alone (`acks=1`, `min.insync.replicas=1`), and dies; then the other one leads, and offsets come again with other records.
The ordinary topics have a third replica, and no unclean elections: they wait meanwhile, and lose nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from tests.chaos.brokers import BrokerFaults
from tests.chaos.log import log_end
from tests.chaos.members import Members
from tests.stack.kafka import Node
from tests.stack.kafka_cluster import KafkaCluster
from tests.support.kafka_admin import committed_offsets, create_replicated_topic, replicas_of, wait_for_replicas
from tests.support.kafka_clients import wait_until

REPLICAS = ((1, 2), (2, 3), (3, 1))
#: Where a member may die in the middle of a flush.
_POINTS = ("cut", "intent", "anchor", "sibling")
#: The leader is ahead by at least this number of records.
_AHEAD_ROWS = 100
_SESSION_S = 7.0
_LIMIT_S = 60.0


def create_truncated_topic(bootstrap: str, topic: str) -> None:
    """Makes a topic that prefers any leader to none."""
    create_replicated_topic(bootstrap, topic, REPLICAS, min_insync_replicas="1", unclean_leader_election_enable="true")


class Truncations:
    """Truncates the log of another partition each time, while members of its group are in different states."""

    def __init__(self, cluster: KafkaCluster, brokers: BrokerFaults, members: Members, rng: random.Random) -> None:
        self._cluster = cluster
        self._brokers = brokers
        self._members = members
        self._rng = rng

    def while_read(self) -> None:
        """Truncates records that members have committed, while members continue to read."""
        self._truncate(self._any(), self._wait_for_commit)

    def while_nobody_reads(self) -> None:
        """Truncates records that members have committed, after all members have died."""

        def die(partition: int, end: int) -> None:
            self._wait_for_commit(partition, end)
            self._members.kill_all()

        self._truncate(self._any(), die)

    def in_a_flush(self) -> None:
        """Truncates the log after the last member died in a flush of which the new leader has only the beginning."""
        partition = self._any()
        self._members.kill_all()

        def die(partition: int, _: int) -> None:
            doomed = self._members.start(die_at=self._rng.choice(_POINTS), die_partition=partition)
            deadline = time.monotonic() + _LIMIT_S / 2
            while doomed.is_alive and time.monotonic() < deadline:
                time.sleep(0.05)
            self._members.kill_all()

        self._truncate(partition, die)

    def while_a_member_is_frozen(self) -> None:
        """Truncates records that a frozen member holds, and thaws the member after a successor has continued."""
        member = self._members.any()

        def freeze(partition: int, end: int) -> None:
            self._wait_for_commit(partition, end)
            member.freeze()

        self._truncate(self._any(), freeze)
        self._members.start()
        time.sleep(_SESSION_S)
        member.thaw()
        time.sleep(2.0)
        self._members.keep(2)

    def _truncate(self, partition: int, meanwhile: Callable[[int, int], None]) -> None:
        """Makes a partition's follower its leader.

        Args:
            partition: whose log is truncated.
            meanwhile: is called with the partition and an offset that its follower doesn't have; the leader runs ahead.
        """
        topic = self._members.topic
        leader, follower = replicas_of(self._cluster.direct, topic, partition)
        (third,) = (self._cluster.address(broker) for broker in self._cluster.brokers if broker not in (leader, follower))
        release = self._hold_back(self._cluster.brokers[follower])
        end = log_end(third, topic, partition)
        wait_for_replicas(third, topic, partition, leader=leader, in_sync=[leader])
        meanwhile(partition, end + _AHEAD_ROWS)
        self._cluster.brokers[leader].kill()
        release()
        wait_for_replicas(third, topic, partition, leader=follower, in_sync=[follower])
        time.sleep(self._rng.uniform(0.0, 3.0))
        self._cluster.brokers[leader].start()
        self._brokers.wait_until_whole()

    def _hold_back(self, broker: Node) -> Callable[[], None]:
        """Takes a broker away in one of several ways, and returns the way to bring it back."""
        away, back = self._rng.choice(((broker.stop, broker.start), (broker.kill, broker.start), (broker.freeze, broker.thaw)))
        away()
        return back

    def _wait_for_commit(self, partition: int, end: int) -> None:
        """Waits until the group has committed an offset beyond `end`."""

        def committed() -> bool:
            self._members.replace_dead()
            found = committed_offsets(self._cluster.direct, self._members.group, self._members.topic)
            return found.get(partition, 0) > end

        wait_until(committed, f"a commit behind {end} of partition {partition}", _LIMIT_S)

    def _any(self) -> int:
        return self._rng.randrange(len(REPLICAS))
