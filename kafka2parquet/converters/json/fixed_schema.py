"""Converts JSON to the columns of a fixed schema: pyarrow parses what it can, and a cast does the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import pyarrow as pa

from kafka2parquet.converters.json.columns import Judgement, Resolved, UnchangingColumns
from kafka2parquet.converters.json.parse_batch import Objects, ValuesRefused, check_numbers, parse_objects
from kafka2parquet.converters.json.parse_record import (
    RecordRefused,
    json_text,
    load_object,
    misfit,
    skeleton,
    why_no_object,
)
from kafka2parquet.converters.json.rescue import Rescue, as_text, member_path, misfit_number
from kafka2parquet.converters.json.shape import Shape
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema.field_paths import join_path
from kafka2parquet.schema.lattice import conform


class FixedSchema:
    """A schema that doesn't change with the records.

    Attributes:
        schema: the columns.
        ignore_unknown: whether members that are not in the schema are left out.
        parsed: the columns as pyarrow parses them, before the cast.
        shape: `parsed`, compiled for checks of single records.
    """

    def __init__(self, schema: pa.Schema, *, ignore_unknown: bool, timestamps: Literal["iso8601", "epoch_ms"]) -> None:
        """Compile a schema.

        Args:
            schema: the columns. They become nullable, since any member may be missing.
            ignore_unknown: whether to leave out members that are not in the schema.
            timestamps: how timestamps are written.

        Raises:
            ConfigurationError: JSON values can't be converted to some fields; the error lists all of them.
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
        """A short hash of the columns and of the settings that affect parsing."""
        text = "|".join([self.schema.remove_metadata().to_string(), str(self.ignore_unknown), self._timestamps])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def parse(self, values: pa.Array | Objects, *, looks_at_integers: bool = True) -> pa.Table:
        """Convert values (binary_view without nulls, at least one) to a table of the schema, one row per value.

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
        """Cast a parsed table to the types of the schema.

        Raises:
            ValuesRefused: some value doesn't fit.
        """
        try:
            return conform(conform(table, self._read), self.schema)
        except pa.ArrowInvalid as exc:
            raise ValuesRefused(str(exc)) from exc

    def misfit(self, document: dict[str, Any]) -> str | None:
        """Return why a record doesn't fit; None if the structure fits and only a value can be at fault.

        The text of a timestamp is such a value.
        """
        return misfit(document, self._described, ignore_unknown=self.ignore_unknown)

    def unreadable_fields(self, value: pa.Array) -> Iterator[str]:
        """Yield the names of the columns for which `parse` refuses an array of one value."""
        for field in self.schema:
            alone = FixedSchema(pa.schema([field]), ignore_unknown=True, timestamps=self._timestamps)
            try:
                alone.parse(value, looks_at_integers=False)
            except ValuesRefused:
                yield field.name

    def _parsed_type(self, type_: pa.DataType) -> pa.DataType:
        """Return the type to request from pyarrow.json.

        Timestamps and dates are parsed as text and cast later. This can go once pyarrow.json reads date32 from text
        (apache/arrow#45936) and takes timestamp parsers (apache/arrow#46698).
        """
        if pa.types.is_timestamp(type_) and self._timestamps == "epoch_ms":
            return pa.int64()
        is_read_later = pa.types.is_date32(type_) or pa.types.is_timestamp(type_)
        return pa.string() if _is_text(type_) or is_read_later else type_

    def _described_type(self, type_: pa.DataType) -> pa.DataType:
        """Return the type that a JSON value must have, as error messages name it."""
        is_number = pa.types.is_timestamp(type_) and self._timestamps == "epoch_ms"
        return pa.int64() if is_number else type_

    def _read_type(self, type_: pa.DataType) -> pa.DataType:
        """Return the type that interprets the parsed value before the cast to the schema's type."""
        if pa.types.is_timestamp(type_) and self._timestamps == "epoch_ms":
            return pa.timestamp("ms", type_.tz)
        return self._parsed_type(type_)


class FixedColumns(UnchangingColumns):
    """The `Columns` of a fixed schema."""

    def __init__(self, fixed: FixedSchema, *, rescues: bool, rescue_column: str) -> None:
        """Start the columns of one batch.

        Args:
            fixed: the columns.
            rescues: whether parts that don't fit are taken out of a record, instead of refusing the record.
            rescue_column: the column that keeps these parts.
        """
        self._fixed = fixed
        self._rescues = rescues
        self._rescue_column = rescue_column
        self._misfits: dict[Any, str | None] = {}
        """By the skeleton of records, why records with this skeleton don't fit; None for those that fit."""

    @property
    def parsed(self) -> pa.Schema:
        """See `Columns.parsed`."""
        return self._fixed.parsed

    @property
    def ignores_unknown(self) -> bool:
        """See `Columns.ignores_unknown`."""
        return self._fixed.ignore_unknown

    def parse(self, values: pa.Array | Objects) -> pa.Table:
        """See `Columns.parse`."""
        return self._fixed.parse(values)

    def read(self, objects: Objects) -> pa.Table:
        """See `Columns.read`."""
        return self._fixed.cast(objects.read(self._fixed.parsed, ignore_unknown=self._fixed.ignore_unknown))

    def check(self, table: pa.Table, lines: Callable[[], pa.BinaryArray]) -> None:
        """See `Columns.check`."""
        check_numbers(table, lines)

    def why_unsound(self, value: bytes) -> str:
        """See `Columns.why_unsound`."""
        return why_no_object(value)

    def judge(self, value: bytes, *, is_refused: bool) -> Judgement | None:
        """See `Columns.judge`."""
        try:
            document = load_object(value)
            key = skeleton(document)
            if key not in self._misfits:
                self._misfits[key] = self._fixed.misfit(document)
        except (RecordRefused, RecursionError) as exc:
            if not is_refused and self.accepts(value):
                return None
            return Judgement(str(exc) if isinstance(exc, RecordRefused) else "nested too deeply")
        reason = self._misfits[key]
        if reason is None and not is_refused and self.accepts(value):
            return None
        return Judgement(reason, is_deferred=self._rescues or reason is None)

    def resolve(self, values: Sequence[bytes], offsets: Sequence[int]) -> Resolved:
        """See `Columns.resolve`."""
        (value,) = values
        try:
            document = load_object(value)
            if self._rescues:
                table, rescued = self._rescued(document)
                return Resolved([table], [rescued])
            return Resolved([self._fitting(document)], [None])
        except RecordRefused as exc:
            return Resolved(refused={0: str(exc)})
        except RecursionError:
            return Resolved(refused={0: "nested too deeply"})

    def finish(self) -> pa.Schema:
        """See `Columns.finish`."""
        return self._fixed.schema

    def _fitting(self, document: dict[str, Any]) -> pa.Table:
        reason = self._fixed.misfit(document)
        if reason is not None:
            raise RecordRefused(reason)
        rounded = misfit_number(document, self._fixed.shape)
        if rounded is not None:
            raise RecordRefused(f"field {rounded}: an integer that its column doesn't hold exactly")
        text = self._text(document)
        try:
            return self._fixed.parse(text, looks_at_integers=False)
        except ValuesRefused as exc:
            name = next(self._fixed.unreadable_fields(text), None)
            reason = str(exc) if name is None else f"field {name}: a value that is not a {self._fixed.schema.field(name).type}"
            raise RecordRefused(reason) from None

    def _rescued(self, document: dict[str, Any]) -> tuple[pa.Table, str | None]:
        rescue = Rescue(ignore_unknown=self._fixed.ignore_unknown, reserved=self._rescue_column)
        fitted = rescue.fit(document, self._fixed.shape)
        text = self._text(fitted)
        try:
            return self._fixed.parse(text, looks_at_integers=False), rescue.text
        except ValuesRefused:
            unreadable = list(self._fixed.unreadable_fields(text))
        for name in unreadable:
            column = member_path("", name)
            for path in [path for path in rescue.taken if path.startswith((f"{column}.", f"{column}["))]:
                del rescue.taken[path]
            rescue.taken[column], fitted[name] = document[name], None
        try:
            return self._fixed.parse(self._text(fitted), looks_at_integers=False), rescue.text
        except ValuesRefused as exc:
            raise RecordRefused(str(exc)) from None

    def _text(self, document: dict[str, Any]) -> pa.Array:
        shape = self._fixed.shape
        return pa.array([json_text(as_text(document, shape) if shape.has_any else document).encode()], pa.binary_view())


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
