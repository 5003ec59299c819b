"""FileSchemas decides which rows of several schemas may join a file."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pyarrow as pa
import pytest

from kafka2parquet.delivery.flush.file_schemas import FileSchemas
from kafka2parquet.records import View
from kafka2parquet.rows import MixedRows, PartitionedRows
from kafka2parquet.schema.compatibility import CompatibilityMode
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from tests.support.batches import batch_of
from tests.support.rows import rows_of

FIRST = ConnectSchema("struct", name="order", version=1, fields=(ConnectField("id", ConnectSchema("int64")),))
WITHOUT_VERSION = attrs.evolve(FIRST, version=None)


@attrs.frozen
class File:
    value_schema: ConnectSchema | None
    columns: pa.Schema | None
    views: Mapping[View, pa.Schema] = attrs.Factory(dict)


def batch(*schemas: ConnectSchema | None) -> PartitionedRows:
    """Returns one row of each schema, at offsets from 0, all for one folder."""
    records = batch_of([b"{}"] * len(schemas))
    groups = [
        attrs.evolve(rows_of(pa.table({"id": [offset]}), first_offset=offset, value_schema=schema), batch=records)
        for offset, schema in enumerate(schemas)
    ]
    return PartitionedRows(MixedRows.of(groups), ("p=0",), pa.array([0] * len(schemas), pa.int32()), records.timestamps_ms)


@pytest.mark.parametrize("mode", [CompatibilityMode.BACKWARD, CompatibilityMode.FORWARD, CompatibilityMode.FULL])
def test_row_without_version_is_refused(mode: CompatibilityMode) -> None:
    """Without a version the schemas can't be compared, so the row may join no file, as in Connect."""
    join, rows = FileSchemas(mode), batch(FIRST, WITHOUT_VERSION)
    assert (1, f"Schema version required for {mode.value} compatibility") == join.refused({}, rows)
    assert join.cut({}, rows) is None


def test_open_file_decides() -> None:
    """Rows are compared with the schema of an open file, which came before this batch."""
    file = File(WITHOUT_VERSION, pa.schema([("id", pa.int64())]))
    refused = FileSchemas(CompatibilityMode.BACKWARD).refused({"p=0": file}, batch(FIRST))
    assert (0, "Schema version required for BACKWARD compatibility") == refused


def test_equal_schemas_need_no_version() -> None:
    """Schemas without a version share a file if they are equal."""
    copy = attrs.evolve(WITHOUT_VERSION)
    assert FileSchemas(CompatibilityMode.BACKWARD).refused({}, batch(WITHOUT_VERSION, copy)) is None


@pytest.mark.parametrize("mode", [None, CompatibilityMode.NONE])
def test_nothing_is_refused_without_projection(mode: CompatibilityMode | None) -> None:
    """Without projection, rows of another schema begin another file, or their columns are united."""
    assert FileSchemas(mode).refused({}, batch(FIRST, WITHOUT_VERSION)) is None


def test_row_without_schema_ends_the_flush() -> None:
    """A row without a schema ends the flush and begins another file."""
    join, rows = FileSchemas(CompatibilityMode.BACKWARD), batch(FIRST, None)
    assert join.refused({}, rows) is None
    assert 1 == join.cut({}, rows)
