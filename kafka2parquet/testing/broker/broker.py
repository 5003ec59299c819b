"""The embedded broker: puts the parts together and gives tests their handles."""

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

            broker.inject("OffsetCommit", lose_response=True)  # the next commit is carried out, its answer gets lost
            broker.stop_listening(); ...; broker.start_listening()  # an outage; nothing is forgotten

    It speaks to ordinary clients (tested with kafka-python and confluent-kafka): producing, also idempotent and transactional;
    fetching with long polls, limits and either isolation level; offsets by time; the classic group protocol with static
    members; committed offsets with metadata; creating, growing, describing and deleting topics; deleting records and groups.
    Topics have ids, which change when a topic is created again.

    It doesn't have: more than one node, replication, persistence, TLS, SASL, access control, quotas, settings that take
    effect, retention by time or size, compaction, fetch sessions, log append time, the newer consumer and share group
    protocols (KIP-848, KIP-932), message formats before v2.

    All methods may be called from any thread and return when the broker has done what they say. They raise `BrokerError`
    where a client would get that error. A request that breaks the broker itself is raised by `stop`.

    Args:
        port: port to listen on; 0 for a free one.
        default_partitions: partitions of topics that are created without saying how many.
        auto_create_topics: create a topic when a client that allows it asks for it.
        initial_rebalance_delay_s: how long an empty group waits for more members before its first assignment.
        cluster_id: as clients see it; a new one by default.
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
        """The address for clients: host and port, with a colon between."""
        return f"{_HOST}:{self._server.port}"

    def start(self) -> None:
        """Start listening; clients can connect when this returns."""
        self._server.start()

    def stop(self) -> None:
        """Close all connections and end the broker's thread; does nothing if it isn't running.

        Raises:
            Exception: what went wrong inside the broker while it carried out a request, if anything did.
        """
        self._server.stop()

    def stop_listening(self) -> None:
        """Begin an outage: close the port and all connections. Topics, groups and timeouts live on."""
        self._server.stop_listening()

    def start_listening(self) -> None:
        """End an outage; the port is the same."""
        self._server.start_listening()

    # Topics and records

    def create_topic(
        self, name: str, partitions: int | None = None, configs: Mapping[str, str | None] | None = None
    ) -> uuid.UUID:
        """Create a topic and return its id; settings can be described, but have no effect."""
        return self._server.call(lambda: self._topics.create(name, partitions, configs).topic_id)

    def delete_topic(self, name: str) -> None:
        """Delete a topic, its records and the groups' offsets of it."""
        self._server.call(lambda: self._cluster.delete_topic(name))
        self._server.call(self._data.notify)

    def create_partitions(self, name: str, total: int) -> None:
        """Let a topic have `total` partitions."""
        self._server.call(lambda: self._topics.add_partitions(name, total))

    def topic_id(self, name: str) -> uuid.UUID:
        """The topic's id."""
        return self._server.call(lambda: self._topics.topic(name).topic_id)

    def append(self, topic: str, partition: int, batches: bytes, *, check_crc: bool = True) -> int:
        """Append record batches of format v2, one after another, straight into the log.

        Args:
            topic: an existing topic.
            partition: one of its partitions.
            batches: as a producer would send them; their base offsets are set here.
            check_crc: refuse corrupt batches; False to put one into the log on purpose.

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
        """Append records straight into the log, much faster than a producer does.

        Args:
            topic: an existing topic.
            partition: one of its partitions.
            values: one for each record, None for a tombstone.
            timestamps_ms: one for each record, in milliseconds since the epoch.
            keys: one for each record; None for no keys at all.
            headers: the headers of each record; None for no headers at all.
            compression: how each batch is compressed.
            records_per_batch: most records in one batch.

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
        """Give the next record an offset that is `offsets` higher, as if compaction had removed the records between."""
        self._server.call(lambda: self._topics.log(topic, partition).leave_gap(offsets))

    def delete_records(self, topic: str, partition: int, before_offset: int) -> int:
        """Do what retention does: move the log start up to `before_offset`; returns the log start."""

        def delete() -> int:
            start = self._topics.log(topic, partition).delete_before(before_offset)
            self._data.notify()
            return start

        return self._server.call(delete)

    def log_start(self, topic: str, partition: int) -> int:
        """First offset that can be read."""
        return self._server.call(lambda: self._topics.log(topic, partition).start)

    def log_end(self, topic: str, partition: int) -> int:
        """Offset that the next record gets."""
        return self._server.call(lambda: self._topics.log(topic, partition).end)

    def log_size_bytes(self, topic: str, partition: int) -> int:
        """Bytes of the record batches that can be read."""
        return self._server.call(lambda: self._topics.log(topic, partition).size_bytes)

    # Groups

    def committed(self, group: str, topic: str, partition: int) -> tuple[int, str] | None:
        """The group's committed offset and its metadata, None if there is none."""
        offset = self._server.call(lambda: self._groups.committed(group).get((topic, partition)))
        return None if offset is None else (offset.offset, offset.metadata)

    def all_committed(self, group: str) -> dict[TopicPartition, tuple[int, str]]:
        """All offsets that the group has committed, with their metadata, by topic and partition."""
        offsets = self._server.call(lambda: dict(self._groups.committed(group)))
        return {topic_partition: (each.offset, each.metadata) for topic_partition, each in offsets.items()}

    def group_state(self, group: str) -> str:
        """State of a group under Kafka's name for it, such as "Stable"; "Dead" for an unknown group."""

        def state() -> str:
            found = self._groups.find(group)
            return "Dead" if found is None else found.state.value

        return self._server.call(state)

    def group_members(self, group: str) -> list[str]:
        """Ids of the group's members."""

        def members() -> list[str]:
            found = self._groups.find(group)
            return [] if found is None else list(found.members)

        return self._server.call(members)

    def evict(self, group: str) -> None:
        """Throw every member out of a group, as if their sessions had timed out."""

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
        """Order a fault for the next requests of one kind, from whichever client they come.

        Args:
            api: name of the request, such as "OffsetCommit" or "Fetch".
            times: how many requests it hits.
            skip: how many requests it lets pass before.
            delay_s: wait before the request is carried out; it is carried out even if the client gives up meanwhile.
            close: close the connection instead of carrying the request out.
            lose_response: carry the request out, then close the connection instead of answering.
            error: answer with this error code instead of carrying the request out.

        Raises:
            ValueError: the broker knows no such request.
        """
        if api not in APIS:
            raise ValueError(f"The embedded broker knows no request {api!r}; it knows {', '.join(sorted(APIS))}.")
        fault = Fault(api, times, skip, delay_s, close, lose_response, int(error))
        self._server.call(lambda: self._faults.add(fault))

    def clear_faults(self) -> None:
        """Forget the faults that have not happened yet."""
        self._server.call(self._faults.clear)

    def request_count(self, api: str) -> int:
        """How many requests of one kind have come in so far."""
        return self._server.call(lambda: self._server.request_counts[api])

    def _tick(self, now: float) -> None:
        self._groups.expire(now)
        if self._transactions.expire(now):
            self._data.notify()
