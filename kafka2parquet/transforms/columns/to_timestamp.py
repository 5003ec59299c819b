"""ToTimestamp: converts numbers and texts to timestamps."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.schema.field_paths import FieldPaths
from kafka2parquet.transforms.columns.paths import change_column, resolve_all
from kafka2parquet.transforms.columns.refusals import ColumnTransform, Refusals
from kafka2parquet.transforms.columns.values import TypeRefused, cast_exactly, is_text
from kafka2parquet.transforms.properties import TransformProperties
from kafka2parquet.util.arguments import Name, OneOf, checked
from kafka2parquet.util.iso_times import in_zone, times_of_texts

_UNITS = {"seconds": "s", "milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}
_MICROSECONDS = pa.timestamp("us", "UTC")


@checked
class ToTimestamp(ColumnTransform):
    """Converts whole numbers since 1970, texts and dates to timestamps in UTC with microseconds. Further digits are cut off.

    A row whose value is not a time is rejected, never silently replaced by null. Fields that rows lack are ignored.
    """

    def __init__(
        self,
        fields: FieldPaths,
        *,
        unit: Annotated[str, OneOf(tuple(_UNITS.values()))] = "ms",
        format: Name | None = None,  # noqa: A002
        timezone: Name = "UTC",
    ) -> None:
        """Choose the fields.

        Args:
            fields: dotted paths of the fields.
            unit: unit of numbers: `s`, `ms`, `us` or `ns`.
            format: format of texts for C's `strptime`, such as `%d.%m.%Y %H:%M:%S`; by default ISO 8601.
            timezone: time zone of texts without an offset and of times without a zone, such as `Europe/Paris`. A time that
                occurs twice, because clocks were set back, is the earlier moment. A time that clocks skipped is the first
                moment after the gap.

        Raises:
            ConfigurationError: the fields are missing, or the unit or the time zone is unknown.
        """
        self._fields = tuple(fields)
        try:
            pc.assume_timezone(pa.array([0], pa.timestamp("us")), timezone)
        except pa.ArrowInvalid as error:
            raise ConfigurationError(f"ToTimestamp: timezone has to be a time zone, not {timezone!r}: {error}.") from error
        self._unit = unit
        self._format = format
        self._timezone = timezone

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> ToTimestamp:
        """Read the properties `fields`, `unix.precision` (`milliseconds`, as in Kafka Connect), `format`, `timezone`."""
        given = TransformProperties(properties, "ToTimestamp", "fields", "unix.precision", "format", "timezone")
        precision = given.text("unix.precision") or "milliseconds"
        if precision not in _UNITS:
            raise ConfigurationError(
                Problem("unix.precision", f"unix.precision: {precision!r} is not one of {', '.join(_UNITS)}.")
            )
        return cls(
            given.items("fields"),
            unit=_UNITS[precision],
            format=given.text("format") or None,
            timezone=given.text("timezone") or "UTC",
        )

    @property
    def fingerprint(self) -> str:
        """Text that identifies the settings."""
        return f"to-timestamp-{sorted(self._fields)}-{self._unit}-{self._format}-{self._timezone}"

    def change(self, table: pa.Table, refusals: Refusals) -> pa.Table:
        """Return the table with timestamps."""
        for parts in resolve_all(table.schema, self._fields):
            table = change_column(table, parts, functools.partial(self._changed, ".".join(parts), refusals))
        return table

    def _changed(self, path: str, refusals: Refusals, field: pa.Field, values: pa.Array) -> tuple[pa.Field, pa.Array]:
        try:
            times = self._times(values)
        except TypeRefused:
            times = pa.nulls(len(values), _MICROSECONDS)
            refusals.add(values.is_valid(), f"{path} is {field.type}, which is not a time.")
        if times.null_count > values.null_count:
            refusals.add(pc.and_not(values.is_valid(), times.is_valid()), f"{path}: {self._why_not(field.type)}.")
        return field.with_type(_MICROSECONDS), times

    def _why_not(self, type_: pa.DataType) -> str:
        if is_text(type_):
            return (
                f"a text that is not a time of the form {self._format}"
                if self._format
                else "a text that is not an ISO 8601 time"
            )
        return f"a value of type {type_} that is not a time: it has a fraction, or is too large"

    def _times(self, values: pa.Array) -> pa.Array:
        """Convert values to times. A value that is not a time becomes null."""
        type_ = values.type
        if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
            return cast_exactly(cast_exactly(cast_exactly(values, pa.int64()), pa.timestamp(self._unit, "UTC")), _MICROSECONDS)
        if pa.types.is_timestamp(type_) and type_.tz is not None:
            return cast_exactly(values, _MICROSECONDS)
        if pa.types.is_timestamp(type_) or pa.types.is_date(type_):
            return in_zone(cast_exactly(values, pa.timestamp("us")), self._timezone)
        if pa.types.is_null(type_):
            return pa.nulls(len(values), _MICROSECONDS)
        if not is_text(type_):
            raise TypeRefused
        if self._format is None:
            return times_of_texts(values, "us", self._timezone)
        return in_zone(
            pc.strptime(values.cast(pa.string()), format=self._format, unit="us", error_is_null=True), self._timezone
        )
