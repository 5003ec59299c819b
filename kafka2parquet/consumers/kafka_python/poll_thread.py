"""The thread that owns the kafka-python consumer. It polls, runs commands, and queues fetched batches.

The thread keeps polling whatever the driver does, so that a slow step doesn't cost the membership in the group. It gives up the
partitions only if the driver stops polling altogether.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import kafka.errors as kafka_errors
from kafka.structs import OffsetAndMetadata
from kafka.structs import TopicPartition as KafkaTopicPartition

from kafka2parquet.consumers.base import Assigned, Assignment, CommitRefused, Revoked
from kafka2parquet.consumers.kafka_python.assignments import AssignmentTracker
from kafka2parquet.consumers.kafka_python.commits import CommitSender, Outcome, kafka_name, read_committed
from kafka2parquet.consumers.kafka_python.connection.errors import offset_out_of_range, recreated, translate, truncated
from kafka2parquet.consumers.kafka_python.fetched_queue import PartitionQueue
from kafka2parquet.consumers.kafka_python.log_watch import LogWatch
from kafka2parquet.consumers.kafka_python.shared_state import Command, Commit, Pause, SharedState, Start
from kafka2parquet.consumers.kafka_python.wait_log import COORDINATOR_ADVICE, WaitLog
from kafka2parquet.consumers.kafka_python.watchdog import Watchdog
from kafka2parquet.consumers.log_bounds import log_ends, log_starts
from kafka2parquet.consumers.record_batches.fetched_batches import FetchedBatches
from kafka2parquet.errors import CorruptRecordBatchError, Kafka2ParquetError
from kafka2parquet.records import TopicPartition

_LOG = logging.getLogger(__name__)

_POLL_MS = 500
#: Poll timeout while the driver sends commands, so that no command waits for long. Can go once kafka-python's `poll` can be
#: woken from another thread.
_BUSY_POLL_MS = 20
_BUSY_FOR_S = 1.0
_ASK_TIMEOUT_MS = 5_000
_RETRY_PAUSE_S = 0.2


@attrs.frozen
class Subscription:
    """The group, and what it reads: topics by name, or all topics whose whole name matches a pattern."""

    group_id: str
    topics: Sequence[str] = ()
    pattern: str | None = None


class PollThread:
    """The thread's body (`run`), with one client for the life of one consumer. Only this thread may use the object's state."""

    def __init__(
        self,
        shared: SharedState,
        connect: Callable[[Callable[[], bool]], Any],
        subscription: Subscription,
        max_poll_interval_s: float,
    ) -> None:
        self._shared = shared
        self._connect = connect
        self._subscription = subscription
        self._max_poll_interval_s = max_poll_interval_s
        self._client: Any = None
        self._tracker: AssignmentTracker
        self._commits: CommitSender
        self._watchdog: Watchdog
        self._log_watch: LogWatch
        self._looking_up = WaitLog("return the offsets of new partitions", f"Has each partition a leader? {COORDINATOR_ADVICE}")
        self._epochs = itertools.count(1)
        self._new: list[Assignment] = []
        self._pause_reasons: dict[Assignment, set[str]] = {}
        self._topic_ids: dict[Assignment, str] = {}
        self._subscribed = False
        self._budget_spent = False
        self._busy_until = 0.0

    def run(self) -> None:
        """Connect, and work until the driver closes the consumer. The driver's next poll raises any error."""
        try:
            self._client = self._connect(lambda: self._shared.closing)
            if self._client is None:
                return
            self._tracker = AssignmentTracker(self._client, self._epochs)
            self._commits = CommitSender(self._client, self._shared.emit)
            self._watchdog = Watchdog(self._client, self._subscription.topics)
            self._log_watch = LogWatch(self._client)
            while not self._shared.closing:
                self._run_once()
        except Kafka2ParquetError as error:
            self._shared.end(error)
        except Exception as error:  # the driver has to see a bug, here or in kafka-python
            translated = translate(error, "polling") or error
            if translated is not error:
                translated.__cause__ = error
            self._shared.end(translated)
        finally:
            self._close()

    def _run_once(self) -> None:
        if not self._driver_is_alive():
            return
        for command in self._shared.take_commands():
            self._run_command(command)
        if self._commits.is_busy and self._commits.send() is Outcome.REJOIN:
            self._leave("the group continued without this member, or the outcome of a commit is unknown")
            return
        self._keep_to_budget()
        fetched = self._poll()
        self._follow_assignment()
        self._enqueue(fetched)
        self._watch()

    def _close(self) -> None:
        if self._client is None:
            return
        try:
            self._client.close(autocommit=False, timeout_ms=2_000)
        except (kafka_errors.KafkaError, OSError, RuntimeError) as error:
            _LOG.debug("Closing the Kafka client: %r", error)

    # ---- subscription

    def _subscribe(self) -> None:
        pattern = self._subscription.pattern
        if pattern is not None:
            self._client.subscribe(pattern=rf"(?:{pattern})\Z", listener=self._tracker)
        else:
            self._client.subscribe(topics=list(self._subscription.topics), listener=self._tracker)
        self._subscribed = True
        self._watchdog.joined()

    def _leave(self, reason: str) -> None:
        """Leave the group; the next run joins it again. Commits of the old membership can't be stored any more after that."""
        _LOG.warning("Leaving the consumer group to join it again: %s", reason)
        self._tracker.drop_all()
        self._client.unsubscribe()
        self._subscribed = False
        self._follow_assignment()

    def _driver_is_alive(self) -> bool:
        """Join or leave the group, depending on whether the driver still polls. Returns whether it does."""
        silent_s = time.monotonic() - self._shared.driver_polled_at
        if silent_s <= self._max_poll_interval_s:
            if not self._subscribed:
                self._subscribe()
            return True
        if self._subscribed:
            self._leave(f"poll was not called for {silent_s:.0f} s (max.poll.interval.ms)")
        with self._shared.changed:
            self._shared.changed.wait(_RETRY_PAUSE_S)
        return False

    # ---- commands

    def _run_command(self, command: Command) -> None:
        assignment = command.assignment
        owned = assignment in self._pause_reasons
        self._busy_until = time.monotonic() + _BUSY_FOR_S
        if isinstance(command, Commit):
            if owned:
                self._commits.put(command)
            else:
                self._shared.emit(CommitRefused(assignment, command.offset, command.metadata, "the partition is not assigned"))
        elif isinstance(command, Pause) and owned:
            self._hold(assignment, "application", command.paused)
        elif isinstance(command, Start) and owned:
            # Can be `KafkaConsumer.seek` once that takes a leader epoch.
            position = OffsetAndMetadata(command.offset, "", command.leader_epoch)
            with _unless_lost(self._client, assignment):
                self._client._subscription.seek(kafka_name(assignment), position)
            with self._shared.lock:
                queue = self._shared.queue_of(assignment)
                if queue is not None and queue.starts == command.number:
                    queue.accepting = True
            self._hold(assignment, "not started", False)

    def _hold(self, assignment: Assignment, reason: str, held: bool) -> None:
        """Add or remove a reason to pause the partition. The partition is paused while any reason holds."""
        reasons = self._pause_reasons[assignment]
        (reasons.add if held else reasons.discard)(reason)
        with _unless_lost(self._client, assignment):
            (self._client.pause if reasons else self._client.resume)(kafka_name(assignment))

    def _keep_to_budget(self) -> None:
        """Pause fetching while the driver is behind. Polling continues."""
        with self._shared.lock:
            queues = self._shared.queues
            spent = not queues.is_drained if self._budget_spent else queues.is_full
        if spent != self._budget_spent:
            self._budget_spent = spent
            for assignment in self._pause_reasons:
                self._hold(assignment, "budget", spent)

    # ---- polling

    def _poll(self) -> dict[Any, list[FetchedBatches]]:
        busy = self._budget_spent or self._commits.is_busy or time.monotonic() < self._busy_until
        try:
            fetched: dict[Any, list[FetchedBatches]] = self._client.poll(timeout_ms=_BUSY_POLL_MS if busy else _POLL_MS)
        except CorruptRecordBatchError as error:
            self._fail_named(KafkaTopicPartition(error.topic, error.partition), error)
        except kafka_errors.OffsetOutOfRangeError as error:
            for name, offset in dict(error.args[0]).items():
                lost = self._lost(name, offset)
                if lost is not None:
                    self._fail_named(name, lost)
        except kafka_errors.LogTruncationError as error:
            for name, divergence in error.divergent_offsets.items():
                self._fail_named(name, truncated(name.topic, name.partition, divergence))
        except kafka_errors.NoOffsetForPartitionError:
            pass  # a new partition that is not started yet
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            fatal = translate(error, "fetching")
            if fatal is not None:
                raise fatal from error
            _LOG.debug("Polling Kafka: %r", error)
            with self._shared.changed:
                self._shared.changed.wait(_RETRY_PAUSE_S)
        else:
            return fetched
        return {}

    def _enqueue(self, fetched: dict[Any, list[FetchedBatches]]) -> None:
        if not fetched:
            return
        now = time.monotonic()
        with self._shared.changed:
            for name, pieces in fetched.items():
                queue = self._shared.queues.partitions.get(TopicPartition(*name))
                if queue is None or not queue.accepting:
                    continue
                queue.high_watermark = self._client.highwater(name)
                for piece in pieces:
                    queue.put(piece, now)
            self._shared.changed.notify_all()

    def _fail_named(self, name: KafkaTopicPartition, error: Kafka2ParquetError) -> None:
        for assignment in list(self._pause_reasons):
            if kafka_name(assignment) == name:
                self._fail(assignment, error)

    def _fail(self, assignment: Assignment, error: Kafka2ParquetError) -> None:
        """Report that the partition can't be read beyond its position, and pause it until it is started again."""
        self._hold(assignment, "not started", True)
        with _unless_lost(self._client, assignment):
            self._client.seek(kafka_name(assignment), 0)  # otherwise each poll would raise again
        self._shared.fail_partition(assignment, error)

    def _lost(self, name: KafkaTopicPartition, offset: int) -> Kafka2ParquetError | None:
        """Return the error for an offset outside the log; None if Kafka doesn't answer now. Then the next poll raises again."""
        try:
            log_start = log_starts(self._client, [name], _ASK_TIMEOUT_MS)[name]
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            return translate(error, "looking for the log's start")
        return offset_out_of_range(name.topic, name.partition, offset, log_start)

    # ---- assignment

    def _follow_assignment(self) -> None:
        """Report the changes of a rebalance to the driver, with the offsets and ids of new partitions."""
        for change in self._tracker.take_changes():
            for assignment in change.gone:
                self._forget(assignment)
            for assignment in change.gained:
                self._pause_reasons[assignment] = {"not started", *(("budget",) if self._budget_spent else ())}
                self._new.append(assignment)
                self._busy_until = time.monotonic() + _BUSY_FOR_S
        if self._new:
            self._announce()

    def _forget(self, assignment: Assignment) -> None:
        del self._pause_reasons[assignment]
        self._topic_ids.pop(assignment, None)
        self._commits.refuse({assignment}, "the partition was revoked")
        if assignment in self._new:
            self._new.remove(assignment)
            return
        with self._shared.changed:
            if self._shared.queue_of(assignment) is not None:
                del self._shared.queues.partitions[assignment.topic_partition]
            self._shared.events.append(Revoked(assignment))
            self._shared.changed.notify_all()

    def _announce(self) -> None:
        self._looking_up.begin()
        leaderless = [assignment for assignment in self._new if not self._watchdog.has_leader(assignment.topic_partition)]
        if leaderless:  # a request for them would delay the other partitions
            self._looking_up.failed(
                kafka_errors.LeaderNotAvailableError(", ".join(str(each.topic_partition) for each in leaderless))
            )
        new = [assignment for assignment in self._new if assignment not in leaderless]
        if not new:
            return
        names = [kafka_name(assignment) for assignment in new]
        try:
            committed = read_committed(self._client, new, _ASK_TIMEOUT_MS)
            starts = log_starts(self._client, names, _ASK_TIMEOUT_MS)
            ends = log_ends(self._client, names, _ASK_TIMEOUT_MS)
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            fatal = translate(error, "looking up offsets")
            if fatal is not None:
                raise fatal from error
            self._looking_up.failed(error)
            return
        if not leaderless:
            self._looking_up.succeeded()
        self._busy_until = time.monotonic() + _BUSY_FOR_S
        with self._shared.changed:
            for assignment, name in zip(new, names, strict=True):
                topic_partition = assignment.topic_partition
                stored = committed.get(assignment)
                topic_id = self._topic_ids[assignment] = self._watchdog.topic_id(name.topic)
                self._shared.queues.partitions[topic_partition] = PartitionQueue(assignment)
                self._shared.events.append(
                    Assigned(
                        assignment=assignment,
                        committed=stored,
                        log_start=starts[name],
                        log_end=ends[name],
                        cluster_id=self._watchdog.cluster_id(),
                        topic_id=topic_id,
                        group_id=self._subscription.group_id,
                    )
                )
            self._new = leaderless
            self._shared.changed.notify_all()

    # ---- problems that kafka-python doesn't report

    def _watch(self) -> None:
        self._watchdog.check_rights()
        self._watchdog.warn_of_missing_topics()
        for assignment, known in list(self._topic_ids.items()):
            topic_id = self._watchdog.topic_id(assignment.topic_partition.topic)
            if known and topic_id and topic_id != known:
                self._topic_ids[assignment] = topic_id
                self._fail(assignment, recreated(assignment.topic_partition, known, topic_id))
        bounds = self._log_watch.news([each.topic_partition for each in self._pause_reasons])
        self._shared.learn(bounds, self._watchdog.member(self._log_watch.reaches_kafka))
        if self._subscribed and self._watchdog.is_stuck():
            self._leave("the last join did not finish")


@contextlib.contextmanager
def _unless_lost(client: Any, assignment: Assignment) -> Iterator[None]:
    """Ignore errors of a call about a partition that kafka-python has just lost.

    kafka-python's own thread ends an assignment as soon as a heartbeat reports the loss, even between two polls. The next
    poll reports the loss.
    """
    try:
        yield
    except (KeyError, ValueError):
        if kafka_name(assignment) in client.assignment():
            raise
