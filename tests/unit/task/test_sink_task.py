"""SinkTask over a consumer and a storage in memory, with a manual clock."""

from __future__ import annotations

import datetime
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from kafka2parquet import (
    FirstOf,
    HourlyPartitioner,
    MemoryBudget,
    ParquetWriter,
    RecordCountRotation,
    ScheduledRotation,
    SinkTask,
)
from kafka2parquet.backoff import RetryPolicy
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.errors import (
    ConfigurationError,
    DataLossError,
    GuaranteeError,
    RejectedRecordError,
    StoragePermissionError,
    StorageUnavailableError,
    UsageError,
)
from kafka2parquet.events import (
    DataLost,
    FilePublished,
    OffsetCommitted,
    PartitionStopped,
    RecordRejected,
    StorageRetried,
)
from kafka2parquet.records import Stage
from kafka2parquet.testing import MemoryConsumer, MemoryRecord, MemoryStorage
from tests.support.sink_world import GROUP, STEPS, TOPIC, SinkWorld

TEN_O_CLOCK_MS = 1_779_012_000_000  # 2026-05-17 10:00 UTC
HOUR = datetime.timedelta(hours=1)


class World(SinkWorld):
    """A world of records from ten o'clock, whose time passes only where a test says so."""

    def task(self, **parts: Any) -> SinkTask:
        consumer = MemoryConsumer(self.kafka, group_id=GROUP, topics=[TOPIC], max_poll_records=100)
        return super().task(**{"consumer": consumer, "partitioner": HourlyPartitioner(), **parts})

    def append(
        self,
        *values: bytes | None,
        key: bytes | None = None,
        headers: bytes | None = None,
        time_ms: int = TEN_O_CLOCK_MS,
    ) -> None:
        super().append(*values, key=key, headers=headers, time_ms=time_ms)

    def append_rows(self, count: int) -> None:
        self.append(*(b'{"number":%d}' % number for number in range(count)))

    def step_until(
        self, task: SinkTask, condition: Callable[..., Any], *, seconds: float = 0, timeout_s: float = 0.001
    ) -> None:
        super().step_until(task, condition, seconds=seconds, timeout_s=timeout_s)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def key(first_offset: int, hour: int = 10) -> str:
    return f"topics/events/year=2026/month=05/day=17/hour={hour}/events+0+{first_offset:010}.snappy.parquet"


def test_a_full_flush_is_published_and_committed(world: World) -> None:
    """A full flush is a file in the folder of its hour, named by its first offset; rows beyond it stay open."""
    world.append_rows(25)
    task = world.task()
    world.step_until(task, lambda: world.of(OffsetCommitted)[-1:] and world.of(OffsetCommitted)[-1].offset == 20)

    assert [key(0), key(10)] == sorted(world.storage.objects)
    assert list(range(10)) == [row["_kafka_offset"] for row in world.storage.rows(key(0))]
    assert [10, 20] == [event.offset for event in world.of(OffsetCommitted) if event.rows]


def test_a_flush_has_a_file_for_each_folder(world: World) -> None:
    """Rows that alternate between two hours are written to two files."""
    for number in range(10):
        world.append(b"{}", time_ms=TEN_O_CLOCK_MS + (number % 2) * 3_600_000)
    task = world.task()
    world.step_until(task, lambda: world.committed == 10)

    assert [key(0, 10), key(1, 11)] == sorted(world.storage.objects)
    assert [1, 3, 5, 7, 9] == [row["_kafka_offset"] for row in world.storage.rows(key(1, 11))]


def test_the_clock_ends_a_flush(world: World) -> None:
    """A scheduled rotation ends the open flush even if no further record arrives."""
    world.append_rows(3)
    task = world.task(rotation=FirstOf(ScheduledRotation(HOUR), RecordCountRotation(1000)))
    world.step_until(task, lambda: task.step(0.001).open_rows == 3)
    deadline_s = task.step(0).next_deadline_s
    assert deadline_s == 3600.0
    world.clock.advance(deadline_s)
    world.step_until(task, lambda: world.committed == 3)

    assert [key(0)] == list(world.storage.objects)


