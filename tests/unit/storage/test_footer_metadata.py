"""Reading the metadata of a Parquet footer from the end of an object."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet.parquet.footer import METADATA_KEY, FlushFooter
from kafka2parquet.storage.footer_metadata import TAIL_BYTES, read_footer_metadata


def parquet(metadata: dict[bytes | str, bytes | str], columns: int = 1) -> bytes:
    table = pa.table({f"column {number}": [1] for number in range(columns)})
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(metadata)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def counting(content: bytes, lengths: list[int]) -> Callable[[int], bytes]:
    def read_tail(length: int) -> bytes:
        lengths.append(length)
        return content[-length:]

    return read_tail


def test_an_ordinary_footer_takes_one_read() -> None:
    """An ordinary footer takes one read, whatever the size of the file."""
    lengths: list[int] = []

    assert {"a": "b"} == read_footer_metadata(counting(parquet({"a": "b"}), lengths))
    assert [TAIL_BYTES] == lengths


def test_a_large_footer_takes_two() -> None:
    """A large footer takes a second read with exactly the size that the first one found."""
    lengths: list[int] = []
    content = parquet({"a": "b"}, columns=2000)

    assert {"a": "b"} == read_footer_metadata(counting(content, lengths))
    assert [TAIL_BYTES, int.from_bytes(content[-8:-4], "little") + 8] == lengths


def test_arrow_keeps_its_own_schema_to_itself() -> None:
    """Arrow's own large entries are left out."""
    assert {} == read_footer_metadata(counting(parquet({}), []))


def test_bytes_that_are_not_text_do_no_harm() -> None:
    """Somebody else's file may hold anything."""
    assert {"k\ufffd": "\ufffd"} == read_footer_metadata(counting(parquet({b"k\xff": b"\xfe"}), []))


@pytest.mark.parametrize(
    "content",
    [b"", b"PAR1", b"no Parquet at all", b"PAR1" + b"\xff" * 4 + b"PAR1", b"x" * 100 + (50).to_bytes(4, "little") + b"PAR1"],
)
def test_a_file_that_is_not_parquet_has_no_metadata(content: bytes) -> None:
    """An object that only ends like a Parquet file has no metadata."""
    assert {} == read_footer_metadata(counting(content, []))


def too_deep(metadata: dict[str, str]) -> bytes:
    nested = pa.int64()
    for _ in range(60):  # two levels each, and pyarrow reads 100
        nested = pa.list_(nested)
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, pa.schema([("a", nested)])) as writer:
        writer.add_key_value_metadata(metadata)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def is_readable(content: bytes) -> bool:
    try:
        pq.read_metadata(pa.BufferReader(content))
    except (pa.ArrowException, OSError):
        return False
    return True


#: pyarrow 25, the last one for Python 3.10, reads any number of levels.
needs_limit = pytest.mark.skipif(is_readable(too_deep({})), reason="this pyarrow reads deeper nesting")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(too_deep({METADATA_KEY: "{}"}), marks=needs_limit),
        parquet({METADATA_KEY: "{}"})[:-60] + b"\xff" * 52 + parquet({})[-8:],
    ],
    ids=["nested too deeply", "damaged"],
)
def test_a_footer_of_ours_that_can_not_be_read_is_not_taken_for_a_foreign_file(content: bytes) -> None:
    """An unreadable footer of this library is marked as damaged."""
    metadata = read_footer_metadata(counting(content, []))

    assert {METADATA_KEY: ""} == metadata
    with pytest.raises(ValueError, match="can't read it"):
        FlushFooter.from_metadata(metadata)


@needs_limit
def test_a_footer_of_others_that_can_not_be_read_is_theirs() -> None:
    """An unreadable footer of another program counts as a foreign file."""
    assert {} == read_footer_metadata(counting(too_deep({"a": "b"}), []))


def test_no_object_has_none() -> None:
    """A missing object gives None, and not empty metadata."""
    assert read_footer_metadata(lambda length: None) is None
