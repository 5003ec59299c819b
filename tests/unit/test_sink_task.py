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
    JsonConverter,
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
    Event,
    FilePublished,
    OffsetCommitted,
    PartitionStopped,
    RecordRejected,
    StorageRetried,
)
from kafka2parquet.records import Stage
from kafka2parquet.testing import ManualClock, MemoryConsumer, MemoryKafka, MemoryRecord, MemoryStorage
from tests.support.tasks import make_task

TOPIC = "events"
TEN_O_CLOCK_MS = 1_779_012_000_000  # 2026-05-17 10:00 UTC
HOUR = datetime.timedelta(hours=1)
STEPS = 3000


class Fixture:
    """A topic with one partition, a store, and the tasks that a test makes."""

    def __init__(self) -> None:
        self.kafka = MemoryKafka()
        self.kafka.create_topic(TOPIC)
        self.storage = MemoryStorage()
        self.clock = ManualClock()
        self.events: list[Event] = []
        self.tasks: list[SinkTask] = []

    def task(self, **changes: Any) -> SinkTask:
        arguments: dict[str, Any] = {
            "consumer": MemoryConsumer(self.kafka, group_id="group", topics=[TOPIC], max_poll_records=100),
            "converter": JsonConverter(),
            "partitioner": HourlyPartitioner(),
            "rotation": RecordCountRotation(10),
            "storage": self.storage,
            "clock": self.clock,
            "hooks": [self.events.append],
        }
        task = make_task(**{**arguments, **changes})
        self.tasks.append(task)
        return task

    def append(self, *values: bytes | None, time_ms: int = TEN_O_CLOCK_MS) -> None:
        self.kafka.append(TOPIC, 0, [MemoryRecord(value, timestamp_ms=time_ms) for value in values])

    def append_rows(self, count: int, time_ms: int = TEN_O_CLOCK_MS) -> None:
        self.append(*(b'{"number":%d}' % number for number in range(count)), time_ms=time_ms)

    def committed(self) -> int | None:
        found = self.kafka.committed("group", TOPIC, 0)
        return None if found is None else found.offset

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def step_until(self, task: SinkTask, condition: Callable[[], object]) -> None:
        for _ in range(STEPS):
            if condition():
                return
            task.step(0.001)
        raise TimeoutError(f"not within {STEPS} steps; events: {self.events}")


@pytest.fixture
def fixture() -> Iterator[Fixture]:
    fixture = Fixture()
    yield fixture
    for task in fixture.tasks:
        task.close(flush=False)


def key(first_offset: int, hour: int = 10) -> str:
    return f"topics/events/year=2026/month=05/day=17/hour={hour}/events+0+{first_offset:010}.snappy.parquet"


def test_a_full_flush_is_published_and_committed(fixture: Fixture) -> None:
    """A full flush is a file in the folder of its hour, named by its first offset; rows beyond it stay open."""
    fixture.append_rows(25)
    task = fixture.task()
    fixture.step_until(task, lambda: fixture.of(OffsetCommitted)[-1:] and fixture.of(OffsetCommitted)[-1].offset == 20)

    assert [key(0), key(10)] == sorted(fixture.storage.objects)
    assert list(range(10)) == [row["_kafka_offset"] for row in fixture.storage.rows(key(0))]
    assert [10, 20] == [event.offset for event in fixture.of(OffsetCommitted) if event.rows]


def test_a_flush_has_a_file_for_each_folder(fixture: Fixture) -> None:
    """Rows that alternate between two hours are written to two files."""
    for number in range(10):
        fixture.append(b"{}", time_ms=TEN_O_CLOCK_MS + (number % 2) * 3_600_000)
    task = fixture.task()
    fixture.step_until(task, lambda: fixture.committed() == 10)

    assert [key(0, 10), key(1, 11)] == sorted(fixture.storage.objects)
    assert [1, 3, 5, 7, 9] == [row["_kafka_offset"] for row in fixture.storage.rows(key(1, 11))]


def test_the_clock_ends_a_flush(fixture: Fixture) -> None:
    """A scheduled rotation ends the open flush even if no further record arrives."""
    fixture.append_rows(3)
    task = fixture.task(rotation=FirstOf(ScheduledRotation(HOUR), RecordCountRotation(1000)))
    fixture.step_until(task, lambda: task.step(0.001).open_rows == 3)
    deadline_s = task.step(0).next_deadline_s
    assert deadline_s == 3600.0
    fixture.clock.advance(deadline_s)
    fixture.step_until(task, lambda: fixture.committed() == 3)

    assert [key(0)] == list(fixture.storage.objects)


