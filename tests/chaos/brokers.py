"""What happens to brokers, one at a time: the others keep each ordinary partition and the group's offsets."""

from __future__ import annotations

import random
import time

from tests.stack.kafka import Node
from tests.stack.kafka_cluster import KafkaCluster
from tests.support.kafka_admin import wait_for_all_replicas

#: Lines of all nodes' properties. A broker that comes back soon leads again, so that leaders change often.
SETTINGS = """
min.insync.replicas=2
leader.imbalance.check.interval.seconds=10
"""
#: How long a broker is away at most: from less than its session (3 s) to much more.
_AWAY_LIMIT_S = 8.0
_WHOLE_LIMIT_S = 90.0


class BrokerFaults:
    """Takes a broker away, whatever it leads or coordinates, and returns when all replicas are in sync again."""

    def __init__(self, cluster: KafkaCluster, rng: random.Random) -> None:
        self._cluster = cluster
        self._rng = rng

    def kill(self) -> None:
        """Kills the broker with SIGKILL; its log stays on disk."""
        broker = self._any()
        broker.kill()
        self._wait_away()
        broker.start()
        self.wait_until_whole()

    def stop(self) -> None:
        """Stops the broker in order, so that it hands over its partitions."""
        broker = self._any()
        broker.stop()
        self._wait_away()
        broker.start()
        self.wait_until_whole()

    def freeze(self) -> None:
        """Freezes the broker briefly, or until others lead in its place; after thawing it still believes that it leads."""
        broker = self._any()
        broker.freeze()
        self._wait_away()
        broker.thaw()
        self.wait_until_whole()

    def cut_off_one(self) -> None:
        """Hides one broker from clients, while it still leads for the other brokers."""
        proxy = self._rng.choice(list(self._cluster.proxies.values()))
        proxy.refuse()
        self._wait_away()
        proxy.listen()

    def cut_off_all(self) -> None:
        """Hides all brokers from clients."""
        for proxy in self._cluster.proxies.values():
            proxy.refuse()
        self._wait_away()
        for proxy in self._cluster.proxies.values():
            proxy.listen()

    def wait_until_whole(self) -> None:
        """Waits until all replicas are in sync."""
        wait_for_all_replicas(self._cluster.direct, _WHOLE_LIMIT_S)

    def _any(self) -> Node:
        return self._rng.choice(list(self._cluster.brokers.values()))

    def _wait_away(self) -> None:
        time.sleep(self._rng.uniform(0.5, _AWAY_LIMIT_S))
