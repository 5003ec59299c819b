"""Where a row's time comes from: the record, a field of it, or the wall clock."""

from __future__ import annotations

import abc
import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.partitioners.field import nested_field
from kafka2parquet.partitioners.iso_text import parse_text
from kafka2parquet.records import Rows
from kafka2parquet.time_zones import time_zone

#: The form of text that Arrow parses at once, and exactly as Joda does.
_COMMON_TEXT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$"


class TimestampExtractor(abc.ABC):
    """Tells the time of each row."""

    #: True where the time is that of the flush's opening.
    uses_clock: bool = False

    @abc.abstractmethod
    def extract(self, rows: Rows, opened_at: datetime.datetime) -> pa.Array:
        """The time of each row: int64 milliseconds since the epoch, null where there is none that can be used."""

    @abc.abstractmethod
    def explain(self, rows: Rows, row: int) -> str:
        """Why the row at that index has no time."""

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Names the settings."""


class RecordTimestamp(TimestampExtractor):
    """The record's timestamp in Kafka: when it was created, or appended to the log, as the topic says."""

    def extract(self, rows: Rows, opened_at: datetime.datetime) -> pa.Array:
        """Kafka's timestamps."""
        return rows.timestamps_ms

    def explain(self, rows: Rows, row: int) -> str:
        """Why the row has no time."""
        return "the record has no timestamp"

    @property
    def fingerprint(self) -> str:
        """Names the extractor."""
        return "record"


class WallclockTimestamp(TimestampExtractor):
    """The wall clock when the flush was opened: the same for all of its rows, also when the flush is made again."""

    uses_clock = True

    def extract(self, rows: Rows, opened_at: datetime.datetime) -> pa.Array:
        """The same time for all rows."""
        return pa.array(np.full(len(rows), round(opened_at.timestamp() * 1000), np.int64))

    def explain(self, rows: Rows, row: int) -> str:
        """Never needed."""
        return "the wall clock can't be read"

    @property
    def fingerprint(self) -> str:
        """Names the extractor."""
        return "wallclock"


class RecordFieldTimestamp(TimestampExtractor):
    """A field of the value: whole numbers are milliseconds since the epoch, texts are ISO times, timestamps are themselves.

    Texts are read in the forms of Joda-Time's ISO parser: dates, week dates, ordinal dates, times with fractions and offsets;
    a text of digits only is milliseconds.
    """

    def __init__(self, field: str = "timestamp", *, timezone: str = "UTC") -> None:
        """Choose the field.

        Args:
            field: its dotted path.
            timezone: of texts that name none.

        Raises:
            ConfigurationError: unknown time zone.
        """
        self._field = field
        self._timezone = timezone
        self._zone = time_zone(timezone)

    def extract(self, rows: Rows, opened_at: datetime.datetime) -> pa.Array:
        """The field's times."""
        column = nested_field(rows.table, self._field)
        if column is None:
            return pa.nulls(len(rows), pa.int64())
        data_type = column.type
        if pa.types.is_timestamp(data_type):
            return column.cast(pa.timestamp("ms", data_type.tz), safe=False).cast(pa.int64())
        if pa.types.is_integer(data_type):
            return column.cast(pa.int64())
        if pa.types.is_string(data_type) or pa.types.is_large_string(data_type):
            return self._parse(column)
        return pa.nulls(len(rows), pa.int64())

    def explain(self, rows: Rows, row: int) -> str:
        """Why the row has no time."""
        column = nested_field(rows.table, self._field)
        if column is None:
            return f"the field {self._field} does not exist"
        value = column[row].as_py()
        if value is None:
            return f"the field {self._field} is null"
        return f"the field {self._field} holds no time: {str(value)[:100]!r}"

    @property
    def fingerprint(self) -> str:
        """Names the field and the time zone."""
        return f"field-{self._field}-{self._timezone}"

    def _parse(self, column: pa.Array) -> pa.Array:
        common = pc.match_substring_regex(column, _COMMON_TEXT)
        if pc.all(common).as_py():  # nulls are passed over
            try:
                return column.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64())
            except pa.ArrowInvalid:
                pass  # such as the 30th of February: found among the distinct texts
        encoded = column.dictionary_encode()
        times = pa.array([self._parse_text(text) for text in encoded.dictionary.to_pylist()], pa.int64())
        return times.take(encoded.indices)

    def _parse_text(self, text: str) -> int | None:
        try:
            return parse_text(text, self._zone)
        except (ValueError, OverflowError):
            return None
