"""Timestamp extractors: find a row's time in the record, in one of its fields, or on the wall clock."""

from __future__ import annotations

import abc
import datetime

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.partitioners.field import nested_field
from kafka2parquet.partitioners.iso_text import parse_text
from kafka2parquet.records import DATA_EXCEPTION, PARTITION_EXCEPTION
from kafka2parquet.rows import Rows
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.util.iso_times import cut_off, times_of_texts
from kafka2parquet.util.time_zones import TimeZoneName, time_zone

#: Texts without blanks and with an offset at the end, which `times_of_texts` reads exactly like Joda.
_COMMON_TEXT = r"^\S+[Tt]\S+(?:[Zz]|[+-]\d\d(?::?\d\d)?)$"

_LONG_END = float(1 << 63)
_MAX_SHOWN = 100


@attrs.frozen
class Unusable:
    """Explains why a row has no usable time.

    Attributes:
        reason: the reason, in Kafka Connect's words where possible.
        exception: the exception class that Kafka Connect reports.
    """

    reason: str
    exception: str = PARTITION_EXCEPTION


class TimestampExtractor(abc.ABC):
    """Finds the time of each row."""

    #: Whether the time is the wall-clock time at which the flush was opened.
    uses_clock: bool = False

    @abc.abstractmethod
    def extract(self, rows: Rows, opened_at: datetime.datetime) -> pa.Array:
        """Return the time of each row: int64 milliseconds since the epoch, null for a row without a usable time."""

    @abc.abstractmethod
    def explain(self, rows: Rows, row: int) -> Unusable:
        """Return why the row at index `row` has no usable time."""

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Text that identifies the settings."""


@checked
class RecordTimestamp(TimestampExtractor):
    """Uses the record's Kafka timestamp: its create time or its log-append time, depending on the topic."""

    def extract(self, rows: Rows, opened_at: datetime.datetime) -> pa.Array:
        """Return Kafka's timestamps. Negative ones, such as -1, stand for a missing timestamp."""
        times = rows.timestamps_ms
        negative = pc.less(times, 0)
        return pc.if_else(negative, pa.scalar(None, pa.int64()), times) if pc.any(negative).as_py() else times

    def explain(self, rows: Rows, row: int) -> Unusable:
        """Return why the row at index `row` has no usable time."""
        return Unusable(
            "Unable to determine timestamp using timestamp.extractor"
            " io.confluent.connect.storage.partitioner.TimeBasedPartitioner$RecordTimestampExtractor for record: it has no"
            " timestamp"
        )

    @property
    def fingerprint(self) -> str:
        """Text that identifies the extractor."""
        return "record"


@checked
class WallclockTimestamp(TimestampExtractor):
    """Uses the wall-clock time at which the flush was opened. All rows of a flush share it, even if the flush is repeated."""

    uses_clock = True

    def extract(self, rows: Rows, opened_at: datetime.datetime) -> pa.Array:
        """Return the same time for all rows."""
        return pa.array(np.full(len(rows), round(opened_at.timestamp() * 1000), np.int64))

    def explain(self, rows: Rows, row: int) -> Unusable:
        """Return a reason, although a wall clock always has a time."""
        return Unusable("the wall clock can't be read")

    @property
    def fingerprint(self) -> str:
        """Text that identifies the extractor."""
        return "wallclock"


