"""Folders of hours are merged once they are closed, beside the originals, and a crash or a second run changes nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Mapping
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet import DefaultPartitioner
from kafka2parquet.compaction import run_unit, verify
from kafka2parquet.compaction.originals import clean
from kafka2parquet.converters.record_views import RecordViews
from kafka2parquet.merged import MergeResult
from kafka2parquet.records import TopicPartition
from kafka2parquet.testing import MemoryRecord
from kafka2parquet.testing.memory_storage import StoredObject
from tests.support.hours_world import BEGIN_MS, HOUR_MS, GroupOffsets
from tests.support.merge_world import MergeWorld
from tests.support.sink_world import TOPIC

#: Ten and eleven o'clock have ended more than two hours ago, twelve and one o'clock have not.
CLOSED_MS = BEGIN_MS + 2 * HOUR_MS
MERGED, ORIGINALS = "topics-merged/", "topics/"


@pytest.fixture
def world() -> MergeWorld:
    """Three partitions with ten rows in each of four hours, in flushes of four rows."""
    world = MergeWorld()
    world.fill(BEGIN_MS, 4)
    world.sink()
    return world


def test_closed_folders_are_merged(world: MergeWorld) -> None:
    """Each row of a folder that ended two hours ago is in one merged file, and other folders have no merged files."""
    before = world.keys("")
    results = world.compact()
    assert ["merged"] * 2 == [result.outcome for result in results]
    assert world.closed_rows(CLOSED_MS) == world.rows_under(MERGED) == world.rows_under(MERGED, counting=True)
    assert before == [key for key in world.keys("") if not key.startswith(MERGED)]
    assert 2 == len([key for key in world.keys(".zstd.parquet") if key.startswith(MERGED)])


def test_a_second_run_does_nothing(world: MergeWorld) -> None:
    """What is merged is not merged again."""
    world.compact()
    before = {key: world.storage.objects[key] for key in world.keys("")}
    assert [] == world.compact()
    assert before == {key: world.storage.objects[key] for key in world.keys("")}


def test_late_rows_get_the_next_plan(world: MergeWorld) -> None:
    """Files that come after a plan are in the plan with the next number."""
    world.compact()
    world.arrive(1, BEGIN_MS + 5)
    world.sink()
    (result,) = world.compact()
    assert (1, 1) == (result.merged_files, result.rows)
    assert [0, 0, 1] == sorted(plan.number for plan in world.plans().values())
    assert world.closed_rows(CLOSED_MS) == world.rows_under(MERGED, counting=True)


def test_a_dry_run_writes_nothing(world: MergeWorld) -> None:
    """Without writing, the plan says what would be merged, and no object is created."""
    before = world.keys("")
    planned = world.plan(write=False)
    assert (2, 60) == (len(planned.units), sum(unit.rows for unit in planned.units))
    assert before == world.keys("")
    assert [unit.to_json() for unit in planned.units] == [unit.to_json() for unit in world.plan().units]


def test_flushes_that_are_not_committed_are_not_merged(world: MergeWorld) -> None:
    """A late file whose flush is not committed has to wait, although it is published."""
    committed = world.offsets_of_group.committed([TOPIC])
    world.arrive(0, BEGIN_MS + 5)
    world.sink()

    @attrs.frozen
    class EarlierOffsets(GroupOffsets):
        def committed(self, topics: Collection[str]) -> Mapping[TopicPartition, int]:
            return committed

    for unit in world.planner().plan(EarlierOffsets(world.kafka)).units:
        run_unit(unit, world.storage)
    assert {(0, 41): 1} == world.closed_rows(CLOSED_MS) - world.rows_under(MERGED)
    world.compact()
    assert world.closed_rows(CLOSED_MS) == world.rows_under(MERGED)


def test_a_quiet_partition_holds_up_the_folder() -> None:
    """A folder is not merged before all partitions have passed its end, however old it is."""
    world = MergeWorld()
    world.fill(BEGIN_MS, 1)
    world.arrive(0, BEGIN_MS + HOUR_MS)
    world.sink()
    world.clock.advance(100 * 3600)
    assert ["hour=10"] == [unit.folder[-7:] for unit in world.plan().units]


def test_folders_without_time_are_merged_by_the_age_of_flushes(world: MergeWorld) -> None:
    """Without folders of time, flushes that were opened two hours ago are merged, once there are at least five files."""
    world = MergeWorld(1)
    for _ in range(2):
        world.arrive(0, *[BEGIN_MS] * 12)
        world.sink(partitioner=DefaultPartitioner())
        assert [] == world.compact(by_time=False)
        world.clock.advance(7201)
    (result,) = world.compact(by_time=False)
    assert (1, 24) == (result.merged_files, result.rows)
    assert world.closed_rows(CLOSED_MS) == world.rows_under(MERGED)
    assert 24 == MergeResult.from_bytes(world.storage.read("topics-merged/events/partition=0/_merged-0000.json") or b"").rows


def test_footers_of_merged_files_are_not_read_again(world: MergeWorld) -> None:
    """A later run reads the footers of files that are in no plan, and not those of merged files."""
    world.compact()
    late = world.keys("topics/")
    world.arrive(1, BEGIN_MS + 5)
    world.sink()
    read: set[str] = set()

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.storage, name)

        def read_metadata(self, key: str) -> Any:
            read.add(key)
            return world.storage.read_metadata(key)

        def read_tail(self, key: str, length: int) -> Any:
            read.add(key)
            return world.storage.read_tail(key, length)

    assert ["hour=10"] == [unit.folder[-7:] for unit in world.plan(storage=Counting()).units]
    merged = {file.key for plan in world.plans().values() if plan.number == 0 for file in plan.inputs}
    assert 18 == len(merged & {*late})
    assert {*world.keys("topics/")} - merged == read


def test_target_size_and_order(world: MergeWorld) -> None:
    """A merged file takes files in the order of partitions and offsets, up to the target size."""
    largest_bytes = max(size_bytes for _, size_bytes in world.storage.list_sizes(ORIGINALS))
    world.compact(target_bytes=3 * largest_bytes)
    outputs = [output for plan in world.plans().values() for output in plan.outputs]
    assert 2 * 9 == sum(len(output.inputs) for output in outputs)
    assert max(sum(file.size_bytes for file in output.inputs) for output in outputs) <= 3 * largest_bytes
    for output in outputs:
        places = [(file.partition, file.first_offset) for file in output.inputs]
        assert sorted(places) == places
        assert output.key.endswith(f"events+{places[0][0]}+{places[0][1]:010}.zstd.parquet")
    assert world.closed_rows(CLOSED_MS) == world.rows_under(MERGED)


def test_files_of_keys_and_headers_stay_beside_their_values() -> None:
    """Merged files of keys have the rows of the merged files of values with the same name, in the same order."""
    world = MergeWorld(2)
    world.fill(BEGIN_MS, 3)
    world.sink(views=RecordViews(keys=True))
    world.compact(target_bytes=4000)
    outputs = {output.key: output for plan in world.plans().values() for output in plan.outputs}
    values = {key: output for key, output in outputs.items() if output.role == "values"}
    assert len(values) > 1
    assert {key.replace(".zstd", ".keys.zstd") for key in values} == outputs.keys() - values.keys()
    for key, output in values.items():
        beside = outputs[key.replace(".zstd", ".keys.zstd")]
        assert [file.first_offset for file in output.inputs] == [file.first_offset for file in beside.inputs]


def test_schemas_are_not_mixed() -> None:
    """Files with another schema become another merged file; each merged file has the schema of its originals."""
    world = MergeWorld(1)
    for value in (b'{"a":1}', b'{"a":1,"b":2}'):
        world.kafka.append(TOPIC, 0, [MemoryRecord(value, timestamp_ms=BEGIN_MS)] * 8)
        world.sink()
    world.arrive(0, BEGIN_MS + HOUR_MS)
    world.sink()
    world.clock.advance(4 * 3600)
    world.compact()
    (plan,) = world.plans().values()
    schemas = [
        {str(clean(world.storage.table(key).schema)) for key in (output.key, *(file.key for file in output.inputs))}
        for output in plan.outputs
    ]
    assert [1, 1] == [len(each) for each in schemas]
    assert schemas[0] != schemas[1]


def test_overlapping_files_are_refused(world: MergeWorld) -> None:
    """A folder in which two files have rows of the same offsets is not merged, and the problem names both files."""
    key = next(key for key in world.keys("hour=10/events+0") if "0000000004" in key)
    copy = world.storage.objects[key]
    footer = json.loads(copy.metadata["kafka2parquet"]) | {"first_offset": 5, "last_offset": 7, "file_rows": 3}
    table = world.storage.table(key).slice(1)
    content = io.BytesIO()
    with pq.ParquetWriter(content, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"kafka2parquet": json.dumps(footer)})
    metadata = {"kafka2parquet": json.dumps(footer)}
    world.storage.objects[key.replace("0000000004", "0000000005")] = StoredObject(content.getvalue(), metadata)
    planned = world.plan()
    assert ["hour=11"] == [unit.folder[-7:] for unit in planned.units]
    (problem,) = planned.problems.values()
    assert "rows of the same offsets" in problem


def test_a_damaged_original_is_not_merged(world: MergeWorld) -> None:
    """If an original is damaged, nothing of its plan counts, and the result says which file it is."""
    (key, *_) = world.keys("hour=10/events+1")
    planned = world.plan()
    stored = world.storage.objects[key]
    content = bytearray(stored.content)
    content[40] ^= 255
    world.storage.objects[key] = attrs.evolve(stored, content=bytes(content))
    results = [run_unit(unit, world.storage) for unit in planned.units]
    assert ["failed", "merged"] == [result.outcome for result in results]
    assert key in str(results[0].problem)
    assert {planned.units[0].id} == verify(planned.units, results, world.storage).keys()
    assert 1 == len(world.results())


def test_an_original_that_is_deleted_before_it_is_merged(world: MergeWorld) -> None:
    """If an original is gone, its plan fails with the key, at once, and other plans are carried out."""
    (key, *_) = world.keys("hour=10/events+1")
    planned = world.plan()
    world.storage.delete(key)
    results = [run_unit(unit, world.storage) for unit in planned.units]
    assert ["failed", "merged"] == [result.outcome for result in results]
    assert f"{key} doesn't exist any more" == results[0].problem


def test_another_file_with_the_key_of_a_merged_file_is_refused(world: MergeWorld) -> None:
    """If another tool's file has the key of a merged file, the unit fails and names the key."""
    planned = world.plan()
    output = next(iter(world.plans().values())).outputs[0]
    world.storage.objects[output.key] = StoredObject(b"PAR1")
    result = run_unit(planned.units[0], world.storage)
    assert ("failed", True) == (result.outcome, output.key in str(result.problem))