def test_values_that_the_files_can_not_hold_are_rejected(world: World) -> None:
    """A timestamp in milliseconds that doesn't fit microseconds is rejected, and the records around it are written."""
    schema = {"type": "struct", "fields": [{"field": "at", "type": "int64", "name": "org.apache.kafka.connect.data.Timestamp"}]}
    for at_ms in (1, 2**63 - 1, 3):
        world.append(json.dumps({"schema": schema, "payload": {"at": at_ms}}).encode())
    task = world.task(converter=JsonEnvelopeConverter(), rotation=RecordCountRotation(2), tolerance="skip")
    world.step_until(task, lambda: world.committed == 3)

    assert [1_000, 3_000] == world.storage.table(key(0))["at"].cast(pa.int64()).to_pylist()
    (rejected,) = world.of(RecordRejected)
    assert (1, Stage.WRITE) == (rejected.reject.offset, rejected.reject.stage)
    assert rejected.reject.reason.startswith("field at: ")


def test_rows_of_several_polls_share_a_file_whatever_their_types(world: World) -> None:
    """Rows that are converted to the file's types keep their schema, so that later polls join the file."""
    schema = {"type": "struct", "fields": [
        {"field": "at", "type": "int64", "name": "org.apache.kafka.connect.data.Timestamp"}, {"field": "i", "type": "int8"}
    ]}  # fmt: skip
    message = json.dumps({"schema": schema, "payload": {"at": 1, "i": 2}}).encode()
    for _ in range(10):
        world.append(message)
    writers = (ParquetWriter(types="own"), ParquetWriter(types="connect"))
    for writer, group in zip(writers, ("a", "b"), strict=True):
        storage = MemoryStorage()
        consumer = MemoryConsumer(world.kafka, group_id=group, topics=[TOPIC], max_poll_records=3)
        task = world.task(converter=JsonEnvelopeConverter(), storage=storage, consumer=consumer, writer=writer)
        world.step_until(task, lambda storage=storage: storage.objects)
        assert 10 == storage.table(key(0)).num_rows


def test_close_flushes_what_is_open(world: World) -> None:
    """`close` publishes and commits open rows."""
    world.append_rows(3)
    task = world.task()
    world.step_until(task, lambda: task.step(0.001).open_rows == 3)
    task.close()

    assert 3 == world.committed
    assert 3 == len(world.storage.rows(key(0)))


def test_close_without_flush_drops_what_is_open(world: World) -> None:
    """After `close(flush=False)`, the next task reads the open rows again."""
    world.append_rows(3)
    task = world.task()
    world.step_until(task, lambda: task.step(0.001).open_rows == 3)
    task.close(flush=False)
    assert {} == dict(world.storage.objects)
    assert [3] == [event.dropped_rows for event in world.of(PartitionStopped)]
    world.append_rows(7)
    after = world.task()
    world.step_until(after, lambda: world.committed == 10)

    assert 10 == len(world.storage.rows(key(0)))


def test_run_ends_after_stop(world: World) -> None:
    """`run()` in a thread flushes and closes once `stop()` is called."""
    world.append_rows(25)
    task = world.task()
    thread = threading.Thread(target=task.run)
    thread.start()
    published = threading.Event()
    while not published.wait(0.01):
        if len(world.storage.objects) == 2:
            published.set()
    task.stop()
    thread.join()

    assert 25 == sum(len(world.storage.rows(key)) for key in world.storage.objects)
    with pytest.raises(UsageError, match="closed"):
        task.step()


def test_a_bad_record_ends_the_task(world: World) -> None:
    """The error names topic, partition, offset and reason of the record; no offset behind the record is committed."""
    world.append(b'{"number":1}', b"[1, 2]", b'{"number":3}')
    task = world.task(rotation=RecordCountRotation(1))
    with pytest.raises(RejectedRecordError, match=r"events-0, offset 1: .* not a JSON object") as caught:
        world.step_until(task, lambda: False)

    assert (TOPIC, 0, 1) == (caught.value.topic, caught.value.partition, caught.value.offset)
    assert world.committed in (None, 0, 1)


def test_a_bad_record_is_skipped(world: World) -> None:
    """With `skip`, hooks get the raw record, and the committed offset moves past it."""
    world.append(b'{"number":1}', b"[1, 2]", b'{"number":3}')
    task = world.task(rotation=RecordCountRotation(2), tolerance="skip")
    world.step_until(task, lambda: world.committed == 3)

    assert [0, 2] == [row["_kafka_offset"] for row in world.storage.rows(key(0))]
    assert [b"[1, 2]"] == [event.reject.value for event in world.of(RecordRejected)]


def test_only_bad_records_move_the_offset(world: World) -> None:
    """A flush without rows writes no file, but its offset is committed, so that the lag reaches zero."""
    world.append(b"x", b"y")
    task = world.task(tolerance="skip")
    world.step_until(task, lambda: world.committed == 0 or world.committed == 2)
    world.clock.advance(60)
    world.step_until(task, lambda: world.committed == 2)

    assert {} == dict(world.storage.objects)
    assert 0 == task.step(0).lag