def test_values_that_the_files_can_not_hold_are_rejected(fixture: Fixture) -> None:
    """A timestamp in milliseconds that doesn't fit microseconds is rejected, and the records around it are written."""
    schema = {"type": "struct", "fields": [{"field": "at", "type": "int64", "name": "org.apache.kafka.connect.data.Timestamp"}]}
    for at_ms in (1, 2**63 - 1, 3):
        fixture.append(json.dumps({"schema": schema, "payload": {"at": at_ms}}).encode())
    task = fixture.task(converter=JsonEnvelopeConverter(), rotation=RecordCountRotation(2), tolerance="skip")
    fixture.step_until(task, lambda: fixture.committed() == 3)

    assert [1_000, 3_000] == fixture.storage.table(key(0))["at"].cast(pa.int64()).to_pylist()
    (rejected,) = fixture.of(RecordRejected)
    assert (1, Stage.WRITE) == (rejected.reject.offset, rejected.reject.stage)
    assert rejected.reject.reason.startswith("field at: ")


def test_rows_of_several_polls_share_a_file_whatever_their_types(fixture: Fixture) -> None:
    """Rows that are converted to the file's types keep their schema, so that later polls join the file."""
    schema = {"type": "struct", "fields": [
        {"field": "at", "type": "int64", "name": "org.apache.kafka.connect.data.Timestamp"}, {"field": "i", "type": "int8"}
    ]}  # fmt: skip
    message = json.dumps({"schema": schema, "payload": {"at": 1, "i": 2}}).encode()
    for _ in range(10):
        fixture.append(message)
    for types, group in (("own", "a"), ("connect", "b")):
        storage = MemoryStorage()
        consumer = MemoryConsumer(fixture.kafka, group_id=group, topics=[TOPIC], max_poll_records=3)
        writer = ParquetWriter(types=types)
        task = fixture.task(converter=JsonEnvelopeConverter(), storage=storage, consumer=consumer, writer=writer)
        fixture.step_until(task, lambda storage=storage: storage.objects)
        assert 10 == storage.table(key(0)).num_rows


def test_close_flushes_what_is_open(fixture: Fixture) -> None:
    """`close` publishes and commits open rows."""
    fixture.append_rows(3)
    task = fixture.task()
    fixture.step_until(task, lambda: task.step(0.001).open_rows == 3)
    task.close()

    assert 3 == fixture.committed()
    assert 3 == len(fixture.storage.rows(key(0)))


def test_close_without_flush_drops_what_is_open(fixture: Fixture) -> None:
    """After `close(flush=False)`, the next task reads the open rows again."""
    fixture.append_rows(3)
    task = fixture.task()
    fixture.step_until(task, lambda: task.step(0.001).open_rows == 3)
    task.close(flush=False)
    assert {} == dict(fixture.storage.objects)
    assert [3] == [event.dropped_rows for event in fixture.of(PartitionStopped)]
    fixture.append_rows(7)
    after = fixture.task()
    fixture.step_until(after, lambda: fixture.committed() == 10)

    assert 10 == len(fixture.storage.rows(key(0)))


def test_run_ends_after_stop(fixture: Fixture) -> None:
    """`run()` in a thread flushes and closes once `stop()` is called."""
    fixture.append_rows(25)
    task = fixture.task()
    thread = threading.Thread(target=task.run)
    thread.start()
    published = threading.Event()
    while not published.wait(0.01):
        if len(fixture.storage.objects) == 2:
            published.set()
    task.stop()
    thread.join()

    assert 25 == sum(len(fixture.storage.rows(key)) for key in fixture.storage.objects)
    with pytest.raises(UsageError, match="closed"):
        task.step()


def test_a_bad_record_ends_the_task(fixture: Fixture) -> None:
    """The error names topic, partition, offset and reason of the record; no offset behind the record is committed."""
    fixture.append(b'{"number":1}', b"[1, 2]", b'{"number":3}')
    task = fixture.task(rotation=RecordCountRotation(1))
    with pytest.raises(RejectedRecordError, match=r"events-0, offset 1: .* not a JSON object") as caught:
        fixture.step_until(task, lambda: False)

    assert (TOPIC, 0, 1) == (caught.value.topic, caught.value.partition, caught.value.offset)
    assert fixture.committed() in (None, 0, 1)


def test_a_bad_record_is_skipped(fixture: Fixture) -> None:
    """With `skip`, hooks get the raw record, and the committed offset moves past it."""
    fixture.append(b'{"number":1}', b"[1, 2]", b'{"number":3}')
    task = fixture.task(rotation=RecordCountRotation(2), tolerance="skip")
    fixture.step_until(task, lambda: fixture.committed() == 3)

    assert [0, 2] == [row["_kafka_offset"] for row in fixture.storage.rows(key(0))]
    assert [b"[1, 2]"] == [event.reject.value for event in fixture.of(RecordRejected)]


