"""Filter: writes only the rows for which a condition holds."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.acero as acero
import pyarrow.compute as pc

from kafka2parquet.errors import UsageError
from kafka2parquet.rows import Rows
from kafka2parquet.schema.field_paths import FieldPath, Parts, resolve
from kafka2parquet.transforms.base import MAX_REASON, Transform, Transformed, name_of
from kafka2parquet.transforms.columns.paths import change_column, column_at, struct_array
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.transforms.columns.values import TypeRefused, is_bytes, texts_of
from kafka2parquet.transforms.properties import TransformProperties
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.util.arrays import one_array
from kafka2parquet.util.bisection import bisect_failures
from kafka2parquet.util.cache import BoundedCache
from kafka2parquet.util.display import counted

#: Arrow's message for a field that an expression needs and a table lacks. Can go once Arrow reports the field in another way.
_NO_MATCH = re.compile(r"No match for (?P<fields>FieldRef\.\w+\(.*?\)+) in ")
_NAME = re.compile(r"FieldRef\.Name\((.*?)\)")
#: Types to try for a missing column of nulls, until the expression can be computed with one of them.
_TYPES = (pa.null(), pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.timestamp("us", "UTC"))
_MAX_MISSING = 4

#: A function from a table to one boolean for each row.
Condition = Callable[[pa.Table], pa.Array | pa.ChunkedArray]


@checked
class Filter(Transform):
    """Writes only the rows for which a condition is true. Other rows are dropped silently, not rejected.

    A row is rejected if the condition can't be computed with the types of its values.
    """

    def __init__(self, condition: pc.Expression | Condition, name: Name | None = None) -> None:
        """Choose the rows to write.

        Args:
            condition: an expression over columns, such as `pc.field("country") == "FR"` or `pc.field("user", "age") >= 18`, or
                a function from a table to one boolean for each row. In an expression, missing columns are null. Rows for which
                the condition is null are dropped.
            name: identifies a function in the configuration fingerprint. Change the name if the function selects other rows.
                By default the function's own name.
        """
        self._condition = condition
        if name is None:
            name = str(condition) if isinstance(condition, pc.Expression) else name_of(condition)
        self._name = name
        self._culprits: BoundedCache[pa.Schema, tuple[Parts, ...]] = BoundedCache()

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Filter:
        """Read the properties `field`, `values` and `keep`; see `value_in`."""
        given = TransformProperties(properties, "Filter", "field", "values", "keep")
        field, values, keep = given.required("field"), given.items("values"), given.flag("keep", default=True)
        return cls(value_in(field, values, keep=keep), f"{field} {'in' if keep else 'not in'} {values}")

    @property
    def fingerprint(self) -> str:
        """Text that identifies the condition."""
        return f"filter-{self._name}"

    def apply(self, rows: Rows) -> Transformed:
        """Drop the rows for which the condition isn't true."""
        refusals = Refusals(len(rows))
        mask = self._mask(rows.table, refusals)
        chosen = mask.fill_null(False).to_numpy(zero_copy_only=False) & refusals.kept
        return Transformed(rows if np.all(chosen) else rows.filter(pa.array(chosen)), refusals.rejects(rows))

    def _mask(self, table: pa.Table, refusals: Refusals) -> pa.Array:
        """Return one boolean for each row, arbitrary for refused rows."""
        if isinstance(self._condition, ValueIn):
            return self._condition.among(table, refusals)
        try:
            return self._booleans(table)
        except TypeRefused as error:
            culprits = self._culprits.get_or_create(table.schema, functools.partial(self._without_what, table.slice(0, 0)))
            for parts in culprits:
                field, column = column_at(table, parts)
                reason = (
                    f"{'.'.join(parts)} is {field.type}, which the condition of Filter ({self._name}) can't be computed with."
                )
                refusals.add(one_array(column.is_valid()), reason)
            if culprits:
                return self._booleans(_without(table, culprits))
            refusals.add(
                np.ones(table.num_rows, np.bool_), f"The condition of Filter ({self._name}) can't be computed: {error}."
            )
        except ValueError:
            return self._by_halves(table, refusals)
        return pa.nulls(table.num_rows, pa.bool_())

    def _booleans(self, table: pa.Table) -> pa.Array:
        condition = self._condition
        mask = _evaluated(condition, table) if isinstance(condition, pc.Expression) else condition(table)
        if isinstance(mask, pa.ChunkedArray):
            mask = one_array(mask)
        if not isinstance(mask, pa.Array) or not pa.types.is_boolean(mask.type) or len(mask) != table.num_rows:
            rows = counted(table.num_rows, "row")
            raise UsageError(f"The condition of Filter ({self._name}) has to return one boolean for each of {rows}.")
        return mask

    def _by_halves(self, table: pa.Table, refusals: Refusals) -> pa.Array:
        """Compute the condition by bisection, and refuse the rows with values for which it can't be computed."""
        ranges = bisect_failures(table.num_rows, lambda start, length: self._booleans(table.slice(start, length)), ValueError)
        masks = []
        for start, length, outcome in ranges:
            if isinstance(outcome, ValueError):
                places = np.arange(table.num_rows)
                reason = f"The condition of Filter ({self._name}) can't be computed: {outcome}"
                refusals.add((start <= places) & (places < start + length), reason[:MAX_REASON])
            masks.append(pa.nulls(length, pa.bool_()) if isinstance(outcome, ValueError) else outcome)
        return pa.concat_arrays(masks)

    def _without_what(self, empty: pa.Table) -> tuple[Parts, ...]:
        """Return the fields that prevent the computation: a single one if that is enough, none if the cause is not a field."""
        named = [parts for parts in _all_parts(empty.schema, ()) if all(part in str(self._condition) for part in parts)]
        named.sort(key=len, reverse=True)
        for culprits in [*((parts,) for parts in named), tuple(named[:_MAX_MISSING])]:
            try:
                self._booleans(_without(empty, culprits))
            except (TypeRefused, ValueError):
                continue
            return culprits
        return ()


