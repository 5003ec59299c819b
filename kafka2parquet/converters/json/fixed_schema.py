"""Columns of a given schema from JSON: what pyarrow parses by itself, and what is cast afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import pyarrow as pa

from kafka2parquet.converters.json.parse_batch import Objects, ValuesRefused, parse_objects
from kafka2parquet.converters.json.parse_record import misfit
from kafka2parquet.converters.json.shape import Shape
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema.field_paths import join_path
from kafka2parquet.schema.lattice import conform


class GivenSchema:
    """A schema that stays as it is.

    Attributes:
        schema: the columns.
        ignore_unknown: whether members that are not in the schema are left out.
        parsed: the columns as they are parsed, before they are cast.
        shape: the same, compiled.
    """

    def __init__(self, schema: pa.Schema, *, ignore_unknown: bool, timestamps: Literal["iso8601", "epoch_ms"]) -> None:
        """Prepare parsing.

        Args:
            schema: the columns; made nullable, since any member may be missing.
            ignore_unknown: whether to leave out members that are not in the schema.
            timestamps: how timestamps are written.

        Raises:
            ConfigurationError: with every field that JSON values can't be converted to.
        """
        self.schema = pa.schema([field.with_nullable(True) for field in schema], metadata=schema.metadata)
        problems = list(_problems(pa.struct(list(schema)), ""))
        if problems:
            raise ConfigurationError(problems)
        self.ignore_unknown = ignore_unknown
        self._timestamps = timestamps
        self.parsed = pa.schema(_with_leaves(self.schema, self._parsed_type))
        self.shape = Shape.of(self.parsed)
        self._read = pa.schema(_with_leaves(self.schema, self._read_type))
        self._described = pa.schema(_with_leaves(self.schema, self._described_type))

    @property
    def fingerprint(self) -> str:
        """Names the columns, and how they are read."""
        text = "|".join([self.schema.remove_metadata().to_string(), str(self.ignore_unknown), self._timestamps])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def parse(self, values: pa.Array | Objects, *, looks_at_integers: bool = True) -> pa.Table:
        """Make a table of the schema with one row for each value (binary_view without nulls, at least one).

        Args:
            values: see `parse_objects`.
            looks_at_integers: see `parse_objects`.

        Raises:
            ValuesRefused: some value doesn't fit.
        """
        return self.cast(
            parse_objects(values, self.parsed, ignore_unknown=self.ignore_unknown, looks_at_integers=looks_at_integers)
        )

    def cast(self, table: pa.Table) -> pa.Table:
        """Make a table of the schema of one that was parsed.

        Raises:
            ValuesRefused: some value doesn't fit.
        """
        try:
            return conform(conform(table, self._read), self.schema)
        except pa.ArrowInvalid as exc:
            raise ValuesRefused(str(exc)) from exc

    def misfit(self, document: dict[str, Any]) -> str | None:
        """Why a record doesn't fit; None when that lies in a value, such as the text of a timestamp."""
        return misfit(document, self._described, ignore_unknown=self.ignore_unknown)

    def unreadable_fields(self, value: pa.Array) -> Iterator[str]:
        """The columns that `parse` refuses one value for."""
        for field in self.schema:
            alone = GivenSchema(pa.schema([field]), ignore_unknown=True, timestamps=self._timestamps)
            try:
                alone.parse(value, looks_at_integers=False)
            except ValuesRefused:
                yield field.name

    def _parsed_type(self, type_: pa.DataType) -> pa.DataType:
        """The type that pyarrow.json is asked for."""
        if pa.types.is_timestamp(type_) and self._timestamps == "epoch_ms":
            return pa.int64()
        is_read_later = pa.types.is_date32(type_) or pa.types.is_timestamp(type_)
        return pa.string() if _is_text(type_) or is_read_later else type_

    def _described_type(self, type_: pa.DataType) -> pa.DataType:
        """The type that a JSON value has to fit, as it is named to people."""
        is_number = pa.types.is_timestamp(type_) and self._timestamps == "epoch_ms"
        return pa.int64() if is_number else type_

    def _read_type(self, type_: pa.DataType) -> pa.DataType:
        """What the parsed value means, before it is cast to the type of the schema."""
        if pa.types.is_timestamp(type_) and self._timestamps == "epoch_ms":
            return pa.timestamp("ms", type_.tz)
        return self._parsed_type(type_)


def _with_leaves(fields: Iterable[pa.Field], replace: Callable[[pa.DataType], pa.DataType]) -> list[pa.Field]:
    def of(type_: pa.DataType) -> pa.DataType:
        if pa.types.is_struct(type_):
            return pa.struct(_with_leaves(type_, replace))
        if pa.types.is_list(type_):
            return pa.list_(type_.value_field.with_type(of(type_.value_type)))
        return replace(type_)

    return [field.with_type(of(field.type)) for field in fields]


def _problems(type_: pa.DataType, path: str) -> Iterator[str]:
    if pa.types.is_struct(type_):
        names = [field.name for field in type_]
        if not names:
            yield f"{path or 'the schema'}: no fields"
        yield from (f"{path}{name}: two fields of that name" for name in dict.fromkeys(names) if names.count(name) > 1)
        for field in type_:
            yield from _problems(field.type, join_path(path, field.name))
    elif pa.types.is_list(type_):
        yield from _problems(type_.value_type, f"{path}[]")
    elif not any(is_type(type_) for is_type in _UNDERSTOOD):
        yield f"{path}: JSON values can't be converted to {type_}"


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def _is_float(type_: pa.DataType) -> bool:
    return bool(pa.types.is_float32(type_) or pa.types.is_float64(type_))


_UNDERSTOOD = (
    pa.types.is_boolean,
    pa.types.is_integer,
    _is_float,
    _is_text,
    pa.types.is_timestamp,
    pa.types.is_date32,
    pa.types.is_decimal128,
    pa.types.is_decimal256,
)
