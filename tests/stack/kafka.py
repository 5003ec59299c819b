"""Apache Kafka (KRaft) on free ports, in a temporary folder: one node that is broker and controller, and what makes nodes."""

from __future__ import annotations

import base64
import contextlib
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.stack import install
from tests.stack.kafka_fault_proxy import KafkaFaultProxy
from tests.stack.server import HOST, Server, free_port, kafka_answers

_JVM = ("-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
# A broker that was killed gets back in only when its old session is over: hence a short one.
_SETTINGS = """
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
listener.security.protocol.map=INTERNAL:PLAINTEXT,CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
auto.create.topics.enable=false
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.retention.ms=-1
log.message.timestamp.before.max.ms=9223372036854775807
log.segment.bytes=67108864
num.network.threads=2
num.io.threads=4
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
"""
LOG4J = """
rootLogger.level=warn
rootLogger.appenderRef.c.ref=c
appender.c.type=Console
appender.c.name=c
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=%d %p %c{1} %m%n
"""
_TOOLS = {
    "kafka-acls": "org.apache.kafka.tools.AclCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
}


class Node:
    """One process of Kafka, and how to end it and start it again."""

    def __init__(self, folder: Path, cluster_id: str, node_id: int, port: int, settings: str) -> None:
        """Write its files; nothing is started.

        Args:
            folder: for its files and its log.
            cluster_id: of its cluster.
            node_id: its number there.
            port: one of its listeners without TLS and SASL, which answers when the node is ready.
            settings: lines of its properties, besides those that every node has.

        Raises:
            NotInstalledError: Java or Maven is missing.
        """
        jars, java = install.kafka_jars(), install.java()
        folder.mkdir(exist_ok=True)
        (folder / "log4j2.properties").write_text(LOG4J)
        (folder / "server.properties").write_text(f"{_SETTINGS}node.id={node_id}\nlog.dirs={folder / 'data'}\n{settings}\n")
        _format(folder / "data", cluster_id, node_id)
        command = [java, *_JVM, f"-Dlog4j2.configurationFile={folder}/log4j2.properties", "-cp", f"{jars}/*"]
        self._server = Server(
            [*command, "kafka.Kafka", folder / "server.properties"], lambda: kafka_answers(port), folder / "broker.log"
        )

    def launch(self) -> None:
        """Start the process, and don't wait."""
        self._server.launch()

    def wait_until_ready(self) -> None:
        """Wait until it answers."""
        self._server.wait_until_ready()

    def kill(self) -> None:
        """What a lost machine looks like; the log stays on disk."""
        self._server.kill()

    def stop(self) -> None:
        """Stop the node in order."""
        self._server.stop()

    def start(self) -> None:
        """Start it again, with its ports and its log."""
        self._server.start()

    def freeze(self) -> None:
        """Stop the process where it is; connections stay open."""
        self._server.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._server.signal(signal.SIGCONT)


class Kafka(Node):
    """A running broker, alone in its cluster.

    Attributes:
        bootstrap: address for clients; through the fault proxy where there is one.
        direct: address past the proxy.
        proxy: the fault proxy, None without one.
    """

    def __init__(self, folder: Path, settings: str, proxy: KafkaFaultProxy | None, client: int) -> None:
        internal, controller = free_port(), free_port()
        advertised = proxy.port if proxy is not None else client
        super().__init__(
            folder,
            uuid_text(),
            node_id=1,
            port=internal,
            settings=f"process.roles=broker,controller\n{settings}\n"
            f"controller.quorum.voters=1@{HOST}:{controller}\n"
            f"listeners=INTERNAL://{HOST}:{internal},CLIENT://{HOST}:{client},CONTROLLER://{HOST}:{controller}\n"
            f"advertised.listeners=INTERNAL://{HOST}:{internal},CLIENT://{HOST}:{advertised}\n",
        )
        self.direct = f"{HOST}:{internal}"
        self.proxy = proxy
        self.bootstrap = proxy.address if proxy is not None else f"{HOST}:{client}"

    def tool(self, name: str, *arguments: str) -> str:
        """Run one of Kafka's own command-line tools; returns what it prints."""
        return run_tool(name, self.direct, *arguments)


def run_tool(name: str, bootstrap: str, *arguments: str) -> str:
    """Run one of Kafka's own command-line tools; returns what it prints."""
    command = [install.java(), "-Xmx200m", "-XX:TieredStopAtLevel=1", "-cp", f"{install.kafka_jars()}/*", _TOOLS[name]]
    finished = subprocess.run(
        [*command, "--bootstrap-server", bootstrap, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise RuntimeError(f"{name} {' '.join(arguments)}:\n{finished.stdout}{finished.stderr}")
    return finished.stdout


@contextlib.contextmanager
def kafka(*, proxied: bool = False, settings: str = "") -> Iterator[Kafka]:
    """Start a broker; kills it at the end.

    Args:
        proxied: put a `KafkaFaultProxy` between clients and broker.
        settings: further lines of the broker's properties.

    Raises:
        NotInstalledError: Java or Maven is missing.
    """
    with tempfile.TemporaryDirectory(prefix="kafka-") as name, contextlib.ExitStack() as stack:
        client = free_port()
        proxy = stack.enter_context(KafkaFaultProxy(HOST, client)) if proxied else None
        broker = Kafka(Path(name), settings, proxy, client)
        stack.callback(broker.kill)
        broker.start()
        yield broker


def _format(data: Path, cluster_id: str, node_id: int) -> None:
    """Writes the files that Kafka's storage tool would write, without starting a Java process."""
    data.mkdir()
    (data / "meta.properties").write_text(
        f"version=1\ncluster.id={cluster_id}\nnode.id={node_id}\ndirectory.id={uuid_text()}\n"
    )


def uuid_text() -> str:
    """A new id in Kafka's writing; one that begins with a minus would be taken for an option by its tools."""
    text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return uuid_text() if text.startswith("-") else text
