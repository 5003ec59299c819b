"""Records that retention deletes while a flush of them is on its way."""

from __future__ import annotations

from kafka2parquet import HourlyPartitioner, JsonConverter, RecordCountRotation, SinkTask
from kafka2parquet.consumers.base import CommittedOffset
from kafka2parquet.delivery.commit_metadata import Intent, parse
from kafka2parquet.delivery.settings import DeliverySettings
from kafka2parquet.events import DataLost, Event
from kafka2parquet.records import TopicPartition
from kafka2parquet.testing import ManualClock, MemoryConsumer, MemoryKafka, MemoryRecord, MemoryStorage

STEPS = 1000


def test_a_flush_that_is_gone_whole_is_passed_over_also_at_the_end_of_the_log() -> None:
    """The offset moves past a recorded intent whose records were deleted, even if the log has no newer records."""
    kafka, storage, clock, events = MemoryKafka(), MemoryStorage(), ManualClock(), list[Event]()
    kafka.create_topic("events")
    kafka.append("events", 0, [MemoryRecord(b'{"a":1}', timestamp_ms=1_779_012_000_000)] * 12)

    def task() -> SinkTask:
        return SinkTask(
            consumer=MemoryConsumer(kafka, group_id="group", topics=["events"]),
            converter=JsonConverter(),
            partitioner=HourlyPartitioner(),
            rotation=RecordCountRotation(10),
            storage=storage,
            clock=clock,
            hooks=[events.append],
            delivery=DeliverySettings(on_data_loss="continue"),
        )

    def committed() -> CommittedOffset:
        found = kafka.committed("group", "events", 0)
        return CommittedOffset(0, "") if found is None else found

    def has_intent() -> bool:
        return isinstance(parse(committed().metadata, TopicPartition("events", 0), ""), Intent)

    storage.fail("publish", times=1_000)
    first = task()
    for _ in range(STEPS):
        first.step(0.001)
        if has_intent():
            break
    first.close(flush=False)
    assert has_intent()

    kafka.delete_records("events", 0, 12)
    second = task()
    for _ in range(STEPS):
        second.step(0.001)
        clock.advance(1)
        if committed().offset == 12:
            break
    second.close(flush=False)

    assert 12 == committed().offset
    assert [(0, 12)] == [(event.start, event.end) for event in events if isinstance(event, DataLost)]
