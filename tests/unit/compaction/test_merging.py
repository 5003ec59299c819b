"""A merged file has the schema and the values of its originals, whatever the types are and whichever types are configured."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet.compaction.comparing import compare, same
from kafka2parquet.compaction.merging import MergeError, Merger
from kafka2parquet.compaction.originals import clean
from kafka2parquet.merged import CoveredFile, MergePlan, PlannedOutput
from kafka2parquet.merged.footer import METADATA_KEY, MergedFooter
from kafka2parquet.merged.plan import FileFormat
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.parquet.types import ParquetTypes
from kafka2parquet.parquet.writer import ParquetWriter
from kafka2parquet.testing import MemoryStorage

NAN = np.array([0x7FF8000000000001], np.int64).view(np.float64)[0]
TIME = datetime.datetime(2026, 5, 17, 10, 0, 0, 1000)
DAY = datetime.date(2026, 5, 17)

#: A column of each type, with its values.
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "bool": (pa.bool_(), [True, None, False]),
    "int8": (pa.int8(), [-128, None, 127]),
    "int16": (pa.int16(), [-1, 0, None]),
    "int32": (pa.int32(), [1, None, 2]),
    "int64": (pa.int64(), [1 << 62, None, -1]),
    "float": (pa.float32(), [0.5, float("nan"), None]),
    "double": (pa.float64(), [NAN, -0.0, None]),
    "text": (pa.string(), ["", None, "é" * 50]),
    "bytes": (pa.binary(), [b"", None, b"\0\xff"]),
    "fixed": (pa.binary(4), [b"abcd", None, b"\0\0\0\0"]),
    "date": (pa.date32(), [DAY, None, DAY]),
    "time": (pa.time64("us"), [datetime.time(1, 2, 3, 4000), None, datetime.time(0)]),
    "timestamp": (pa.timestamp("ms"), [TIME, None, TIME]),
    "instant": (pa.timestamp("us", "UTC"), [TIME, None, TIME]),
    "decimal": (pa.decimal128(12, 3), [decimal.Decimal("1.250"), None, decimal.Decimal(-7)]),
    "long decimal": (pa.decimal256(60, 3), [decimal.Decimal("1.250"), None, decimal.Decimal(-7)]),
    "list": (pa.list_(pa.float64()), [[NAN, None], None, []]),
    "struct": (
        pa.struct([("a", pa.float32()), ("b", pa.timestamp("ms"))]),
        [{"a": -0.0, "b": TIME}, None, {"a": None, "b": None}],
    ),
    "map": (pa.map_(pa.string(), pa.int16()), [[("k", 1)], None, []]),
    "map of numbers": (pa.map_(pa.int32(), pa.float64()), [[(1, NAN)], None, []]),
    "deep": (pa.list_(pa.struct([("m", pa.map_(pa.string(), pa.list_(pa.int8())))])), [[{"m": [("k", [1, None])]}], None, []]),
    "uuid": (pa.uuid(), [b"0123456789abcdef", None, b"\0" * 16]),
    "json": (pa.json_(), ['{"a":1}', None, "[]"]),
}


def all_types() -> pa.Table:
    fields = [pa.field(name, type_, metadata={"kafka2parquet.type": name}) for name, (type_, _) in COLUMNS.items()]
    fields.append(pa.field("required", pa.int64(), nullable=False))
    arrays = [pa.array(values, type_) for type_, values in COLUMNS.values()] + [pa.array([1, 2, 3])]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata={"of": "the schema"}))


def store(storage: MemoryStorage, number: int, table: pa.Table, **settings: Any) -> CoveredFile:
    """Publishes a file of a flush, as a sink does."""
    writer = ParquetWriter(**settings)
    file = writer.open()
    for row in range(0, table.num_rows, 100):
        file.append(table.slice(row, 100))
    rows, start, end = table.num_rows, number * 1000, number * 1000 + 1000
    footer = FlushFooter("c", "t", "events", 0, start, end, rows, rows, start, end - 1, "f", 5, "rows", siblings=())
    key = f"topics/events/partition=0/events+0+{start:010}.snappy.parquet"
    staged = file.finish(footer.to_metadata())
    storage.publish(key, staged)
    return CoveredFile.of(key, staged.size_bytes, footer)


def plan_of(*files: CoveredFile, types: str = "own", row_group_bytes: int = 64 << 20) -> MergePlan:
    output = PlannedOutput("topics-merged/events/partition=0/events+0+0000000000.zstd.parquet", files)
    return MergePlan("c", "t", "events", "partition=0", 0, FileFormat("zstd", 3, types, row_group_bytes), (output,))


@pytest.mark.parametrize("configured", ["own", "connect"])
@pytest.mark.parametrize("written", ["own", "connect"])
def test_all_types(written: ParquetTypes, configured: ParquetTypes, tmp_path: Path) -> None:
    """Schema with all metadata and values are those of the originals, also if other types are configured meanwhile."""
    storage = MemoryStorage()
    files = [store(storage, number, all_types(), types=written) for number in range(3)]
    plan = plan_of(*files, types=configured)
    assert Merger(storage, tmp_path).create(plan, plan.outputs[0])
    assert len(storage.objects[plan.outputs[0].key].content) == compare(storage, plan, plan.outputs[0])

    keys = (files[0].key, plan.outputs[0].key)
    original, merged = (pq.ParquetFile(pa.BufferReader(storage.objects[key].content)) for key in keys)
    expected = clean(original.schema_arrow)
    assert expected.equals(clean(merged.schema_arrow), check_metadata=True)
    assert b"the schema" == expected.metadata[b"of"]
    assert b"json" == expected.field("json").metadata[b"kafka2parquet.type"]
    assert not expected.field("required").nullable
    one, three = original.read(), merged.read()
    for name in one.column_names:
        assert same(pa.concat_tables([one] * 3)[name], three[name]), name
    assert {"ZSTD"} == {merged.metadata.row_group(0).column(number).compression for number in range(len(merged.schema))}
    if written == configured:
        assert original.schema.equals(merged.schema)


def test_the_footer(tmp_path: Path) -> None:
    """The footer says which files are in the merged file, and the key of the sink's own footers is not in it."""
    storage = MemoryStorage()
    plan = plan_of(*(store(storage, number, all_types()) for number in range(2)))
    Merger(storage, tmp_path).create(plan, plan.outputs[0])
    metadata = storage.read_metadata(plan.outputs[0].key) or {}
    assert {METADATA_KEY} == {name for name in metadata if name.startswith("kafka2parquet")}
    footer = MergedFooter.from_metadata(metadata)
    assert (plan.footer(plan.outputs[0]), 6) == (footer, footer.rows if footer else 0)
    assert None is FlushFooter.from_metadata(metadata)


