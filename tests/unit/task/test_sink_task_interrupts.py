"""A step that failed is the end of a task: nothing half done is published, and the next task has all records once."""

from __future__ import annotations

import collections
import contextlib
import datetime
import gc
import random
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from kafka2parquet import FirstOf, ParquetWriter, RecordCountRotation, ScheduledRotation, SinkTask
from kafka2parquet.consumers.base import Polled
from kafka2parquet.errors import DeliveryError, UsageError
from kafka2parquet.events import Event, FilePublished, FlushCut, OffsetCommitted, PartitionStopped, RecordRejected
from kafka2parquet.partitioners.field import FieldPartitioner
from kafka2parquet.testing import InlineExecutor, MemoryConsumer
from tests.support.interrupts import Interrupted, Line, interrupt_at, lines_of
from tests.support.sink_world import TOPIC, Died, SinkWorld

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # files of interrupted constructors

RECORDS = 21


def a_world() -> SinkWorld:
    """Makes a world with records for three folders, including bad records."""
    world = SinkWorld()
    world.append(*(b'{"folder": %d}' % (i % 3) if i % 13 else b"bad" for i in range(RECORDS)))
    return world


def a_task(world: SinkWorld, **parts: Any) -> SinkTask:
    return world.task(
        **{
            "consumer": MemoryConsumer(world.kafka, group_id="group", topics=[TOPIC], max_poll_records=5),
            "partitioner": FieldPartitioner(["folder"]),
            "rotation": FirstOf(RecordCountRotation(8), ScheduledRotation(datetime.timedelta(seconds=1))),
            "writer": ParquetWriter(row_group_bytes=64, in_memory_bytes=64),
            "tolerance": "skip",
            "quarantine": True,
            "executor": InlineExecutor(),
            **parts,
        }
    )


def drain(world: SinkWorld, task: SinkTask) -> None:
    world.step_until(task, lambda: world.committed == RECORDS, timeout_s=0)


def drain_and_close(world: SinkWorld) -> None:
    task = a_task(world)
    drain(world, task)
    task.close()


def check_exactly_once(world: SinkWorld) -> None:
    drain_and_close(world)
    assert collections.Counter(range(RECORDS)) == world.offsets() + world.offsets("rejects", "offset")


LINES = lines_of(lambda: drain_and_close(a_world()))


def close(task: SinkTask) -> None:
    task.close(timeout_s=0.3)


def close_without_flush(task: SinkTask) -> None:
    task.close(flush=False)


def step_and_close(task: SinkTask) -> None:
    with contextlib.suppress(UsageError):  # not where the interrupt came before the step had begun
        task.step(0)
    task.close(timeout_s=0.3)


THEN = (close, close_without_flush, step_and_close)


@pytest.mark.parametrize(("error", "first", "every"), [*((Interrupted, first, 4) for first in range(4)), (MemoryError, 0, 7)])
def test_an_interrupt_at_any_line_of_the_engine_loses_and_repeats_nothing(
    error: type[BaseException], first: int, every: int
) -> None:
    """An interrupt at any line loses and repeats no row, however the application ends the task afterwards."""
    rng = random.Random(7)
    assert len(LINES) > 400
    for number, (line, hits) in list(enumerate(LINES.items()))[first::every]:
        world = a_world()
        task = a_task(world)
        with contextlib.suppress(error), interrupt_at(line, rng.randint(1, hits), error):
            drain(world, task)
            task.close()
        try:
            THEN[number % len(THEN)](task)
            check_exactly_once(world)
        except BaseException:
            print(f"after an interrupt at {line}")
            raise
    gc.collect()  # while warnings of what interrupted constructors have left open are ignored


def test_an_interrupted_close_is_finished_by_the_next_one() -> None:
    """A second close() releases the resources that an interrupted close() left open."""
    world = a_world()
    task = a_task(world)
    for _ in range(4):
        task.step(0)
    line = _line_in(LINES, "sink_task.py", "parts.callback(self._parts.writer.close)")
    with pytest.raises(Interrupted), interrupt_at(line, 1):
        task.close()
    task.close()
    check_exactly_once(world)


