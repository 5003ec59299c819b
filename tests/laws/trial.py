"""A trial: records that arrive at a sink in memory, and what its tasks do with them."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import logging
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence

import attrs
from hypothesis import strategies as st

from kafka2parquet import SinkTask
from kafka2parquet.consumers.base import Polled
from kafka2parquet.errors import UnexpectedError
from kafka2parquet.events import Event, RecordRejected
from kafka2parquet.records import Reject
from kafka2parquet.testing import InlineExecutor, ManualClock, MemoryConsumer, MemoryKafka, MemoryRecord, MemoryStorage
from tests.laws.records import NOW_MS, records
from tests.laws.setups import Setup, setups
from tests.support.sink_world import Letters
from tests.support.tasks import make_task

TOPIC, GROUP = "events", "group"
#: A few records have to be delivered in this number of steps, or in this time.
_MOST_STEPS = 500
_MOST_SECONDS = 20
#: A task that has read everything and done nothing in this number of steps has finished; publishing a flush takes about five.
_QUIET_STEPS = 8
#: How much time passes in each poll, and how long a flush may take.
_POLL_S, _FLUSH_S = 0.5, 300.0
_START = datetime.datetime.fromtimestamp(NOW_MS / 1000, datetime.timezone.utc)


@attrs.frozen
class Trial:
    """A sink, the records of its topic, and the number of records for each poll (the last poll returns the rest)."""

    setup: Setup
    records: tuple[MemoryRecord, ...]
    polls: tuple[int, ...] = ()

    def batches(self) -> Sequence[Sequence[MemoryRecord]]:
        """Returns the records of each poll."""
        ends = [end for end in itertools.accumulate(self.polls) if end < len(self.records)]
        return [self.records[start:end] for start, end in itertools.pairwise([0, *ends, len(self.records)])]


class _Consumer(MemoryConsumer):
    """A consumer that lets time pass at each poll instead of waiting."""

    def __init__(self, kafka: MemoryKafka, clock: ManualClock) -> None:
        super().__init__(kafka, group_id=GROUP, topics=[TOPIC])
        self._clock = clock

    def poll(self, timeout_s: float) -> Polled:
        self._clock.advance(_POLL_S)
        return super().poll(0)


@attrs.frozen(eq=False)
class Run:
    """The effects of one task.

    Attributes:
        rejects: in the order in which they were reported.
        events: all of them.
        error: what it raised; None where it came to its end.
        letters: offsets of the dead letters.
        caught: kinds of the exceptions that the net under the record chain caught; each has a cause to fix.
    """

    rejects: Sequence[Reject]
    events: Sequence[Event]
    error: BaseException | None
    letters: Sequence[int]
    caught: Sequence[str]

    @property
    def failure(self) -> str:
        """The kind of the error; empty where there was none."""
        return "" if self.error is None else failure_of(self.error)


class _Net(logging.Handler):
    """Collects the warnings about exceptions that were caught around the record pipeline."""

    def __init__(self) -> None:
        super().__init__()
        self.caught: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.caught.append(failure_of(record.exc_info[1]))


@contextlib.contextmanager
def _listening_to_the_net() -> Iterator[list[str]]:
    logger, net = logging.getLogger("kafka2parquet.pipeline.failures"), _Net()
    logger.addHandler(net)
    try:
        yield net.caught
    finally:
        logger.removeHandler(net)


class StuckError(Exception):
    """A task steps without reaching an end."""


class World:
    """State that outlives a task: a topic, a group, a store and a clock."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.kafka = MemoryKafka()
        self.kafka.create_topic(TOPIC)
        self.storage = MemoryStorage()
        self.clock = ManualClock(_START)

    def run(self, batches: Sequence[Sequence[MemoryRecord]] = (), *, tolerant: bool = True) -> Run:
        """Runs a new task until it has read all given batches, one after the other, and ends it in order."""
        events: list[Event] = []
        letters = Letters()
        error: BaseException | None = None
        with warnings.catch_warnings(), _listening_to_the_net() as caught:
            warnings.simplefilter("ignore")
            task = self._task(events, letters, tolerant=tolerant)
            try:
                self._drain(task)
                for batch in batches:
                    self.kafka.append(TOPIC, 0, batch)
                    self._drain(task)
                task.flush(timeout_s=_FLUSH_S)
            except KeyboardInterrupt:
                raise
            except BaseException as raised:  # native code may raise what is not an Exception
                error = raised
            finally:
                task.close(flush=False)
        rejects = [event.reject for event in events if isinstance(event, RecordRejected)]
        return Run(rejects, events, error, letters.offsets(), caught)

    def _task(self, events: list[Event], letters: Letters, *, tolerant: bool) -> SinkTask:
        parts = self.setup.parts(self.storage)
        if not tolerant and self.setup.tombstones != "write":
            parts["tombstones"] = "fail"
        return make_task(
            consumer=_Consumer(self.kafka, self.clock),
            storage=self.storage,
            clock=self.clock,
            executor=InlineExecutor(),
            tolerance="skip" if tolerant else "fail",
            dead_letters=letters if self.setup.letters else None,
            hooks=[events.append],
            **parts,
        )

    def _drain(self, task: SinkTask) -> None:
        quiet = steps = 0
        latest_s = time.monotonic() + _MOST_SECONDS  # steps pass while protoc compiles a schema in a thread
        while steps < _MOST_STEPS or time.monotonic() < latest_s:
            steps += 1
            done = task.step(0)
            is_busy = done.records or done.rejected or done.files or done.committed_rows or done.unread
            quiet = 0 if is_busy else quiet + 1
            if quiet == _QUIET_STEPS:
                return
        raise StuckError("records come again and again")

    def rewind(self) -> None:
        """Sets the group's offset to the beginning, as an operator's tool does."""
        self.kafka.commit(GROUP, TOPIC, 0, 0)


def failure_of(error: BaseException) -> str:
    """Returns the kind of an error: its class, and the innermost function of the library in its traceback."""
    if isinstance(error, UnexpectedError) and error.__cause__ is not None:
        return f"unexpected {failure_of(error.__cause__)}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/kafka2parquet/" in frame.filename]
    where = f" at {frames[-1].filename.rpartition('/kafka2parquet/')[2]}, {frames[-1].name}" if frames else ""
    return f"{type(error).__name__}{where}"


@st.composite
def trials(draw: st.DrawFn, formats: st.SearchStrategy[str] | None = None) -> Trial:
    """Generates any sink with some records."""
    setup = draw(setups(formats))
    sent = tuple(draw(st.lists(records(setup.values.values), min_size=1, max_size=12)))
    return Trial(setup, sent, tuple(draw(st.lists(st.integers(1, 5), max_size=4))))