@checked
class RecordFieldTimestamp(TimestampExtractor):
    """Uses a field of the value: a timestamp, a whole number of milliseconds since the epoch, or a text with an ISO time.

    If records carry a schema, numbers must have 32 or 64 bits. Otherwise fractions of numbers are cut off.

    Texts may have all forms of Joda-Time's ISO parser: dates, week dates, ordinal dates, times with fractions and offsets. A
    text of digits only is a number of milliseconds.
    """

    def __init__(self, field: Name = "timestamp", *, timezone: TimeZoneName = "UTC") -> None:
        """Choose the field.

        Args:
            field: dotted path of the field.
            timezone: time zone of texts without an offset.

        Raises:
            ConfigurationError: the time zone is unknown, or the field is empty.
        """
        self._field = field
        self._timezone = timezone
        self._zone = time_zone(timezone)

    def extract(self, rows: Rows, opened_at: datetime.datetime) -> pa.Array:
        """Return the times in the field."""
        column = None if rows.without_fields else nested_field(rows.table, self._field)
        if column is None:
            return pa.nulls(len(rows), pa.int64())
        data_type = column.type
        if pa.types.is_timestamp(data_type):
            return cut_off(column, "ms").cast(pa.int64())
        if pa.types.is_integer(data_type) and (rows.value_schema is None or data_type.bit_width >= 32):
            return column.cast(pa.int64())
        if pa.types.is_floating(data_type) and rows.value_schema is None:  # JSON has only one type of numbers
            return _whole(column)
        if pa.types.is_string(data_type) or pa.types.is_large_string(data_type):
            return self._parse(column)
        return pa.nulls(len(rows), pa.int64())

    def explain(self, rows: Rows, row: int) -> Unusable:
        """Return why the row at index `row` has no usable time."""
        schema = rows.value_schema
        if rows.without_fields or (schema is not None and schema.type != "struct"):
            what = "without schema that is not an object" if schema is None else f"of type {schema.type}"
            return Unusable(
                f"Error encoding partition. Argument not a Struct or Map. Cannot get field '{self._field}' from a value {what}"
            )
        column = nested_field(rows.table, self._field)
        if column is None:
            return Unusable(self._missing(rows.table), DATA_EXCEPTION)
        value = column[row].as_py()
        failed = f"Error extracting timestamp from record field: {self._field}"
        if value is None:
            return Unusable(f"{failed}: it is null", "java.lang.NullPointerException")
        if isinstance(value, str):
            text = value if len(value) <= _MAX_SHOWN else value[:_MAX_SHOWN] + "…"
            return Unusable(f'Invalid format: "{text}" in the field {self._field}', "java.lang.IllegalArgumentException")
        return Unusable(f"{failed}: it is {column.type}")

    def _missing(self, table: pa.Table) -> str:
        """Return which part of the path doesn't exist."""
        *outer, name = self._field.split(".")
        for depth in range(1, len(outer) + 1):
            column = nested_field(table, ".".join(outer[:depth]))
            if column is not None and not pa.types.is_struct(column.type):
                return f"Unable to get field '{name}' from the field {'.'.join(outer[:depth])}, which is {column.type}"
        return f"The field '{self._field}' does not exist in the value, which has {', '.join(table.column_names) or 'none'}"

    @property
    def fingerprint(self) -> str:
        """Text that identifies the field and the time zone."""
        return f"field-{self._field}-{self._timezone}"

    def _parse(self, column: pa.Array) -> pa.Array:
        nothing = pa.scalar(None, column.type)
        common = pc.if_else(pc.match_substring_regex(column, _COMMON_TEXT), column, nothing)
        times = cut_off(times_of_texts(common, "us"), "ms").cast(pa.int64())
        if times.null_count == column.null_count:
            return times
        encoded = pc.if_else(pc.is_valid(times), nothing, column).dictionary_encode()
        others = pa.array([self._parse_text(text) for text in encoded.dictionary.to_pylist()], pa.int64())
        return pc.coalesce(times, others.take(encoded.indices))

    def _parse_text(self, text: str) -> int | None:
        try:
            return parse_text(text, self._zone)
        except (ValueError, OverflowError):
            return None


def _whole(column: pa.Array) -> pa.Array:
    """Truncate numbers to integers. Numbers that are too large become null."""
    numbers = pc.trunc(column)
    fits = pc.and_(pc.greater_equal(numbers, -_LONG_END), pc.less(numbers, _LONG_END))
    return pc.if_else(pc.fill_null(fits, False), numbers, pa.scalar(None, column.type)).cast(pa.int64())
