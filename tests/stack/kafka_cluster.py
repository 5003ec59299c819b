"""A cluster of Apache Kafka: one controller and some brokers, each of which can be killed, stopped, frozen and started."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.stack.kafka import Node, run_tool, uuid_text
from tests.stack.kafka_fault_proxy import Action, Fault, KafkaFaultProxy
from tests.stack.server import HOST, free_port


class KafkaCluster:
    """A running cluster. The controller is a separate node, so that all brokers but one may be gone.

    Attributes:
        brokers: by their ids, from 1 on.
        bootstrap: addresses of all of them for clients; through the fault proxies where there are some.
        direct: addresses of all of them past the proxies.
        proxies: a fault proxy for each broker, by the broker's id; empty without proxies.
    """

    def __init__(self, folder: Path, brokers: int, settings: str, proxies: Mapping[int, KafkaFaultProxy]) -> None:
        cluster_id, controller = uuid_text(), free_port()
        quorum = f"controller.quorum.voters=1000@{HOST}:{controller}\n"
        factors = "".join(
            f"{topic}.replication.factor={brokers}\n"
            for topic in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        )
        self._ports = {broker_id: free_port() for broker_id in range(1, brokers + 1)}
        self.proxies = dict(proxies)
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
                f"{factors}process.roles=broker\n{settings}\n{quorum}{_listeners(port, self.proxies.get(broker_id))}",
            )
            for broker_id, port in self._ports.items()
        }
        self.direct = ",".join(f"{HOST}:{port}" for port in self._ports.values())
        self.bootstrap = ",".join(proxy.address for proxy in self.proxies.values()) or self.direct

    def start(self) -> None:
        """Start all nodes side by side."""
        nodes = [self._controller, *self.brokers.values()]
        for node in nodes:
            node.launch()
        for node in nodes:
            node.wait_until_ready()

    def kill(self) -> None:
        """End all nodes at once."""
        for node in (*self.brokers.values(), self._controller):
            node.kill()

    def address(self, broker_id: int) -> str:
        """Of one broker, past its proxy."""
        return f"{HOST}:{self._ports[broker_id]}"

    def fault(self, api: str, action: Action, *, times: int = 1, delay_s: float = 0.0) -> Fault:
        """Break the next `times` requests of an API, whichever brokers are asked."""
        fault = Fault(api, action, times, delay_s)
        for proxy in self.proxies.values():
            proxy.add(fault)
        return fault

    def clear(self) -> None:
        """Forget all faults of all proxies."""
        for proxy in self.proxies.values():
            proxy.clear()

    def tool(self, name: str, *arguments: str) -> str:
        """Run one of Kafka's own command-line tools; returns what it prints."""
        return run_tool(name, self.direct, *arguments)


@contextlib.contextmanager
def kafka_cluster(brokers: int = 3, *, proxied: bool = False, settings: str = "") -> Iterator[KafkaCluster]:
    """Start a cluster, whose internal topics have a replica on each broker; kills it at the end.

    Args:
        brokers: how many.
        proxied: put a `KafkaFaultProxy` between clients and each broker.
        settings: further lines of the properties of all nodes.

    Raises:
        NotInstalledError: Java or Maven is missing.
    """
    with tempfile.TemporaryDirectory(prefix="kafka-cluster-") as name, contextlib.ExitStack() as stack:
        proxies = {
            broker_id: stack.enter_context(KafkaFaultProxy(HOST, free_port()))
            for broker_id in range(1, (brokers if proxied else 0) + 1)
        }
        cluster = KafkaCluster(Path(name), brokers, settings, proxies)
        stack.callback(cluster.kill)
        cluster.start()
        yield cluster


def _listeners(port: int, proxy: KafkaFaultProxy | None) -> str:
    """Lines of a broker's properties: one listener for all, or a further one for clients that the proxy stands in front of."""
    listeners = advertised = f"INTERNAL://{HOST}:{port}"
    if proxy is not None:
        listeners += f",CLIENT://{HOST}:{proxy.broker_port}"
        advertised += f",CLIENT://{proxy.address}"
    return f"listeners={listeners}\nadvertised.listeners={advertised}\n"
