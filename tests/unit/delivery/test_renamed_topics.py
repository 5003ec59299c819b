"""Topics whose folders have other names: their files are found again, whatever crashes, beside those of other topics."""

from __future__ import annotations

import collections
from typing import Any

import pytest

from kafka2parquet import FieldPartitioner, ObjectNaming, RecordCountRotation
from kafka2parquet.audit.coverage import Audit
from kafka2parquet.audit.read import read_coverage
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.errors import ConflictingSinkError
from kafka2parquet.events import Event
from kafka2parquet.records import TopicPartition
from kafka2parquet.testing import MemoryConsumer, MemoryRecord
from kafka2parquet.transforms import RegexRouter, Route, RoutedFolders
from tests.support.sink_world import TOPIC, SinkWorld

#: All topics in one folder.
NAMING = ObjectNaming(topic_folders=RoutedFolders([Route(RegexRouter(".*", "lake/all"))]))
OTHER = "others"


def parts(**changes: Any) -> dict[str, Any]:
    return {
        "naming": NAMING,
        "partitioner": FieldPartitioner(["n"]),
        "rotation": RecordCountRotation(3),
        "metadata_columns": MetadataColumns(["topic", "offset"]),
        **changes,
    }


def a_world() -> SinkWorld:
    """Makes two topics with records; the records of the other topic are already published."""
    world = SinkWorld()
    world.kafka.create_topic(OTHER)
    values = [b'{"n":%d}' % (number % 2) for number in range(9)]
    world.append(*values)
    world.kafka.append(OTHER, 0, [MemoryRecord(value, timestamp_ms=0) for value in values])
    consumer = MemoryConsumer(world.kafka, group_id="other", topics=[OTHER])
    task = world.task(**parts(consumer=consumer))
    world.step_until(task, lambda: (found := world.kafka.committed("other", OTHER, 0)) is not None and found.offset == 9)
    task.close(flush=False)
    return world


def written(world: SinkWorld) -> collections.Counter[tuple[str, int]]:
    rows = [row for key in world.storage.objects for row in world.storage.rows(key)]
    return collections.Counter((row["_kafka_topic"], row["_kafka_offset"]) for row in rows)


EVERYTHING = {(TOPIC, offset): 1 for offset in range(9)} | {(OTHER, offset): 1 for offset in range(9)}


@pytest.mark.parametrize("death", range(16))
def test_a_crash_at_each_event(death: int) -> None:
    """Each record of both topics is in one file, wherever the task crashes."""
    world = a_world()
    events: list[Event] = []

    def dies(event: Event) -> bool:
        events.append(event)
        return len(events) == death + 1

    world.run(9, die_at=dies, **parts())
    world.run(9, **parts())
    assert EVERYTHING == written(world)


def test_a_group_whose_offsets_are_lost() -> None:
    """Published files are found in the folder and are not written again."""
    world = a_world()
    world.run(9, **parts())
    before = dict(world.storage.objects)
    world.kafka.commit("group", TOPIC, 0, 0)
    world.run(9, **parts(rotation=RecordCountRotation(5)))
    assert before == world.storage.objects
    assert EVERYTHING == written(world)
    assert all(key.startswith("topics/lake/all/") for key in before)


def test_the_audit_finds_the_files() -> None:
    """The audit finds only the files of its topic."""
    world = a_world()
    world.run(9, **parts())
    (coverage,) = read_coverage(world.storage, NAMING, TOPIC, {TopicPartition(TOPIC, 0): 9}).coverages
    assert (9, 6, ()) == (coverage.rows, coverage.files, coverage.findings)


def test_what_lies_in_a_shared_folder_is_found_once() -> None:
    """The audit reports a finding in a shared folder once, although it lists the folder for each topic."""
    world = a_world()
    world.run(9, **parts())
    world.storage.create("topics/lake/all/n=1/copy.parquet", b"x")
    committed = {TopicPartition(topic, 0): 9 for topic in (TOPIC, OTHER)}
    audits = [read_coverage(world.storage, NAMING, topic, committed) for topic in (TOPIC, OTHER)]
    found = sum(audits, Audit())
    assert (2, 1, 1) == (len(found.coverages), len(found.strays), found.findings)


def test_another_folder_is_another_place() -> None:
    """A sink with a different folder stops. If the sink may take over, it continues at the committed offset."""
    world = SinkWorld()
    world.append(*(b'{"n":1}' for _ in range(6)))
    world.run(3, **parts(naming=ObjectNaming()))
    with pytest.raises(ConflictingSinkError, match="topics/lake/all"):
        world.run(6, **parts())
    world.run(6, take_over=True, **parts())
    assert {(TOPIC, offset): 1 for offset in range(6)} == written(world)
