"""Rows of several value schemas: what ends a flush, what is projected, what is united."""

from __future__ import annotations

import functools
import json
from typing import Any

import pyarrow as pa
import pytest

from kafka2parquet import MetadataColumns, RecordCountRotation
from kafka2parquet.converters import JsonEnvelopeConverter
from kafka2parquet.events import RecordRejected
from kafka2parquet.partitioners.field import FieldPartitioner
from kafka2parquet.schema.compatibility import CompatibilityMode
from kafka2parquet.testing import MemoryConsumer
from tests.support.sink_world import TOPIC, SinkWorld

NONE, BACKWARD, FORWARD = CompatibilityMode.NONE, CompatibilityMode.BACKWARD, CompatibilityMode.FORWARD


def version(number: int) -> bytes:
    """Makes a record of a version. Each version has one more member than the previous one, with a default."""
    fields: list[dict[str, Any]] = [{"field": "a", "type": "int32"}]
    fields += [{"field": f"b{i}", "type": "string", "optional": True, "default": f"d{i}"} for i in range(2, number + 1)]
    schema = {"type": "struct", "name": "r", "version": number, "fields": fields}
    payload = {"a": number, **{f"b{i}": f"v{number}" for i in range(2, number + 1)}}
    return json.dumps({"schema": schema, "payload": payload}, separators=(",", ":")).encode()


def of_type(kind: str, value: Any) -> bytes:
    """Makes a record without a version, whose member `a` has the given type."""
    schema = {"type": "struct", "fields": [{"field": "a", "type": kind}]}
    return json.dumps({"schema": schema, "payload": {"a": value}}, separators=(",", ":")).encode()


def written(world: SinkWorld, until: int, mode: CompatibilityMode | None, **parts: Any) -> list[list[int]]:
    """Returns the offsets of each file, in the order of the files."""
    world.run(
        until,
        **{"converter": JsonEnvelopeConverter(), "rotation": RecordCountRotation(6), "schema_compatibility": mode, **parts},
    )
    return sorted(table["_kafka_offset"].to_pylist() for table in world.tables().values())


@pytest.mark.parametrize("at_once", [1, 500])
@pytest.mark.parametrize("mode", [NONE, BACKWARD, FORWARD, None])
def test_a_column_of_keys_ends_a_flush_where_their_type_changes(mode: CompatibilityMode | None, at_once: int) -> None:
    """Keys of incompatible types end a flush in each mode, because added columns are not projected.

    Compatible types share a file.
    """
    world = SinkWorld()
    for kind, key in (("int32", "1"), ("int64", "2"), ("string", '"x"'), ("string", '"y"'), ("int32", "3")):
        world.append(version(1), key=f'{{"schema":{{"type":"{kind}"}},"payload":{key}}}'.encode())
    columns = MetadataColumns(["offset", "key"], key_converter=JsonEnvelopeConverter())
    consumer = MemoryConsumer(world.kafka, group_id="group", topics=[TOPIC], max_poll_records=at_once)
    assert [[0, 1], [2, 3]] == written(world, 4, mode, metadata_columns=columns, consumer=consumer)


@pytest.mark.parametrize(
    ("mode", "versions", "files"),
    [
        (NONE, [1, 1, 2, 2, 1, 1], [[0, 1], [2, 3]]),
        (BACKWARD, [1, 2, 1, 2, 1, 2, 1], [[0], [1, 2, 3, 4, 5, 6]]),
        (FORWARD, [2, 1, 2, 1, 2, 1, 1], [[0], [1, 2, 3, 4, 5, 6]]),
        (None, [1, 2, 3, 1, 2, 3], [[0, 1, 2, 3, 4, 5]]),
    ],
)
def test_versions_that_take_turns(mode: CompatibilityMode | None, versions: list[int], files: list[list[int]]) -> None:
    """Another version ends a flush if the mode says so, and never without a mode. Files that are open stay open."""
    world = SinkWorld()
    world.append(*(version(number) for number in versions))
    until = files[-1][-1] + 1
    assert files == written(world, until, mode)


def test_rows_are_projected_to_their_file() -> None:
    """In a mode that projects, older records get the defaults of missing members and keep their order."""
    world = SinkWorld()
    world.append(*(version(number) for number in [2, 1, 2, 1, 1, 2]))
    assert [[0, 1, 2, 3, 4, 5]] == written(world, 6, BACKWARD)
    (table,) = world.tables().values()
    assert ["v2", "d2", "v2", "d2", "d2", "v2"] == table["b2"].to_pylist()
    assert [2, 1, 2, 1, 1, 2] == table["a"].to_pylist()


