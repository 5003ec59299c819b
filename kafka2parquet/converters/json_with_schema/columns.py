"""Converts whole batches of JSON objects to columns with exactly the types of their Connect schema.

pyarrow parses the objects to JSON's own types. Here, the parsed values become what they represent: smaller integers, days,
milliseconds, or bytes in base64. Objects that are refused here, or whose schemas can't be read here (maps, unions), are
converted one by one by `values.py`, which gives the same result for every object that is accepted here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.base64_column import decode_base64
from kafka2parquet.converters.decimals import decimals_of
from kafka2parquet.converters.json.numbers import rounded_rows
from kafka2parquet.converters.json.parse_batch import ValuesRefused, parse_objects
from kafka2parquet.converters.json_with_schema.json_schema_plan import OneOfSchema
from kafka2parquet.converters.payload_decoder import PayloadsRefused, Suspicions, refusing_payloads
from kafka2parquet.schema.connect_schema import DATE, DAY_MS, DECIMAL, INTEGERS, TIME, TIMESTAMP, ConnectSchema
from kafka2parquet.util.arrays import one_array, validity_bitmap

_PARSED_AS = {
    "boolean": pa.bool_(),
    "string": pa.string(),
    "bytes": pa.string(),
    "float": pa.float64(),
    "double": pa.float64(),
    **dict.fromkeys(INTEGERS, pa.int64()),
}

_Bools = npt.NDArray[np.bool_]


class TypedJsonColumns:
    """Decodes objects of one schema.

    Attributes:
        schema: the schema.
        parsed: the columns as pyarrow parses them, before they get their types.
        null_is_default: whether a null or missing member is replaced by the default of its field.
    """

    def __init__(self, schema: ConnectSchema, *, null_is_default: bool = True) -> None:
        """Make a decoder.

        Args:
            schema: the schema of the objects, for which `is_typed_json` must be true.
            null_is_default: whether a null or missing member is replaced by the default of its field.
        """
        self.schema = schema
        self.null_is_default = null_is_default
        self.parsed = pa.schema([(field.name, _parsed_type(field.schema)) for field in schema.fields])

    def decode(self, payloads: pa.Array) -> pa.Array:
        """Decode payloads (binary_view without nulls, at least one) to an array of the schema's type.

        Raises:
            PayloadsRefused: some payload doesn't fit. If the parser accepts all payloads, the error has `suspects`.
        """
        try:
            table = parse_objects(payloads, self.parsed, ignore_unknown=True, looks_at_integers=False)
        except ValuesRefused as error:
            raise PayloadsRefused(str(error), error.row) from None
        return self.typed(table, lambda: payloads)

    def typed(self, table: pa.Table, payloads: Callable[[], pa.Array]) -> pa.Array:
        """Convert a parsed table to an array of the schema's type, with one value per row.

        Args:
            table: has the `parsed` columns.
            payloads: returns the objects that the table was parsed from.

        Raises:
            PayloadsRefused: some rows don't fit. `suspects` marks all of these, and `others` has the values of the other rows.
        """
        with refusing_payloads():
            suspicions = Suspicions(np.zeros(table.num_rows, np.bool_))
            columns = [one_array(column) for column in table.columns]
            made = self._struct(columns, self.schema, suspicions, table.num_rows, None)
            table = pa.Table.from_arrays(made.flatten(), schema=pa.schema(list(made.type)))
            suspicions.rows[[*rounded_rows(payloads, table)]] = True
            return suspicions.checked(made)

    def _struct(
        self, columns: list[pa.Array], schema: ConnectSchema, suspicions: Suspicions, count: int, valid: _Bools | None
    ) -> pa.Array:
        made = [
            self._column(column, field.schema, suspicions, valid) for column, field in zip(columns, schema.fields, strict=True)
        ]
        return pa.Array.from_buffers(schema.arrow_type, count, [validity_bitmap(valid)], children=made)

    def _column(self, array: pa.Array, schema: ConnectSchema, suspicions: Suspicions, alive: _Bools | None = None) -> pa.Array:
        """Convert a parsed array to the schema's type.

        Args:
            array: the parsed array.
            schema: the schema of the values.
            suspicions: collects the values that don't fit. In the returned array they may be anything.
            alive: which values count, because they are in structs that are not null. By default, all values count.
        """
        valid = array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None
        column = self._typed(array, schema, suspicions, valid)
        if valid is None:
            return column
        absent = ~valid if alive is None else ~valid & alive
        if schema.default is not None and self.null_is_default:
            return _filled(column, absent, schema.default)
        if not schema.optional:
            suspicions.add(absent)
        return column

    def _typed(self, array: pa.Array, schema: ConnectSchema, suspicions: Suspicions, valid: _Bools | None) -> pa.Array:
        type_ = schema.arrow_type
        if schema.type == "struct":
            children = [array.field(i) for i in range(array.type.num_fields)]
            return self._struct(children, schema, suspicions, len(array), valid)
        if schema.type == "array" and schema.values is not None:
            items = self._column(array.values, schema.values, suspicions.of_items(array.offsets.to_numpy()))
            return pa.Array.from_buffers(type_, len(array), [validity_bitmap(valid), array.buffers()[1]], children=[items])
        if schema.type in INTEGERS:
            return _integers(array, schema, suspicions)
        if schema.type == "bytes":
            content, is_base64 = decode_base64(array)
            suspicions.add(~is_base64)
            if schema.name != DECIMAL:
                return content.cast(type_)
            numbers, fits = decimals_of(content, schema, valid)
            suspicions.add(~fits)
            return pa.Array.from_buffers(type_, len(numbers), [validity_bitmap(valid), *numbers.buffers()[1:]])
        return _floats(array, schema, suspicions) if schema.type in ("float", "double") else array.cast(type_)


def is_typed_json(schema: ConnectSchema) -> bool:
    """Whether `TypedJsonColumns` can decode objects of the schema."""
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


def _floats(array: pa.Array, schema: ConnectSchema, suspicions: Suspicions) -> pa.Array:
    made = array.cast(schema.arrow_type, safe=False)  # rounds to the nearest float
    if schema.type == "float" and pc.all(pc.is_finite(made)).as_py() is False:
        suspicions.add(pc.fill_null(pc.invert(pc.is_finite(made)), False).to_numpy(zero_copy_only=False))
    return made


def _integers(array: pa.Array, schema: ConnectSchema, suspicions: Suspicions) -> pa.Array:
    if (schema.name, schema.type) == (TIMESTAMP, "int64"):
        return array.view(schema.arrow_type)
    if schema.name not in (DATE, TIME) or schema.type != "int32":
        return suspicions.integers(array, schema.arrow_type)
    if schema.name == TIME:
        is_no_time = pc.or_(pc.less(array, 0), pc.greater_equal(array, DAY_MS))
        suspicions.add(pc.fill_null(is_no_time, False).to_numpy(zero_copy_only=False))
    return suspicions.integers(array, pa.int32()).view(schema.arrow_type)


def _filled(column: pa.Array, absent: _Bools, default: object) -> pa.Array:
    """Put the default into the rows in which the column's member is absent."""
    indices = np.where(absent, len(column), np.arange(len(column)))
    return pa.concat_arrays([column, pa.array([default], column.type)]).take(pa.array(indices))
