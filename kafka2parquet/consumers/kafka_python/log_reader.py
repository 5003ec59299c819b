"""LogReader: reads a log and a group's offsets without joining the group, for audits."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import kafka.errors as kafka_errors
from kafka.structs import TopicPartition as KafkaTopicPartition

from kafka2parquet.consumers.kafka_python.client import connect
from kafka2parquet.consumers.kafka_python.errors import translate
from kafka2parquet.consumers.log_bounds import log_ends, log_starts
from kafka2parquet.consumers.record_batches.decoding import DecodeLimits, decode_some
from kafka2parquet.consumers.record_batches.fetched_batches import FetchedBatches
from kafka2parquet.errors import Kafka2ParquetError, KafkaUnavailableError
from kafka2parquet.records import ConsumedBatch, TopicPartition

_TIMEOUT_MS = 30_000
_POLL_MS = 500
_LIMITS = DecodeLimits()


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


def _ours(error: Exception, what: str) -> Kafka2ParquetError:
    return translate(error, what) or KafkaUnavailableError(f"While {what}, Kafka did not answer: {error}.")