def test_only_bad_records_move_the_offset(fixture: Fixture) -> None:
    """A flush without rows writes no file, but its offset is committed, so that the lag reaches zero."""
    fixture.append(b"x", b"y")
    task = fixture.task(tolerance="skip")
    fixture.step_until(task, lambda: fixture.committed() == 0 or fixture.committed() == 2)
    fixture.clock.advance(60)
    fixture.step_until(task, lambda: fixture.committed() == 2)

    assert {} == dict(fixture.storage.objects)
    assert 0 == task.step(0).lag


@pytest.mark.parametrize(("tombstones", "rows"), [("fail", None), ("ignore", [0, 2])])
def test_tombstones(fixture: Fixture, tombstones: Any, rows: list[int] | None) -> None:
    """Records without a value end the task with `fail`, and are left out with `ignore`."""
    fixture.append(b"{}", None, b"{}")
    task = fixture.task(rotation=RecordCountRotation(2), tombstones=tombstones)
    if rows is None:
        with pytest.raises(RejectedRecordError, match="offset 1"):
            fixture.step_until(task, lambda: False)
    else:
        fixture.step_until(task, lambda: fixture.committed() == 3)
        assert rows == [row["_kafka_offset"] for row in fixture.storage.rows(key(0))]


def test_an_outage_of_the_store_is_waited_out(fixture: Fixture) -> None:
    """Uploads are retried until they succeed, and hooks get an event for each retry."""
    fixture.storage.fail("publish", times=3)
    fixture.append_rows(10)
    task = fixture.task()
    for attempts in (1, 2, 3):
        fixture.step_until(task, lambda attempts=attempts: len(fixture.of(StorageRetried)) >= attempts)
        fixture.clock.advance(120)
    fixture.step_until(task, lambda: fixture.committed() == 10)

    assert 3 == len(fixture.of(StorageRetried))
    assert [key(0)] == list(fixture.storage.objects)


def test_a_lost_answer_of_the_store_repeats_nothing(fixture: Fixture) -> None:
    """If the response to an upload is lost, the retry finds the object of the same flush and accepts it."""
    fixture.storage.fail("publish", after_effect=True)
    fixture.append_rows(10)
    task = fixture.task()
    fixture.step_until(task, lambda: fixture.of(StorageRetried))
    fixture.clock.advance(120)
    fixture.step_until(task, lambda: fixture.committed() == 10)

    assert [False] == [event.created for event in fixture.of(FilePublished)]
    assert 10 == len(fixture.storage.rows(key(0)))


def test_a_limit_ends_the_waiting(fixture: Fixture) -> None:
    """At the limit for retries the last error is raised, and no offset is committed behind durable rows."""
    fixture.storage.fail("publish", times=100)
    fixture.append_rows(10)
    task = fixture.task(storage_retry=RetryPolicy(limit_s=60))

    def step_and_wait() -> bool:
        fixture.clock.advance(5)
        return False

    with pytest.raises(StorageUnavailableError):
        fixture.step_until(task, step_and_wait)
    assert fixture.committed() in (None, 0)


def test_a_refusal_of_the_store_ends_the_task_at_once(fixture: Fixture) -> None:
    """A missing permission ends the task without a retry."""
    fixture.storage.fail("publish", error=StoragePermissionError("s3:PutObject is missing"))
    fixture.append_rows(10)
    task = fixture.task()
    with pytest.raises(StoragePermissionError, match="s3:PutObject"):
        fixture.step_until(task, lambda: False)


def test_a_store_that_can_not_create_only_is_refused(fixture: Fixture) -> None:
    """A store without create-only writes is refused, except with `at_least_once`."""
    fixture.storage.fail("probe", error=GuaranteeError("it overwrites"), times=2)
    fixture.append_rows(10)
    strict = fixture.task()
    with pytest.raises(ConfigurationError, match="overwrites"):
        fixture.step_until(strict, lambda: False)
    strict.close(flush=False)
    lax = fixture.task(guarantee="at_least_once")
    fixture.step_until(lax, lambda: fixture.committed() == 10)


def test_lost_records_end_the_task(fixture: Fixture) -> None:
    """With `fail`, lost records raise an error with the range of missing offsets."""
    fixture.append_rows(20)
    fixture.kafka.commit("group", TOPIC, 0, 3)
    fixture.kafka.delete_records(TOPIC, 0, 8)
    task = fixture.task()
    with pytest.raises(DataLossError) as caught:
        fixture.step_until(task, lambda: False)
    assert (3, 8) == (caught.value.missing_start, caught.value.missing_end)


