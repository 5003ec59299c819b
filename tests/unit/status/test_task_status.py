"""The status of a task: positions, lags, open rows, and what each topic-partition waits for."""

from __future__ import annotations

import datetime
import json
import threading
from typing import Any

import pytest

from kafka2parquet import MemoryBudget, RecordCountRotation, SinkTask
from kafka2parquet.errors import RejectedRecordError, StorageUnavailableError
from kafka2parquet.rotation import FirstOf, RecordTimeRotation, ScheduledRotation
from kafka2parquet.runner import TaskRunner
from kafka2parquet.status.model import PartitionStatus, Waiting, as_json
from kafka2parquet.testing import InlineExecutor, ManualClock, MemoryConsumer, MemoryKafka, MemoryStorage
from tests.support.sink_world import TOPIC, SinkWorld

START = ManualClock().now()
START_MS = round(START.timestamp() * 1000)
DAY_S = 86_400
RECORD = b'{"a":1}'


def a_world(retention_s: int | None = DAY_S) -> SinkWorld:
    world = SinkWorld()
    world.kafka.create_topic(TOPIC, retention_ms=None if retention_s is None else retention_s * 1000)
    return world


def a_task(world: SinkWorld, **parts: Any) -> SinkTask:
    """Makes a task that waits for no thread, so that a few steps do all there is to do."""
    return world.task(executor=InlineExecutor(), **parts)


def append(world: SinkWorld, *ages_s: float) -> None:
    """Appends records of these ages, in seconds before the clock's start."""
    for age_s in ages_s:
        world.append(RECORD, time_ms=START_MS - round(age_s * 1000))


def stepped(world: SinkWorld, task: SinkTask, steps: int = 10) -> PartitionStatus:
    for _ in range(steps):
        task.step(0)
    (found,) = task.status().partitions
    return found


def a_slow_reader(world: SinkWorld) -> MemoryConsumer:
    return MemoryConsumer(world.kafka, group_id="group", topics=[TOPIC], max_poll_records=2)


def test_open_rows_are_read_and_not_durable() -> None:
    """Rows of an open flush count as durable lag, not as read lag; the first of them gives age and margin."""
    world = a_world()
    append(world, 300, 200, 100)
    with a_task(world) as task:
        found = stepped(world, task)
        assert ("filling", 3, 3, 0, 0) == (found.state, found.position, found.log_end, found.log_start, found.committed)
        assert (0, 0.0) == (found.read_lag_records, found.read_lag_s)
        assert (3, 300.0, DAY_S - 300.0) == (found.durable_lag_records, found.durable_lag_s, found.retention_margin_s)
        assert (3, 1, START - datetime.timedelta(seconds=300)) == (found.open_rows, found.open_files, found.oldest_open_at)
        assert found.open_bytes > 0
        world.clock.advance(50)
        assert 350.0 == task.status().partitions[0].durable_lag_s


def test_a_committed_flush_leaves_no_lag() -> None:
    """After the commit nothing lags, the whole retention is the margin, and the last file and commit are shown."""
    world = a_world()
    append(world, *[5] * 10)
    with a_task(world) as task:
        found = stepped(world, task)
        assert (10, 10, 0, 0.0, 0.0) == (
            found.committed,
            found.position,
            found.durable_lag_records,
            found.durable_lag_s,
            found.read_lag_s,
        )
        assert (float(DAY_S), 0, None) == (found.retention_margin_s, found.open_rows, found.oldest_open_at)
        assert found.last_file is not None
        assert (10, START) == (found.last_file.rows, found.last_file.at)
        assert found.last_commit is not None
        assert (10, START) == (found.last_commit.offset, found.last_commit.at)
        assert (10, 10, 1, 1) == (found.totals.records, found.totals.committed_rows, found.totals.files, found.totals.flushes)
        assert task.status().is_idle


def test_unread_records_are_read_lag() -> None:
    """Before the next record is fetched, the age of the last taken record bounds the read lag."""
    world = a_world()
    append(world, 90, 80, 70, 60, 50)
    with a_task(world, consumer=a_slow_reader(world), rotation=RecordCountRotation(100)) as task:
        while not (found := task.status().partitions) or found[0].position != 2:
            task.step(0)
        (partition,) = found
        assert (3, 80.0, 5, 90.0) == (
            partition.read_lag_records,
            partition.read_lag_s,
            partition.durable_lag_records,
            partition.durable_lag_s,
        )
        partition = stepped(world, task, 5)
        assert (0, 0.0) == (partition.read_lag_records, partition.read_lag_s)


