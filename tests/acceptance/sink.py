"""A sink of a case: a task built from the configuration, with a scripted consumer, a store in memory and a manual clock.

Every step of a case is a method. The task runs after each until nothing happens any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from kafka2parquet import build_task, load_worker_config
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.load import validate
from kafka2parquet.connect.parts import files_and_rotation
from kafka2parquet.errors import Kafka2ParquetError, RejectedRecordError
from kafka2parquet.records import Reject, TopicPartition
from kafka2parquet.rotation.base import FlushStats
from kafka2parquet.task.sink_task import SinkTask
from kafka2parquet.testing import InlineExecutor
from tests.acceptance import faults
from tests.acceptance.cases import CaseFolder, checked
from tests.acceptance.inline import StepClock
from tests.acceptance.listening import KeptDeadLetters, Listener, Warnings
from tests.acceptance.messages import message_of, with_converters
from tests.acceptance.scripted_consumer import Broker, ScriptedConsumer
from tests.acceptance.stored import CountingStorage, Stored, name_of_object, put_existing, read_objects

#: Steps in which nothing happens after which all is quiet: a pause or a commit may only show in the next one.
_QUIET_STEPS = 3
_MOST_STEPS = 100_000

#: Changes of a configuration that make a bad record a reported reject instead of the end of the task.
TOLERANT = {"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "acceptance-dead-letters"}


class Sink:
    """One connector with one task, including its restarts.

    Attributes:
        config: what runs now.
        error: what ended the task.
        happened: the events of the task.
        warnings: what was warned of.
        broker: the logs and committed offsets.
        storage: the store.
        clock: the time.
        put_at_ms: the wall clock at which each record came, as often as it did.
        stopped: whether the task was stopped in order.
        was_assigned: whether there ever was an assignment.
    """

    def __init__(
        self,
        folder: CaseFolder,
        changes: Mapping[str, str | None],
        *,
        existing: Mapping[str, Mapping[str, Any]] | None = None,
        reads_all: bool = False,
    ) -> None:
        """Sets up the sink without a task.

        Args:
            folder: base configuration and schemas.
            changes: the case's configuration, on top of the base.
            existing: objects that stand in the store.
            reads_all: whether the task may read all records that were ever put, and not only up to those of the last step.

        Raises:
            CaseError: the configuration is wrong.
            NotApplicableError: the library doesn't support it.
        """
        self._folder = folder
        self._texts = folder.texts(changes)
        self._reads_all = reads_all
        self.broker = Broker()
        self.storage = CountingStorage()
        self.clock = StepClock(folder.base["harness"]["clock_ms"])
        self.error: Kafka2ParquetError | None = None
        self.happened = Listener(self.clock)
        self.put_at_ms: dict[tuple[TopicPartition, int], set[int]] = {}
        self.stopped = False
        self.was_assigned = False
        self._existing = existing or {}
        put_existing(self.storage, self._existing)
        self._existing_contents = {key: self.storage.objects[key].content for key in self._existing}
        self._task: SinkTask | None = None
        self._consumer: ScriptedConsumer | None = None
        self._answered: dict[TopicPartition, int] = {}
        self._kept = dict(self.broker.committed)
        self._assigned: tuple[TopicPartition, ...] = ()
        self._taken: dict[TopicPartition, set[int]] = {}
        self._contents_at_crash: dict[str, bytes] = {}
        self._dead_letters = KeptDeadLetters()
        self._warnings = Warnings()
        self.config: ConnectConfig = self._configured()
        self._namings = [files_and_rotation.make_naming(self.config)]

    # ---- steps

    def assign(self, partitions: Iterable[TopicPartition] | None = None) -> None:
        """Replaces the assignment, by default with the usual one."""
        self.clock.apply()
        self.was_assigned = True
        self._assigned = tuple(self._usual_assignment() if partitions is None else partitions)
        self._start()
        self._of_task().assign(self._assigned)
        self._run()

    def put(self, records: Sequence[Mapping[str, Any]], position: Mapping[TopicPartition, int] | None = None) -> None:
        """Adds records. Those that the task no longer requests are not delivered again."""
        if self._task is None and self.error is None and not self.stopped:
            self.assign(self._assigned or None)
        self.clock.apply()
        ends: dict[TopicPartition, int] = {}
        for record in records:
            tp = self._home(TopicPartition(record.get("topic", self.default_topic), record["partition"]))
            message = message_of(record, self._converted_texts, self._folder)
            self.broker.log(tp).records[message.offset] = message
            self.put_at_ms.setdefault((tp, message.offset), set()).add(self.clock.now_ms)
            ends[tp] = message.offset + 1
        for tp, end in {**ends, **(position or {})}.items():
            log = self.broker.log(tp)
            log.readable_end = max(log.end, end) if self._reads_all else end
        self.happened.records_come = bool(records)
        self._run()
        self.happened.records_come = False

    def pre_commit(self) -> dict[TopicPartition, int]:
        """Returns the ends of durable rows that became committable since the last call."""
        self._run()
        news = {}
        for tp in self.broker.committed:
            durable = self.broker.durable(tp)
            if durable > self._answered.get(tp, 0):
                news[tp] = self._answered[tp] = durable
        self._kept = dict(self.broker.committed)
        return news

    def fault(self, described: Mapping[str, Any]) -> None:
        """Lets calls to the store fail."""
        faults.plan(self.storage, described, self.config.text("s3.bucket.name"))

    def asked_again(self) -> dict[TopicPartition, int]:
        """Returns the offsets at which the task started again since the last call.

        The task asked the consumer to go back, or it keeps the rows of a flush that it couldn't publish and tries again.
        """
        found = {**(self._consumer.rewinds if self._consumer is not None else {}), **self.happened.restarted_at}
        if self._consumer is not None:
            self._consumer.rewinds.clear()
        self.happened.restarted_at.clear()
        return {tp: min((o for o in self.broker.log(tp).records if o >= start), default=start) for tp, start in found.items()}

    def close(self) -> None:
        """Revokes the assignment."""
        if self._consumer is not None:
            self._consumer.revoke()
            self._run()

    def stop(self) -> None:
        """Stops in order without flushing open rows, which gives the same result as Kafka Connect."""
        if self._task is not None:
            self._task.close(flush=False)
        self._task = self._consumer = None
        self.stopped = True

    def crash(self) -> None:
        """Ends the process; the last requested commits are kept."""
        self._contents_at_crash = {key: stored.content for key, stored in self.storage.objects.items()}
        if self._task is not None:
            self._task.close(flush=False)
        self._task = self._consumer = None
        self.happened.retrying.clear()
        self.broker.committed = dict(self._kept)
        self._answered = {tp: self.broker.durable(tp) for tp in self.broker.committed}

    def reconfigure(self, changes: Mapping[str, str | None]) -> None:
        """Changes properties for the next task."""
        merged: dict[str, str | None] = {**self._texts, **changes}
        self._texts = {name: text.strip() for name, text in merged.items() if text is not None}
        self.config = self._configured()
        self._namings.insert(0, files_and_rotation.make_naming(self.config))

    def start(self) -> None:
        """Starts the task without an assignment."""
        self._start()
        self._run()

    def flush_open(self) -> None:
        """Publishes open rows, to show where they go, and ends the task."""
        if self._task is None or self.error is not None:
            return
        self.clock.tick_ms = 50.0
        self._guarded(lambda task: task.flush())
        self._forget()

    def read_on(self) -> None:
        """Delivers the records that the task still requests."""
        for log in self.broker.logs.values():
            log.readable_end = log.end
        self._run()

    # ---- what can be seen

    @property
    def default_topic(self) -> str:
        """The topic that cases omit."""
        return str(self._folder.base["harness"]["topic"])

    @property
    def has_task(self) -> bool:
        """Whether a task is running."""
        return self._task is not None

    @property
    def warnings(self) -> list[str]:
        """Warnings from the configuration and the log."""
        return [*map(str, self.config.warnings), *self._warnings.messages]

    @property
    def reports(self) -> list[Reject]:
        """Dead letters in order."""
        return self._dead_letters.sent

    @property
    def fatal_reject(self) -> Reject | None:
        """The record that ended the task."""
        error = self.error
        if not isinstance(error, RejectedRecordError):
            return None
        reported = [
            reject for reject in self.happened.rejects if reject.offset == error.offset
        ]  # a reject is reported before it ends the task
        return reported[-1] if reported else None

    @property
    def task_state(self) -> str:
        """Kafka Connect's name for the state of the task."""
        return "FAILED" if self.error is not None else "RUNNING" if self._task is not None else "UNASSIGNED"

    @property
    def unfinished_uploads(self) -> int:
        """Calls that publish and have neither succeeded nor failed."""
        return self.storage.unfinished

    def content_changed_since_crash(self, key: str) -> bool:
        """Returns whether the object at `key` has changed since the process crashed."""
        return key not in self.storage.objects or self._contents_at_crash.get(key) != self.storage.objects[key].content

    def objects(self) -> dict[str, Stored]:
        """Returns all objects with data."""
        rejected = {(reject.topic_partition, reject.offset) for reject in self.happened.rejects}
        tombstones = {
            tp: [o for o in sorted(offsets) if self.broker.log(tp).records[o].value is None and (tp, o) not in rejected]
            for tp, offsets in self._taken.items()
        }
        return read_objects(self.storage, self._namings, tombstones)

    def topic_partition_of(self, key: str) -> TopicPartition:
        """Returns the topic-partition of an object's records, by its key."""
        name = name_of_object(self._namings, key)
        return TopicPartition(name.topic, name.partition)

    def folder_of(self, key: str) -> str | None:
        """Returns the encoded partition in a key."""
        return name_of_object(self._namings, key).encoded_partition

    def changed_existing(self) -> list[str]:
        """Objects that existed before and have changed."""
        return [
            key
            for key, content in self._existing_contents.items()
            if key not in self.storage.objects or self.storage.objects[key].content != content
        ]

    def open_offsets(self) -> dict[TopicPartition, list[int]]:
        """Returns the offsets of records that were taken but are in no object, unless their flush will be retried."""
        if self._consumer is None:
            return {}
        left_out = {(reject.topic_partition, reject.offset) for reject in self.happened.rejects}
        written = {(o.topic_partition, offset) for o in self.objects().values() for offset in o.offsets}
        found = {}
        for tp, offsets in self._consumer.delivered.items():
            log = self.broker.log(tp)
            writes_tombstones = self.config.text("behavior.on.null.values").lower() == "write"
            ends = self.happened.flush_range(tp) if tp in self.happened.retrying else (0, 0)
            rest = [
                offset
                for offset in offsets
                if (tp, offset) not in left_out | written
                and (writes_tombstones or log.records[offset].value is not None)
                and not ends[0] <= offset < ends[1]
            ]
            if rest:
                found[tp] = rest
        return found

    def next_schedule_ms(self) -> int | None:
        """Returns when the clock ends the open flush, or a flush that is opened now."""
        if self._task is None:
            return None
        due_in_s = self._task.step(0.0).next_deadline_s
        if due_in_s is not None:
            return self.clock.now_ms + round(due_in_s * 1000)
        rotation = files_and_rotation.make_rotation(self.config, files_and_rotation.make_partitioner(self.config))
        due = rotation.due_at(FlushStats(0, 0, frozenset(), self.clock.now(), self.clock.now()))
        return None if due is None else round(due.at.timestamp() * 1000)

    # ---- private

    def _usual_assignment(self) -> list[TopicPartition]:
        assigned = self._folder.base["harness"]["assigned"]
        return [TopicPartition(topic, partition) for topic, partitions in assigned.items() for partition in partitions]

    @property
    def _converted_texts(self) -> dict[str, str]:
        # a fault is what the store answers after the client's own attempts
        return with_converters({"s3.part.retries": "1", **self._texts, "kafka2parquet.metadata.columns": "offset"})

    def _configured(self) -> ConnectConfig:
        return checked(validate(self._converted_texts))

    def _of_task(self) -> ScriptedConsumer:
        if self._consumer is None:
            raise RuntimeError("a step that needs a task, where none runs")
        return self._consumer

    def _home(self, tp: TopicPartition) -> TopicPartition:
        """Returns the record's topic-partition in Kafka: a transform may have renamed its topic, but not its partition."""
        assigned = self._of_task().assigned
        if tp in assigned:
            return tp
        return next((own for own in assigned if own.partition == tp.partition), tp)

    def _start(self) -> None:
        if self._task is not None:
            return
        self._consumer = ScriptedConsumer(self.broker)
        self._task = build_task(
            self.config,
            load_worker_config(),
            consumer=self._consumer,
            storage=self.storage,
            executor=InlineExecutor(),
            dead_letters=self._dead_letters if self.config.text("errors.deadletterqueue.topic.name") else None,
            clock=self.clock,
            hooks=[self.happened],
        )
        # a quiet position is committed without waiting: time that passes for it would be time of the case
        partitions = self._task._partitions
        parts = partitions._parts
        partitions._parts = attrs.evolve(parts, delivery=attrs.evolve(parts.delivery, idle_commit_interval_s=0.0))

    def _run(self) -> None:
        """Steps until nothing happens any more."""
        if self._task is None or self.error is not None:
            return
        self._guarded(self._step_until_quiet)
        if self._consumer is not None:
            for tp, offsets in self._consumer.delivered.items():
                self._taken.setdefault(tp, set()).update(offsets)
        if self.error is not None:
            self._forget()

    def _step_until_quiet(self, task: SinkTask) -> None:
        quiet = 0
        for _ in range(_MOST_STEPS):
            before = self._activity()
            task.step(0.0)
            quiet = quiet + 1 if before == self._activity() else 0
            if quiet == _QUIET_STEPS:
                return
        raise RuntimeError(f"the task is still busy after {_MOST_STEPS} steps")

    def _guarded(self, do: Any) -> None:
        with self._warnings:
            try:
                do(self._task)
            except Kafka2ParquetError as error:
                self.error = error

    def _forget(self) -> None:
        if self._task is not None:
            self._task.close(flush=False)
        self._task = None

    def _activity(self) -> tuple[int, int, int]:
        consumer = self._of_task()
        return consumer.activity, len(self.storage.publish_calls), len(self.storage.tags)