def _line_in(lines: collections.Counter[Line], file: str, text: str) -> Line:
    for line in lines:
        if line.file.endswith(file) and text in Path(line.file).read_text().splitlines()[line.number - 1]:
            return line
    raise LookupError(text)


@pytest.mark.parametrize("event", [FlushCut, RecordRejected, FilePublished, OffsetCommitted])
def test_a_hook_that_raises_ends_the_task_without_harm(event: type[Event]) -> None:
    """If a hook raises an exception, open rows are dropped, and step() raises the exception."""
    world = a_world()
    task = a_task(world, die_at=lambda each: isinstance(each, event))
    with pytest.raises(Died):
        drain(world, task)
    with pytest.raises(UsageError, match="step has failed"):
        task.step(0)
    task.close()
    check_exactly_once(world)


def test_a_hook_that_raises_while_everything_is_dropped_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """If a hook fails while open rows are dropped, the first error is raised and the error of the hook is logged."""
    world = a_world()

    def break_at_the_end(event: Event) -> None:
        if isinstance(event, PartitionStopped):
            raise ValueError("too late")

    task = a_task(world, die_at=lambda each: isinstance(each, FlushCut), hooks=[break_at_the_end])
    with pytest.raises(Died):
        drain(world, task)
    assert "break_at_the_end raised ValueError for PartitionStopped: too late" in caplog.text
    task.close()
    check_exactly_once(world)


@pytest.mark.parametrize("call", ["step", "flush", "close"])
def test_a_hook_may_not_drive_the_task(call: str) -> None:
    """A hook that drives the task gets an error that names the call to use instead, and no row is lost."""
    world = a_world()
    found: list[str] = []

    def drive(event: Event) -> None:
        if isinstance(event, FlushCut) and not found:
            with pytest.raises(UsageError) as raised:
                getattr(task, call)()
            found.append(str(raised.value))

    task = a_task(world, hooks=[drive])
    drain(world, task)
    task.close()
    assert "from one of its hooks" in found[0]
    check_exactly_once(world)


@pytest.mark.parametrize("call", ["step", "flush", "close"])
def test_a_second_thread_is_refused_at_once(call: str) -> None:
    """A call from a second thread during a step raises an error, and the step continues."""
    world = a_world()
    is_in_step, may_go_on = threading.Event(), threading.Event()

    class SlowConsumer(MemoryConsumer):
        def poll(self, timeout_s: float) -> Polled:
            is_in_step.set()
            assert may_go_on.wait(30)
            return super().poll(timeout_s)

    task = a_task(world, consumer=SlowConsumer(world.kafka, group_id="group", topics=[TOPIC], max_poll_records=5))
    driver = threading.Thread(target=drain, args=(world, task))
    driver.start()
    assert is_in_step.wait(30)
    with pytest.raises(UsageError, match="another thread drives it"):
        getattr(task, call)()
    may_go_on.set()
    driver.join(30)
    task.close()
    check_exactly_once(world)


def test_a_flush_that_contradicts_itself_is_not_published() -> None:
    """If a file has rows that the flush didn't count, the flush is not published."""
    world = a_world()
    task = a_task(world, rotation=RecordCountRotation(RECORDS + 1), tombstones="ignore")
    world.step_until(task, lambda: task.step(0).open_rows == RECORDS)
    (engine,) = task._partitions._engines.values()
    flush = engine._open
    assert flush is not None
    file = next(iter(flush._files.values()))
    file.contents["values"].append(pa.table({"folder": [0]}))
    with pytest.raises(DeliveryError, match=r"events-0: the flush \[0, 21\) is not complete: a file of values has"):
        task.close()
    assert not world.storage.objects
    check_exactly_once(world)
