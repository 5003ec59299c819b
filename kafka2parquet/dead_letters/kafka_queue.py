"""KafkaDeadLetterQueue: sends rejected records to a Kafka topic, through kafka-python's producer.

One thread owns the producer, because the producer blocks while brokers are missing. The thread takes letters in groups, and
works on a group until Kafka has stored or permanently refused each letter. So letters keep their order, and a letter is
repeated for as long as Kafka is down. After a failed attempt the thread connects again: brokers may have moved, the topic may
be gone, or the password may have changed.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import kafka.errors as kafka_errors
from kafka import KafkaProducer

from kafka2parquet.consumers.kafka_python.connection.bootstrap_log import BootstrapLog, check_certificates
from kafka2parquet.consumers.kafka_python.connection.errors import translate
from kafka2parquet.dead_letters.base import DeadLetterFuture
from kafka2parquet.dead_letters.connect_report import FailureReporter, context_headers
from kafka2parquet.dead_letters.letter import DeadLetterSerializer, NullableHeaders, PendingDeadLetter
from kafka2parquet.dead_letters.topic import BOOTSTRAP_TIMEOUT_MS, ensure_topic
from kafka2parquet.errors import (
    ConfigurationError,
    DeadLetterRefusedError,
    Kafka2ParquetError,
    KafkaUnavailableError,
    UsageError,
)
from kafka2parquet.records import Reject
from kafka2parquet.util.arguments import Count, Name, Names, SecretSettings, checked

_LOG = logging.getLogger(__name__)

#: Exceptions of the producer's constructor before it connects.
_WRONG_SETTINGS = (AssertionError, TypeError, ValueError)
_GROUP_LETTERS = 500
_GROUP_BYTES = 4 << 20
_PAUSE_S = 1.0
_GRACE_MS = 5_000
_LOOK_EVERY_S = 0.1
_CLOSE_S = 1.0

#: Defaults that users may override. The broker decides what is too large, because it knows the topic's limit. Large batches
#: make one request at a time fast enough.
DEFAULTS: Mapping[str, Any] = {
    "batch_size": 128 << 10,
    "client_id": "kafka2parquet-dead-letters",
    "max_request_size": 256 << 20,
}

#: Settings on which the delivery of dead letters depends, with Connect's values. Users can't override them.
FIXED: Mapping[str, Any] = {
    "acks": "all",
    "allow_auto_create_topics": False,
    "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
    "enable_idempotence": False,
    "key_serializer": None,
    "max_block_ms": 10_000,
    "max_in_flight_requests_per_connection": 1,
    "retries": float("inf"),
}


@checked
class KafkaDeadLetterQueue:
    """Sends rejected records to a topic: key, value, timestamp and headers as they were, and headers about the failure.

    The first `prepare` or `send` starts one thread, which connects. The topic is created if it is missing. Call all methods on
    one thread. `DeadLetterQueue` describes the methods.
    """

    def __init__(
        self,
        *,
        bootstrap_servers: Name | Names,
        topic: Name,
        reporter: FailureReporter | None = None,
        replication_factor: Count = 3,
        producer_settings: SecretSettings | None = None,
        admin_settings: SecretSettings | None = None,
    ) -> None:
        """Set up the queue without connecting.

        Args:
            bootstrap_servers: addresses of some brokers, each as host:port.
            topic: the dead-letter topic. It must not be one of the topics that are read.
            reporter: adds the headers `__connect.errors.*`, which describe the failure. By default no headers are added.
            replication_factor: replication factor of the topic if it has to be created.
            producer_settings: further settings of `kafka.KafkaProducer` under their own names, such as security, timeouts and
                compression. Settings that prevent the loss of letters can't be changed.
            admin_settings: further settings of `kafka.KafkaAdminClient`, which looks up the topic.

        Raises:
            ConfigurationError: the brokers or the topic's name are missing.
        """
        self._servers = bootstrap_servers
        self._topic = topic
        self._reporter = reporter
        self._replication_factor = replication_factor
        settings = {**DEFAULTS, **(producer_settings or {}), **FIXED}
        attempt_ms = settings.get("request_timeout_ms", 30_000) + settings.get("linger_ms", 0) + _GRACE_MS
        self._settings = {**settings, "delivery_timeout_ms": attempt_ms, "value_serializer": DeadLetterSerializer()}
        self._attempt_s = (attempt_ms + _GRACE_MS) / 1000
        self._admin_settings = dict(admin_settings or {})
        self._changed = threading.Condition()
        self._waiting: collections.deque[PendingDeadLetter] = collections.deque()
        self._pending_bytes = 0
        self._error: Kafka2ParquetError | None = None
        self._closing_at: float | None = None
        self._thread: threading.Thread | None = None
        self._producer: KafkaProducer | None = None

    @property
    def pending_bytes(self) -> int:
        """See `DeadLetterQueue.pending_bytes`."""
        return self._pending_bytes

    def prepare(self) -> DeadLetterFuture:
        """See `DeadLetterQueue.prepare`."""
        return self._put(PendingDeadLetter(None))

    def send(self, reject: Reject) -> DeadLetterFuture:
        """See `DeadLetterQueue.send`.

        Raises:
            UsageError: the queue is closed.
        """
        return self._put(PendingDeadLetter(reject))

    def close(self, timeout_s: float) -> None:
        """See `DeadLetterQueue.close`."""
        with self._changed:
            if self._closing_at is None:
                self._closing_at = time.monotonic() + timeout_s
                self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _put(self, letter: PendingDeadLetter) -> PendingDeadLetter:
        with self._changed:
            if self._closing_at is not None:
                raise UsageError("send() on a closed KafkaDeadLetterQueue; create a new one.")
            if self._error is not None:
                letter.failed(self._error)
                return letter
            self._waiting.append(letter)
            self._pending_bytes += letter.size_bytes
            self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="kafka2parquet-dead-letters", daemon=True)
            self._thread.start()
        return letter

    # ---- on the producer's thread

    def _run(self) -> None:
        group: list[PendingDeadLetter] = []
        try:
            while group := self._next_group():
                self._deliver(group)
        except Kafka2ParquetError as error:
            self._fail(error, group)
        except Exception as error:
            failure = KafkaUnavailableError(f"The producer of dead letters for {self._topic} failed: {error!r}.")
            failure.__cause__ = error
            self._fail(failure, group)
        finally:
            self._drop_producer()

    def _next_group(self) -> list[PendingDeadLetter]:
        """Return the next letters, oldest first; [] when the thread has to end. Blocks while no letters are pending."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing_at is not None)
            group: list[PendingDeadLetter] = []
            size_bytes = 0
            while self._waiting and len(group) < _GROUP_LETTERS and size_bytes < _GROUP_BYTES and not self._out_of_time():
                group.append(self._waiting.popleft())
                size_bytes += group[-1].size_bytes
            return group

    def _deliver(self, group: Sequence[PendingDeadLetter]) -> None:
        """Send letters until Kafka has stored or refused each one, or the time to close is over.

        Raises:
            Kafka2ParquetError: no letter at all can be sent.
        """
        attempt = 0
        size_bytes = sum(letter.size_bytes for letter in group)  # delivered letters drop their content
        while (letters := [letter for letter in group if letter.is_open]) and not self._out_of_time():
            attempt += 1
            problem = self._attempt(letters)
            if problem is not None:
                self._drop_producer()
                _LOG.warning(
                    "%d dead letters for %s wait (attempt %d, next in %.0f s): %s",
                    len(letters),
                    self._topic,
                    attempt,
                    _PAUSE_S,
                    problem,
                )
                with self._changed:
                    self._changed.wait_for(self._out_of_time, _PAUSE_S)
        with self._changed:
            self._pending_bytes -= size_bytes

    def _attempt(self, letters: Sequence[PendingDeadLetter]) -> str | None:
        """Try once to send each letter. Returns the problem if another attempt is needed."""
        try:
            producer = self._connected()
            producer.partitions_for(self._topic)
        except (kafka_errors.KafkaError, OSError) as error:
            return self._passing(error)
        problem = None
        sent = [(letter, self._hand_over(producer, letter)) for letter in letters]
        deadline = time.monotonic() + self._attempt_s
        for letter, future in sent:
            outcome = future if isinstance(future, Exception) else self._outcome(future, deadline)
            if outcome is None:
                letter.arrived()
            elif isinstance(outcome, kafka_errors.BrokerResponseError) and not self._is_passing(outcome):
                letter.failed(self._refusal(letter, outcome))
            else:
                problem = self._passing(outcome)
        return problem

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            check_certificates(self._settings)
            with BootstrapLog(self._servers):
                try:
                    self._producer = KafkaProducer(**{**self._settings, "bootstrap_servers": self._servers})
                except _WRONG_SETTINGS as error:
                    raise ConfigurationError(f"kafka-python does not accept the settings of the producer: {error}.") from error
            ensure_topic(self._servers, self._topic, self._replication_factor, self._admin_settings)
        return self._producer

    def _hand_over(self, producer: KafkaProducer, letter: PendingDeadLetter) -> Any:
        """Return the producer's future, or the error that it raised; None for a letter without a record, from `prepare`."""
        if letter.reject is None:
            return None
        if self._reporter is not None:
            letter.headers = (*letter.reject.headers, *context_headers(letter.reject, self._reporter))
        else:
            letter.headers = letter.reject.headers
        try:
            return producer.send(
                self._topic,
                value=letter,
                key=letter.reject.key,
                headers=NullableHeaders(),
                timestamp_ms=letter.reject.timestamp_ms,
            )
        except kafka_errors.KafkaError as error:
            return error

    def _outcome(self, future: Any, deadline: float) -> Exception | None:
        if future is None:
            return None
        late: Exception = kafka_errors.KafkaTimeoutError("Kafka did not confirm it in time")
        while not future.is_done:
            if time.monotonic() > deadline or self._out_of_time():
                return late
            with contextlib.suppress(kafka_errors.KafkaError):
                future.get(timeout=_LOOK_EVERY_S)
        outcome: Exception | None = future.exception
        return outcome

    @staticmethod
    def _is_passing(error: kafka_errors.BrokerResponseError) -> bool:
        """Return whether an error is not about the record: it is temporary, or all records are refused."""
        return bool(error.retriable) or isinstance(error, kafka_errors.AuthorizationError)

    def _passing(self, error: Exception) -> str:
        """Describe a temporary error.

        Raises:
            Kafka2ParquetError: the error is permanent.
        """
        rights = f"DESCRIBE and WRITE on the dead-letter topic {self._topic}"
        ours = translate(error, f"sending dead letters to {self._topic}", rights)
        if ours is not None:
            raise ours from error
        return f"{type(error).__name__}: {error}"

    def _refusal(self, letter: PendingDeadLetter, error: Exception) -> Kafka2ParquetError:
        if letter.reject is None:
            raise RuntimeError("a letter without a record is never sent")
        where = letter.reject.topic_partition
        refusal = DeadLetterRefusedError(
            f"{where}, offset {letter.reject.offset}: the dead-letter topic {self._topic} refuses the record: {error}."
            " Nothing is committed past it. Give the dead-letter topic limits as large as those of this topic"
            " (max.message.bytes, plus some bytes for headers; message.timestamp.*).",
            topic=where.topic,
            partition=where.partition,
            offset=letter.reject.offset,
        )
        refusal.__cause__ = error
        return refusal

    def _fail(self, error: Kafka2ParquetError, group: Sequence[PendingDeadLetter]) -> None:
        """Fail all pending letters, because nothing can be sent any more."""
        with self._changed:
            self._error = error
            for letter in (*group, *self._waiting):
                if letter.is_open:
                    letter.failed(error)
            self._waiting.clear()
            self._pending_bytes = 0

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # Without `force_close`, kafka-python waits for requests in flight, and stays open if that takes too long.
            # Can go once `KafkaProducer.close` closes in any case when its timeout is over.
            producer._sender.force_close()
            with contextlib.suppress(kafka_errors.KafkaTimeoutError):
                producer.close(timeout=_CLOSE_S)

    def _out_of_time(self) -> bool:
        return self._closing_at is not None and time.monotonic() >= self._closing_at