@checked
def value_in(field: FieldPath, values: Sequence[str], *, keep: bool = True) -> Condition:
    """Return a condition for `Filter`: whether a field's value, as text, is in `values`, or is not, without `keep`.

    A null or missing field is not in `values`. A whole number has the same text as an integer and as a float. A Filter rejects
    rows whose field is a list, a map or a struct, because these don't have a text.

    Args:
        field: dotted path of the field.
        values: the texts; booleans are `true` and `false`.
        keep: whether to keep rows with these values, or all other rows.
    """
    return ValueIn(field, tuple(values), keep)


@attrs.frozen
class ValueIn:
    """See `value_in`."""

    field: str
    values: tuple[str, ...]
    keep: bool

    def __call__(self, table: pa.Table) -> pa.Array:
        """Return a mask of the rows for which the condition holds."""
        return self.among(table, Refusals(table.num_rows))

    def among(self, table: pa.Table, refusals: Refusals) -> pa.Array:
        """Return a mask of the rows for which the condition holds, and refuse rows whose value doesn't have a text."""
        parts = resolve(table.schema, self.field)
        if parts is None:
            return pa.array(np.full(table.num_rows, not self.keep))
        field, column = column_at(table, parts)
        values = one_array(column)
        try:
            texts = values.cast(pa.binary()) if is_bytes(values.type) else texts_of(values)
        except TypeRefused:
            refusals.add(values.is_valid(), f"{self.field} is {field.type}, which Filter can't convert to text.")
            texts = pa.nulls(len(values), pa.string())
        found = pc.is_in(texts, pa.array(self.values, pa.string()).cast(texts.type))
        return found if self.keep else pc.invert(found)


def _all_parts(fields: Iterable[pa.Field], around: Parts) -> Iterator[Parts]:
    for field in fields:
        parts = (*around, field.name)
        yield parts
        if pa.types.is_struct(field.type):
            yield from _all_parts(field.type, parts)


def _without(table: pa.Table, fields: Iterable[Parts]) -> pa.Table:
    for parts in fields:
        if resolve(table.schema, ".".join(parts)) == parts:  # it may have been removed with its struct
            table = change_column(table, parts, lambda field, values: None)
    return table


def _evaluated(condition: pc.Expression, table: pa.Table) -> pa.ChunkedArray:
    """Compute the condition for each row, with nulls for missing columns.

    Raises:
        TypeRefused: the condition can't be computed with the types of the columns.
        pyarrow.ArrowInvalid: the condition can't be computed with a value.
    """
    missing: list[Parts] = []
    while True:
        try:
            return _with_missing(condition, table, missing)
        except pa.ArrowInvalid as error:
            match = _NO_MATCH.search(str(error))
            parts = tuple(_NAME.findall(match["fields"])) if match is not None else ()
            if not parts:
                raise
            if parts in missing or len(missing) == _MAX_MISSING:
                raise TypeRefused(str(error)) from error
            missing.append(parts)


def _with_missing(condition: pc.Expression, table: pa.Table, missing: Sequence[Parts]) -> pa.ChunkedArray:
    """Compute the condition with nulls for the missing fields, in a type with which it can be computed."""
    error: Exception | None = None
    for types in itertools.product(_TYPES, repeat=len(missing)):
        completed = table
        for parts, type_ in zip(missing, types, strict=True):
            completed = _with_nulls(completed, parts, type_)
        try:
            return _projected(condition, completed)
        except (TypeError, NotImplementedError) as unfit:
            error = error if error is not None else unfit
    raise TypeRefused(str(error)) from error


def _projected(condition: pc.Expression, table: pa.Table) -> pa.ChunkedArray:
    source = acero.Declaration("table_source", acero.TableSourceNodeOptions(table))
    project = acero.Declaration("project", acero.ProjectNodeOptions([condition], ["condition"]))
    computed = acero.Declaration.from_sequence([source, project]).to_table(use_threads=False).column(0)
    if not pa.types.is_boolean(computed.type):
        raise TypeError(f"it returns {computed.type}, not booleans")
    return computed


def _with_nulls(table: pa.Table, parts: Parts, type_: pa.DataType) -> pa.Table:
    """Add a field of nulls at `parts` to a table that lacks it."""
    index = table.schema.get_field_index(parts[0])
    if index < 0:
        return table.append_column(parts[0], pa.nulls(table.num_rows, _around(type_, parts[1:])))
    completed = pa.chunked_array([_completed(chunk, parts[1:], type_) for chunk in table.column(index).chunks])
    return table.set_column(index, parts[0], completed)


def _completed(array: pa.Array, parts: Parts, type_: pa.DataType) -> pa.Array:
    if not parts or not pa.types.is_struct(array.type):
        return array  # computing the expression will report the problem
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
