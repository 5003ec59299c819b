"""Cast: changes the types of fields."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema.field_paths import FieldPath, resolve
from kafka2parquet.transforms.columns.paths import change_column
from kafka2parquet.transforms.columns.refusals import ColumnTransform, Refusals
from kafka2parquet.transforms.columns.values import TypeRefused, cast_exactly, is_text
from kafka2parquet.transforms.properties import TransformProperties
from kafka2parquet.util.arguments import Name, NotEmpty, checked

#: Types by Kafka Connect's names, and by this library's names for types that Connect lacks.
TYPES: Mapping[str, pa.DataType] = {
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "bytes": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
}
_DECIMAL = re.compile(r"decimal\((\d{1,2}); ?(\d{1,2})\)")


@checked
class Cast(ColumnTransform):
    """Changes the types of fields. A row whose value can't be cast without loss is rejected, never silently replaced by null.

    Texts are parsed as numbers, `true` and `false`, ISO dates and times. Fields that rows lack are ignored.
    """

    def __init__(self, types: Annotated[Mapping[FieldPath, Name | pa.DataType], NotEmpty()]) -> None:
        """Choose the types.

        Args:
            types: types by dotted path of the field. A type is an Arrow type or a name: `int8`, `int16`, `int32`, `int64`,
                `float32`, `float64`, `boolean`, `string`, `bytes`, `date`, `timestamp` (UTC), `decimal(10;2)` (precision and
                scale).

        Raises:
            ConfigurationError: the fields are missing, or a type is unknown.
        """
        self._types = {path: _type(type_) for path, type_ in types.items()}

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Cast:
        """Read the property `spec`, as `field:type` between commas."""
        return cls(TransformProperties(properties, "Cast", "spec").pairs("spec"))

    @property
    def fingerprint(self) -> str:
        """Text that identifies fields and types."""
        return f"cast-{sorted((path, str(type_)) for path, type_ in self._types.items())}"

    def change(self, table: pa.Table, refusals: Refusals) -> pa.Table:
        """Return the table with the new types."""
        for path, type_ in self._types.items():
            parts = resolve(table.schema, path)
            if parts is not None:
                table = change_column(table, parts, functools.partial(_cast, path, type_, refusals))
        return table


def _type(given: str | pa.DataType) -> pa.DataType:
    if isinstance(given, pa.DataType):
        return given
    decimal = _DECIMAL.fullmatch(given)
    if decimal is not None and 1 <= int(decimal[1]) <= 38 and int(decimal[2]) <= int(decimal[1]):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    if given not in TYPES:
        raise ConfigurationError(f"Cast: types: {given!r} is unknown. The types are {', '.join(TYPES)} and decimal(10;2).")
    return TYPES[given]


def _cast(path: str, type_: pa.DataType, refusals: Refusals, field: pa.Field, values: pa.Array) -> tuple[pa.Field, pa.Array]:
    try:
        cast = cast_exactly(values, type_)
    except TypeRefused:
        refusals.add(values.is_valid(), f"{path} is {field.type}, which can't become {type_}.")
        return field.with_type(type_), pa.nulls(len(values), type_)
    if cast.null_count > values.null_count:
        what = "a text" if is_text(field.type) else f"a value of type {field.type}"
        lossless = "" if is_text(field.type) else " without loss"
        refusals.add(pc.and_not(values.is_valid(), cast.is_valid()), f"{path}: {what} that can't become {type_}{lossless}.")
    return field.with_type(type_), cast
