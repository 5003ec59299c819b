"""Files of keys and headers beside those of values, tombstones, tags."""

from __future__ import annotations

from typing import Any

import pytest

from kafka2parquet import HourlyPartitioner, MetadataColumns, RecordCountRotation
from kafka2parquet.converters import StringConverter
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.converters.record_views import RecordViews, header_text
from kafka2parquet.delivery.settings import ObjectTags
from kafka2parquet.errors import ConfigurationError, RejectedRecordError, StorageUnavailableError
from kafka2parquet.events import FilePublished, IntentCommitted, RecordRejected, TaggingFailed
from kafka2parquet.testing import MemoryConsumer
from tests.support.sink_world import TOPIC, SinkWorld

GOOD = b'{"a":1}'
#: One header called `h` with the value `v`: count, then key and value with their lengths as zigzag varints.
HEADERS = b"\x02\x02h\x02v"
NO_HEADERS = b"\x00"
VIEWS = RecordViews(keys=True, headers=True, key_converter=StringConverter())


def test_keys_and_headers_lie_beside_the_values() -> None:
    """Each file of values has a file of keys and a file of headers with the same number of rows in the same order."""
    world = SinkWorld()
    for number in range(4):
        world.append(GOOD, key=b"key-%d" % number, headers=HEADERS, time_ms=number % 2 * 3_600_000)
    world.run(4, views=VIEWS, rotation=RecordCountRotation(4), partitioner=HourlyPartitioner())

    folder = "year=1970/month=01/day=01/hour=0"
    assert [f"{folder}{n}/events+0+000000000{n}.keys.snappy.parquet" for n in (0, 1)] == list(world.tables("keys"))
    assert [["key-0", "key-2"], ["key-1", "key-3"]] == [table["key"].to_pylist() for table in world.tables("keys").values()]
    assert [[[{"key": "h", "value": "v"}]] * 2] * 2 == [
        table["headers"].to_pylist() for table in world.tables("headers").values()
    ]
    assert [[0, 2], [1, 3]] == [table["_kafka_offset"].to_pylist() for table in world.tables().values()]


@pytest.mark.parametrize("at_once", [1, 500])
def test_keys_of_another_type_begin_another_file(at_once: int) -> None:
    """Keys of incompatible types go to separate files and no record is lost, whether the records come together or singly."""
    keys = [b'{"schema":{"type":"int32"},"payload":1}', b'{"schema":{"type":"string"},"payload":"a"}']
    world = SinkWorld()
    for key in (*keys, *keys):
        world.append(GOOD, key=key)
    views = RecordViews(keys=True, key_converter=JsonEnvelopeConverter())
    consumer = MemoryConsumer(world.kafka, group_id="group", topics=[TOPIC], max_poll_records=at_once)
    world.run(3, consumer=consumer, views=views, rotation=RecordCountRotation(4))
    assert [[1], ["a"], [1]] == [table["key"].to_pylist() for table in world.tables("keys").values()]


def test_records_without_key_or_headers_are_rejects() -> None:
    """If files of keys and headers are written, a record needs both. The key is checked first, with Connect's text."""
    world = SinkWorld()
    world.append(GOOD, headers=HEADERS)
    world.append(GOOD, key=b"k")
    world.append(GOOD, key=b"k", headers=NO_HEADERS)
    world.append(GOOD)
    world.append(GOOD, key=b"k", headers=HEADERS)
    world.run(5, views=VIEWS, tolerance="skip", rotation=RecordCountRotation(1))
    reasons = [event.reject.reason for event in world.events if isinstance(event, RecordRejected)]
    assert [
        "Key cannot be null for SinkRecord: SinkRecord{kafkaOffset=0, topic='events', kafkaPartition=0} ",
        "Headers cannot be null for SinkRecord: SinkRecord{kafkaOffset=1, topic='events', kafkaPartition=0} ",
        "Headers cannot be null for SinkRecord: SinkRecord{kafkaOffset=2, topic='events', kafkaPartition=0} ",
        "Key cannot be null for SinkRecord: SinkRecord{kafkaOffset=3, topic='events', kafkaPartition=0} ",
    ] == reasons
    assert {4: 1} == world.offsets()


@pytest.mark.parametrize("role", ["values", "keys", "headers"])
def test_a_crash_between_the_files_of_a_flush_leaves_nothing_out(role: str) -> None:
    """The successor writes all missing files, including files of keys and headers."""
    world = SinkWorld()
    for number in range(6):
        world.append(GOOD, key=b"%d" % number, headers=HEADERS, time_ms=number % 2 * 3_600_000)
    parts: dict[str, Any] = {
        "views": VIEWS,
        "rotation": RecordCountRotation(6),
        "partitioner": HourlyPartitioner(),
    }
    fault = world.storage.fail(key_part=f"hour=00/events+0+0000000000.{role}", times=1 << 30)
    dies_after = IntentCommitted if role == "values" else FilePublished
    world.run(6, die_at=lambda event: isinstance(event, dies_after), **parts)
    assert not world.committed
    fault.release()
    world.run(6, **parts)
    assert dict.fromkeys(range(6), 1) == world.offsets()
    assert [["0", "2", "4"], ["1", "3", "5"]] == [table["key"].to_pylist() for table in world.tables("keys").values()]
    assert [3, 3] == [table.num_rows for table in world.tables("headers").values()]


