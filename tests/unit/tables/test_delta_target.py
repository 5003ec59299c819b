"""Delta tables: values of partitions, what is refused, and positions that outlive the table's log."""

from __future__ import annotations

import json
from typing import Any

import deltalake
import pytest

from kafka2parquet import DefaultPartitioner, FieldPartitioner, RecordCountRotation
from kafka2parquet.audit.read import read_coverage
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.tables import Followed
from tests.support.sink_world import TOPIC
from tests.support.tables import DeltaUnderTest, TableWorld

BY_COUNTRY: dict[str, Any] = {"rotation": RecordCountRotation(4), "partitioner": FieldPartitioner("country")}


@pytest.fixture
def table(world: TableWorld) -> DeltaUnderTest:
    return DeltaUnderTest(world)


def _once(world: TableWorld, table: DeltaUnderTest, **settings: Any) -> Followed:
    return world.follower(table.target(**settings)).once()


def _rows(table: DeltaUnderTest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = deltalake.DeltaTable(table.path).to_pyarrow_table().sort_by("_kafka_offset").to_pylist()
    return found


def test_values_come_from_the_folders(world: TableWorld, table: DeltaUnderTest) -> None:
    """A partition has the value that the folder has, unescaped, and null for Hive's name of null."""
    world.write(b'{"country":"S/E=%2F ?"}', b'{"country":null}', b'{"country":"FR"}', b'{"n":1}', **BY_COUNTRY)
    _once(world, table)
    assert ["country"] == deltalake.DeltaTable(table.path).metadata().partition_columns
    assert ["S/E=%2F ?", None, "FR", None] == [row["country"] for row in _rows(table)]


def test_folder_columns_that_are_not_in_the_files(world: TableWorld, table: DeltaUnderTest) -> None:
    """A column that only the folders have is text."""
    world.write(b'{"a":1}', rotation=RecordCountRotation(1), partitioner=DefaultPartitioner())
    _once(world, table)
    assert ["0"] == [row["partition"] for row in _rows(table)]


def test_a_folder_that_contradicts_its_rows(world: TableWorld, table: DeltaUnderTest) -> None:
    """A file is refused if the folder's value would hide the value of a column; a table without partitions takes it."""
    parts: dict[str, Any] = {"rotation": RecordCountRotation(1), "partitioner": DefaultPartitioner()}
    world.write(b'{"partition":7}', **parts)
    (finding,) = _once(world, table).findings
    assert "its folder says that partition is '0'" in finding.text
    world.write(b'{"partition":7}', partition=1, **parts)
    for path in (table.path / "_delta_log").glob("*"):
        path.unlink()
    assert () == _once(world, table, partition_by=[]).findings
    assert [7, 7] == [row["partition"] for row in _rows(table)]


def test_a_table_with_partitions_that_the_folders_lack(world: TableWorld, table: DeltaUnderTest) -> None:
    """A table that is partitioned by another column than the folders refuses the files, with the reason."""
    world.write(b'{"country":"FR","n":1}', **BY_COUNTRY)
    (finding,) = _once(world, table, partition_by=["n"]).findings
    assert "partitioned by n, which its folder doesn't name" in finding.text


@pytest.mark.parametrize(
    ("name", "value"), [("delta.setTransactionRetentionDuration", "interval 7 days"), ("delta.constraints.positive", "n > 0")]
)
def test_properties_that_break_the_promise(world: TableWorld, table: DeltaUnderTest, name: str, value: str) -> None:
    """A table whose properties would make it forget positions, or check rows, is refused."""
    world.write(b'{"n":1}', rotation=RecordCountRotation(1))
    _once(world, table)
    log = sorted((table.path / "_delta_log").glob("*.json"))
    first = [json.loads(line) for line in log[0].read_text().splitlines()]
    for action in first:
        if "metaData" in action:
            action["metaData"]["configuration"][name] = value
    log[0].write_text("\n".join(map(json.dumps, first)))
    with pytest.raises(ConfigurationError, match=name):
        _once(world, table)


def test_positions_outlive_the_log(world: TableWorld, table: DeltaUnderTest) -> None:
    """Positions are still there when a checkpoint has replaced the log's entries."""
    for _ in range(3):
        world.write(b'{"n":1}', rotation=RecordCountRotation(1))
        _once(world, table)
    deltalake.DeltaTable(table.path).create_checkpoint()
    for path in sorted((table.path / "_delta_log").glob("*.json"))[:-1]:
        path.unlink()
    assert 0 == _once(world, table).files
    world.write(b'{"n":2}', rotation=RecordCountRotation(1))
    assert 1 == _once(world, table).rows
    assert [1, 1, 1, 2] == [row["n"] for row in _rows(table)]


def test_the_audit_leaves_the_table_alone(world: TableWorld, table: DeltaUnderTest) -> None:
    """Neither checkpoints nor files that the table has rewritten are strays for the audit."""
    world.write(*[b'{"country":"FR"}'] * 8, **BY_COUNTRY)
    _once(world, table)
    table.compact()
    deltalake.DeltaTable(table.path).create_checkpoint()
    assert list(table.path.rglob("*.checkpoint.parquet"))
    assert list(table.path.rglob("country=FR/part-*.parquet"))
    found = read_coverage(world.files, ObjectNaming(), TOPIC, {})
    assert ((), 8) == (found.strays, found.coverages[0].rows)
