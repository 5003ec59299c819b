"""Apache Kafka: one node, broker and controller in one process (KRaft), on free ports and in a temporary folder."""

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
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
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
_LOG4J = """
rootLogger.level=warn
rootLogger.appenderRef.c.ref=c
appender.c.type=Console
appender.c.name=c
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=%d %p %c{1} %m%n
"""
_TOOLS = {
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
}


class Kafka:
    """A running broker.

    Attributes:
        bootstrap: address for clients; through the fault proxy where there is one.
        direct: address past the proxy.
        proxy: the fault proxy, None without one.
    """

    def __init__(self, server: Server, jars: Path, direct: str, proxy: KafkaFaultProxy | None) -> None:
        self._server = server
        self._jars = jars
        self.direct = direct
        self.proxy = proxy
        self.bootstrap = proxy.address if proxy is not None else direct

    def kill(self) -> None:
        """What a lost machine looks like; the log stays on disk."""
        self._server.kill()

    def stop(self) -> None:
        """Stop the broker in order."""
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

    def tool(self, name: str, *arguments: str) -> str:
        """Run one of Kafka's own command-line tools; returns what it prints."""
        command = [install.java(), "-Xmx200m", "-cp", f"{self._jars}/*", _TOOLS[name]]
        finished = subprocess.run(
            [*command, "--bootstrap-server", self.direct, *arguments],
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
    jars, java = install.kafka_jars(), install.java()
    with tempfile.TemporaryDirectory(prefix="kafka-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        internal, client, controller = free_port(), free_port(), free_port()
        proxy = stack.enter_context(KafkaFaultProxy(HOST, client)) if proxied else None
        advertised = proxy.port if proxy is not None else client
        (folder / "log4j2.properties").write_text(_LOG4J)
        (folder / "server.properties").write_text(
            f"{_SETTINGS}{settings}\n"
            f"log.dirs={folder / 'data'}\n"
            f"controller.quorum.voters=1@{HOST}:{controller}\n"
            f"listeners=INTERNAL://{HOST}:{internal},CLIENT://{HOST}:{client},CONTROLLER://{HOST}:{controller}\n"
            f"advertised.listeners=INTERNAL://{HOST}:{internal},CLIENT://{HOST}:{advertised}\n"
            "listener.security.protocol.map=INTERNAL:PLAINTEXT,CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        )
        _format(folder / "data")
        command = [java, *_JVM, f"-Dlog4j2.configurationFile={folder}/log4j2.properties", "-cp", f"{jars}/*"]
        server = Server(
            [*command, "kafka.Kafka", folder / "server.properties"], lambda: kafka_answers(internal), folder / "broker.log"
        )
        stack.callback(server.kill)
        server.start()
        yield Kafka(server, jars, f"{HOST}:{internal}", proxy)


def _format(data: Path) -> None:
    """What Kafka's storage tool writes, without a Java process of its own."""
    data.mkdir()
    (data / "meta.properties").write_text(f"version=1\ncluster.id={_uuid()}\nnode.id=1\ndirectory.id={_uuid()}\n")


def _uuid() -> str:
    """In Kafka's writing; one that begins with a minus would be taken for an option by its tools."""
    text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return _uuid() if text.startswith("-") else text