def test_lost_records_are_passed_over(fixture: Fixture) -> None:
    """With `continue`, the task skips lost records, and hooks get an event."""
    fixture.append_rows(20)
    fixture.kafka.commit("group", TOPIC, 0, 3)
    fixture.kafka.delete_records(TOPIC, 0, 8)
    task = fixture.task(on_data_loss="continue")
    fixture.step_until(task, lambda: fixture.committed() == 18)

    assert [(3, 8)] == [(event.start, event.end) for event in fixture.of(DataLost)]
    assert list(range(8, 18)) == [row["_kafka_offset"] for row in fixture.storage.rows(key(8))]


def test_first_start_at_the_end(fixture: Fixture) -> None:
    """With `latest`, a group without committed offsets skips the records that exist."""
    fixture.append_rows(5)
    task = fixture.task(first_start="latest")
    fixture.step_until(task, lambda: fixture.committed() == 5)
    fixture.append_rows(10)
    fixture.step_until(task, lambda: fixture.committed() == 15)

    assert [key(5)] == list(fixture.storage.objects)


def test_memory_is_bounded(fixture: Fixture) -> None:
    """Beyond the budget, rows are spilled to disk and reading pauses, and every row is still written."""
    fixture.append(*(b'{"text":"%s"}' % (b"x" * 1000) for _ in range(2000)))
    budget = MemoryBudget(200_000)
    task = fixture.task(rotation=RecordCountRotation(2000), budget=budget)
    most = 0
    for _ in range(STEPS):
        if fixture.committed() == 2000:
            break
        task.step(0.001)
        most = max(most, budget.used_bytes)

    assert 2000 == fixture.committed()
    assert most < 600_000
    assert 2000 == len(fixture.storage.rows(key(0)))


def test_rewinding_repeats_nothing(fixture: Fixture) -> None:
    """A group that is reset to the start, or into a flush, leaves published files unchanged and repeats no row."""
    fixture.append_rows(30)
    task = fixture.task()
    fixture.step_until(task, lambda: fixture.committed() == 30)
    task.close()
    before = dict(fixture.storage.objects)
    for offset in (0, 13):
        fixture.kafka.commit("group", TOPIC, 0, offset)
        again = fixture.task()
        fixture.step_until(again, lambda: fixture.committed() == 30)
        again.close()

    assert before == dict(fixture.storage.objects)


def test_two_tasks_share_one_group(fixture: Fixture) -> None:
    """When a partition moves to another task, that task repeats the flush that was open."""
    fixture.kafka.create_topic(TOPIC, partitions=2)
    one, two = fixture.task(), fixture.task()
    for partition in (0, 1):
        fixture.kafka.append(TOPIC, partition, [MemoryRecord(b"{}", timestamp_ms=TEN_O_CLOCK_MS)] * 35)
    fixture.step_until(one, lambda: one.step(0.001).partitions == 2)
    for _ in range(STEPS):
        one.step(0.001)
        two.step(0.001)
        ends = [fixture.kafka.committed("group", TOPIC, partition) for partition in (0, 1)]
        if all(end is not None and end.offset == 30 for end in ends):
            break

    rows = [row for key in fixture.storage.objects for row in fixture.storage.rows(key)]
    assert 60 == len(rows) == len({(row["_kafka_partition"], row["_kafka_offset"]) for row in rows})


def test_a_forked_child_that_closes_the_task_leaves_its_parent_alone(fixture: Fixture, tmp_path: Path) -> None:
    """A forked child that leaves the `with` block deletes no staged files, and the parent continues."""
    writer = ParquetWriter(in_memory_bytes=0, row_group_bytes=1, staging_directory=tmp_path)
    fixture.append_rows(5)
    task = fixture.task(writer=writer)
    fixture.step_until(task, lambda: list(tmp_path.glob("*/*.parquet")) != [])
    child = os.fork()
    if child == 0:
        task.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert [] != list(tmp_path.glob("*/*.parquet"))
    task.close()

    assert list(range(5)) == sorted(
        row["_kafka_offset"] for key in fixture.storage.objects for row in fixture.storage.rows(key)
    )


def test_a_topic_that_would_lie_among_the_schemas_is_refused(fixture: Fixture) -> None:
    """A topic that would be stored in the library's own folder ends the task before any of its files is written."""
    fixture.kafka.create_topic("_kafka2parquet")
    consumer = MemoryConsumer(fixture.kafka, group_id="group", topics=["_kafka2parquet"])
    with (
        fixture.task(consumer=consumer) as task,
        pytest.raises(ConfigurationError, match="Topic _kafka2parquet can't be written"),
    ):
        fixture.step_until(task, lambda: False)

    assert {} == fixture.storage.objects
