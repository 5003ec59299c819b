"""HiveNames: escaped folder names, read back by the readers of Hive layouts."""

from __future__ import annotations

import datetime
import json
import urllib.parse
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet import FieldPartitioner, FsspecStorage, RecordCountRotation
from kafka2parquet.partitioners.hive_names import NULL_NAME, HiveNames
from tests.support.rows import rows_of
from tests.support.sink_world import SinkWorld

OPENED_AT = datetime.datetime(2026, 5, 17, tzinfo=datetime.timezone.utc)
VALUES = [
    *("FR", "DE", "a/b", "a//b", "/", "a/", "..", ".", "../..", "FR/c=DE", "x/secret=1", "x=y", "D%45", "a%2fb", "%", "%00"),
    *("null", "NULL", "", " ", "a b", "a ", "a.", "a+b", "a&b", "é", "e\u0301", "😀", "~", "-rf", "a:b", "a;b", "a|b", "a,b"),
    *("a\\b", "a\nb", "a\rb", "a\tb", "a\x00b", "a\x01\x1bb", "a\x7fb", "a?b#c", "*", "[a]", "{a}", "'a'", '"a"', "^", "<a>"),
    *("t+0+0000000000.snappy.parquet", "\u202eRF", "FR\u200b", "007", "1e3", "2026-05-17", "true", "__HIVE_DEFAULT_PARTITION"),
    None,
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a topic's folder with a row for each value, which is also in column `c` of its file."""
    folder = tmp_path_factory.mktemp("store")
    world = SinkWorld()
    world.append(*(json.dumps({"id": number, "c": value}).encode() for number, value in enumerate(VALUES)))
    parts: dict[str, Any] = {"storage": FsspecStorage(str(folder)), "partitioner": FieldPartitioner(["c"])}
    world.run(len(VALUES), rotation=RecordCountRotation(len(VALUES)), **parts)
    return folder / "topics" / "events"


EXPECTED = list(enumerate(VALUES))
#: DuckDB 1 reads a folder called `null` as null.
OF_DUCKDB = [(number, None if duckdb.__version__ < "2" and value in ("null", "NULL") else value) for number, value in EXPECTED]


def test_each_value_has_its_own_folder(table: Path) -> None:
    """No value's folder is inside another value's folder, or outside the topic's folder."""
    assert len(VALUES) == len(list(table.iterdir()))
    assert len(VALUES) == len(list(table.glob("c=*/*.parquet")))


def test_duckdb_reads_the_values_back(table: Path) -> None:
    """DuckDB restores the values from the folder names."""
    files = f"read_parquet('{table}/**/*.parquet', hive_partitioning=true, hive_types={{'c': VARCHAR}})"
    assert OF_DUCKDB == duckdb.execute(f"select id, c from {files} order by id").fetchall()


def test_polars_reads_the_values_back(table: Path) -> None:
    """Polars restores the values from the folder names."""
    scan = pl.scan_parquet(f"{table}/", hive_partitioning=True, hive_schema={"c": pl.String})
    assert EXPECTED == scan.select("id", "c").sort("id").collect().rows()


def test_pyarrow_reads_the_values_back(table: Path) -> None:
    """pyarrow restores the values from the folder names."""
    partitioning = ds.partitioning(pa.schema([("c", pa.string())]), flavor="hive")
    dataset = ds.dataset(str(table), partitioning=partitioning, schema=pa.schema([("id", pa.int64()), ("c", pa.string())]))
    rows = dataset.to_table().sort_by("id")
    assert EXPECTED == list(zip(rows["id"].to_pylist(), rows["c"].to_pylist(), strict=True))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("%/=.\\\0+2Fb"), max_size=6)


@given(st.lists(st.none() | TEXTS), st.sampled_from(["/", "-", "→", "=/="]))
def test_names_can_be_read_back(texts: list[str | None], delimiter: str) -> None:
    """Unescaping restores each text, and no name contains the delimiter."""
    names = HiveNames(delimiter).names(pa.array(texts, pa.string())).to_pylist()
    assert texts == [None if name == NULL_NAME else urllib.parse.unquote(name, errors="strict") for name in names]
    assert names == [HiveNames(delimiter).name(text) for text in texts]
    assert not any(delimiter in name for name in names)


def test_text_that_stands_for_null_is_a_reject() -> None:
    """A text that readers can't distinguish from null is rejected."""
    rows = rows_of(pa.table({"c": [NULL_NAME, None, "a"], "n": [1, 1.5, 2]}))
    partitioned = FieldPartitioner(["n", "c"]).partition(rows, OPENED_AT)
    assert ("n=2/c=a",) == partitioned.rows.encoded_partitions
    assert {
        0: f"Error encoding partition. The field c is {NULL_NAME}, which stands for null",
        1: "Error encoding partition. The field n is not a whole number of 64 bits",
    } == {reject.offset: reject.reason for reject in partitioned.rejects}


def test_fields_never_share_folders() -> None:
    """Escaping keeps the values and the names of different fields apart."""
    rows = rows_of(pa.table({"a": ["x/b=y", "x"], "b": ["z", "y/b=z"], "c/d=e": [None, ""]}))
    partitioned = FieldPartitioner(["a", "b", "c/d=e"]).partition(rows, OPENED_AT).rows
    null = f"a=x%2Fb%3Dy/b=z/c%2Fd%3De={NULL_NAME}"
    assert (null, "a=x/b=y%2Fb%3Dz/c%2Fd%3De=") == partitioned.encoded_partitions
