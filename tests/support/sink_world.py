"""A topic, a store and a clock in memory, and tasks that run over them one after the other."""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from kafka2parquet import DefaultPartitioner, JsonConverter, RecordCountRotation, SinkTask
from kafka2parquet.events import Event
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.records import Reject
from kafka2parquet.testing import ManualClock, MemoryConsumer, MemoryKafka, MemoryRecord, MemoryStorage
from tests.support.tasks import make_task

TOPIC, GROUP = "events", "group"
STEPS = 3000

_E = TypeVar("_E", bound=Event)


class Died(BaseException):
    """The end of the process."""


class SinkWorld:
    """State that outlives a task: the log, the store and the clock."""

    def __init__(self, partitions: int = 1) -> None:
        self.kafka = MemoryKafka()
        self.kafka.create_topic(TOPIC, partitions)
        self.clock = ManualClock()
        self.storage = MemoryStorage(clock=self.clock)
        self.events: list[Event] = []
        self.tasks: list[SinkTask] = []

    def append(self, *values: bytes | None, key: bytes | None = None, headers: bytes | None = None, time_ms: int = 0) -> None:
        records = [MemoryRecord(value, key=key, headers=headers, timestamp_ms=time_ms) for value in values]
        self.kafka.append(TOPIC, 0, records)

    def task(self, *, group: str = GROUP, die_at: Callable[[Event], bool] | None = None, **parts: Any) -> SinkTask:
        def hook(event: Event) -> None:
            self.events.append(event)
            if die_at is not None and die_at(event):
                raise Died

        defaults: dict[str, Any] = {
            "consumer": MemoryConsumer(self.kafka, group_id=group, topics=[TOPIC]),
            "converter": JsonConverter(),
            "partitioner": DefaultPartitioner(),
            "rotation": RecordCountRotation(10),
            "storage": self.storage,
            "clock": self.clock,
        }
        self.tasks.append(make_task(**{**defaults, **parts, "hooks": [hook, *parts.get("hooks", ())]}))
        return self.tasks[-1]

    def run(self, until: int, *, group: str = GROUP, **parts: Any) -> None:
        """Runs a task, while time passes, until the committed offset is `until` or the task dies."""
        task = self.task(group=group, **parts)
        try:
            self.step_until(task, lambda: (self.committed_by(group) or 0) >= until)
        except Died:
            return
        finally:
            task.close(flush=False)

    def step_until(
        self, task: SinkTask, condition: Callable[..., Any], *, seconds: float = 0.1, timeout_s: float = 0.001
    ) -> None:
        """Steps while time passes.

        Args:
            task: The task.
            condition: Ends the loop. It has no required arguments.
            seconds: How much time passes by the clock between two steps.
            timeout_s: How long a step waits for records in real time. Tasks with threads need some; with an
                `InlineExecutor`, 0 is enough.
        """
        for _ in range(STEPS):
            if condition():
                return
            task.step(timeout_s)
            self.clock.advance(seconds)
        raise TimeoutError(f"committed {self.committed}; events: {self.events}")

    def close(self) -> None:
        """Closes all tasks that were made, and drops their open rows."""
        for task in self.tasks:
            task.close(flush=False)

    def committed_by(self, group: str) -> int | None:
        """Returns the committed offset of a group, unless its commit is that of an intent."""
        committed = self.kafka.committed(group, TOPIC, 0)
        return None if committed is None or " i " in committed.metadata else committed.offset

    @property
    def committed(self) -> int | None:
        """The committed offset, unless its commit is that of an intent."""
        return self.committed_by(GROUP)

    def of(self, kind: type[_E]) -> list[_E]:
        """Returns the events of a kind, in the order in which they happened."""
        return [event for event in self.events if isinstance(event, kind)]

    def tables(self, role: str = "values") -> dict[str, pa.Table]:
        """Returns the files of a role by key, without the part before the topic."""
        found = {}
        for key, stored in sorted(self.storage.objects.items()):
            footer = FlushFooter.from_metadata(stored.metadata)
            if footer is not None and footer.role == role:
                found[key.removeprefix("topics/").removeprefix("_kafka2parquet/").removeprefix(f"{TOPIC}/")] = (
                    self.storage.table(key)
                )
        return found

    def offsets(self, role: str = "values", column: str = "_kafka_offset") -> collections.Counter[int]:
        """Counts how often each offset is in the files of a role."""
        return collections.Counter(offset for table in self.tables(role).values() for offset in table[column].to_pylist())


class PendingDeadLetter:
    """A dead letter that is stored when the test says so."""

    def __init__(self, reject: Reject, is_stored: bool) -> None:
        self.reject = reject
        self.is_stored = is_stored

    def done(self) -> bool:
        return self.is_stored

    def result(self) -> None:
        return None


class Letters:
    """A `DeadLetterQueue` in a list."""

    pending_bytes = 0

    def __init__(self, *, stores: bool = True) -> None:
        self.stores = stores
        self.sent: list[PendingDeadLetter] = []
        self.is_closed = False

    def prepare(self) -> PendingDeadLetter:
        return PendingDeadLetter(None, True)  # type: ignore[arg-type]  # nothing is sent

    def send(self, reject: Reject) -> PendingDeadLetter:
        self.sent.append(PendingDeadLetter(reject, self.stores))
        return self.sent[-1]

    def store_all(self) -> None:
        for letter in self.sent:
            letter.is_stored = True

    def close(self, timeout_s: float) -> None:
        self.is_closed = True

    def offsets(self) -> Sequence[int]:
        return [letter.reject.offset for letter in self.sent]
