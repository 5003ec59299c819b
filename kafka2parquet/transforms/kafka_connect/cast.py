"""Cast, as Apache Kafka defines it: numbers wrap and lose their fractions, and each text but `true` is false."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.rows import Rows
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.transforms.columns.values import is_bytes, is_text
from kafka2parquet.transforms.kafka_connect.base import VALUE, JavaTransform, column_named, is_valid, refuse_all
from kafka2parquet.transforms.kafka_connect.numbers import to_booleans, to_floats, to_integers
from kafka2parquet.transforms.kafka_connect.properties import JavaProperties
from kafka2parquet.transforms.kafka_connect.texts import base64_texts, float_texts, time_texts

#: The types to which a value can be cast, by Kafka Connect's names.
TYPES: Mapping[str, pa.DataType] = {
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
}
_ALONE = Problem("spec", "spec: a type without a field casts the whole value, so it has to stand alone.")


class JavaCast(JavaTransform):
    """Casts columns or the whole value as Java does. A text that is not a number is rejected."""

    name = "Cast"

    def __init__(self, types: Mapping[str, str], *, nulls_are_defaults: bool = True) -> None:
        """Choose the types.

        Args:
            types: names of types by column. "" stands for the whole value and must be the only key then.
            nulls_are_defaults: see `JavaTransform`.

        Raises:
            ConfigurationError: the columns are missing, or a type is unknown.
        """
        super().__init__(nulls_are_defaults=nulls_are_defaults)
        if not types:
            raise ConfigurationError(Problem("spec", "spec: name at least one field to cast."))
        for type_ in types.values():
            if type_.lower() not in TYPES:
                raise ConfigurationError(
                    Problem("spec", f"spec: {type_!r} is not a type to cast to. The types are {', '.join(TYPES)}.")
                )
        if "" in types and len(types) > 1:
            raise ConfigurationError(_ALONE)
        self._types = {field: type_.lower() for field, type_ in types.items()}

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> JavaCast:
        """Read the properties `spec`, `replace.null.with.default`."""
        given = JavaProperties(properties, cls.name)
        given.required("spec")
        types: dict[str, str] = {}
        for item in given.items("spec"):
            field, colon, type_ = item.rpartition(":")
            if ":" in field or (colon and not field):
                raise ConfigurationError(Problem("spec", f"spec: {item!r} isn't of the form field:type."))
            if not field and types:
                raise ConfigurationError(_ALONE)
            types[field] = type_.strip()
        return cls(types, nulls_are_defaults=given.nulls_are_defaults)

    @property
    def settings(self) -> str:
        """Columns and types, as text."""
        return str(sorted(self._types.items()))

    def change(self, rows: Rows, refusals: Refusals) -> pa.Table:
        """Return the table with the new types."""
        if "" in self._types:
            refuse_all(refusals, rows, "Cast: a value with fields can't become " + self._types[""] + ".")
            return rows.table
        table = rows.table
        for field, type_ in self._types.items():
            table = self._cast(rows, table, field, type_, refusals)
        return table

    def change_values(self, rows: Rows, refusals: Refusals) -> pa.Table:
        """Return the whole values with the new type."""
        if "" in self._types:
            return self._cast(rows, rows.table, VALUE, self._types[""], refusals)
        return super().change_values(rows, refusals)

    def _cast(self, rows: Rows, table: pa.Table, name: str, type_name: str, refusals: Refusals) -> pa.Table:
        found = column_named(table, name)
        if found is None:
            return table
        index, field, values = found
        type_ = TYPES[type_name]
        cast = java_cast(values, type_, is_json=rows.value_schema is None)
        if self._has_wrong_default(rows.value_schema, field, type_):
            refuse_all(refusals, rows, f"{name}: its schema has a default that can't become {type_name}.")
        if cast is None:
            refusals.add(is_valid(values), f"{name} is {field.type}, which can't become {type_name}.")
            cast = pa.nulls(len(values), type_)
        elif cast.null_count > values.null_count:
            refusals.add(is_valid(values) & ~is_valid(cast), f"{name}: a text that can't become {type_name}.")
        return table.set_column(index, field.with_type(type_), cast)

    def _has_wrong_default(self, schema: ConnectSchema | None, field: pa.Field, type_: pa.DataType) -> bool:
        """Return whether Java throws because of a field's default, which Java casts together with the schema."""
        of_field = schema.row_schema.field_schemas.get(field.name) if schema is not None else None
        if of_field is None or of_field.default is None or not of_field.arrow_type.equals(field.type):
            return False
        cast = java_cast(pa.array([of_field.default], field.type), type_, is_json=False)
        return cast is None or bool(cast.null_count)


def java_cast(values: pa.Array, type_: pa.DataType, *, is_json: bool) -> pa.Array | None:
    """Cast values as Java does. Texts that are not numbers become null. Returns None if Java refuses all values.

    Args:
        values: values of any type.
        type_: one of `TYPES`.
        is_json: whether the values came without a schema, so that a float without a fraction is an integer.
    """
    given = values.type
    if pa.types.is_null(given):
        return pa.nulls(len(values), type_)
    if pa.types.is_nested(given) or (is_bytes(given) and not is_text(type_)):
        return None
    if is_text(type_):
        return _texts(values, is_json)
    if pa.types.is_boolean(type_):
        return to_booleans(values)
    if pa.types.is_integer(type_):
        return to_integers(values, type_, whole_wrap=is_json and pa.types.is_float64(given))
    return to_floats(values, type_)


def _texts(values: pa.Array, is_json: bool) -> pa.Array:
    given = values.type
    if is_bytes(given):
        return base64_texts(values)
    if pa.types.is_floating(given):
        return float_texts(values, whole_as_integers=is_json and pa.types.is_float64(given))
    if pa.types.is_temporal(given):
        return time_texts(values)
    return pc.cast(values, pa.string())
