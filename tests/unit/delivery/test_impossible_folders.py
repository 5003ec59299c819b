"""Rows whose folder no store can have are rejected before a file of their flush is named."""

from __future__ import annotations

import json

import pytest

from kafka2parquet import FieldPartitioner, RecordCountRotation
from kafka2parquet.errors import RejectedRecordError
from kafka2parquet.events import RecordRejected
from tests.support.sink_world import SinkWorld

IMPOSSIBLE = ["a//b", "/a", "a/", "a/../../b", "..", ".", "a/./b", "a\nb", "a\x00b", "x" * 300, "/".join(["x" * 200] * 6)]


def a_world(folder: str) -> SinkWorld:
    world = SinkWorld()
    world.append(*(json.dumps({"folder": each}).encode() for each in ("good", folder, "good")))
    return world


@pytest.mark.parametrize("folder", IMPOSSIBLE, ids=range(len(IMPOSSIBLE)))
def test_a_row_of_an_impossible_folder_is_a_reject(folder: str) -> None:
    """It goes into the quarantine, and the rows beside it into their files."""
    world = a_world(f"x/{folder}")
    parts = {
        "rotation": RecordCountRotation(2),
        "partitioner": FieldPartitioner(["folder"], escape=False),
        "on_reject": "skip",
        "quarantine": True,
    }
    world.run(3, **parts)
    world.run(3, **parts)
    assert world.offsets() == {0: 1, 2: 1}
    assert world.offsets("rejects", "offset") == {1: 1}
    (reject,) = {event.reject for event in world.events if isinstance(event, RecordRejected)}
    assert (reject.offset, reject.stage.value) == (1, "partition")
    assert "no object can lie in its folder" in reject.reason


def test_it_ends_the_task_where_rejects_are_not_tolerated() -> None:
    """Before anything of its flush is published."""
    world = a_world("x//y")
    with pytest.raises(RejectedRecordError, match=r"events-0, offset 1: rejected at stage 'partition'.*empty segment"):
        world.run(3, partitioner=FieldPartitioner(["folder"], escape=False))
    assert not world.storage.objects