def _put_old_file(world: MergeWorld, folder: str, first_offset: int, rows: int) -> str:
    """Puts a file of another tool for partition 0 into a folder."""
    key = f"{ORIGINALS}{TOPIC}/{folder}/{TOPIC}+0+{first_offset:010}.gz.parquet"
    pq.write_table(pa.table({"a": [1] * rows}), sink := pa.BufferOutputStream())
    world.storage.objects[key] = StoredObject(sink.getvalue().to_pybytes())
    return key


def _migrated() -> MergeWorld:
    """A sink that begins at offset 10 of partition 0, in the second of three hours."""
    world = MergeWorld(1)
    world.fill(BEGIN_MS, 4)
    world.kafka.commit("group", TOPIC, 0, 10, "")
    world.sink()
    return world


def test_folders_with_older_files_of_another_tool_are_left_out() -> None:
    """The folder of the move is named and not merged, older folders are not even named, and later ones are merged."""
    world = _migrated()
    day = "year=2026/month=05/day=17"
    _put_old_file(world, f"{day}/hour=10", 0, 5)
    _put_old_file(world, f"{day}/hour=11", 5, 5)
    world.clock.advance(3600)
    planned = world.plan()
    assert ({}, {f"{day}/hour=11": 1}) == (planned.problems, planned.history)
    assert ["hour=12"] == [unit.folder[-7:] for unit in planned.units]