def test_tombstones_have_files_of_keys_only() -> None:
    """Tombstones are written to a separate folder by their Kafka time, and count as rows of the flush."""
    world = SinkWorld()
    world.append(None, GOOD, None, key=b"k", headers=HEADERS)
    world.run(3, views=VIEWS, tombstones="write", rotation=RecordCountRotation(3))
    assert ["partition=0/events+0+0000000001.keys.snappy.parquet", "tombstone/events+0+0000000000.keys.snappy.parquet"] == list(
        world.tables("keys")
    )
    assert {1: 1} == world.offsets()
    anchor = next(event for event in world.events if isinstance(event, FilePublished))
    assert "topics/events/tombstone/events+0+0000000000.keys.snappy.parquet" == anchor.key
    assert anchor.is_anchor


def test_a_flush_of_tombstones_is_found_again() -> None:
    """No record is repeated after offsets are set back behind files that contain only keys."""
    world = SinkWorld()
    world.append(None, None, key=b"k")
    parts: dict[str, Any] = {
        "views": RecordViews(keys=True),
        "tombstones": "write",
        "rotation": RecordCountRotation(2),
    }
    world.run(2, **parts)
    world.kafka.commit("group", "events", 0, 1)
    world.append(GOOD, GOOD, key=b"k")
    world.run(4, **parts)
    assert [1, 1] == [table.num_rows // 2 for table in world.tables("keys").values()]


def test_tombstones_become_rows_where_keys_are_a_column() -> None:
    """Without files of keys, tombstones are rows whose value columns are null."""
    world = SinkWorld()
    world.append(GOOD, None, GOOD, key=b"k")
    columns = MetadataColumns(("offset", "key"), key_converter=StringConverter())
    world.run(3, metadata_columns=columns, tombstones="write", rotation=RecordCountRotation(3))
    (table,) = world.tables().values()
    assert [
        {"a": 1, "_kafka_offset": 0, "_kafka_key": "k"},
        {"a": None, "_kafka_offset": 1, "_kafka_key": "k"},
        {"a": 1, "_kafka_offset": 2, "_kafka_key": "k"},
    ] == table.to_pylist()


def test_tombstones_need_their_keys() -> None:
    """Tombstones can't be written if keys have neither a file nor a column."""
    with pytest.raises(ConfigurationError, match="only be written with their keys"):
        SinkWorld().task(tombstones="write")


@pytest.mark.parametrize("tolerance", ["fail", "skip"])
def test_a_tombstone_ends_the_task_by_default(tolerance: str) -> None:
    """By default a tombstone ends the task with Connect's text, however rejects are handled."""
    world = SinkWorld()
    world.append(GOOD, None)
    task = world.task(tolerance=tolerance)
    with pytest.raises(RejectedRecordError, match=r"offset 1: .*Null valued records are not writeable"):
        world.step_until(task, lambda: False)
    task.close(flush=False)


def test_reported_tombstones_are_rejects() -> None:
    """With `report`, tombstones are not written, and each is an event."""
    world = SinkWorld()
    world.append(GOOD, None)
    world.run(1, tolerance="skip", tombstones="report", rotation=RecordCountRotation(1))
    assert ["Skipping null value record."] == [e.reject.reason for e in world.events if isinstance(e, RecordRejected)]


def test_objects_are_tagged() -> None:
    """Each object is tagged with its offsets, its number of rows and the additional tags."""
    world = SinkWorld()
    world.append(*[GOOD] * 4)
    world.run(4, tags=ObjectTags({"team": "data"}), rotation=RecordCountRotation(2))
    assert [
        {"startOffset": "0", "endOffset": "1", "recordCount": "2", "team": "data"},
        {"startOffset": "2", "endOffset": "3", "recordCount": "2", "team": "data"},
    ] == list(world.storage.tags.values())


def test_an_object_that_can_not_be_tagged_is_an_event_or_ends_the_task() -> None:
    """After a few attempts the failure is an event or ends the task; the object stays published and is not written again."""
    world = SinkWorld()
    world.append(*[GOOD] * 2)
    world.storage.fail("tag", times=1 << 30, error=StorageUnavailableError("no tags today"))
    with world.task(tags=ObjectTags(on_error="fail"), rotation=RecordCountRotation(2)) as task:
        with pytest.raises(StorageUnavailableError, match=r"Unable to tag S3 object topics/events/partition=0/.*no tags today"):
            world.step_until(task, lambda: False, seconds=10)
        task.close(flush=False)
    world.run(2, tags=ObjectTags(), rotation=RecordCountRotation(2))
    assert {0: 1, 1: 1} == world.offsets()
    world.append(*[GOOD] * 2)
    world.run(4, tags=ObjectTags(), rotation=RecordCountRotation(2))
    assert [0, 2] == [int(event.key.split("+")[2][:10]) for event in world.events if isinstance(event, TaggingFailed)]


@pytest.mark.parametrize(
    ("value", "text"), [(b"some text", "some text"), (b"\xff\x00", "ff00"), (12, "12"), (False, "false"), (None, None)]
)
def test_header_values_become_text(value: object, text: str | None) -> None:
    """Text is kept, other bytes become hexadecimal digits, and numbers and booleans look as in Connect."""
    assert text == header_text(value)
