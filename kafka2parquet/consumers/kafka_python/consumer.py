"""KafkaPythonConsumer: the Consumer protocol on kafka-python, with columns instead of record objects."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Sequence

import attrs

from kafka2parquet.consumers.base import Assignment, CommitRefused, CommitSucceeded, Polled, Revoked
from kafka2parquet.consumers.kafka_python.assignors import group_settings
from kafka2parquet.consumers.kafka_python.client import connect
from kafka2parquet.consumers.kafka_python.fetched_queue import FetchedQueues, PartitionQueue
from kafka2parquet.consumers.kafka_python.poll_thread import PollThread, Subscription
from kafka2parquet.consumers.kafka_python.shared_state import Command, Commit, Pause, SharedState, Start
from kafka2parquet.consumers.record_batches.decoding import DecodeLimits, decode_some
from kafka2parquet.consumers.record_batches.decompression import MOST_BATCH_BYTES
from kafka2parquet.errors import CorruptRecordBatchError, UsageError
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.util.arguments import Count, Name, Names, PositiveSeconds, Seconds, SecretSettings, checked

_MAX_POLL_RECORDS = 1 << 16
_MAX_PARTITION_RECORDS = 1 << 15
#: Decompressed bytes after which a poll takes nothing more: all that is made of them is held at the same time.
_POLL_BYTES = 16 << 20
_MAX_METADATA_CHARACTERS = 300
_DEFAULT_MAX_POLL_INTERVAL_MS = 300_000


@checked
class KafkaPythonConsumer:
    """Reads topics as one member of a consumer group, through kafka-python 3.

    Nothing is connected before the first `poll`, which starts one thread that owns the kafka-python consumer; all methods
    belong to one other thread. See `Consumer` for what they do.
    """

    def __init__(
        self,
        *,
        bootstrap_servers: Name | Names,
        group_id: Name,
        topics: Sequence[Name] = (),
        topics_pattern: Name | None = None,
        client_settings: SecretSettings | None = None,
        group_instance_id: Name | None = None,
        queue_bytes: Count = 32 << 20,
        most_batch_bytes: Count = MOST_BATCH_BYTES,
        gather_rows: Count = 8192,
        gather_max_wait_s: Seconds = 1.0,
        connect_timeout_s: PositiveSeconds = 60.0,
    ) -> None:
        """Set the consumer up; nothing is connected yet.

        Args:
            bootstrap_servers: some brokers, each as host:port.
            group_id: of the consumer group.
            topics: to read; either these or a pattern.
            topics_pattern: regular expression that the whole name of a topic has to match.
            client_settings: further settings of `kafka.KafkaConsumer`, by its names: security, timeouts, fetch sizes. Those on
                which delivery depends (offsets, isolation, deserialisers) can't be changed. `partition_assignment_strategy`
                takes names, too: `range`, `roundrobin`, `sticky`, or `cooperative-sticky` alone.
            group_instance_id: for static membership: an id that stays the same over restarts and belongs to this member alone.
            queue_bytes: how much may be fetched ahead, in bytes as fetched; then fetching pauses.
            most_batch_bytes: a record batch that decompresses to more bytes is corrupt. Each of its records counts for at
                least 64 bytes.
            gather_rows: records of a partition to wait for before they are handed out.
            gather_max_wait_s: how long to wait for that number of records, in seconds.
            connect_timeout_s: how long to try before the first contact with a broker is an error, in seconds.

        Raises:
            UsageError: not exactly one of topics and pattern was given.
            ConfigurationError: `client_settings` ask for a group protocol or for assignors that kafka-python doesn't have.
        """
        if bool(topics) == bool(topics_pattern):
            raise UsageError("KafkaPythonConsumer: give either topics or topics_pattern.")
        settings = group_settings(client_settings or {})
        settings.setdefault("max_poll_interval_ms", _DEFAULT_MAX_POLL_INTERVAL_MS)
        if group_instance_id is not None:
            settings["group_instance_id"] = group_instance_id
        self._limits = DecodeLimits(_POLL_BYTES, _MAX_PARTITION_RECORDS, most_batch_bytes)
        self._exchange = SharedState(FetchedQueues(queue_bytes, gather_rows, gather_max_wait_s))
        self._poll_thread = PollThread(
            self._exchange,
            functools.partial(connect, bootstrap_servers, group_id, settings, connect_timeout_s),
            Subscription(group_id, tuple(topics), topics_pattern),
            settings["max_poll_interval_ms"] / 1000,
        )
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        self._committing: set[Assignment] = set()
        self._closed = False

    def poll(self, timeout_s: float) -> Polled:
        """See `Consumer.poll`.

        Raises:
            KafkaUnavailableError: no broker could be reached within `connect_timeout_s`.
            AccessError: Kafka refuses us.
            FencedInstanceError: another process has our group_instance_id.
            UsageError: the consumer is closed, or belongs to the process that this one was forked from.
        """
        self._check_usable()
        if self._thread is None:
            self._thread = threading.Thread(target=self._poll_thread.run, name="kafka2parquet-poll", daemon=True)
            self._thread.start()
        exchange = self._exchange
        with exchange.lock:
            exchange.driver_polled_at = time.monotonic()
            exchange.wait_until(self._something_is_there, timeout_s)
            events = list(exchange.events)
            exchange.events.clear()
            if exchange.error is not None and not events:
                raise exchange.error
            ready = exchange.queues.ready(time.monotonic())
        for event in events:
            if isinstance(event, CommitSucceeded | CommitRefused | Revoked):
                self._committing.discard(event.assignment)
        return Polled(events, self._decode(ready))

    def start(self, assignment: Assignment, offset: int, leader_epoch: int = -1) -> None:
        """See `Consumer.start`."""
        with self._exchange.lock:
            queue = self._exchange.queue_of(assignment)
            if queue is not None:
                queue.clear()
                queue.accepting = False
                queue.starts += 1
                self._command(Start(assignment, offset, leader_epoch, queue.starts))

    def commit(self, assignment: Assignment, offset: int, metadata: str, leader_epoch: int = -1) -> None:
        """See `Consumer.commit`.

        Raises:
            UsageError: a commit of this assignment is under way, or the metadata is too long or not ASCII.
        """
        if assignment in self._committing:
            raise UsageError(f"{assignment.topic_partition}: a commit is under way; wait for its outcome.")
        if not metadata.isascii() or len(metadata) > _MAX_METADATA_CHARACTERS:
            raise UsageError(f"Commit metadata has to be ASCII, at most {_MAX_METADATA_CHARACTERS} characters: {metadata!r}")
        self._committing.add(assignment)
        self._command(Commit(assignment, offset, metadata, leader_epoch))

    def pause(self, assignment: Assignment) -> None:
        """See `Consumer.pause`."""
        self._set_paused(assignment, True)

    def resume(self, assignment: Assignment) -> None:
        """See `Consumer.resume`."""
        self._set_paused(assignment, False)

    def close(self, timeout_s: float) -> None:
        """See `Consumer.close`."""
        if self._closed:
            return
        self._closed = True
        if self._process != os.getpid():
            return  # the connections belong to the parent
        with self._exchange.changed:
            self._exchange.closing = True
            self._exchange.changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _check_usable(self) -> None:
        if self._closed:
            raise UsageError("poll() on a closed KafkaPythonConsumer; make a new one.")
        if self._process != os.getpid():
            raise UsageError("This KafkaPythonConsumer was made before a fork. Make it in the process that uses it.")

    def _something_is_there(self) -> bool:
        exchange = self._exchange
        return bool(exchange.events or exchange.error is not None or exchange.queues.ready(time.monotonic()))

    def _decode(self, ready: Sequence[PartitionQueue]) -> list[ConsumedBatch]:
        """Return some of what is ready, within the limits of a poll. What is not decompressed goes back into its queue."""
        batches: list[ConsumedBatch] = []
        left_bytes, left_records = _POLL_BYTES, _MAX_POLL_RECORDS
        for queue in ready:
            with self._exchange.lock:
                pieces = queue.take(min(_MAX_PARTITION_RECORDS, left_records), time.monotonic())
                high_watermark = queue.high_watermark
            if not pieces:  # the poll thread has just cleared it
                continue
            try:
                decoded = decode_some(pieces, attrs.evolve(self._limits, step_bytes=left_bytes))
            except CorruptRecordBatchError as error:
                self._exchange.fail_partition(queue.assignment, error)
                continue
            del pieces
            with self._exchange.lock:
                queue.put_back(decoded.left)
            batches += [attrs.evolve(batch, high_watermark=high_watermark) for batch in decoded.batches]
            left_bytes -= decoded.size_bytes
            left_records -= sum(len(batch) for batch in decoded.batches)
            if left_bytes <= 0 or left_records <= 0:
                break
        return batches

    def _set_paused(self, assignment: Assignment, paused: bool) -> None:
        with self._exchange.lock:
            queue = self._exchange.queue_of(assignment)
            if queue is not None:
                queue.paused = paused
        self._command(Pause(assignment, paused))

    def _command(self, command: Command) -> None:
        with self._exchange.changed:
            self._exchange.commands.append(command)
            self._exchange.changed.notify_all()