@pytest.mark.parametrize(("tombstones", "rows"), [("fail", None), ("ignore", [0, 2])])
def test_tombstones(world: World, tombstones: Any, rows: list[int] | None) -> None:
    """Records without a value end the task with `fail`, and are left out with `ignore`."""
    world.append(b"{}", None, b"{}")
    task = world.task(rotation=RecordCountRotation(2), tombstones=tombstones)
    if rows is None:
        with pytest.raises(RejectedRecordError, match="offset 1"):
            world.step_until(task, lambda: False)
    else:
        world.step_until(task, lambda: world.committed == 3)
        assert rows == [row["_kafka_offset"] for row in world.storage.rows(key(0))]


def test_an_outage_of_the_store_is_waited_out(world: World) -> None:
    """Uploads are retried until they succeed, and hooks get an event for each retry."""
    world.storage.fail("publish", times=3)
    world.append_rows(10)
    task = world.task()
    for attempts in (1, 2, 3):
        world.step_until(task, lambda attempts=attempts: len(world.of(StorageRetried)) >= attempts)
        world.clock.advance(120)
    world.step_until(task, lambda: world.committed == 10)

    assert 3 == len(world.of(StorageRetried))
    assert [key(0)] == list(world.storage.objects)


def test_a_retry_is_logged_with_its_event(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The log line of a retry carries the event that hooks get, so that a log in JSON has its fields."""
    world.storage.fail("publish")
    world.append_rows(10)
    task = world.task()
    world.step_until(task, lambda: world.of(StorageRetried))
    logged = [getattr(record, "event", None) for record in caplog.records if "attempt 1 failed" in record.getMessage()]
    assert world.of(StorageRetried) == logged


def test_the_end_of_an_outage_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """When a task's only topic-partition has got its file published, the log says that the store answers again."""
    caplog.set_level("INFO", logger="kafka2parquet.task.outages")
    world.storage.fail("publish", times=2)
    world.append_rows(10)
    task = world.task()
    for attempts in (1, 2):
        world.step_until(task, lambda attempts=attempts: len(world.of(StorageRetried)) >= attempts)
        assert "answers again" not in caplog.text
        world.clock.advance(15)
    world.step_until(task, lambda: world.committed == 10)
    assert 1 == caplog.text.count("The store answers again, after 30.0 s.")


def test_a_lost_answer_of_the_store_repeats_nothing(world: World) -> None:
    """If the response to an upload is lost, the retry finds the object of the same flush and accepts it."""
    world.storage.fail("publish", after_effect=True)
    world.append_rows(10)
    task = world.task()
    world.step_until(task, lambda: world.of(StorageRetried))
    world.clock.advance(120)
    world.step_until(task, lambda: world.committed == 10)

    assert [False] == [event.created for event in world.of(FilePublished)]
    assert 10 == len(world.storage.rows(key(0)))


def test_a_limit_ends_the_waiting(world: World) -> None:
    """At the limit for retries the last error is raised, and no offset is committed behind durable rows."""
    world.storage.fail("publish", times=100)
    world.append_rows(10)
    task = world.task(storage_retry=RetryPolicy(limit_s=60))

    def step_and_wait() -> bool:
        world.clock.advance(5)
        return False

    with pytest.raises(StorageUnavailableError):
        world.step_until(task, step_and_wait)
    assert world.committed in (None, 0)


def test_a_refusal_of_the_store_ends_the_task_at_once(world: World) -> None:
    """A missing permission ends the task without a retry."""
    world.storage.fail("publish", error=StoragePermissionError("s3:PutObject is missing"))
    world.append_rows(10)
    task = world.task()
    with pytest.raises(StoragePermissionError, match="s3:PutObject"):
        world.step_until(task, lambda: False)


def test_a_store_that_can_not_create_only_is_refused(world: World) -> None:
    """A store without create-only writes is refused, except with `at_least_once`."""
    world.storage.fail("probe", error=GuaranteeError("it overwrites"), times=2)
    world.append_rows(10)
    strict = world.task()
    with pytest.raises(ConfigurationError, match="overwrites"):
        world.step_until(strict, lambda: False)
    strict.close(flush=False)
    lax = world.task(guarantee="at_least_once")
    world.step_until(lax, lambda: world.committed == 10)


def test_lost_records_end_the_task(world: World) -> None:
    """With `fail`, lost records raise an error with the range of missing offsets."""
    world.append_rows(20)
    world.kafka.commit("group", TOPIC, 0, 3)
    world.kafka.delete_records(TOPIC, 0, 8)
    task = world.task()
    with pytest.raises(DataLossError) as caught:
        world.step_until(task, lambda: False)
    assert (3, 8) == (caught.value.missing_start, caught.value.missing_end)


def test_lost_records_are_passed_over(world: World) -> None:
    """With `continue`, the task skips lost records, and hooks get an event."""
    world.append_rows(20)
    world.kafka.commit("group", TOPIC, 0, 3)
    world.kafka.delete_records(TOPIC, 0, 8)
    task = world.task(on_data_loss="continue")
    world.step_until(task, lambda: world.committed == 18)

    assert [(3, 8)] == [(event.start, event.end) for event in world.of(DataLost)]
    assert list(range(8, 18)) == [row["_kafka_offset"] for row in world.storage.rows(key(8))]


def test_first_start_at_the_end(world: World) -> None:
    """With `latest`, a group without committed offsets skips the records that exist."""
    world.append_rows(5)
    task = world.task(first_start="latest")
    world.step_until(task, lambda: world.committed == 5)
    world.append_rows(10)
    world.step_until(task, lambda: world.committed == 15)

    assert [key(5)] == list(world.storage.objects)


def test_memory_is_bounded(world: World) -> None:
    """Beyond the budget, rows are spilled to disk and reading pauses, and every row is still written."""
    world.append(*(b'{"text":"%s"}' % (b"x" * 1000) for _ in range(2000)))
    budget = MemoryBudget(200_000)
    task = world.task(rotation=RecordCountRotation(2000), budget=budget)
    most = 0
    for _ in range(STEPS):
        if world.committed == 2000:
            break
        task.step(0.001)
        most = max(most, budget.used_bytes)

    assert 2000 == world.committed
    assert most < 600_000
    assert 2000 == len(world.storage.rows(key(0)))


def test_rewinding_repeats_nothing(world: World) -> None:
    """A group that is reset to the start, or into a flush, leaves published files unchanged and repeats no row."""
    world.append_rows(30)
    task = world.task()
    world.step_until(task, lambda: world.committed == 30)
    task.close()
    before = dict(world.storage.objects)
    for offset in (0, 13):
        world.kafka.commit("group", TOPIC, 0, offset)
        again = world.task()
        world.step_until(again, lambda: world.committed == 30)
        again.close()

    assert before == dict(world.storage.objects)


def test_two_tasks_share_one_group(world: World) -> None:
    """When a partition moves to another task, that task repeats the flush that was open."""
    world.kafka.create_topic(TOPIC, partitions=2)
    one, two = world.task(), world.task()
    for partition in (0, 1):
        world.kafka.append(TOPIC, partition, [MemoryRecord(b"{}", timestamp_ms=TEN_O_CLOCK_MS)] * 35)
    world.step_until(one, lambda: one.step(0.001).partitions == 2)
    for _ in range(STEPS):
        one.step(0.001)
        two.step(0.001)
        ends = [world.kafka.committed("group", TOPIC, partition) for partition in (0, 1)]
        if all(end is not None and end.offset == 30 for end in ends):
            break

    rows = [row for key in world.storage.objects for row in world.storage.rows(key)]
    assert 60 == len(rows) == len({(row["_kafka_partition"], row["_kafka_offset"]) for row in rows})


def test_a_forked_child_that_closes_the_task_leaves_its_parent_alone(world: World, tmp_path: Path) -> None:
    """A forked child that leaves the `with` block deletes no staged files, and the parent continues."""
    writer = ParquetWriter(in_memory_bytes=0, row_group_bytes=1, staging_directory=tmp_path)
    world.append_rows(5)
    task = world.task(writer=writer)
    world.step_until(task, lambda: list(tmp_path.glob("*/*.parquet")) != [])
    child = os.fork()
    if child == 0:
        task.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert [] != list(tmp_path.glob("*/*.parquet"))
    task.close()

    assert list(range(5)) == sorted(row["_kafka_offset"] for key in world.storage.objects for row in world.storage.rows(key))


def test_a_topic_that_would_lie_among_the_schemas_is_refused(world: World) -> None:
    """A topic that would be stored in the library's own folder ends the task before any of its files is written."""
    world.kafka.create_topic("_kafka2parquet")
    consumer = MemoryConsumer(world.kafka, group_id="group", topics=["_kafka2parquet"])
    with (
        world.task(consumer=consumer) as task,
        pytest.raises(ConfigurationError, match="Topic _kafka2parquet can't be written"),
    ):
        world.step_until(task, lambda: False)

    assert {} == world.storage.objects
