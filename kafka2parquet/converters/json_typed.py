"""JSON objects with a schema of Kafka Connect's to columns of exactly its types, a whole batch at a time.

pyarrow parses them to the types that JSON has; what these stand for (smaller integers, days, milliseconds, base64) is made of
them here. What this refuses, or can't read (maps, unions), goes one by one through `connect_json`, which makes the same of
every value that is accepted here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.arrays import ARROW_DATA_ERRORS, one_array, validity_bitmap
from kafka2parquet.converters.base64_column import decode_base64
from kafka2parquet.converters.decimals import decimal_column
from kafka2parquet.converters.json_columns import ValuesRefused, parse_objects
from kafka2parquet.converters.json_numbers import rounds_integers
from kafka2parquet.converters.payload_decoder import PayloadsRefused
from kafka2parquet.schema.connect_schema import DATE, DAY_MS, DECIMAL, INTEGERS, TIME, TIMESTAMP, ConnectSchema
from kafka2parquet.schema.json_schema import OneOfSchema

_PARSED_AS = {
    "boolean": pa.bool_(),
    "string": pa.string(),
    "bytes": pa.string(),
    "float": pa.float64(),
    "double": pa.float64(),
    **dict.fromkeys(INTEGERS, pa.int64()),
}

_Bools = npt.NDArray[np.bool_]


class RowsRefused(PayloadsRefused):
    """Some rows don't fit, all for the same reason.

    Attributes:
        rows: their indices.
    """

    def __init__(self, reason: str, rows: npt.NDArray[np.int64]) -> None:
        super().__init__(reason)
        self.rows = rows


class TypedJsonColumns:
    """Decodes objects of one schema.

    Attributes:
        schema: the schema.
        parsed: its columns as they are parsed, before they have their types.
        null_is_default: whether a null, or a missing member, is the default of its field.
    """

    def __init__(self, schema: ConnectSchema, *, null_is_default: bool = True) -> None:
        """Make a decoder.

        Args:
            schema: of the objects; `is_typed_json` it must be.
            null_is_default: whether a null, or a missing member, is the default of its field.
        """
        self.schema = schema
        self.null_is_default = null_is_default
        self.parsed = pa.schema([(field.name, _parsed_type(field.schema)) for field in schema.fields])

    def decode(self, payloads: pa.Array) -> pa.Array:
        """An array of the schema's type with one value for each payload (binary_view without nulls, at least one).

        Raises:
            PayloadsRefused: some payload doesn't fit. Which one isn't said.
        """
        try:
            table = parse_objects(payloads, self.parsed, ignore_unknown=True, looks_at_integers=False)
        except ValuesRefused as error:
            raise PayloadsRefused(str(error), error.row) from None
        return self.typed(table, lambda: payloads)

    def typed(self, table: pa.Table, payloads: Callable[[], pa.Array]) -> pa.Array:
        """An array of the schema's type with one value for each row.

        Args:
            table: `parsed` columns.
            payloads: gives the objects that it was parsed from.

        Raises:
            PayloadsRefused: some row doesn't fit.
        """
        try:
            columns = [one_array(column) for column in table.columns]
            made = self._struct(columns, self.schema, table.num_rows, None)
            if rounds_integers(payloads, pa.Table.from_arrays(made.flatten(), schema=pa.schema(list(made.type)))):
                raise PayloadsRefused("an integer that its float type doesn't have")
            return made
        except (ValueError, *ARROW_DATA_ERRORS) as error:
            raise PayloadsRefused(str(error)) from None

    def _struct(self, columns: list[pa.Array], schema: ConnectSchema, count: int, valid: _Bools | None) -> pa.Array:
        made = [self._column(column, field.schema, valid) for column, field in zip(columns, schema.fields, strict=True)]
        return pa.Array.from_buffers(schema.arrow_type, count, [validity_bitmap(valid)], children=made)

    def _column(self, array: pa.Array, schema: ConnectSchema, alive: _Bools | None) -> pa.Array:
        """The array as one of the schema's type.

        Args:
            array: as parsed.
            schema: what it is.
            alive: which of the values count: those in structs that are there. All, by default.
        """
        valid = array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None
        column = self._typed(array, schema, valid)
        if valid is None:
            return column
        absent = ~valid if alive is None else ~valid & alive
        if schema.default is not None and self.null_is_default:
            return _filled(column, absent, schema.default)
        if not schema.optional and absent.any():
            raise RowsRefused("a null where none may be", np.flatnonzero(absent))
        return column

    def _typed(self, array: pa.Array, schema: ConnectSchema, valid: _Bools | None) -> pa.Array:
        type_ = schema.arrow_type
        if schema.type == "struct":
            children = [array.field(i) for i in range(array.type.num_fields)]
            return self._struct(children, schema, len(array), valid)
        if schema.type == "array" and schema.values is not None:
            try:
                items = self._column(array.values, schema.values, None)
            except RowsRefused as refusal:
                raise RowsRefused(str(refusal), _lists_of(array, refusal.rows)) from None
            return pa.Array.from_buffers(type_, len(array), [validity_bitmap(valid), array.buffers()[1]], children=[items])
        if schema.type in INTEGERS:
            return _integers(array, schema)
        if schema.type == "bytes":
            content = decode_base64(array)
            if schema.name != DECIMAL:
                return content.cast(type_)
            numbers = decimal_column(content, schema, valid)
            return pa.Array.from_buffers(type_, len(numbers), [validity_bitmap(valid), *numbers.buffers()[1:]])
        return self._floats(array, schema) if schema.type in ("float", "double") else array.cast(type_)

    def _floats(self, array: pa.Array, schema: ConnectSchema) -> pa.Array:
        made = array.cast(schema.arrow_type, safe=False)  # to the nearest
        if schema.type == "float" and pc.all(pc.is_finite(made)).as_py() is False:
            too_large = pc.fill_null(pc.invert(pc.is_finite(made)), False)
            raise RowsRefused("a number too large for its type", _places(too_large))
        return made


def is_typed_json(schema: ConnectSchema) -> bool:
    """Whether batches of such objects can be decoded at once."""
    return schema.type == "struct" and _is_readable(schema)


def _is_readable(schema: ConnectSchema) -> bool:
    if isinstance(schema, OneOfSchema):
        return False
    if schema.type == "struct":
        return bool(schema.fields) and all(_is_readable(field.schema) for field in schema.fields)
    if schema.type == "array":
        return schema.values is not None and _is_readable(schema.values)
    return schema.type in _PARSED_AS


def _parsed_type(schema: ConnectSchema) -> pa.DataType:
    if schema.type == "struct":
        return pa.struct([(field.name, _parsed_type(field.schema)) for field in schema.fields])
    if schema.type == "array" and schema.values is not None:
        return pa.list_(_parsed_type(schema.values))
    return _PARSED_AS[schema.type]


def _integers(array: pa.Array, schema: ConnectSchema) -> pa.Array:
    if (schema.name, schema.type) == (TIMESTAMP, "int64"):
        return array.view(schema.arrow_type)
    if schema.name not in (DATE, TIME) or schema.type != "int32":
        return _within(array, schema.arrow_type)
    is_no_time = pc.or_(pc.less(array, 0), pc.greater_equal(array, DAY_MS))
    if schema.name == TIME and pc.any(is_no_time).as_py():
        raise RowsRefused("no time of a day", _places(is_no_time))
    return _within(array, pa.int32()).view(schema.arrow_type)


def _within(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """The 64-bit integers as a type of as many bits or fewer."""
    try:
        return array.cast(type_)
    except pa.ArrowInvalid as error:
        most = 1 << (type_.bit_width - 1)
        outside = pc.or_(pc.less(array, -most), pc.greater_equal(array, most))
        raise RowsRefused(str(error), _places(outside)) from None


def _places(found: pa.Array) -> npt.NDArray[np.int64]:
    """The indices of what is true."""
    places: npt.NDArray[np.int64] = np.flatnonzero(pc.fill_null(found, False).to_numpy(zero_copy_only=False))
    return places


def _lists_of(array: pa.ListArray, items: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The indices of the lists that these items stand in."""
    offsets = array.offsets.to_numpy()
    return np.unique(np.searchsorted(offsets, items, "right") - 1)


def _filled(column: pa.Array, absent: _Bools, default: object) -> pa.Array:
    """The column with the default where it is absent."""
    indices = np.where(absent, len(column), np.arange(len(column)))
    return pa.concat_arrays([column, pa.array([default], column.type)]).take(pa.array(indices))
