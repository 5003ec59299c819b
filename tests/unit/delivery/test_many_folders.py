"""Flushes of very many folders: what a step costs, and what ends such a flush."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from kafka2parquet import FieldPartitioner, FirstOf, MemoryBudget, RecordCountRotation
from kafka2parquet.converters import JsonEnvelopeConverter
from kafka2parquet.delivery.settings import DeliverySettings
from kafka2parquet.events import FlushCut
from kafka2parquet.rotation import MaxOpenFilesRotation, PerRecordRotation
from kafka2parquet.rotation.base import FlushStats
from kafka2parquet.rows import Row
from tests.support.sink_world import SinkWorld

BY_USER = FieldPartitioner(["user"])
NO_LIMIT = DeliverySettings(max_open_files=None)


def a_world(folders: int, value: Callable[[int], bytes]) -> SinkWorld:
    world = SinkWorld()
    world.append(*(value(number) for number in range(folders)))
    return world


def plain(number: int) -> bytes:
    return json.dumps({"user": number}).encode()


def of_two_schemas(number: int) -> bytes:
    fields = [{"field": "user", "type": "int64"}, {"field": f"other{number % 2}", "type": "int64", "optional": True}]
    schema = {"type": "struct", "fields": fields}
    return json.dumps({"schema": schema, "payload": {"user": number}}).encode()


class Never(PerRecordRotation):
    """A user's rotation policy that never ends a flush."""

    def should_rotate(self, stats: FlushStats, row: Row) -> bool:
        return len(stats.encoded_partitions) < 0


def calls_of_a_run(folders: int, value: Callable[[int], bytes], **parts: Any) -> int:
    """Counts the calls of functions, including C functions, on the driver thread during a flush of `folders` folders."""
    world = a_world(folders, value)
    counter = itertools.count()
    sys.setprofile(lambda *_: next(counter))
    try:
        rotation = FirstOf(Never(), RecordCountRotation(folders))
        world.run(folders, **{"partitioner": BY_USER, "delivery": NO_LIMIT, "rotation": rotation, **parts})
    finally:
        sys.setprofile(None)
    assert len(world.tables()) == folders
    return next(counter)


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (plain, {}),
        (of_two_schemas, {"converter": JsonEnvelopeConverter()}),
        (plain, {"budget": MemoryBudget(1 << 20)}),
    ],
    ids=["plain", "two schemas", "tight budget"],
)
def test_cost_grows_with_the_number_of_folders(value: Callable[[int], bytes], parts: dict[str, Any]) -> None:
    """Four times as many folders cost about four times as much, because no step visits all files for each folder."""
    few, many = (calls_of_a_run(folders, value, **parts) for folders in (100, 400))
    assert many < 5 * few


def test_a_flush_ends_before_it_has_too_many_files() -> None:
    """The default limit of files suits every step, and a rotation policy may set a lower one."""
    world = a_world(2500, plain)
    world.run(2000, partitioner=BY_USER, rotation=RecordCountRotation(2500))
    cut = [(event.files, event.reason) for event in world.events if isinstance(event, FlushCut)]
    assert [(1000, "files"), (1000, "files")] == cut[:2]
    world = a_world(5, plain)
    world.run(4, partitioner=BY_USER, rotation=MaxOpenFilesRotation(2))
    assert [2, 2] == [event.files for event in world.events if isinstance(event, FlushCut)]


def test_open_files_that_fill_the_budget_end_their_flush() -> None:
    """Open files that fill the budget end their flush, because spilling their few rows to disk wouldn't free their memory."""
    world = a_world(300, plain)
    task = world.task(partitioner=BY_USER, rotation=RecordCountRotation(10_000), budget=MemoryBudget(1 << 18))
    world.step_until(task, lambda: world.committed == 300)
    task.close(flush=False)
    (reason,) = {event.reason for event in world.events if isinstance(event, FlushCut)}
    assert reason == "memory"
    assert len(world.tables()) == 300
