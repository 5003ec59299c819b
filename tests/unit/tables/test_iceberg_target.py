"""Iceberg tables: partitions that statistics prove, types that grow, and what is refused."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from kafka2parquet import FieldPartitioner, RecordCountRotation
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.tables import Followed
from tests.support.sink_world import TOPIC
from tests.support.tables import IcebergUnderTest, TableWorld

HOUR_MS = 3_600_000
BEGIN_MS = 1_779_012_000_000
ONE: dict[str, Any] = {"rotation": RecordCountRotation(1)}
TWO: dict[str, Any] = {"rotation": RecordCountRotation(2)}


@pytest.fixture
def table(world: TableWorld) -> IcebergUnderTest:
    return IcebergUnderTest(world)


def _once(world: TableWorld, table: IcebergUnderTest, *partition_by: str) -> Followed:
    return world.follower(table.target(partition_by=partition_by)).once()


def _filtered(table: IcebergUnderTest, condition: str) -> list[int]:
    """Returns the offsets of rows that a filter finds; Iceberg leaves out files by their partitions."""
    found: list[int] = table.table().scan(row_filter=condition).to_arrow()["_kafka_offset"].to_pylist()
    return sorted(found)


def test_partitions_by_hour(world: TableWorld, table: IcebergUnderTest) -> None:
    """Files of one hour each go to the table's partitions, and a filter by time finds exactly their rows."""
    for hour in range(3):
        world.write(b"{}", b"{}", time_ms=BEGIN_MS + hour * HOUR_MS, **TWO)
    assert () == _once(world, table, "hour(_kafka_timestamp)").findings
    assert 3 == len({str(row) for row in table.table().inspect.files()["partition"].to_pylist()})
    assert [2, 3] == _filtered(
        table, "_kafka_timestamp >= '2026-05-17T11:00:00+00:00' and _kafka_timestamp < '2026-05-17T12:00:00+00:00'"
    )


def test_partitions_by_field(world: TableWorld, table: IcebergUnderTest) -> None:
    """A column by which the folders are made is a partition, also where it is null."""
    world.write(b'{"c":"a"}', b'{"c":null}', b'{"c":"b"}', **TWO, partitioner=FieldPartitioner("c"))
    assert () == _once(world, table, "c").findings
    assert ([0], [1]) == (_filtered(table, "c == 'a'"), _filtered(table, "c is null"))


@pytest.mark.parametrize(
    ("values", "partition_by", "why"),
    [
        ((b'{"c":1}', b'{"c":2}'), "c", "in several partitions (1 to 2)"),
        ((b'{"c":1}', b'{"c":null}'), "c", "null in some of its rows"),
        ((b'{"c":1.5}', b'{"c":1.5}'), "c", "leave out NaN"),
        ((b'{"s":{"t":1}}', b'{"s":{"t":1}}'), "s.t", "inside a struct"),
    ],
)
def test_what_statistics_do_not_prove(
    world: TableWorld, table: IcebergUnderTest, values: tuple[bytes, ...], partition_by: str, why: str
) -> None:
    """A file is refused if its statistics don't prove that all rows are in one partition."""
    world.write(*values, **TWO)
    (finding,) = _once(world, table, partition_by).findings
    assert why in finding.text


def test_a_file_without_the_column(world: TableWorld, table: IcebergUnderTest) -> None:
    """A file that lacks the partition's column is refused."""
    world.write(b'{"c":"a"}', **ONE)
    assert 1 == _once(world, table, "c").files
    world.write(b'{"d":"a"}', **ONE)
    (finding,) = _once(world, table, "c").findings
    assert "which its rows don't have" in finding.text


def test_transforms_that_no_statistics_prove(table: IcebergUnderTest) -> None:
    """A transform whose values don't follow the order of the column can't be chosen."""
    with pytest.raises(ConfigurationError, match=r"bucket\(16, id\)"):
        table.target(partition_by=["bucket(16, id)"])


def test_numbers_grow(world: TableWorld, table: IcebergUnderTest) -> None:
    """A narrower type in a later file fits, and the table keeps the wider one."""
    catalog = table.catalog()
    catalog.create_namespace("raw")
    catalog.create_table(f"raw.{TOPIC}", pa.schema([("_kafka_partition", pa.int64()), ("n", pa.int64())]))
    world.write(b'{"n":1}', **ONE)
    assert () == _once(world, table).findings
    (row,) = table.table().scan().to_arrow().to_pylist()
    assert (0, 1) == (row["_kafka_partition"], row["n"])


def test_a_name_that_pyiceberg_would_cut(world: TableWorld, table: IcebergUnderTest) -> None:
    """A file is refused whose name would be read as a URL with a fragment."""
    world.write(b'{"c":"a#b"}', **ONE, partitioner=FieldPartitioner("c", escape=False))
    (finding,) = _once(world, table).findings
    assert "pyiceberg can't read files with #" in finding.text


def test_duckdb_counts_the_same_rows(world: TableWorld, table: IcebergUnderTest) -> None:
    """Another reader counts as many rows as the table's snapshot says."""
    world.write(*[b"{}"] * 10, rotation=RecordCountRotation(4))
    _once(world, table)
    with duckdb.connect() as connection:
        files = [[str(path) for path in table.files()]]
        assert (10,) == connection.execute("select count(*) from read_parquet(?)", files).fetchone()
    assert "10" == table.table().current_snapshot().summary["total-records"]
