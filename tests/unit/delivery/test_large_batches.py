"""A batch of many bytes is converted in parts, and makes the same rows."""

from __future__ import annotations

from kafka2parquet import DefaultPartitioner, RecordCountRotation, SinkTask
from kafka2parquet.converters import ByteArrayConverter
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted
from kafka2parquet.testing import MemoryConsumer, MemoryKafka, MemoryStorage
from kafka2parquet.testing.memory_consumer import MemoryRecord

MIB = 1 << 20


class Recording(ByteArrayConverter):
    """A converter that records the total size of values that are converted together."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[int]] = []

    def convert(self, batch: ConsumedBatch) -> Converted:
        self.seen.append([len(value) // MIB for value in batch.values.to_pylist()])
        return super().convert(batch)


def test_large_records_are_converted_a_few_at_a_time() -> None:
    """At most 16 MiB of records, or one larger record, are converted together, and each record is written once."""
    kafka, storage, converter = MemoryKafka(), MemoryStorage(), Recording()
    kafka.create_topic("topic")
    sizes = [4, 7, 4, 20, 3, 3]
    kafka.append("topic", 0, [MemoryRecord(b"x" * size * MIB) for size in sizes])
    with SinkTask(
        consumer=MemoryConsumer(kafka, group_id="group", topics=["topic"]),
        converter=converter,
        partitioner=DefaultPartitioner(),
        rotation=RecordCountRotation(6),
        storage=storage,
    ) as task:
        while not storage.published:
            task.step(0.01)
    (key,) = storage.published

    assert [[4, 7, 4], [20], [3, 3]] == converter.seen
    assert [(offset, size) for offset, size in enumerate(sizes)] == [
        (row["_kafka_offset"], len(row["value"]) // MIB) for row in storage.rows(key)
    ]
