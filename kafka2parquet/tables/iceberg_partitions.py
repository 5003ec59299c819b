"""Partitions of Iceberg tables, which pyiceberg takes from the statistics of a file, and which those have to prove.

pyiceberg compares the least and the greatest value of a column. It doesn't notice nulls beside them, it takes a column inside a
struct for null, and floating-point statistics leave out NaN. In all of these cases, a query that filters by the partition would
miss rows. So such files are refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow.types as pat

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.tables.folders import column_bounds
from kafka2parquet.tables.target import DataFile, RefusedFileError

if TYPE_CHECKING:
    from pyiceberg.table.metadata import TableMetadata

_TRANSFORM = re.compile(r"(?P<transform>year|month|day|hour)\((?P<time>[^()]+)\)|truncate\((?P<width>\d+), *(?P<text>[^()]+)\)")


def parse_transform(text: str) -> tuple[str, Any]:
    """Return the source column and the transform of `country`, `hour(ts)` or `truncate(4, name)`.

    Raises:
        ConfigurationError: it is not a column or a known transform.
    """
    from pyiceberg.transforms import parse_transform as parsed

    match = _TRANSFORM.fullmatch(text.strip())
    if match is None:
        if "(" in text:
            raise ConfigurationError(
                f"A table can't be partitioned by {text}: statistics of files prove year(C), month(C), day(C), hour(C),"
                " truncate(WIDTH, C) and a column itself."
            )
        return text.strip(), parsed("identity")
    if match["width"]:
        return match["text"].strip(), parsed(f"truncate[{match['width']}]")
    return match["time"].strip(), parsed(match["transform"])


def check_partitions(file: DataFile, metadata: TableMetadata) -> None:
    """Check that the statistics of a file prove that all its rows are in one partition of the table.

    Raises:
        RefusedFileError: they don't.
    """
    schema = metadata.schema()
    for field in metadata.spec().fields:
        column = schema.find_column_name(field.source_id) or ""
        source = schema.find_field(field.source_id)
        by = f"the table is partitioned by {field.transform} of {column}"
        if source not in schema.fields:
            raise RefusedFileError(file.key, f"{by}, which is inside a struct, where statistics don't count")
        if not field.transform.preserves_order:
            raise RefusedFileError(file.key, f"{by}, which statistics can't prove")
        if column not in file.schema.names:
            raise RefusedFileError(file.key, f"{by}, which its rows don't have")
        if pat.is_floating(file.schema.field(column).type):
            raise RefusedFileError(file.key, f"{by}, and statistics of floating-point numbers leave out NaN")
        bounds = column_bounds(file, column)
        if bounds is None:
            raise RefusedFileError(file.key, f"{by}, for which it has no exact statistics")
        least, greatest, nulls = bounds
        if nulls == file.rows:
            continue
        if nulls:
            raise RefusedFileError(file.key, f"{by}, which is null in some of its rows")
        transform = field.transform.transform(source.field_type)
        values = [transform(_iceberg_value(value, source.field_type)) for value in (least, greatest)]
        if values[0] != values[1]:
            shown = " to ".join(field.transform.to_human_string(source.field_type, value) for value in values)
            raise RefusedFileError(file.key, f"{by}, and its rows are in several partitions ({shown})")


def _iceberg_value(value: Any, type_: Any) -> Any:
    """Return a value of Parquet statistics as Iceberg's transforms take it: times as whole numbers."""
    import datetime

    from pyiceberg.utils.datetime import date_to_days, datetime_to_micros, time_to_micros

    if isinstance(value, datetime.datetime):
        return datetime_to_micros(value.replace(tzinfo=None))
    if isinstance(value, datetime.date):
        return date_to_days(value)
    if isinstance(value, datetime.time):
        return time_to_micros(value)
    return value
