"""A cluster of Apache Kafka: one controller and some brokers, each of which can be killed, stopped, frozen and started."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.stack.kafka import Node, run_tool, uuid_text
from tests.stack.server import HOST, free_port


class KafkaCluster:
    """A running cluster. The controller is a node of its own, so that all brokers but one may be gone.

    Attributes:
        brokers: by their ids, from 1 on.
        bootstrap: addresses of all of them.
    """

    def __init__(self, folder: Path, brokers: int, settings: str) -> None:
        cluster_id, controller = uuid_text(), free_port()
        quorum = f"controller.quorum.voters=1000@{HOST}:{controller}\n"
        factors = "".join(
            f"{topic}.replication.factor={brokers}\n"
            for topic in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        )
        self._ports = {broker_id: free_port() for broker_id in range(1, brokers + 1)}
        self._controller = Node(
            folder / "controller",
            cluster_id,
            1000,
            controller,
            f"{factors}process.roles=controller\n{settings}\n{quorum}listeners=CONTROLLER://{HOST}:{controller}\n",
        )
        self.brokers = {
            broker_id: Node(
                folder / f"broker-{broker_id}",
                cluster_id,
                broker_id,
                port,
                f"{factors}process.roles=broker\n{settings}\n{quorum}"
                f"listeners=INTERNAL://{HOST}:{port}\nadvertised.listeners=INTERNAL://{HOST}:{port}\n",
            )
            for broker_id, port in self._ports.items()
        }
        self.bootstrap = ",".join(f"{HOST}:{port}" for port in self._ports.values())

    def start(self) -> None:
        """Start all nodes side by side."""
        nodes = [self._controller, *self.brokers.values()]
        for node in nodes:
            node.server.launch()
        for node in nodes:
            node.server.wait_until_ready()

    def kill(self) -> None:
        """End all nodes at once."""
        for node in (*self.brokers.values(), self._controller):
            node.kill()

    def address(self, broker_id: int) -> str:
        """Of one broker."""
        return f"{HOST}:{self._ports[broker_id]}"

    def tool(self, name: str, *arguments: str) -> str:
        """Run one of Kafka's own command-line tools; returns what it prints."""
        return run_tool(name, self.bootstrap, *arguments)


@contextlib.contextmanager
def kafka_cluster(brokers: int = 3, *, settings: str = "") -> Iterator[KafkaCluster]:
    """Start a cluster, whose internal topics have a replica on each broker; kills it at the end.

    Args:
        brokers: how many.
        settings: further lines of the properties of all nodes.

    Raises:
        NotInstalledError: Java or Maven is missing.
    """
    with tempfile.TemporaryDirectory(prefix="kafka-cluster-") as name, contextlib.ExitStack() as stack:
        cluster = KafkaCluster(Path(name), brokers, settings)
        stack.callback(cluster.kill)
        cluster.start()
        yield cluster