def test_columns_are_united_without_a_mode() -> None:
    """A file has the columns of all versions. Members that a record lacks are null, even if they have defaults."""
    world = SinkWorld()
    world.append(*(version(number) for number in [1, 3, 2, 1, 3, 2]))
    written(world, 6, None)
    (table,) = world.tables().values()
    assert [
        {"a": 1, "b2": None, "b3": None, "_kafka_offset": 0},
        {"a": 3, "b2": "v3", "b3": "v3", "_kafka_offset": 1},
        {"a": 2, "b2": "v2", "b3": None, "_kafka_offset": 2},
    ] == table.select(["a", "b2", "b3", "_kafka_offset"]).to_pylist()[:3]


def test_only_types_that_nothing_holds_end_a_united_flush() -> None:
    """An integer and a text with the same name go to different files."""
    world = SinkWorld()
    world.append(of_type("int32", 1), of_type("double", 1.5), of_type("string", "x"), *[of_type("string", "y")] * 5)
    assert [[0, 1], [2, 3, 4, 5, 6, 7]] == written(world, 8, None)
    assert [pa.float64(), pa.string()] == [table.schema.field("a").type for table in world.tables().values()]


def test_schemas_without_a_version_are_refused_where_versions_decide() -> None:
    """A record without a version can't be compared, so it is a reject as in Connect, and the file continues."""
    world = SinkWorld()
    world.append(of_type("int32", 1), of_type("int64", 1), *[of_type("int32", 2)] * 5)
    assert [[0, 2, 3, 4, 5, 6]] == written(world, 7, BACKWARD, tolerance="skip")
    assert [(1, "Schema version required for BACKWARD compatibility")] == [
        (event.reject.offset, event.reject.reason) for event in world.events if isinstance(event, RecordRejected)
    ]


def test_the_schema_is_that_of_the_folder() -> None:
    """Schemas are compared within each folder, so records of two schemas in two folders don't end a flush."""
    world = SinkWorld()
    world.append(version(1), version(2), version(1), version(2), version(3), version(3))
    assert [[0, 2], [1, 3], [4, 5]] == written(world, 6, NONE, partitioner=FieldPartitioner(["a"]))


@pytest.mark.parametrize("mode", [NONE, BACKWARD, None])
def test_cuts_do_not_depend_on_polls(mode: CompatibilityMode | None) -> None:
    """The same records make the same files, however the records are polled."""
    found = []
    for sizes in ([30], [1] * 30, [7, 2, 11, 10]):
        world, start = SinkWorld(), 0
        records = [version(1 + (number * 7 % 5) % 3) for number in range(30)]
        task = world.task(converter=JsonEnvelopeConverter(), rotation=RecordCountRotation(6), schema_compatibility=mode)
        for size in sizes:
            world.append(*records[start : start + size])
            start += size
            for _ in range(20):
                task.step(0.001)
        world.step_until(task, functools.partial(_has_committed, world, 20))
        task.close(flush=False)
        found.append(
            {key: table.to_pylist() for key, table in world.tables().items() if table["_kafka_offset"][0].as_py() < 20}
        )
    assert found[0] == found[1] == found[2]


def _has_committed(world: SinkWorld, offset: int) -> bool:
    return (world.committed or 0) >= offset


def test_integers_of_64_bits_and_fractions_do_not_share_a_file() -> None:
    """Even with united columns they go to different files, because a double can't represent each of the integers."""
    world = SinkWorld()
    odd = 2**53 + 1
    world.append(of_type("int64", odd), of_type("double", 0.5), of_type("int64", odd), of_type("int64", 1), of_type("int32", 2))
    written(world, 3, None, rotation=RecordCountRotation(2))

    values = {row["_kafka_offset"]: row["a"] for table in world.tables().values() for row in table.to_pylist()}
    assert [odd, 0.5, odd] == [values[offset] for offset in range(3)]


@pytest.mark.parametrize(
    ("name_case", "files"), [("reject", [[0, 1], [2, 3]]), ("unite", [[0, 1], [2, 3]]), ("keep", [[0, 1, 2, 3]])]
)
@pytest.mark.parametrize("at_once", [1, 500])
def test_names_that_differ_only_in_case_end_a_flush(at_once: int, name_case: Any, files: list[list[int]]) -> None:
    """Columns of several schemas whose names differ only in case are in different files, unless the settings keep them."""
    world = SinkWorld()
    for name in ("id", "id", "ID", "ID", "id"):
        schema = {"type": "struct", "fields": [{"field": name, "type": "int32"}]}
        world.append(json.dumps({"schema": schema, "payload": {name: 1}}).encode())
    consumer = MemoryConsumer(world.kafka, group_id="group", topics=[TOPIC], max_poll_records=at_once)
    rotation = RecordCountRotation(4)
    assert files == written(world, 4, None, consumer=consumer, name_case=name_case, rotation=rotation)
