"""read_flushes: what is published, as a table."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

import pyarrow.compute as pc
import pytest

from kafka2parquet import FieldPartitioner, ObjectNaming, RecordCountRotation
from kafka2parquet.audit import read_flushes
from kafka2parquet.audit.flushes import SCHEMA
from kafka2parquet.parquet.footer import METADATA_KEY
from kafka2parquet.testing import MemoryRecord, MemoryStorage
from kafka2parquet.testing.memory_storage import StoredObject
from tests.support.sink_world import TOPIC, SinkWorld

BEGIN_MS = 1_779_012_000_000
PARTS: dict[str, Any] = {
    "partitioner": FieldPartitioner("country"),
    "rotation": RecordCountRotation(4),
    "tolerance": "skip",
    "quarantine": True,
}


@pytest.fixture
def world() -> SinkWorld:
    """Two flushes of four rows in two folders, with a reject."""
    world = SinkWorld()
    world.append(b'{"country":"FR"}', b'{"country":"SE"}', b"not JSON", b'{"country":"FR"}', b'{"country":"FR"}')
    world.append(*[b'{"country":"SE"}'] * 4)
    world.run(9, **PARTS)
    return world


def test_each_file_is_a_row(world: SinkWorld) -> None:
    """A row says where a file is, which rows it holds, and which flush it belongs to."""
    table = read_flushes(world.storage, TOPIC)
    assert SCHEMA == table.schema
    columns = ("folder", "role", "rows", "first_offset", "last_offset", "is_anchor", "flush_start", "flush_end", "reason")
    assert [
        ("country=FR", "values", 3, 0, 4, True, 0, 5, "rows"),
        ("country=SE", "values", 1, 1, 1, False, 0, 5, "rows"),
        (None, "rejects", 1, 2, 2, False, 0, 5, "rows"),
        ("country=SE", "values", 4, 5, 8, True, 5, 9, "rows"),
    ] == [tuple(row[name] for name in columns) for row in table.to_pylist()]
    assert {(TOPIC, 0, "group", f"id-of-{TOPIC}")} == {
        (row["topic"], row["partition"], row["group_id"], row["topic_id"]) for row in table.to_pylist()
    }


def test_sizes_keys_and_times(world: SinkWorld) -> None:
    """Sizes are those of the objects, and times have a zone."""
    table = read_flushes(world.storage, TOPIC)
    assert {key: len(stored.content) for key, stored in world.storage.objects.items()} == dict(
        zip(table["key"].to_pylist(), table["bytes"].to_pylist(), strict=True)
    )
    assert {datetime.timezone.utc} == {
        value.astimezone(datetime.timezone.utc).tzinfo for value in table["opened_at"].to_pylist()
    }


def test_times_of_the_rows() -> None:
    """Each file has the least and the greatest time of its rows."""
    world = SinkWorld()
    times_ms = [BEGIN_MS + 5, BEGIN_MS + 1, BEGIN_MS + 9]
    world.kafka.append(TOPIC, 0, [MemoryRecord(b"{}", timestamp_ms=time_ms) for time_ms in times_ms])
    world.run(3, rotation=RecordCountRotation(3))
    (row,) = read_flushes(world.storage, TOPIC).to_pylist()

    moments = [datetime.datetime.fromtimestamp(time_ms / 1000, datetime.timezone.utc) for time_ms in sorted(times_ms)]
    assert (moments[0], moments[-1]) == (row["min_time"], row["max_time"])


def test_anchors_count_flushes(world: SinkWorld) -> None:
    """Each flush has one anchor, so sums over anchors count each flush once."""
    anchors = read_flushes(world.storage, TOPIC).filter(pc.field("is_anchor"))
    assert (2, 9) == (anchors.num_rows, pc.sum(anchors["flush_rows"]).as_py())


class WithoutSizes(MemoryStorage):
    """A storage as users write one."""

    list_sizes = None  # type: ignore[assignment]


def test_a_storage_without_sizes(world: SinkWorld) -> None:
    """Sizes are null if the storage can't say them."""
    storage = WithoutSizes()
    storage.objects = world.storage.objects
    assert [None] * 4 == read_flushes(storage, TOPIC)["bytes"].to_pylist()


@pytest.mark.parametrize("metadata", [{}, {METADATA_KEY: ""}, {METADATA_KEY: "{"}, {METADATA_KEY: '{"version": 99}'}])
def test_files_whose_footers_say_nothing(world: SinkWorld, metadata: dict[str, str]) -> None:
    """A file of another tool, or with a damaged footer, is there with its name alone."""
    key = next(key for key in world.storage.objects if "country=SE" in key)
    world.storage.objects[key] = StoredObject(b"x", metadata)
    (row,) = [row for row in read_flushes(world.storage, TOPIC).to_pylist() if row["key"] == key]
    assert (TOPIC, 0, "country=SE", 1) == (row["topic"], row["partition"], row["folder"], row["bytes"])
    assert {None} == {row[name] for name in SCHEMA.names[SCHEMA.names.index("role") :] if name != "bytes"}


class Forgetful(MemoryStorage):
    """A storage that lists an object that is deleted before its footer is read."""

    def list(self, prefix: str) -> Iterable[str]:
        return [*super().list(prefix), f"{prefix}country=FR/{TOPIC}+0+0000000099.snappy.parquet"]

    def list_sizes(self, prefix: str) -> Iterable[tuple[str, int]]:
        return [(key, 1) for key in self.list(prefix)]


def test_a_file_that_is_deleted_meanwhile(world: SinkWorld) -> None:
    """A file that is listed and no longer there is left out."""
    storage = Forgetful()
    storage.objects = world.storage.objects
    assert 4 == read_flushes(storage, TOPIC).num_rows


def test_another_naming() -> None:
    """Files in another topics_dir are found with the naming of their sink."""
    world = SinkWorld()
    world.append(*[b"{}"] * 4)
    naming = ObjectNaming(topics_dir="raw")
    world.run(4, rotation=RecordCountRotation(4), naming=naming)
    assert 0 == read_flushes(world.storage, TOPIC).num_rows
    assert 1 == read_flushes(world.storage, TOPIC, naming=naming).num_rows


def test_a_topic_without_files() -> None:
    """The table of nothing has all columns."""
    assert SCHEMA == read_flushes(MemoryStorage(), TOPIC).schema