def test_a_folder_without_time_that_has_older_files(world: MergeWorld) -> None:
    """A folder that never ends stays left out as long as it has the old files."""
    world = MergeWorld(1)
    world.arrive(0, *[BEGIN_MS] * 40)
    world.kafka.commit("group", TOPIC, 0, 10, "")
    world.sink(partitioner=DefaultPartitioner())
    world.clock.advance(3 * 3600)
    key = _put_old_file(world, "partition=0", 0, 10)
    planned = world.plan(by_time=False)
    assert ([], {}, {"partition=0": 1}) == ([*planned.units], planned.problems, planned.history)
    del world.storage.objects[key]
    assert ["merged"] == [result.outcome for result in world.compact(by_time=False)]


@pytest.mark.parametrize(("first_offset", "rows"), [(5, 6), (10, 1), (15, 1)])
def test_other_files_of_another_tool_are_a_problem(first_offset: int, rows: int) -> None:
    """A file of another tool that reaches into the sink's offsets, or begins there, is a problem of its folder."""
    world = _migrated()
    key = _put_old_file(world, "year=2026/month=05/day=17/hour=11", first_offset, rows)
    planned = world.plan()
    assert {} == planned.history
    assert [f"{key} was not written by kafka2parquet."] == [*planned.problems.values()]
