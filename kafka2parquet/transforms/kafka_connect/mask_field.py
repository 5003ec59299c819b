"""MaskField, as Apache Kafka defines it: replaces values with a blank of their type, or with one replacement."""

from __future__ import annotations

import decimal
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.rows import Rows
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.transforms.columns.values import is_text
from kafka2parquet.transforms.kafka_connect.base import JavaTransform, column_named, is_valid
from kafka2parquet.transforms.kafka_connect.numbers import is_whole
from kafka2parquet.transforms.kafka_connect.properties import JavaProperties

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
#: An integer with this many zeros at its end has 64 zeros at its end in binary.
_MOST_ZEROS = 64


class JavaMaskField(JavaTransform):
    """Replaces the values of columns with a blank, such as 0, "" or false, or with one replacement. A null stays null.

    A value that Java can't mask is rejected, so it is never written unmasked.
    """

    name = "MaskField"

    def __init__(self, fields: Sequence[str], *, replacement: str | None = None, nulls_are_defaults: bool = True) -> None:
        """Choose the columns.

        Args:
            fields: names of the columns.
            replacement: a text, which is parsed in columns of numbers; None for blanks.
            nulls_are_defaults: see `JavaTransform`.

        Raises:
            ConfigurationError: the columns are missing, or the replacement is empty.
        """
        super().__init__(nulls_are_defaults=nulls_are_defaults)
        if not fields:
            raise ConfigurationError(Problem("fields", "fields: name at least one field."))
        if replacement == "":
            raise ConfigurationError(Problem("replacement", "replacement: it is empty. Leave it out for empty texts."))
        self._fields = tuple(dict.fromkeys(fields))
        self._replacement = replacement
        is_number = replacement is not None and _NUMBER.fullmatch(replacement)
        self._number = decimal.Decimal(replacement) if is_number and replacement is not None else None

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> JavaMaskField:
        """Read the properties `fields`, `replacement`, `replace.null.with.default`."""
        given = JavaProperties(properties, cls.name)
        given.required("fields")
        return cls(given.items("fields"), replacement=given.text("replacement"), nulls_are_defaults=given.nulls_are_defaults)

    @property
    def settings(self) -> str:
        """Columns and replacement, as text."""
        return f"{sorted(self._fields)}-{self._replacement!r}"

    def change(self, rows: Rows, refusals: Refusals) -> pa.Table:
        """Return the table with masked values."""
        table = rows.table
        for name in self._fields:
            found = column_named(table, name)
            if found is None or pa.types.is_null(found[1].type):
                continue
            index, field, values = found
            masked = self._masked(values, is_json=rows.value_schema is None)
            if masked is None:
                what = "" if self._replacement is None else " by the replacement"
                refusals.add(is_valid(values), f"{name} is {field.type}, which MaskField can't mask{what}.")
                masked = values
            table = table.set_column(index, field, masked)
        return table

    def _masked(self, values: pa.Array, *, is_json: bool) -> pa.Array | None:
        """Return the masked values; None if Java refuses all values."""
        type_ = values.type
        constant = self._blank(type_, is_json) if self._replacement is None else self._replaced(type_)
        if constant is None:
            return None
        indices = np.where(is_valid(values), 0, 1)
        choice = pa.array([constant, None], type_)
        if self._number is not None and is_json and pa.types.is_float64(type_):
            choice = pa.array([constant, None, float(_wrapped(self._number, 64))], type_)
            indices = np.where(is_valid(values) & is_whole(values), 2, indices)  # these are integers in Connect
        return choice.take(pa.array(indices))

    def _blank(self, type_: pa.DataType, is_json: bool) -> object:
        if is_text(type_):
            return ""
        if pa.types.is_boolean(type_):
            return False
        if pa.types.is_struct(type_):
            return {} if is_json else None
        if pa.types.is_nested(type_):
            return []
        if pa.types.is_temporal(type_):
            return pa.scalar(0, pa.int32() if type_.bit_width == 32 else pa.int64()).cast(type_)
        if pa.types.is_decimal(type_):
            return decimal.Decimal(0)
        return 0 if pa.types.is_integer(type_) or pa.types.is_floating(type_) else None

    def _replaced(self, type_: pa.DataType) -> object:
        if is_text(type_):
            return self._replacement
        if self._number is None:
            return None
        if pa.types.is_floating(type_):
            return float(self._number)
        if pa.types.is_decimal(type_):
            return _fitting(self._number, type_)
        return _wrapped(self._number, type_.bit_width) if pa.types.is_integer(type_) else None


def _wrapped(number: decimal.Decimal, bits: int) -> int:
    """Return the lowest bits of the integer part."""
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= _MOST_ZEROS:
        return 0
    cut = int(number) if number.adjusted() >= 0 else 0
    return (cut + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def _fitting(number: decimal.Decimal, type_: pa.DataType) -> decimal.Decimal | None:
    """Return the number if all of its digits fit into the type; otherwise None."""
    _, digits, exponent = number.normalize(decimal.Context(prec=decimal.MAX_PREC)).as_tuple()
    if not isinstance(exponent, int) or not any(digits):
        return decimal.Decimal(0)
    fits = -exponent <= type_.scale and len(digits) + exponent + type_.scale <= type_.precision
    return number if fits else None
