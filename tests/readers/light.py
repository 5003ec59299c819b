"""Readers that are Python packages: pyarrow, DuckDB, Polars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq


@attrs.frozen
class Column:
    """A column as a reader gives it.

    Attributes:
        type: the reader's name for its type.
        values: as Python objects.
    """

    type: str
    values: Sequence[Any]


Columns = Mapping[str, Column]
#: Reads all columns of a file; raises where it can't.
Reader = Callable[[Path], Columns]


class NotReadError(Exception):
    """A reader can't read a file; the text says why."""


def read_with_pyarrow(path: Path) -> Columns:
    """Apache Arrow, with the checksum of each page."""
    table = pq.read_table(path, page_checksum_verification=True)
    return columns_of(table)


def columns_of(table: pa.Table) -> Columns:
    """The columns of an Arrow table."""
    return {
        field.name: Column(str(field.type), [_python(value, field.type) for value in column.to_pylist()])
        for field, column in zip(table.schema, table.columns, strict=True)
    }


def _python(value: Any, type_: pa.DataType) -> Any:
    """Maps are lists of pairs to Arrow."""
    if value is None:
        return None
    if pa.types.is_map(type_):
        return {key: _python(item, type_.item_type) for key, item in value}
    if pa.types.is_struct(type_):
        return {field.name: _python(value[field.name], field.type) for field in type_}
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return [_python(item, type_.value_type) for item in value]
    return value


def read_with_duckdb(path: Path) -> Columns:
    """DuckDB, without Arrow on the way."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        try:
            rows = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
            described = [(name, str(kind)) for name, kind, *_ in rows.description or ()]
            columns = zip(*rows.fetchall(), strict=True)
            return {name: Column(kind, values) for (name, kind), values in zip(described, columns, strict=True)}
        except duckdb.Error as error:
            raise NotReadError(str(error)) from error


def read_with_polars(path: Path) -> Columns:
    """Polars, with its own reader."""
    try:
        frame = polars.read_parquet(path)
    except polars.exceptions.PolarsError as error:
        raise NotReadError(str(error)) from error
    return {series.name: Column(str(series.dtype), series.to_list()) for series in frame}


LIGHT: Mapping[str, Reader] = {"pyarrow": read_with_pyarrow, "DuckDB": read_with_duckdb, "Polars": read_with_polars}
