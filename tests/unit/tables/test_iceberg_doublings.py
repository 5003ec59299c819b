"""How pyiceberg adds rows twice by itself. If one of these tests fails, `tables/iceberg.py` may have become simpler."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
import pytest

from kafka2parquet import RecordCountRotation
from tests.support.sink_world import TOPIC
from tests.support.tables import IcebergUnderTest, TableWorld


@pytest.fixture
def table(world: TableWorld) -> IcebergUnderTest:
    """A table that has all files of the topic, registered without this library."""
    world.write(*[b"{}"] * 8, rotation=RecordCountRotation(4))
    table = IcebergUnderTest(world)
    catalog = table.catalog()
    catalog.create_namespace("raw")
    files = sorted(world.folder.rglob("*.parquet"))
    assert 2 == len(files)
    made = catalog.create_table(f"raw.{TOPIC}", pq.read_schema(files[0]).remove_metadata())
    made.add_files([f"file://{files[0]}"])
    return table


def _second(world: TableWorld) -> str:
    return f"file://{sorted(world.folder.rglob('*.parquet'))[1]}"


def _first(world: TableWorld) -> str:
    return f"file://{sorted(world.folder.rglob('*.parquet'))[0]}"


def test_the_check_for_duplicates_forgets_rewritten_files(world: TableWorld, table: IcebergUnderTest) -> None:
    """After a rewrite, `add_files` with its check on takes a file again whose rows are in the table."""
    with pytest.raises(ValueError, match="already referenced"):
        table.table().add_files([_first(world)])
    table.compact()
    table.table().add_files([_first(world)], check_duplicate_files=True)
    assert sorted([(0, offset) for offset in range(4)] * 2) == table.offsets()


def test_the_retry_after_a_conflict_adds_the_same_file(world: TableWorld, table: IcebergUnderTest) -> None:
    """Of two owners who add the same file to the same snapshot, the second one is retried on top of the first one."""
    one, two = table.table().transaction(), table.table().transaction()
    for transaction in (one, two):
        transaction.add_files([_second(world)], check_duplicate_files=True)
    one.commit_transaction()
    two.commit_transaction()
    assert [(0, offset) for offset in range(4)] + sorted([(0, offset) for offset in range(4, 8)] * 2) == table.offsets()


def test_other_writers_keep_their_retries(world: TableWorld) -> None:
    """The follower turns retries off for its own transactions only, and the table's properties don't show it."""
    world.write(*[b"{}"] * 4, rotation=RecordCountRotation(4))
    table = IcebergUnderTest(world)
    world.follower(table.target()).once()
    properties: dict[str, Any] = table.table().properties
    assert [] == [name for name in properties if name.startswith("commit.retry")]
    assert {f"kafka2parquet.position.id-of-{TOPIC}.0": "4", "gc.enabled": "false"}.items() <= properties.items()
