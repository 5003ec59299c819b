"""A sink of two partitions, and a table of each format."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tables import DeltaUnderTest, IcebergUnderTest, Table, TableWorld


@pytest.fixture
def world(tmp_path: Path) -> TableWorld:
    return TableWorld(tmp_path, partitions=2)


@pytest.fixture(params=[DeltaUnderTest, IcebergUnderTest], ids=["delta", "iceberg"])
def table(request: pytest.FixtureRequest, world: TableWorld) -> Table:
    made: Table = request.param(world)
    return made
