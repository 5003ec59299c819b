"""EmbeddedBroker: wires the parts of the broker together, and gives tests methods to control it."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Annotated

import numpy as np
import numpy.typing as npt

from kafka2parquet.testing.broker.coordinator import GroupCoordinator, TopicPartition
from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.faults import Fault, Faults
from kafka2parquet.testing.broker.handlers_cluster import ClusterHandlers
from kafka2parquet.testing.broker.handlers_groups import GroupHandlers
from kafka2parquet.testing.broker.handlers_records import DataSignal, RecordHandlers
from kafka2parquet.testing.broker.handlers_transactions import TransactionHandlers
from kafka2parquet.testing.broker.messages import APIS
from kafka2parquet.testing.broker.record_batches import Compression, Headers, build_batches
from kafka2parquet.testing.broker.server import Server
from kafka2parquet.testing.broker.topics import Topics
from kafka2parquet.testing.broker.transactions import TransactionCoordinator
from kafka2parquet.util.argument_types import AtLeast, AtMost
from kafka2parquet.util.arguments import Count, Name, Seconds, checked

_HOST = "127.0.0.1"


@checked
class EmbeddedBroker:
    """A Kafka broker in this process: one node, in memory, on loopback, started in milliseconds.

        with EmbeddedBroker() as broker:
            broker.create_topic("orders", partitions=4)
            broker.append_values("orders", 0, [b'{"id": 1}'], [1_767_225_600_000])
            consumer = KafkaConsumer("orders", bootstrap_servers=broker.bootstrap, ...)

            broker.inject("OffsetCommit", lose_response=True)  # the next commit takes effect, but its response is lost
            broker.stop_listening(); ...; broker.start_listening()  # an outage that loses no state

    The broker serves ordinary clients (tested with kafka-python and confluent-kafka). It supports producing, also idempotent
    and transactional; fetching with long polls, limits and either isolation level; offsets by time; the classic group protocol
    with static members; committed offsets with metadata; creating, growing, describing and deleting topics; deleting records
    and groups. Topics have ids, which change when a topic is created again.

    The broker doesn't support more than one node, replication, persistence, TLS, SASL, access control, quotas, settings that
    take effect, retention by time or size, compaction, fetch sessions, log append time, the newer consumer and share group
    protocols (KIP-848, KIP-932), or message formats before v2.

    All methods may be called from any thread, and return when the broker has done the work. They raise `BrokerError` where a
    client would get that error. If a request causes an exception inside the broker, `stop` raises the exception.

    Args:
        port: port to listen on; 0 for a free port.
        default_partitions: number of partitions of topics that are created without a number.
        auto_create_topics: create a topic when a client that allows it asks for it.
        initial_rebalance_delay_s: how long an empty group waits for more members before its first assignment.
        cluster_id: the cluster id that clients see; a new id by default.
    """

    def __init__(
        self,
        *,
        port: Annotated[int, AtLeast(0), AtMost(65535)] = 0,
        default_partitions: Count = 1,
        auto_create_topics: bool = True,
        initial_rebalance_delay_s: Seconds = 0.1,
        cluster_id: Name | None = None,
    ) -> None:
        self.cluster_id = cluster_id or base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._topics = Topics(default_partitions)
        self._groups = GroupCoordinator(initial_rebalance_delay_s)
        self._transactions = TransactionCoordinator(self._topics, self._groups, lambda: time.time_ns() // 1_000_000)
        self._faults = Faults()
        self._data = DataSignal()
        self._cluster = ClusterHandlers(
            self._topics, self._groups, self.cluster_id, lambda: (_HOST, self._server.port), auto_create_topics
        )
        group_handlers = GroupHandlers(self._topics, self._groups)
        self._server = Server(
            _HOST,
            port,
            faults=self._faults,
            handlers={
                **self._cluster.handlers(),
                **RecordHandlers(self._topics, self._transactions, self._data).handlers(),
                **group_handlers.handlers(),
                **TransactionHandlers(self._transactions, self._groups, group_handlers, self._data).handlers(),
            },
            on_tick=self._tick,
        )

    def __enter__(self) -> EmbeddedBroker:
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # Life cycle

    @property
    def bootstrap(self) -> str:
        """The host and port for clients, joined by a colon."""
        return f"{_HOST}:{self._server.port}"

    def start(self) -> None:
        """Start listening. Clients can connect when this method returns."""
        self._server.start()

    def stop(self) -> None:
        """Close all connections and end the broker's thread. Does nothing if the broker is not running.

        Raises:
            Exception: a request caused this exception inside the broker.
        """
        self._server.stop()

    def stop_listening(self) -> None:
        """Start an outage: close the port and all connections. Topics and groups are kept, and timeouts keep running."""
        self._server.stop_listening()

    def start_listening(self) -> None:
        """End an outage: listen on the same port again."""
        self._server.start_listening()

    # Topics and records

    def create_topic(
        self, name: str, partitions: int | None = None, configs: Mapping[str, str | None] | None = None
    ) -> uuid.UUID:
        """Create a topic and return its id. Its settings can be described, but have no effect."""
        return self._server.call(lambda: self._topics.create(name, partitions, configs).topic_id)

    def delete_topic(self, name: str) -> None:
        """Delete a topic with its records and committed offsets."""
        self._server.call(lambda: self._cluster.delete_topic(name))
        self._server.call(self._data.notify)

    def create_partitions(self, name: str, total: int) -> None:
        """Increase the number of partitions of a topic to `total`."""
        self._server.call(lambda: self._topics.add_partitions(name, total))

    def topic_id(self, name: str) -> uuid.UUID:
        """Return the id of a topic."""
        return self._server.call(lambda: self._topics.topic(name).topic_id)

    def append(self, topic: str, partition: int, batches: bytes, *, check_crc: bool = True) -> int:
        """Append record batches of format v2 directly to the log.

        Args:
            topic: an existing topic.
            partition: one of its partitions.
            batches: concatenated batches, as a producer sends them. The broker sets their base offsets.
            check_crc: whether corrupt batches are refused. Set it to False to append a corrupt batch on purpose.

        Returns:
            The offset of the first record.
        """

        def append() -> int:
            base_offset = self._topics.log(topic, partition).append(batches, check_crc=check_crc)
            self._data.notify()
            return base_offset

        return self._server.call(append)

    def append_values(
        self,
        topic: str,
        partition: int,
        values: Sequence[bytes | None],
        timestamps_ms: Sequence[int] | npt.NDArray[np.int64],
        *,
        keys: Sequence[bytes | None] | None = None,
        headers: Sequence[Headers] | None = None,
        compression: Compression = "none",
        records_per_batch: int = 2000,
    ) -> int:
        """Append records directly to the log, much faster than a producer does.

        Args:
            topic: an existing topic.
            partition: one of its partitions.
            values: the value of each record; None for a tombstone.
            timestamps_ms: the timestamp of each record, in milliseconds since the epoch.
            keys: the key of each record; None if no record has a key.
            headers: the headers of each record; None if no record has headers.
            compression: the compression of each batch.
            records_per_batch: maximum number of records in one batch.

        Returns:
            The offset of the first record.

        Raises:
            ValueError: the columns differ in length.
        """
        batches = build_batches(
            values, timestamps_ms, keys=keys, headers=headers, compression=compression, records_per_batch=records_per_batch
        )
        return self.append(topic, partition, b"".join(batches))

    def leave_gap(self, topic: str, partition: int, offsets: int) -> None:
        """Skip `offsets` offsets before the next record, as if compaction had removed their records."""
        self._server.call(lambda: self._topics.log(topic, partition).leave_gap(offsets))

    def delete_records(self, topic: str, partition: int, before_offset: int) -> int:
        """Move the log start up to `before_offset`, as retention does, and return the log start."""

        def delete() -> int:
            start = self._topics.log(topic, partition).delete_before(before_offset)
            self._data.notify()
            return start

        return self._server.call(delete)

    def log_start(self, topic: str, partition: int) -> int:
        """Return the first offset that can be read."""
        return self._server.call(lambda: self._topics.log(topic, partition).start)

    def log_end(self, topic: str, partition: int) -> int:
        """Return the offset that the next record will get."""
        return self._server.call(lambda: self._topics.log(topic, partition).end)

    def log_size_bytes(self, topic: str, partition: int) -> int:
        """Return the total size in bytes of the record batches that can be read."""
        return self._server.call(lambda: self._topics.log(topic, partition).size_bytes)

    # Groups

    def committed(self, group: str, topic: str, partition: int) -> tuple[int, str] | None:
        """Return the group's committed offset and its metadata; None if the group has not committed an offset."""
        offset = self._server.call(lambda: self._groups.committed(group).get((topic, partition)))
        return None if offset is None else (offset.offset, offset.metadata)

    def all_committed(self, group: str) -> dict[TopicPartition, tuple[int, str]]:
        """Return all offsets that the group has committed, with their metadata, by topic and partition."""
        offsets = self._server.call(lambda: dict(self._groups.committed(group)))
        return {topic_partition: (each.offset, each.metadata) for topic_partition, each in offsets.items()}

    def group_state(self, group: str) -> str:
        """Return the state of a group by Kafka's name, such as "Stable"; "Dead" for an unknown group."""

        def state() -> str:
            found = self._groups.find(group)
            return "Dead" if found is None else found.state.value

        return self._server.call(state)

    def group_members(self, group: str) -> list[str]:
        """Return the ids of the group's members."""

        def members() -> list[str]:
            found = self._groups.find(group)
            return [] if found is None else list(found.members)

        return self._server.call(members)

    def evict(self, group: str) -> None:
        """Remove all members from a group, as if their sessions had timed out."""

        def evict() -> None:
            found = self._groups.find(group)
            if found is None:
                raise BrokerError(ErrorCode.GROUP_ID_NOT_FOUND)
            found.evict_all(self._server.time())

        self._server.call(evict)

    # Faults

    def inject(
        self,
        api: str,
        *,
        times: int = 1,
        skip: int = 0,
        delay_s: float = 0.0,
        close: bool = False,
        lose_response: bool = False,
        error: int = ErrorCode.NONE,
    ) -> None:
        """Plan a fault for the next requests of one kind, from any client.

        Args:
            api: name of the request, such as "OffsetCommit" or "Fetch".
            times: number of requests that the fault affects.
            skip: number of requests that pass before the fault takes effect.
            delay_s: wait before handling the request. The request is handled even if the client has given up meanwhile.
            close: close the connection instead of handling the request.
            lose_response: handle the request, then close the connection instead of sending the response.
            error: respond with this error code instead of handling the request.

        Raises:
            ValueError: the broker doesn't know the request.
        """
        if api not in APIS:
            raise ValueError(f"The embedded broker doesn't know the request {api!r}. It knows {', '.join(sorted(APIS))}.")
        fault = Fault(api, times, skip, delay_s, close, lose_response, int(error))
        self._server.call(lambda: self._faults.add(fault))

    def clear_faults(self) -> None:
        """Drop all planned faults that have not occurred yet."""
        self._server.call(self._faults.clear)

    def request_count(self, api: str) -> int:
        """Return the number of requests of one kind that have arrived so far."""
        return self._server.call(lambda: self._server.request_counts[api])

    def _tick(self, now: float) -> None:
        self._groups.expire(now)
        if self._transactions.expire(now):
            self._data.notify()
