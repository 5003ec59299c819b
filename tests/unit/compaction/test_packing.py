"""Files are packed in order, by schema and up to a size, and plans stay small objects however many files there are."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.compaction.originals import Original
from kafka2parquet.compaction.packing import pack
from kafka2parquet.merged import CoveredFile, MergePlan
from kafka2parquet.merged.plan import FileFormat
from kafka2parquet.object_names import ObjectName, ObjectNaming
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.records import View

NAMING = ObjectNaming(topics_dir="topics-merged")
SCHEMAS = [pa.schema([("a", pa.int64())]), pa.schema([("a", pa.int64()), ("b", pa.string())])]


def original(
    number: int, *, size_bytes: int = 1000, partition: int = 0, schema: int = 0, view: View | None = None, folder: str = "p"
) -> Original:
    start = number * 10
    footer = FlushFooter(
        "c", "t", "events", partition, start, start + 10, 10, 10, start, start + 9, "f", 5, "rows", role=view or "values"
    )
    key = ObjectNaming().key("events", partition, folder, start, view=view)
    name = ObjectName("events", partition, folder, start, view)
    return Original(CoveredFile.of(key, size_bytes, footer), footer, name, SCHEMAS[schema])


def test_plans_are_small_objects() -> None:
    """Thousands of tiny files with long keys get several plans, none of which is larger than a small object may be."""
    long = "f" * 240
    folder = "/".join([long] * 3)
    views: tuple[View | None, ...] = (None, "keys")
    originals = [original(number, size_bytes=1, folder=folder, view=view) for number in range(6000) for view in views]
    plans = pack(originals, NAMING, 256 << 20)
    assert [4000, 4000, 4000] == [sum(len(output.inputs) for output in plan) for plan in plans]
    assert {1000} == {len(output.inputs) for plan in plans for output in plan}
    file_format = FileFormat("zstd", None, "own", 1)
    written = [MergePlan("c", "t", "events", folder, 0, file_format, tuple(plan)).to_bytes() for plan in plans]
    assert max(map(len, written)) < 16 << 20


@pytest.mark.parametrize(("target_bytes", "plans"), [(1 << 30, 1), (4000, 3), (1000, 10), (1, 40)])
def test_large_folders_get_several_plans(target_bytes: int, plans: int) -> None:
    """A plan has the bytes of about four merged files, so that several processes can work on a folder."""
    assert plans == len(pack([original(number) for number in range(40)], NAMING, target_bytes))


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3000), st.integers(0, 1), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 5000),
)
def test_each_file_is_packed_once(files: list[tuple[int, int, int, bool]], target_bytes: int) -> None:
    """Each file is in one merged file, with files of its schema and role only, in order, and below the target size."""
    originals = []
    for number, (partition, size_bytes, schema, has_keys) in enumerate(files):
        originals.append(original(number, size_bytes=size_bytes, partition=partition, schema=schema))
        if has_keys:
            originals.append(original(number, size_bytes=1, partition=partition, view="keys"))
    schemas = {each.file.key: each.schema for each in originals}
    outputs = [output for plan in pack(reversed(originals), NAMING, target_bytes) for output in plan]
    assert sorted(schemas) == sorted(file.key for output in outputs for file in output.inputs)
    assert len(outputs) == len({output.key for output in outputs})
    for output in outputs:
        places = [(file.partition, file.first_offset) for file in output.inputs]
        assert sorted(places) == places
        assert 1 == len({schemas[file.key].serialize().to_pybytes() for file in output.inputs})
        assert len(output.inputs) == 1 or sum(file.size_bytes for file in output.inputs) <= target_bytes
        assert NAMING.parse(output.key) is not None
    of_keys = {output.key.replace(".keys", ""): output for output in outputs if output.role == "keys"}
    for output in outputs:
        if output.role == "values" and output.key in of_keys:
            beside = of_keys[output.key]
            assert [file.first_offset for file in output.inputs] == [file.first_offset for file in beside.inputs]