def test_row_groups(tmp_path: Path) -> None:
    """Row groups have the size of the plan: small ones of originals are put together, and a merged file has several."""
    storage = MemoryStorage()
    files = [store(storage, number, pa.table({"a": range(1000)}), row_group_bytes=800) for number in range(4)]
    groups = []
    for row_group_bytes in (64 << 20, 8000):
        plan = plan_of(*files, row_group_bytes=row_group_bytes)
        (output,) = plan.outputs
        storage.delete(output.key)
        Merger(storage, tmp_path).create(plan, output)
        assert compare(storage, plan, output)
        groups.append(pq.ParquetFile(pa.BufferReader(storage.objects[output.key].content)).num_row_groups)
    assert [1, 4] == groups
    assert 10 == pq.ParquetFile(pa.BufferReader(storage.objects[files[0].key].content)).num_row_groups


def test_files_without_rows(tmp_path: Path) -> None:
    """Files without rows are merged into a file without rows, with their columns."""
    storage = MemoryStorage()
    writer = ParquetWriter()
    footer = FlushFooter("c", "t", "events", 0, 0, 10, 0, 0, -1, -1, "f", 5, "rows", siblings=())
    staged = writer.open().finish(footer.to_metadata(), pa.schema([("a", pa.int64())]))
    storage.publish("topics/events/x.parquet", staged)
    plan = plan_of(CoveredFile.of("topics/events/x.parquet", staged.size_bytes, footer))
    Merger(storage, tmp_path).create(plan, plan.outputs[0])
    assert compare(storage, plan, plan.outputs[0])
    assert (0, ["a"]) == (storage.table(plan.outputs[0].key).num_rows, storage.table(plan.outputs[0].key).column_names)


def test_a_merged_file_that_differs(tmp_path: Path) -> None:
    """A merged file with another value, another order or other rows than its originals doesn't pass the comparison."""
    storage = MemoryStorage()
    tables = [pa.table({"a": [1.0, 2.0, number]}) for number in (3.0, 4.0)]
    plan = plan_of(*(store(storage, number, table) for number, table in enumerate(tables)))
    (output,) = plan.outputs
    for wrong in (
        [1.0, 2.0, 3.0, 1.0, 2.0, 5.0],
        [1.0, 2.0, 4.0, 1.0, 2.0, 3.0],
        [1.0, 2.0, 3.0, 1.0, 2.0],
        [1.0, 2.0, 3.0] * 3,
    ):
        storage.objects.pop(output.key, None)
        file = ParquetWriter(compression="zstd").open()
        file.append(pa.table({"a": pa.array(wrong, pa.float64())}))
        storage.publish(output.key, file.finish(plan.footer(output).to_metadata()))
        with pytest.raises(MergeError, match="differ"):
            compare(storage, plan, output)


def test_originals_with_different_schemas_are_refused(tmp_path: Path) -> None:
    """A plan whose files have different schemas is not carried out."""
    storage = MemoryStorage()
    plan = plan_of(store(storage, 0, pa.table({"a": [1]})), store(storage, 1, pa.table({"b": [1]})))
    with pytest.raises(MergeError, match="another schema"):
        Merger(storage, tmp_path).create(plan, plan.outputs[0])
    assert plan.outputs[0].key not in storage.objects
    assert [] == [*tmp_path.iterdir()]
