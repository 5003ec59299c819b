"""Rows whose folder no store can have are rejected before a file of their flush is named."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from kafka2parquet import DefaultPartitioner, FieldPartitioner, RecordCountRotation
from kafka2parquet.delivery.commit_metadata import Identity, Intent
from kafka2parquet.errors import ConfigurationError, RejectedRecordError, UnknownMetadataError
from kafka2parquet.events import RecordRejected
from tests.support.sink_world import TOPIC, SinkWorld

IMPOSSIBLE = ["a//b", "/a", "a/", "a/../../b", "..", ".", "a/./b", "a\nb", "a\x00b", "x" * 300, "/".join(["x" * 200] * 6)]


def a_world(folder: str) -> SinkWorld:
    world = SinkWorld()
    world.append(*(json.dumps({"folder": each}).encode() for each in ("good", folder, "good")))
    return world


@pytest.mark.parametrize("folder", IMPOSSIBLE, ids=range(len(IMPOSSIBLE)))
def test_a_row_of_an_impossible_folder_is_a_reject(folder: str) -> None:
    """The row goes to the quarantine, and the rows around it go to their files."""
    world = a_world(f"x/{folder}")
    parts: dict[str, Any] = {
        "rotation": RecordCountRotation(2),
        "partitioner": FieldPartitioner(["folder"], escape=False),
        "tolerance": "skip",
        "quarantine": True,
    }
    world.run(3, **parts)
    world.run(3, **parts)
    assert world.offsets() == {0: 1, 2: 1}
    assert world.offsets("rejects", "offset") == {1: 1}
    (reject,) = {event.reject for event in world.events if isinstance(event, RecordRejected)}
    assert (reject.offset, reject.stage.value) == (1, "partition")
    assert "its folder can't contain objects" in reject.reason


def test_it_ends_the_task_where_rejects_are_not_tolerated() -> None:
    """An impossible folder ends the task before anything of the flush is published."""
    world = a_world("x//y")
    with pytest.raises(RejectedRecordError, match=r"events-0, offset 1: rejected at stage 'partition'.*empty segment"):
        world.run(3, partitioner=FieldPartitioner(["folder"], escape=False))
    assert not world.storage.objects


def run(world: SinkWorld, until: int, **parts: Any) -> None:
    defaults = {"partitioner": FieldPartitioner(["folder"], escape=False), "rotation": RecordCountRotation(3)}
    world.run(until, **{**defaults, **parts})


def test_the_way_out_of_an_intent_whose_anchor_no_store_takes() -> None:
    """The error about such an intent, which earlier versions committed, names a remedy that works."""
    world = a_world("x")
    identity = Identity("memory", "id-of-events", "f" * 8, "memory://test/topics")
    intent = Intent(identity, True, 3, 3, 0, "topics/events/folder=a//b/events+0+0000000000.snappy.parquet")
    world.kafka.commit("group", TOPIC, 0, 0, intent.format())
    for partitioner in (FieldPartitioner(["folder"]), DefaultPartitioner()):
        with pytest.raises(UnknownMetadataError, match=r"events-0: .*\[0, 3\).*empty segment.*set the group's offset to 0"):
            run(world, 3, partitioner=partitioner)
    assert not world.storage.objects
    world.kafka.commit("group", TOPIC, 0, 0, "")
    run(world, 3)
    assert world.offsets() == {0: 1, 1: 1, 2: 1}


def a_wedged_world() -> SinkWorld:
    """Makes a world in which an earlier version has published an anchor that lists a file that no store accepts."""
    world = a_world("x" * 300)
    task = world.task(partitioner=FieldPartitioner(["folder"]), rotation=RecordCountRotation(3))
    partitions = task._partitions
    unchecked = attrs.evolve(partitions._parts.pipeline, why_no_folder=None)  # as it was
    partitions._parts = attrs.evolve(partitions._parts, pipeline=unchecked)
    with pytest.raises(ConfigurationError, match="segment of 307 bytes"):
        world.step_until(task, lambda: False)
    task.close(flush=False)
    assert len(world.storage.objects) == 1
    return world


def test_a_listed_file_that_no_store_takes_is_left_out_where_rejects_are_tolerated() -> None:
    """The record of the listed file is now a reject."""
    world = a_wedged_world()
    run(world, 3, partitioner=FieldPartitioner(["folder"]), tolerance="skip")
    assert world.offsets() == {0: 1, 2: 1}
    assert {1} == {event.reject.offset for event in world.events if isinstance(event, RecordRejected)}


def test_the_way_out_of_a_listed_file_that_no_store_takes_where_rejects_are_kept() -> None:
    """Once the published files of the flush are deleted, the flush is repeated with a file of rejects."""
    world = a_wedged_world()
    parts = {"partitioner": FieldPartitioner(["folder"]), "tolerance": "skip", "quarantine": True}
    with pytest.raises(UnknownMetadataError, match=r"No object can have that key: .* delete the files of this flush"):
        run(world, 3, **parts)
    world.storage.objects.clear()
    run(world, 3, **parts)
    assert (world.offsets(), world.offsets("rejects", "offset")) == ({0: 1, 2: 1}, {1: 1})
