"""What is published, read by the library itself, by pyarrow, DuckDB and Polars."""

from __future__ import annotations

import collections
import functools
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.storage.footer_metadata import read_footer_metadata
from kafka2parquet.testing import MemoryStorage
from tests.laws.values import python_rows

_SIMPLE = (
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
)


@attrs.frozen(eq=False)
class PublishedFile:
    """A Parquet file of the library.

    Attributes:
        key: where it stands.
        content: its bytes.
        footer: what it says about its flush.
        table: its rows.
    """

    key: str
    content: bytes
    footer: FlushFooter
    table: pa.Table

    @functools.cached_property
    def rows(self) -> Sequence[dict[str, Any]]:
        """The rows as Python objects; of two columns with one name, the last counts."""
        return python_rows(self.table)

    @property
    def folder(self) -> str:
        """Where it stands, without its name."""
        return self.key.rpartition("/")[0]

    @property
    def offsets(self) -> Sequence[int]:
        """The offset of each row, where a column has it."""
        name = "offset" if self.footer.role == "rejects" else "_kafka_offset"
        found = [index for index, column in enumerate(self.table.column_names) if column == name]
        offsets = self.table.column(found[-1]).to_pylist() if found else []
        return [offset for offset in offsets if offset is not None]  # rows without columns have one of nulls


class UnreadableError(Exception):
    """A published file can't be read; the text names the reader and the cause."""


def published(storage: MemoryStorage) -> list[PublishedFile]:
    """Returns all Parquet files of a store, by key.

    Raises:
        UnreadableError: pyarrow, or the library itself, can't read one of them.
    """
    return [_published(key, storage.objects[key].content) for key in sorted(storage.objects) if key.endswith(".parquet")]


def _published(key: str, content: bytes) -> PublishedFile:
    footer = FlushFooter.from_metadata(read_footer_metadata(lambda size: content[-size:]))
    if footer is None:
        raise UnreadableError("the library takes one of its files for a foreign one")
    try:
        table = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True).read()
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"pyarrow: {_first_line(error)}") from error
    return PublishedFile(key, content, footer, table)


def faults(files: Sequence[PublishedFile]) -> Iterator[str]:
    """Returns the faults that one of the readers finds in the files."""
    for file in files:
        names = collections.Counter(file.table.column_names)
        repeated = [name for name, count in names.items() if count > 1]
        if repeated:
            yield f"two columns of one name: {repeated}"
        if file.table.num_rows != file.footer.file_rows:
            yield f"{file.table.num_rows} rows, of which the footer counts {file.footer.file_rows}"
        readers = [("DuckDB", _read_by_duckdb), ("Polars", _read_by_polars)]
        if any(pa.types.is_decimal256(type_) for type_ in _types(file.table)):
            readers.pop()  # which has decimals of up to 38 digits only, as docs/compatibility.md says
        for reader, read in readers:
            yield from (f"{reader}: {fault}" for fault in _reading(file, read))


def _types(table: pa.Table) -> Iterator[pa.DataType]:
    """Returns the types of all columns, and of their contents."""
    pending = list(table.schema.types)
    while pending:
        type_ = pending.pop()
        yield type_
        pending += [type_.field(index).type for index in range(type_.num_fields)]


_Columns = Sequence[Sequence[Any]]


def _reading(file: PublishedFile, read: Callable[[bytes, Sequence[int]], tuple[int, _Columns]]) -> Iterator[str]:
    """Returns a reader's fault in a file, given its bytes and the indices of the columns to compare."""
    table = file.table
    simple = [index for index, field in enumerate(table.schema) if any(is_kind(field.type) for is_kind in _SIMPLE)]
    try:
        rows, columns = read(file.content, simple)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # what Rust panics with is not an Exception
        yield f"{type(error).__name__} {_first_line(error)}"
        return
    if rows != table.num_rows:
        yield f"{rows} rows instead of {table.num_rows}"
    for index, values in zip(simple, columns, strict=True):
        if repr(values) != repr(table.column(index).to_pylist()):
            yield f"other values in a column of {table.schema.field(index).type}"


@functools.cache
def _duckdb() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    return connection


def _read_by_duckdb(content: bytes, indices: Sequence[int]) -> tuple[int, _Columns]:
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.write(content)
        file.flush()
        table = _duckdb().read_parquet(file.name, hive_partitioning=False).to_arrow_table()
        return table.num_rows, [table.column(index).to_pylist() for index in indices]


def _read_by_polars(content: bytes, indices: Sequence[int]) -> tuple[int, _Columns]:
    frame = polars.read_parquet(io.BytesIO(content))
    return frame.height, [frame.to_series(index).to_list() for index in indices]


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
