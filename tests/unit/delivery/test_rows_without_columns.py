"""Rows of empty objects, in files that have no other columns."""

from __future__ import annotations

import pytest

from kafka2parquet import MetadataColumns, RecordCountRotation
from kafka2parquet.converters import StringConverter
from tests.support.sink_world import SinkWorld


def test_rows_of_empty_objects_alone_have_a_column_of_nulls() -> None:
    """Rows of empty objects are written with a column of nulls, because Parquet can't store rows without columns."""
    world = SinkWorld()
    for until, values in ((2, (b"{}", b"{}")), (4, (b'{"a":1}', b"{}"))):
        world.append(*values)
        world.run(until, metadata_columns=MetadataColumns(()), rotation=RecordCountRotation(2))
    files = [table.to_pylist() for table in world.tables().values()]
    assert [[{"_kafka_offset": None}] * 2, [{"a": 1}, {"a": None}]] == files


def test_the_rest_of_a_batch_of_empty_objects_after_a_cut() -> None:
    """Rows without columns that are left of a batch after a flush was cut are counted right."""
    world = SinkWorld()
    world.append(*[b"{}"] * 5)
    with world.task(metadata_columns=MetadataColumns(()), rotation=RecordCountRotation(4)) as task:
        world.step_until(task, lambda: world.committed == 4)
    assert [4, 1] == [table.num_rows for table in world.tables().values()]


@pytest.mark.parametrize("values", [(b"\x98\xc3\x88", b"g", None), (b"g", None, b"\x98")])
def test_texts_that_are_refused_beside_tombstones_that_are_written(values: tuple[bytes | None, ...]) -> None:
    """Each record is either a row or a reject."""
    world = SinkWorld()
    world.append(*values, key=b"k")
    columns = MetadataColumns(("offset", "key"))
    world.run(
        3,
        converter=StringConverter(),
        metadata_columns=columns,
        tombstones="write",
        tolerance="skip",
        quarantine=True,
        rotation=RecordCountRotation(2),
    )
    assert dict.fromkeys(range(3), 1) == world.offsets() + world.offsets("rejects", "offset")
