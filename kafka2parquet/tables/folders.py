"""Columns that are in the folders' names, such as `hour` in `day=17/hour=10`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.types as pat

from kafka2parquet.partitioners.hive_names import NULL_NAME
from kafka2parquet.tables.target import DataFile, RefusedFileError


def folder_values(folder: str) -> dict[str, str | None]:
    """Return the columns in a folder's name with their values, in order; None is null.

    Folders that are not of the form `name=value` are not columns. Values are unescaped as Hive does.
    """
    values: dict[str, str | None] = {}
    for segment in folder.split("/"):
        name, equals, value = segment.partition("=")
        if name and equals:
            values[unquote(name)] = None if value == NULL_NAME else unquote(value)
    return values


def check_folder_values(file: DataFile, values: Mapping[str, str | None]) -> None:
    """Check folder columns that are columns of the file, too: each row has to have the value that the folder has.

    Raises:
        RefusedFileError: a row may have another value. A reader of the table would see the folder's.
    """
    schema = file.schema
    for name in values.keys() & set(schema.names):
        type_ = schema.field(name).type
        if not (pat.is_integer(type_) or pat.is_string(type_) or pat.is_large_string(type_) or pat.is_boolean(type_)):
            raise RefusedFileError(file.key, f"its folder and its rows both have {name}, which is of type {type_}")
        found = only_value(file, name)
        if found is NotImplemented or _text(found) != values[name]:
            shown = "null" if values[name] is None else repr(values[name])
            raise RefusedFileError(
                file.key, f"its folder says that {name} is {shown}, and the statistics of its rows don't prove that"
            )


def type_of_folder_column(schema: pa.Schema, name: str) -> pa.DataType:
    """Return the type of a folder column: that of the files' column with this name, or text."""
    return schema.field(name).type if name in schema.names else pa.string()


def only_value(file: DataFile, path: str) -> Any:
    """Return the value that all rows of a file have in a column, by its statistics; `NotImplemented` if they don't prove any.

    Args:
        file: the file.
        path: path of the column in the Parquet schema.
    """
    bounds = column_bounds(file, path)
    if bounds is None:
        return NotImplemented
    least, greatest, nulls = bounds
    if nulls == file.rows:
        return None
    return least if nulls == 0 and least == greatest else NotImplemented


def column_bounds(file: DataFile, path: str) -> tuple[Any, Any, int] | None:
    """Return the least and the greatest value of a column, and its number of nulls; None if the statistics don't have all.

    A column that is null in all rows has the bounds None.

    Args:
        file: the file.
        path: path of the column in the Parquet schema.
    """
    nulls = 0
    least = greatest = None
    for group in map(file.parquet.row_group, range(file.parquet.num_row_groups)):
        column = next((found for found in map(group.column, range(group.num_columns)) if found.path_in_schema == path), None)
        statistics = None if column is None else column.statistics
        if statistics is None or not statistics.has_null_count:
            return None
        nulls += statistics.null_count
        if statistics.null_count == group.num_rows:
            continue
        if not statistics.has_min_max:  # Arrow writes no bounds rather than shortened ones
            return None
        least = statistics.min if least is None else min(least, statistics.min)
        greatest = statistics.max if greatest is None else max(greatest, statistics.max)
    return least, greatest, nulls


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
