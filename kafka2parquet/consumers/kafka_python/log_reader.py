"""LogReader: reads a log and a group's offsets without joining the group, for audits."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import attrs
import kafka.errors as kafka_errors
import pyarrow.compute as pc
from kafka.structs import TopicPartition as KafkaTopicPartition

from kafka2parquet.consumers.kafka_python.connection.client import connect
from kafka2parquet.consumers.kafka_python.connection.errors import translate
from kafka2parquet.consumers.kafka_python.watchdog import cluster_id, topic_id
from kafka2parquet.consumers.log_bounds import log_ends, log_starts
from kafka2parquet.consumers.record_batches.decoding import DecodeLimits, decode_some
from kafka2parquet.consumers.record_batches.fetched_batches import FetchedBatches
from kafka2parquet.consumers.retention import retention_request, retentions_ms
from kafka2parquet.errors import Kafka2ParquetError, KafkaUnavailableError
from kafka2parquet.records import ConsumedBatch, TopicPartition
from kafka2parquet.util.display import counted

_TIMEOUT_MS = 30_000
_POLL_MS = 500
_LIMITS = DecodeLimits()
_ONE_BATCH = DecodeLimits(step_bytes=1, step_records=1)
#: Client settings for a reader of single records. A broker returns a whole batch even if the batch is larger.
LITTLE: Mapping[str, Any] = {"fetch_min_bytes": 1, "max_partition_fetch_bytes": 64 << 10, "fetch_max_bytes": 8 << 20}


@attrs.frozen
class FirstRecord:
    """The first record of a range of offsets.

    Attributes:
        offset: its offset.
        timestamp_ms: its Kafka timestamp in milliseconds; None if it has none.
    """

    offset: int
    timestamp_ms: int | None


class LogReader:
    """A read-only connection to Kafka, for use by one thread. All methods may block."""

    def __init__(
        self,
        bootstrap_servers: str | Sequence[str],
        group_id: str,
        client_settings: Mapping[str, Any],
        connect_timeout_s: float = 30.0,
    ) -> None:
        """Connect.

        Raises:
            KafkaUnavailableError: no broker answers.
            AccessError: Kafka refuses access.
        """
        self.group_id = group_id
        self._client: Any = connect(bootstrap_servers, group_id, client_settings, connect_timeout_s, lambda: False)

    def __enter__(self) -> LogReader:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close(autocommit=False, timeout_ms=2_000)

    def topics(self) -> list[str]:
        """Return the names of all topics that the principal may describe."""
        try:
            return sorted(self._client.topics())
        except (kafka_errors.KafkaError, OSError) as error:
            raise _ours(error, "listing topics") from error

    def partition_count(self, topic: str) -> int:
        """Return the number of partitions of a topic; 0 if the topic doesn't exist."""
        try:
            return len(self._client.partitions_for_topic(topic) or ())
        except (kafka_errors.KafkaError, OSError) as error:
            raise _ours(error, f"counting the partitions of topic {topic}") from error

    def committed(self, topics: Collection[str]) -> dict[TopicPartition, int]:
        """Return the group's committed offsets in these topics, for the partitions that have one."""
        try:
            names = [
                KafkaTopicPartition(topic, partition)
                for topic in topics
                for partition in self._client.partitions_for_topic(topic) or ()
            ]
            found = self._client._coordinator.fetch_committed_offsets(names, timeout_ms=_TIMEOUT_MS)
        except (kafka_errors.KafkaError, OSError) as error:
            raise _ours(error, "reading the group's offsets") from error
        return {TopicPartition(*name): stored.offset for name, stored in found.items() if stored.offset >= 0}

    def bounds(self, topic: str) -> dict[TopicPartition, tuple[int, int]]:
        """Return the start and the end of the log of each partition of a topic; {} if the topic doesn't exist."""
        try:
            names = [
                KafkaTopicPartition(topic, partition) for partition in sorted(self._client.partitions_for_topic(topic) or ())
            ]
            starts = log_starts(self._client, names, _TIMEOUT_MS) if names else {}
            ends = log_ends(self._client, names, _TIMEOUT_MS) if names else {}
        except (kafka_errors.KafkaError, OSError) as error:
            raise _ours(error, f"reading the bounds of topic {topic}") from error
        return {TopicPartition(*name): (starts[name], ends[name]) for name in names}

    def offsets_since(self, topic: str, time_ms: int) -> dict[TopicPartition, int | None]:
        """Return the offset of the first record of each partition with this timestamp or a later one; None without one.

        Args:
            topic: the topic.
            time_ms: milliseconds since the epoch.
        """
        try:
            names = [KafkaTopicPartition(topic, partition) for partition in self._client.partitions_for_topic(topic) or ()]
            found = self._client.offsets_for_times(dict.fromkeys(names, time_ms), timeout_ms=_TIMEOUT_MS) if names else {}
        except (kafka_errors.KafkaError, OSError) as error:
            raise _ours(error, f"looking for the offsets of a time in topic {topic}") from error
        return {TopicPartition(*name): None if found.get(name) is None else found[name].offset for name in names}

    def cluster_id(self) -> str:
        """Return the cluster's id, "" if unknown."""
        return cluster_id(self._client)

    def topic_id(self, topic: str) -> str:
        """Return the id of a topic that was asked for before; "" if unknown."""
        return topic_id(self._client, topic)

    def read(self, topic_partition: TopicPartition, start: int, end: int) -> Iterator[ConsumedBatch]:
        """Yield the batches of [start, end) that the log still has. The last batch may extend beyond `end`.

        Raises:
            CorruptRecordBatchError: a batch is corrupt.
            KafkaUnavailableError: no data arrived for half a minute.
        """
        name = KafkaTopicPartition(topic_partition.topic, topic_partition.partition)
        try:
            self._client.assign([name])
            position = max(start, log_starts(self._client, [name], _TIMEOUT_MS)[name])
            self._client.seek(name, position)
            heard_at = time.monotonic()
            while position < end:
                for piece in self._client.poll(timeout_ms=_POLL_MS).get(name, ()):
                    left: Sequence[FetchedBatches] = [piece]
                    while left:
                        decoded = decode_some(left, _LIMITS)
                        yield from decoded.batches
                        left = decoded.left
                    position, heard_at = piece.next_offset, time.monotonic()
                if time.monotonic() - heard_at > _TIMEOUT_MS / 1000:
                    raise KafkaUnavailableError(f"{topic_partition}: Kafka returns no data at offset {position}.")
        except (kafka_errors.KafkaError, OSError) as error:
            raise _ours(error, f"reading {topic_partition}") from error

    def first_records(self, ranges: Mapping[TopicPartition, tuple[int, int]]) -> dict[TopicPartition, FirstRecord]:
        """Return the first record of each range [start, end) of offsets; ranges without records are left out.

        Markers of transactions, aborted records and compacted offsets are not records. Each partition is fetched only up to
        its first record. Make the reader with `LITTLE` among its client settings, so that a fetch is small.

        Raises:
            CorruptRecordBatchError: a batch is corrupt.
            KafkaUnavailableError: no data arrived for half a minute.
        """
        found: dict[TopicPartition, FirstRecord] = {}
        waiting = {
            KafkaTopicPartition(name.topic, name.partition): bounds for name, bounds in ranges.items() if bounds[0] < bounds[1]
        }
        try:
            self._client.assign([*waiting])
            for name, (start, _) in waiting.items():
                self._client.seek(name, start)
            heard_at = time.monotonic()
            while waiting:
                for name, pieces in self._client.poll(timeout_ms=_POLL_MS).items():
                    heard_at = time.monotonic()
                    if name not in waiting:
                        continue
                    start, end = waiting[name]
                    first = next(filter(None, (_first_record(piece, start, end) for piece in pieces)), None)
                    if first is not None:
                        found[TopicPartition(*name)] = first
                    if first is not None or pieces[-1].next_offset >= end:
                        del waiting[name]
                        self._client.pause(name)
                if time.monotonic() - heard_at > _TIMEOUT_MS / 1000:
                    raise KafkaUnavailableError(f"Kafka returns no data for {counted(len(waiting), 'topic-partition')}.")
        except (kafka_errors.KafkaError, OSError) as error:
            raise _ours(error, "reading first records") from error
        return found

    def retentions_ms(self, topics: Collection[str]) -> Mapping[str, int | None]:
        """Return how long each topic keeps records, in milliseconds; None if for ever, or if its settings may not be read."""
        try:
            manager = self._client._manager
            return retentions_ms(manager.run(manager.send, retention_request(topics))) if topics else {}
        except (kafka_errors.KafkaError, OSError) as error:
            raise _ours(error, "reading the topics' retention") from error


def _first_record(piece: FetchedBatches, start: int, end: int) -> FirstRecord | None:
    """Return the first record of [start, end) in a piece; None if there is none."""
    left: Sequence[FetchedBatches] = [piece]
    while left:
        decoded = decode_some(left, _ONE_BATCH)
        for batch in decoded.batches:
            within = pc.and_(pc.greater_equal(batch.offsets, start), pc.less(batch.offsets, end))
            row = pc.index(within, True).as_py()
            if row >= 0:
                return FirstRecord(batch.offsets[row].as_py(), batch.timestamps_ms[row].as_py())
        left = decoded.left
    return None


def _ours(error: Exception, what: str) -> Kafka2ParquetError:
    return translate(error, what) or KafkaUnavailableError(f"While {what}, Kafka did not answer: {error}.")
