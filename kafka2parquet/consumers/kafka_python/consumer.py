"""KafkaPythonConsumer: implements the Consumer protocol on kafka-python, with columns instead of record objects."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Sequence

import attrs

from kafka2parquet.consumers.base import Assignment, CommitRefused, CommitSucceeded, Polled, Revoked
from kafka2parquet.consumers.kafka_python.connection.assignors import group_settings
from kafka2parquet.consumers.kafka_python.connection.client import connect
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
#: A poll stops after this number of decompressed bytes, because all of its columns are in memory at the same time.
_POLL_BYTES = 16 << 20
_MAX_METADATA_CHARACTERS = 300
_DEFAULT_MAX_POLL_INTERVAL_MS = 300_000


@checked
class KafkaPythonConsumer:
    """Reads topics as one member of a consumer group, through kafka-python 3.

    The first `poll` connects and starts one thread that owns the kafka-python consumer. Call all methods on one other thread.
    `Consumer` describes the methods.
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
        """Set up the consumer without connecting.

        Args:
            bootstrap_servers: addresses of some brokers, each as host:port.
            group_id: id of the consumer group.
            topics: names of the topics to read. Give either `topics` or `topics_pattern`.
            topics_pattern: regular expression that has to match a topic's whole name.
            client_settings: further settings of `kafka.KafkaConsumer` under their own names, such as security, timeouts and
                fetch sizes. Settings on which delivery depends (offsets, isolation, deserialisers) can't be changed.
                `partition_assignment_strategy` accepts names too: `range`, `roundrobin`, `sticky`, or `cooperative-sticky`
                alone.
            group_instance_id: id for static membership. It must be unique to this member and stay the same after a restart.
            queue_bytes: limit for fetched bytes that wait to be decoded. At this limit fetching pauses.
            most_batch_bytes: a record batch that decompresses to more bytes than this is corrupt. Each of its records counts
                as at least 64 bytes.
            gather_rows: number of a partition's records to wait for before delivering them.
            gather_max_wait_s: longest time to wait for `gather_rows` records, in seconds.
            connect_timeout_s: time limit for the first contact with a broker, in seconds.

        Raises:
            UsageError: both or neither of `topics` and `topics_pattern` were given.
            ConfigurationError: `client_settings` ask for a group protocol or an assignor that kafka-python lacks.
        """
        if bool(topics) == bool(topics_pattern):
            raise UsageError("KafkaPythonConsumer: give either topics or topics_pattern.")
        settings = group_settings(client_settings or {})
        settings.setdefault("max_poll_interval_ms", _DEFAULT_MAX_POLL_INTERVAL_MS)
        if group_instance_id is not None:
            settings["group_instance_id"] = group_instance_id
        self._limits = DecodeLimits(_POLL_BYTES, _MAX_PARTITION_RECORDS, most_batch_bytes)
        self._shared = SharedState(FetchedQueues(queue_bytes, gather_rows, gather_max_wait_s))
        self._poll_thread = PollThread(
            self._shared,
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
            AccessError: Kafka refuses access.
            FencedInstanceError: another process uses the same `group_instance_id`.
            UsageError: the consumer is closed, or was created before this process was forked.
        """
        self._check_usable()
        if self._thread is None:
            self._thread = threading.Thread(target=self._poll_thread.run, name="kafka2parquet-poll", daemon=True)
            self._thread.start()
        shared = self._shared
        with shared.lock:
            shared.driver_polled_at = time.monotonic()
            shared.wait_until(self._something_is_there, timeout_s)
            events = list(shared.events)
            shared.events.clear()
            if shared.error is not None and not events:
                raise shared.error
            ready = shared.queues.ready(time.monotonic())
            bounds, member = shared.take_bounds(), shared.member
        for event in events:
            if isinstance(event, CommitSucceeded | CommitRefused | Revoked):
                self._committing.discard(event.assignment)
        return Polled(events, self._decode(ready), bounds, member)

    def start(self, assignment: Assignment, offset: int, leader_epoch: int = -1) -> None:
        """See `Consumer.start`."""
        with self._shared.lock:
            queue = self._shared.queue_of(assignment)
            if queue is not None:
                queue.clear()
                queue.accepting = False
                queue.starts += 1
                self._command(Start(assignment, offset, leader_epoch, queue.starts))

    def commit(self, assignment: Assignment, offset: int, metadata: str, leader_epoch: int = -1) -> None:
        """See `Consumer.commit`.

        Raises:
            UsageError: a commit of this assignment is in flight, or the metadata is too long or not ASCII.
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
            return  # the connections belong to the parent process
        with self._shared.changed:
            self._shared.closing = True
            self._shared.changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _check_usable(self) -> None:
        if self._closed:
            raise UsageError("poll() on a closed KafkaPythonConsumer; create a new one.")
        if self._process != os.getpid():
            raise UsageError("This KafkaPythonConsumer was created before a fork. Create it in the process that uses it.")

    def _something_is_there(self) -> bool:
        shared = self._shared
        return bool(shared.events or shared.error is not None or shared.queues.ready(time.monotonic()))

    def _decode(self, ready: Sequence[PartitionQueue]) -> list[ConsumedBatch]:
        """Decode ready batches within the limits of a poll. Batches that are not decompressed go back to their queue."""
        batches: list[ConsumedBatch] = []
        left_bytes, left_records = _POLL_BYTES, _MAX_POLL_RECORDS
        for queue in ready:
            with self._shared.lock:
                pieces = queue.take(min(_MAX_PARTITION_RECORDS, left_records), time.monotonic())
                high_watermark = queue.high_watermark
            if not pieces:  # the poll thread has just cleared the queue
                continue
            try:
                decoded = decode_some(pieces, attrs.evolve(self._limits, step_bytes=left_bytes))
            except CorruptRecordBatchError as error:
                self._shared.fail_partition(queue.assignment, error)
                continue
            del pieces
            with self._shared.lock:
                queue.put_back(decoded.left)
            batches += [attrs.evolve(batch, high_watermark=high_watermark) for batch in decoded.batches]
            left_bytes -= decoded.size_bytes
            left_records -= sum(len(batch) for batch in decoded.batches)
            if left_bytes <= 0 or left_records <= 0:
                break
        return batches

    def _set_paused(self, assignment: Assignment, paused: bool) -> None:
        with self._shared.lock:
            queue = self._shared.queue_of(assignment)
            if queue is not None:
                queue.paused = paused
        self._command(Pause(assignment, paused))

    def _command(self, command: Command) -> None:
        with self._shared.changed:
            self._shared.commands.append(command)
            self._shared.changed.notify_all()
