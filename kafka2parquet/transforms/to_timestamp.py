"""ToTimestamp: numbers and texts that mean times, as times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.errors import ConfigurationError, UsageError
from kafka2parquet.transforms.base import TableTransform
from kafka2parquet.transforms.paths import change_column, checked_paths, resolve_all
from kafka2parquet.transforms.properties import TransformProperties

_UNITS = {"seconds": "s", "milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}
_MICROSECONDS = pa.timestamp("us", "UTC")
#: A text that says how far its clock is from UTC.
_HAS_OFFSET = r"[T ].*(Z|[+-]\d\d(:?\d\d)?)$"


class ToTimestamp(TableTransform):
    """Makes timestamps in UTC, with microseconds, of whole numbers since 1970, texts and dates.

    A row whose value means no time is a reject, never a silent null. Fields that rows lack don't matter.
    """

    def __init__(self, fields: Sequence[str], *, unit: str = "ms", format: str | None = None, timezone: str = "UTC") -> None:  # noqa: A002
        """Choose the fields.

        Args:
            fields: their dotted paths.
            unit: of numbers: `s`, `ms`, `us` or `ns`.
            format: of texts, as C's `strptime` reads it, such as `%d.%m.%Y %H:%M:%S`; by default ISO 8601.
            timezone: of texts that don't name one, and of times without one, such as `Europe/Paris`. Where a clock was set
                back, the earlier moment is taken; where it was set forward, the first moment after the gap.

        Raises:
            ConfigurationError: no field, unknown unit or time zone.
        """
        self._fields = checked_paths(fields, "ToTimestamp")
        if unit not in _UNITS.values():
            raise ConfigurationError(f"ToTimestamp: {unit!r} is no unit; it knows {', '.join(_UNITS.values())}.")
        try:
            pc.assume_timezone(pa.array([0], pa.timestamp("us")), timezone)
        except pa.ArrowInvalid as error:
            raise ConfigurationError(f"ToTimestamp: {timezone!r} is no time zone: {error}.") from error
        self._unit = unit
        self._format = format
        self._timezone = timezone

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> ToTimestamp:
        """Properties: `fields`, `unix.precision` (`milliseconds`, as in Kafka Connect), `format`, `timezone`."""
        given = TransformProperties(properties, "ToTimestamp", "fields", "unix.precision", "format", "timezone")
        precision = given.text("unix.precision") or "milliseconds"
        if precision not in _UNITS:
            raise ConfigurationError(f"unix.precision: {precision!r} is none of {', '.join(_UNITS)}.")
        return cls(
            given.items("fields"),
            unit=_UNITS[precision],
            format=given.text("format") or None,
            timezone=given.text("timezone") or "UTC",
        )

    @property
    def fingerprint(self) -> str:
        """Names the settings."""
        return f"to-timestamp-{sorted(self._fields)}-{self._unit}-{self._format}-{self._timezone}"

    def transform(self, table: pa.Table) -> pa.Table:
        """The table with times.

        Raises:
            ValueError: a value means no time.
            UsageError: no value of the type does.
        """
        for parts in resolve_all(table.schema, self._fields):
            try:
                table = change_column(table, parts, self._converted)
            except pa.ArrowInvalid as error:
                raise ValueError(f"{'.'.join(parts)}: {error}") from error
        return table

    def _converted(self, field: pa.Field, values: pa.Array) -> tuple[pa.Field, pa.Array]:
        return field.with_type(_MICROSECONDS), self._times(field, values)

    def _times(self, field: pa.Field, values: pa.Array) -> pa.Array:
        type_ = field.type
        if pa.types.is_integer(type_):
            return _microseconds(values.cast(pa.int64()).cast(pa.timestamp(self._unit, "UTC")))
        if pa.types.is_timestamp(type_):
            return _microseconds(values if type_.tz is not None else self._zoned(_microseconds(values)))
        if pa.types.is_date(type_):
            return self._zoned(values.cast(pa.timestamp("us")))
        if pa.types.is_null(type_):
            return pa.nulls(len(values), _MICROSECONDS)
        if pa.types.is_string(type_) or pa.types.is_large_string(type_):
            return self._parsed(values)
        raise UsageError(f"ToTimestamp: {field.name} is {type_}, which means no time.")

    def _parsed(self, texts: pa.Array) -> pa.Array:
        if self._format is not None:
            return self._zoned(pc.strptime(texts, format=self._format, unit="us", error_is_null=False))
        has_offset = pc.match_substring_regex(texts, _HAS_OFFSET)
        nothing = pa.scalar(None, texts.type)
        absolute = pc.if_else(has_offset, texts, nothing).cast(_MICROSECONDS)
        local = pc.if_else(has_offset, nothing, texts).cast(pa.timestamp("us"))
        return pc.coalesce(absolute, self._zoned(local))

    def _zoned(self, local: pa.Array) -> pa.Array:
        zoned = pc.assume_timezone(local, self._timezone, ambiguous="earliest", nonexistent="latest")
        return zoned.cast(_MICROSECONDS)


def _microseconds(times: pa.Array) -> pa.Array:
    """Nanoseconds are cut off; what doesn't fit is refused."""
    type_ = pa.timestamp("us", times.type.tz)
    return (times.cast(type_, safe=False) if times.type.unit == "ns" else times.cast(type_)).cast(
        _MICROSECONDS if type_.tz is not None else type_
    )