def test_a_quiet_partition_is_not_late_when_a_record_arrives() -> None:
    """A record that arrives after hours of silence is as late as it has been there, whatever the age of the record before."""
    world = a_world()
    append(world, 7200)
    with a_task(world, consumer=a_slow_reader(world)) as task:
        stepped(world, task)
        world.append(*[RECORD] * 4, time_ms=START_MS)
        world.clock.advance(2)
        found = stepped(world, task, 1)
        assert found.read_lag_records > 0
        assert found.read_lag_s is not None
        assert found.read_lag_s <= 2


@pytest.mark.parametrize(("retention_s", "expected"), [(None, None), (600, 300.0)])
def test_the_margin_needs_a_retention(retention_s: int | None, expected: float | None) -> None:
    """A topic that keeps records for ever has no margin."""
    world = a_world(retention_s)
    append(world, 300)
    with a_task(world) as task:
        found = stepped(world, task)
        assert (expected, retention_s) == (found.retention_margin_s, found.retention_s)


def test_nothing_is_known_before_the_first_record() -> None:
    """The age of a backlog is unknown until its first record is read."""
    world = a_world()
    append(world, 300)
    task = a_task(world)
    assert ("starting", ()) == (task.status().state, task.status().partitions)
    assert task.status().last_step_at is None
    while not (found := task.status()).partitions:
        task.step(0)
    (partition,) = found.partitions
    assert partition.position is not None or partition.durable_lag_s is None
    assert (1, 1) == (partition.read_lag_records + partition.open_rows, partition.durable_lag_records)
    task.close()


class DownStorage(MemoryStorage):
    """A storage that takes nothing while it is down."""

    is_down = False

    def publish(self, key: str, staged: Any) -> Any:
        if self.is_down:
            raise StorageUnavailableError("503 Slow Down")
        return super().publish(key, staged)


def test_an_outage_of_the_store_is_shown_with_its_cause() -> None:
    """The partition says what it waits for and when it tries again; the task says since when the store is down."""
    world = a_world()
    world.storage = storage = DownStorage()
    append(world, *[1] * 10)
    task = a_task(world)
    stepped(world, task, 1)
    assert True is task.status().storage.up
    storage.is_down = True
    world.step_until(task, lambda: task.status().storage.up is False)
    status = task.status()
    (found,) = status.partitions
    assert ("delivering", False, "503 Slow Down") == (found.state, status.storage.up, status.storage.cause)
    assert isinstance(found.waits_for, Waiting)
    assert ("storage", "503 Slow Down", 1) == (found.waits_for.reason, found.waits_for.cause, found.waits_for.attempt)
    assert found.waits_for.retry_at is not None
    storage.is_down = False
    world.step_until(task, lambda: world.committed == 10)
    status = task.status()
    assert (None, True, "") == (status.partitions[0].waits_for, status.storage.up, status.storage.cause)
    assert status.totals.retries >= 1
    task.close()


def test_a_spent_memory_budget_is_shown() -> None:
    """A partition that is paused for want of memory says so, until it takes records again."""
    world = a_world()
    world.append(*[b'{"a":"%s"}' % (b"x" * 1000)] * 40)
    budget = MemoryBudget(10_000)
    task = a_task(world, budget=budget, consumer=a_slow_reader(world), rotation=RecordCountRotation(1000))
    seen = []
    for _ in range(200):
        task.step(0)
        status = task.status()
        seen += [partition.waits_for for partition in status.partitions if partition.state == "paused"]
    assert seen
    assert {"memory"} == {waiting.reason for waiting in seen if waiting is not None}
    assert 10_000 == task.status().memory_budget_bytes
    task.close()


def test_a_failed_task_shows_its_error_and_last_positions() -> None:
    """After a failure the status has the error, the state of each partition is `failed`, and its lag is still there."""
    world = a_world()
    append(world, 60)
    world.append(b"not json")
    task = a_task(world)
    with pytest.raises(RejectedRecordError):
        stepped(world, task)
    status = task.status()
    assert "failed" == status.state
    assert status.error.startswith("RejectedRecordError: events-0, offset 1")
    assert ["failed"] == [partition.state for partition in status.partitions]
    assert 2 == status.partitions[0].durable_lag_records
    task.close()
    assert "failed" == task.status().state


