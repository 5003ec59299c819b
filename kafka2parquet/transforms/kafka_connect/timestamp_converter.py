"""TimestampConverter, as Apache Kafka defines it: converts times between texts, numbers, dates, times and timestamps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.rows import Rows
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.transforms.columns.values import is_text
from kafka2parquet.transforms.kafka_connect.base import VALUE, JavaTransform, column_named, is_valid, refuse_all
from kafka2parquet.transforms.kafka_connect.dates.calendar import Integers
from kafka2parquet.transforms.kafka_connect.dates.pattern import Part, parts_of
from kafka2parquet.transforms.kafka_connect.dates.reading import DateReader
from kafka2parquet.transforms.kafka_connect.dates.texts import date_texts
from kafka2parquet.transforms.kafka_connect.numbers import is_whole
from kafka2parquet.transforms.kafka_connect.properties import JavaProperties
from kafka2parquet.transforms.kafka_connect.texts import milliseconds

_DAY_MS = 86_400_000
_INT64, _INT32 = np.iinfo(np.int64), np.iinfo(np.int32)
#: Milliseconds per unit, and units per millisecond.
_LONGER, _SHORTER = {"seconds": 1000}, {"milliseconds": 1, "microseconds": 1000, "nanoseconds": 1_000_000}
TARGETS: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "unix": pa.int64(),
    "Date": pa.date32(),
    "Time": pa.time32("ms"),
    "Timestamp": pa.timestamp("ms", "UTC"),
}


class JavaTimestampConverter(JavaTransform):
    """Converts times between texts, numbers and Connect's own types. Rejects values that are not times."""

    name = "TimestampConverter"

    def __init__(
        self,
        target: str,
        *,
        field: str = "",
        pattern: str = "",
        precision: str = "milliseconds",
        nulls_are_defaults: bool = True,
    ) -> None:
        """Choose what to convert.

        Args:
            target: one of `TARGETS`.
            field: name of the column; "" for the whole value.
            pattern: pattern of Java's SimpleDateFormat for texts, in English and in UTC.
            precision: unit of numbers: `seconds`, `milliseconds`, `microseconds` or `nanoseconds`.
            nulls_are_defaults: see `JavaTransform`.

        Raises:
            ConfigurationError: Java refuses the pattern, or the pattern for texts to write is missing.
        """
        super().__init__(nulls_are_defaults=nulls_are_defaults)
        if target == "string" and not pattern:
            raise ConfigurationError(Problem("format", "format: target.type=string needs a format."))
        self._target = target
        self._field = field
        self._pattern = pattern
        self._precision = precision
        self._parts = _parts(pattern)
        self._read, self._why_unread = _reader(pattern, self._parts)

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> JavaTimestampConverter:
        """Read the properties `field`, `target.type`, `format`, `unix.precision`, `replace.null.with.default`."""
        given = JavaProperties(properties, cls.name)
        return cls(
            given.one_of("target.type", tuple(TARGETS)),
            field=given.text("field") or "",
            pattern=given.text("format") or "",
            precision=given.one_of("unix.precision", (*_LONGER, *_SHORTER), "milliseconds"),
            nulls_are_defaults=given.nulls_are_defaults,
        )

    @property
    def settings(self) -> str:
        """All settings, as text."""
        return f"{self._target}-{self._field!r}-{self._pattern!r}-{self._precision}"

    def change(self, rows: Rows, refusals: Refusals) -> pa.Table:
        """Return the table with the converted column."""
        if self._field:
            return self._converted(rows, self._field, refusals)
        refuse_all(refusals, rows, "TimestampConverter: a value with fields is not a time. Set field.")
        return rows.table

    def change_values(self, rows: Rows, refusals: Refusals) -> pa.Table:
        """Return the whole values, converted."""
        return super().change_values(rows, refusals) if self._field else self._converted(rows, VALUE, refusals)

    def _converted(self, rows: Rows, name: str, refusals: Refusals) -> pa.Table:
        found = column_named(rows.table, name)
        if found is None:
            return rows.table
        index, field, values = found
        times = self._milliseconds(values, is_json=rows.value_schema is None)
        if isinstance(times, str):
            # Java checks the schema if there is one, and otherwise each value.
            refusals.add(is_valid(values) | (rows.value_schema is not None), f"{name} {times}")
            times = pa.nulls(len(values), pa.int64())
        converted = self._written(times)
        is_missing = is_valid(values) & ~is_valid(converted)
        refusals.add(is_missing & ~is_valid(times), f"{name}: {self._why_not(field.type)}.")
        refusals.add(is_missing, f"{name}: the time is too far from 1970 for {self._target}.")
        return rows.table.set_column(index, field.with_type(converted.type), converted)

    def _milliseconds(self, values: pa.Array, *, is_json: bool) -> pa.Array | str:
        """Convert values to milliseconds since 1970, with null for values that are not times; or return why no value is."""
        type_ = values.type
        if pa.types.is_null(type_):
            return pa.nulls(len(values), pa.int64())
        if is_text(type_):
            return self._read(values) if self._read is not None else f"is text, and {self._why_unread}."
        if pa.types.is_int64(type_):
            return self._of_numbers(values)
        if is_json and pa.types.is_float64(type_):
            mask = is_whole(values) & is_valid(values)
            numbers = np.where(mask, values.fill_null(0.0).to_numpy(zero_copy_only=False), 0.0).astype(np.int64)
            return self._of_numbers(pa.array(numbers, pa.int64(), mask=~mask))
        if pa.types.is_date(type_) or pa.types.is_time(type_) or pa.types.is_timestamp(type_):
            return milliseconds(values)
        return f"is {type_}, which is not a time; texts, int64, dates and times are."

    def _why_not(self, type_: pa.DataType) -> str:
        if is_text(type_):
            return f"a text that isn't of the format {self._pattern}"
        return "a number with a fraction, which is not a time"

    def _of_numbers(self, values: pa.Array) -> pa.Array:
        numbers = values.fill_null(0).to_numpy(zero_copy_only=False)
        longer = _LONGER.get(self._precision)
        numbers = _times(numbers, longer) if longer is not None else _divided(numbers, _SHORTER[self._precision])
        return pa.array(numbers, pa.int64(), mask=~is_valid(values))

    def _written(self, times: pa.Array) -> pa.Array:
        """Convert times to the target. Times that the target can't hold become null."""
        if self._target == "string":
            return date_texts(times, self._parts)
        numbers, mask = times.fill_null(0).to_numpy(zero_copy_only=False), ~is_valid(times)
        if self._target == "unix":
            longer = _LONGER.get(self._precision)
            numbers = _divided(numbers, longer) if longer is not None else _times(numbers, _SHORTER[self._precision])
        elif self._target == "Date":
            days = numbers // _DAY_MS
            inside = (days >= _INT32.min) & (days <= _INT32.max)
            return pa.array(np.where(inside, days, 0).astype(np.int32), mask=mask | ~inside).cast(pa.date32())
        elif self._target == "Time":
            return pa.array((numbers % _DAY_MS).astype(np.int32), mask=mask).cast(pa.time32("ms"))
        return pa.array(numbers, pa.int64(), mask=mask).cast(TARGETS[self._target])


def _parts(pattern: str) -> tuple[Part, ...]:
    try:
        return parts_of(pattern)
    except ValueError as error:
        raise ConfigurationError(
            Problem("format", f"format: {pattern!r} is not a pattern of SimpleDateFormat: {error}.")
        ) from error


def _reader(pattern: str, parts: tuple[Part, ...]) -> tuple[Callable[[pa.Array], pa.Array] | None, str]:
    """Return the function that parses texts, or None and the reason why texts can't be parsed."""
    if not pattern:
        return None, "format isn't set"
    try:
        return DateReader(parts).read, ""
    except ValueError as error:
        return None, f"of the format {pattern} {error}"


def _times(numbers: Integers, factor: int) -> Integers:
    """Return the products. A product that is out of range becomes the largest or smallest integer."""
    most, least = _INT64.max // factor, -(_INT64.max // factor)
    inside = (numbers <= most) & (numbers >= least)
    return np.where(inside, np.where(inside, numbers, 0) * factor, np.where(numbers > 0, _INT64.max, _INT64.min))


def _divided(numbers: Integers, divisor: int) -> Integers:
    """Return the truncated quotients."""
    quotients = numbers // divisor
    return np.where((numbers < 0) & (quotients * divisor != numbers), quotients + 1, quotients)
