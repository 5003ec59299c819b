"""Filter: rows that are not written."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.acero as acero
import pyarrow.compute as pc

from kafka2parquet.arrays import one_array
from kafka2parquet.errors import UsageError
from kafka2parquet.rows import Rows
from kafka2parquet.schema.field_paths import Parts, resolve
from kafka2parquet.transforms.base import Transform, Transformed, name_of
from kafka2parquet.transforms.paths import struct_array
from kafka2parquet.transforms.properties import TransformProperties

#: How Arrow names a field that an expression needs and a table lacks.
_NO_MATCH = re.compile(r"No match for (?P<fields>FieldRef\.\w+\(.*?\)+) in ")
_NAME = re.compile(r"FieldRef\.Name\((.*?)\)")
#: Types of columns that are all null, until one is found that the expression can be computed with.
_TYPES = (pa.null(), pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.timestamp("us", "UTC"))
_MAX_MISSING = 4

#: From a table to one boolean for each of its rows.
Condition = Callable[[pa.Table], pa.Array | pa.ChunkedArray]


class Filter(Transform):
    """Writes only the rows for which a condition is true. The others are no rejects: nothing is told of them."""

    def __init__(self, condition: pc.Expression | Condition, name: str | None = None) -> None:
        """Choose the rows to write.

        Args:
            condition: an expression over columns, such as `pc.field("country") == "FR"` or `pc.field("user", "age") >= 18`, or
                a function from a table to one boolean for each of its rows. Columns that rows lack are null in an expression.
                Rows for which the condition is null are left out.
            name: stands for a function in the configuration fingerprint: change it when it chooses other rows. By default the
                function's own name.
        """
        self._condition = condition
        if name is None:
            name = str(condition) if isinstance(condition, pc.Expression) else name_of(condition)
        self._name = name

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Filter:
        """Properties: `field`, `values` and `keep`; see `value_in`."""
        given = TransformProperties(properties, "Filter", "field", "values", "keep")
        field, values, keep = given.required("field"), given.items("values"), given.flag("keep", default=True)
        return cls(value_in(field, values, keep=keep), f"{field} {'in' if keep else 'not in'} {values}")

    @property
    def fingerprint(self) -> str:
        """Names the condition."""
        return f"filter-{self._name}"

    def apply(self, rows: Rows) -> Transformed:
        """Leave out the rows for which the condition isn't true."""
        condition = self._condition
        mask = _evaluated(condition, rows.table) if isinstance(condition, pc.Expression) else condition(rows.table)
        if isinstance(mask, pa.ChunkedArray):
            mask = one_array(mask)
        if not isinstance(mask, pa.Array) or not pa.types.is_boolean(mask.type) or len(mask) != len(rows):
            raise UsageError(f"The condition of Filter ({self._name}) has to give one boolean for each of {len(rows)} rows.")
        mask = mask.fill_null(False)
        return Transformed(rows if np.all(mask.to_numpy(zero_copy_only=False)) else rows.filter(mask))


def value_in(field: str, values: Sequence[str], *, keep: bool = True) -> Condition:
    """A condition: whether the value of a field, as text, is one of `values`; or, without `keep`, whether it isn't.

    A null, or a field that is missing, is none of them.

    Args:
        field: its dotted path.
        values: texts; booleans are `true` and `false`.
        keep: whether those rows are kept, or the others.
    """

    def condition(table: pa.Table) -> pa.Array | pa.ChunkedArray:
        parts = resolve(table.schema, field)
        if parts is None:
            return pa.array(np.full(table.num_rows, not keep))
        column = table.column(parts[0])
        for part in parts[1:]:
            column = pc.struct_field(column, part)
        found = pc.is_in(column.cast(pa.string()), pa.array(values, pa.string()))
        return found if keep else pc.invert(found)

    return condition


def _evaluated(condition: pc.Expression, table: pa.Table) -> pa.ChunkedArray:
    """The condition for each row; columns that are missing are null."""
    missing: list[Parts] = []
    while True:
        try:
            return _with_missing(condition, table, missing)
        except pa.ArrowInvalid as error:
            match = _NO_MATCH.search(str(error))
            parts = tuple(_NAME.findall(match["fields"])) if match is not None else ()
            if not parts or parts in missing or len(missing) == _MAX_MISSING:
                raise UsageError(f"The condition of Filter ({condition}) can't be computed: {error}.") from error
            missing.append(parts)


def _with_missing(condition: pc.Expression, table: pa.Table, missing: Sequence[Parts]) -> pa.ChunkedArray:
    """The condition, with nulls in the place of what is missing; their type is one that the condition takes."""
    error: Exception | None = None
    for types in itertools.product(_TYPES, repeat=len(missing)):
        completed = table
        for parts, type_ in zip(missing, types, strict=True):
            completed = _with_nulls(completed, parts, type_)
        try:
            return _projected(condition, completed)
        except (TypeError, NotImplementedError) as unfit:
            error = error if error is not None else unfit
    raise UsageError(f"The condition of Filter ({condition}) doesn't fit the columns: {error}.") from error


def _projected(condition: pc.Expression, table: pa.Table) -> pa.ChunkedArray:
    source = acero.Declaration("table_source", acero.TableSourceNodeOptions(table))
    project = acero.Declaration("project", acero.ProjectNodeOptions([condition], ["condition"]))
    return acero.Declaration.from_sequence([source, project]).to_table(use_threads=False).column(0)


def _with_nulls(table: pa.Table, parts: Parts, type_: pa.DataType) -> pa.Table:
    """The table with nulls at `parts`, where it has nothing."""
    index = table.schema.get_field_index(parts[0])
    if index < 0:
        return table.append_column(parts[0], pa.nulls(table.num_rows, _around(type_, parts[1:])))
    completed = pa.chunked_array([_completed(chunk, parts[1:], type_) for chunk in table.column(index).chunks])
    return table.set_column(index, parts[0], completed)


def _completed(array: pa.Array, parts: Parts, type_: pa.DataType) -> pa.Array:
    if not parts or not pa.types.is_struct(array.type):
        return array  # the expression will say what is wrong with it
    fields = list(array.type)
    children = [array.field(index) for index in range(len(fields))]
    index = array.type.get_field_index(parts[0])
    if index < 0:
        fields.append(pa.field(parts[0], _around(type_, parts[1:])))
        children.append(pa.nulls(len(array), fields[-1].type))
    else:
        children[index] = _completed(children[index], parts[1:], type_)
        fields[index] = fields[index].with_type(children[index].type)
    return struct_array(array, children, fields)


def _around(type_: pa.DataType, parts: Parts) -> pa.DataType:
    for part in reversed(parts):
        type_ = pa.struct([(part, type_)])
    return type_