def test_a_task_that_is_stopped_and_closed_says_so() -> None:
    """Closing flushes; afterwards the task has stopped and nothing lags."""
    world = a_world()
    append(world, 60, 50)
    task = a_task(world)
    stepped(world, task)
    task.stop()
    assert "stopping" == task.status().state
    task.close()
    status = task.status()
    assert ("stopped", "stopped", 0) == (status.state, status.partitions[0].state, status.partitions[0].durable_lag_records)


def test_a_revoked_partition_leaves_the_status() -> None:
    """Partitions of another member are not shown; the totals of the task remain."""
    world = a_world()
    world.kafka.create_topic(TOPIC, partitions=2)
    append(world, *[1] * 10)
    task = a_task(world)
    stepped_until_assigned(task, 2)
    other = MemoryConsumer(world.kafka, group_id="group", topics=[TOPIC])
    other.poll(0)
    stepped_until_assigned(task, 1)
    status = task.status()
    assert status.kafka.rebalances >= 2
    assert "group" == status.kafka.group_id
    assert status.kafka.joined
    task.close()


def stepped_until_assigned(task: SinkTask, partitions: int) -> None:
    for _ in range(100):
        task.step(0)
        if len(task.status().partitions) == partitions:
            return
    raise TimeoutError(f"{len(task.status().partitions)} partitions")


MINUTE, HOUR = datetime.timedelta(minutes=1), datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    ("rotation", "expected_s"),
    [
        (RecordCountRotation(5), None),
        (RecordTimeRotation(HOUR), 3600.0),
        (RecordTimeRotation(HOUR, or_by_the_clock=False), None),
        (ScheduledRotation(MINUTE), 60.0),
        (FirstOf(RecordCountRotation(5), RecordTimeRotation(HOUR), ScheduledRotation(MINUTE)), 60.0),
    ],
)
def test_the_rotation_promises_a_freshness(rotation: Any, expected_s: float | None) -> None:
    """The shortest time after which the clock ends a flush is promised; without one, nothing is."""
    task = a_task(a_world(), rotation=rotation)
    assert expected_s == task.status().expected_freshness_s
    task.close()


def test_the_next_flush_is_shown_with_its_reason() -> None:
    """The clock's deadline of the open flush and its reason are shown while rows are open."""
    world = a_world()
    append(world, 5)
    with a_task(world, rotation=ScheduledRotation(HOUR)) as task:
        found = stepped(world, task)
        assert "schedule" == found.next_flush_reason
        assert found.next_flush_at is not None
        assert START < found.next_flush_at <= START + HOUR


def test_a_status_becomes_json() -> None:
    """Times are ISO texts, a topic-partition is two members, and the form has a version."""
    world = a_world()
    append(world, 5)
    with a_task(world) as task:
        stepped(world, task)
        found = json.loads(json.dumps(as_json(task.status())))
    assert (1, "running") == (found["version"], found["state"])
    (partition,) = found["partitions"]
    assert (TOPIC, 0, "2026") == (partition["topic"], partition["partition"], partition["oldest_open_at"][:4])
    assert partition["oldest_open_at"].endswith("Z")


def test_a_runner_shows_all_its_tasks() -> None:
    """The status of a runner has the partitions and totals of all tasks, is safe while they run, and remains afterwards."""
    kafka, storage = MemoryKafka(), MemoryStorage()
    kafka.create_topic(TOPIC, partitions=4)
    for partition in range(4):
        kafka.append(TOPIC, partition, [RECORD] * 10)

    def make() -> SinkTask:
        world = SinkWorld()
        world.kafka, world.storage = kafka, storage
        return a_task(world)

    runner = TaskRunner([make, make], name="sink")
    assert ("sink", ()) == (runner.status().name, runner.status().tasks)
    runner.start()
    reached = threading.Event()
    while not reached.is_set():
        status = runner.status()
        if status.totals.committed_rows >= 40:
            reached.set()
    assert [0, 1, 2, 3] == sorted({each.topic_partition.partition for each in runner.status().partitions})
    runner.stop()
    runner.join()
    status = runner.status()
    assert (["stopped", "stopped"], "") == ([task.state for task in status.tasks], status.error)
