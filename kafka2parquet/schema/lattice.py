"""The lattice of types along which schemas grow, and the conversion of tables to a grown schema.

Two types are joined as follows; any other pair is a conflict:

    unknown ⊔ T         = T             unknown (Arrow's null): only nulls were seen
    T ⊔ T               = T
    int ⊔ wider int     = wider int     of 8, 16, 32 and 64 bits, as in int32 ⊔ int64 = int64
    float32 ⊔ float64   = float64
    int ⊔ float         = float64       of any widths
    exact ⊔ int64       = exact         int64 with integers that a double doesn't hold (`exact_field`); no join with floats
    list<T> ⊔ list<U>   = list<T ⊔ U>
    map<K, T> ⊔ map<K, U> = map<K, T ⊔ U>
    struct ⊔ struct     = union of the fields; new ones at the end, each field joined
    any ⊔ T             = any           arbitrary JSON, as text (`any_field`)

If conflicts become `any`, any other pair is joined to `any`, so that every two schemas have a join.

The join is commutative (except for the order of fields), associative and idempotent. So the schema of a topic depends on the
set of its records, not on their batches. Only types that have values are ever written: unknown columns, empty structs and lists
of these are left out until more is known (`known_fields`), because query engines reject or misread them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.schema.field_paths import join_path
from kafka2parquet.schema.required_fields import nulls
from kafka2parquet.util.arrays import null_mask
from kafka2parquet.util.iso_times import times_of_texts

#: Marks a text column that keeps text as it is, and holds other values as JSON text.
_ANY = {b"kafka2parquet.type": b"any"}
#: Marks a column of 64-bit integers that a double doesn't hold exactly.
_EXACT = {b"kafka2parquet.integers": b"exact"}
#: Each type holds the values of the types before it.
_INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.int64())
_FLOATS = (pa.float32(), pa.float64())
#: Matches the text of each type that is partly unknown. Searching the text costs less than asking for each field.
_UNKNOWN = re.compile("null|struct<>")


class SchemaConflict(Kafka2ParquetError):  # noqa: N818  # the lattice's word for it
    """Two types have no join.

    Attributes:
        path: the field, such as `user.age`; `[]` stands for the elements of a list.
        left: the field's type on one side.
        right: the field's type on the other side.
    """

    def __init__(self, path: str, left: pa.DataType, right: pa.DataType) -> None:
        self.path = path
        self.left = left
        self.right = right
        super().__init__(f"{path}: {left} and {right}")


def any_field(name: str) -> pa.Field:
    """Make a field for arbitrary JSON: text stays as it is, null stays null, and anything else becomes JSON text."""
    return pa.field(name, pa.string(), metadata=_ANY)


def is_any(field: pa.Field) -> bool:
    """Whether a field was made by `any_field`."""
    return field.metadata is not None and _ANY.items() <= field.metadata.items()


def exact_field(name: str) -> pa.Field:
    """Make a field for 64-bit integers that never become doubles, because a double doesn't hold all values that were seen."""
    return pa.field(name, pa.int64(), metadata=_EXACT)


def is_exact_field(field: pa.Field) -> bool:
    """Whether a field was made by `exact_field`."""
    return field.metadata is not None and _EXACT.items() <= field.metadata.items()


def exact_fields(fields: Iterable[pa.Field]) -> list[pa.Field]:
    """Mark all 64-bit integers, at any depth, as exact, because it isn't known whether a double holds their values."""
    return [_exact(field) for field in fields]


def _exact(field: pa.Field) -> pa.Field:
    type_ = field.type
    if pa.types.is_int64(type_):
        return exact_field(field.name).with_nullable(field.nullable)
    if not pa.types.is_nested(type_):
        return field
    if pa.types.is_struct(type_):
        return field.with_type(pa.struct(exact_fields(type_)))
    if pa.types.is_list(type_):
        return field.with_type(pa.list_(_exact(type_.value_field)))
    return field.with_type(pa.map_(type_.key_field, _exact(type_.item_field))) if pa.types.is_map(type_) else field


def merge(left: pa.DataType, right: pa.DataType, path: str = "", *, conflicts_become_any: bool = False) -> pa.DataType:
    """Return the join of two types.

    Args:
        left: one type; its fields come first.
        right: another type.
        path: the path of the field, for messages.
        conflicts_become_any: whether inner fields without a join become `any`.

    Raises:
        SchemaConflict: the types have no join.
    """
    if left.equals(right, check_metadata=True) or pa.types.is_null(right):
        return left
    if pa.types.is_null(left):
        return right
    if pa.types.is_struct(left) and pa.types.is_struct(right):
        if _extends(left, right):
            return right
        return pa.struct(_merge_fields(list(left), list(right), path, conflicts_become_any))
    if pa.types.is_list(left) and pa.types.is_list(right):
        element = merge_field(left.value_field, right.value_field, f"{path}[]", conflicts_become_any=conflicts_become_any)
        return pa.list_(element)
    if pa.types.is_map(left) and pa.types.is_map(right) and left.key_type.equals(right.key_type):
        item = merge_field(left.item_field, right.item_field, f"{path}[]", conflicts_become_any=conflicts_become_any)
        return pa.map_(left.key_field, item.with_nullable(left.item_field.nullable or right.item_field.nullable))
    number = _number_that_holds(left, right)
    if number is not None:
        return number
    if left.equals(right):  # only the metadata of nested fields differs
        return left
    raise SchemaConflict(path, left, right)


def _number_that_holds(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Return the type that holds the numbers of both types; None if one of them is not a type of numbers."""
    for widths in (_INTEGERS, _FLOATS):
        if left in widths and right in widths:
            return widths[max(widths.index(left), widths.index(right))]
    both = {*_INTEGERS, *_FLOATS}
    return pa.float64() if left in both and right in both else None


def merge_schemas(left: pa.Schema, right: pa.Schema, *, conflicts_become_any: bool = False) -> pa.Schema:
    """Return the join of two schemas, including unknown columns.

    Raises:
        SchemaConflict: two columns of the same name have no join.
    """
    if left.equals(right, check_metadata=True):
        return left
    return pa.schema(_merge_fields(list(left), list(right), "", conflicts_become_any), metadata=left.metadata)


def _merge_fields(left: Sequence[pa.Field], right: Sequence[pa.Field], path: str, to_any: bool) -> list[pa.Field]:
    others = {field.name: field for field in right}
    merged = []
    for field in left:
        other = others.pop(field.name, None)
        if other is None:
            merged.append(_nullable(field))
        elif other.equals(field, check_metadata=True):
            merged.append(field)
        else:
            joined = merge_field(field, other, join_path(path, field.name), conflicts_become_any=to_any)
            merged.append(joined.with_nullable(field.nullable or other.nullable))
    return merged + [_nullable(field) for field in others.values()]


def _extends(left: pa.StructType, right: pa.StructType) -> bool:
    """Whether `right` is the join, because it begins with the fields of `left` and all its other fields are nullable."""
    if left.num_fields > right.num_fields:
        return False
    fields = [right.field(index) for index in range(right.num_fields)]
    common = left.num_fields
    return pa.struct(fields[:common]).equals(left, check_metadata=True) and all(field.nullable for field in fields[common:])


def _nullable(field: pa.Field) -> pa.Field:
    return field if field.nullable else field.with_nullable(True)


def merge_field(left: pa.Field, right: pa.Field, path: str, *, conflicts_become_any: bool = False) -> pa.Field:
    """Return a field with the name of `left` and the join of both types.

    Raises:
        SchemaConflict: the types have no join.
    """
    if is_any(left) or is_any(right):
        return any_field(left.name)
    try:
        type_ = merge(left.type, right.type, path, conflicts_become_any=conflicts_become_any)
        if not is_exact_field(left) and not is_exact_field(right):
            return left.with_type(type_)
        if not pa.types.is_integer(type_):
            raise SchemaConflict(path, left.type, right.type)
        return exact_field(left.name)
    except SchemaConflict:
        if not conflicts_become_any:
            raise
        return any_field(left.name)


def known_fields(fields: Iterable[pa.Field]) -> list[pa.Field]:
    """Return the fields that can be written, without fields that have had no value yet."""
    known = ((field, _known_type(field.type)) for field in fields)
    return [field if type_.equals(field.type) else field.with_type(type_) for field, type_ in known if type_ is not None]


def _known_type(type_: pa.DataType) -> pa.DataType | None:
    if pa.types.is_null(type_):
        return None
    if not pa.types.is_nested(type_) or _UNKNOWN.search(str(type_)) is None:
        return type_
    if pa.types.is_struct(type_):
        fields = known_fields(type_)
        return pa.struct(fields) if fields else None
    if pa.types.is_list(type_):
        element = _known_type(type_.value_type)
        return pa.list_(type_.value_field.with_type(element)) if element is not None else None
    return type_


def unify(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Return a schema, without unknown columns, to which `conform` can bring tables of all these schemas.

    Raises:
        SchemaConflict: two columns of the same name have no join.
    """
    united = schemas[0] if schemas else pa.schema([])
    for schema in schemas[1:]:
        united = merge_schemas(united, schema)
    fields = known_fields(united)
    return united if fields == list(united) else pa.schema(fields, metadata=united.metadata)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Convert a table to another schema: columns are matched by name and cast, missing columns are null, others are left out.

    The fields of structs are treated in the same way, at any depth. Integers become the nearest double; the caller has to make
    sure that the double is the same number. Where text is expected, objects and lists become JSON text without their null
    members. Where timestamps are expected, texts are read by `times_of_texts`.

    Raises:
        pyarrow.ArrowInvalid: a value can't be cast without loss.
    """
    if table.schema.equals(schema, check_metadata=True):
        return table
    if not len(schema):
        return table.select([])
    columns = []
    before = table.schema
    absent = _Absent(table.num_rows)
    for field in schema:
        index = before.get_field_index(field.name)
        if index < 0:
            columns.append(absent.of(field.type))
        elif before.field(index).type.equals(field.type, check_metadata=True):
            columns.append(table.column(index))
        else:
            chunks = [_conform_array(chunk, field.type) for chunk in table.column(index).chunks]
            columns.append(pa.chunked_array(chunks, field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _conform_array(array: pa.Array, type_: pa.DataType) -> pa.Array:
    if array.type.equals(type_, check_metadata=True):
        return array
    if pa.types.is_null(array.type):
        return nulls(len(array), type_)
    if pa.types.is_struct(array.type) and pa.types.is_struct(type_):
        absent, before, children = _Absent(len(array)), array.type, []
        for field in type_:
            index = before.get_field_index(field.name)
            children.append(absent.of(field.type) if index < 0 else _conform_array(array.field(index), field.type))
        return pa.StructArray.from_arrays(children, fields=list(type_), mask=null_mask(array))
    if pa.types.is_list(array.type) and pa.types.is_list(type_):
        first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
        if pa.types.is_null(array.type.value_type):  # pyarrow.json makes the values too short: apache/arrow#51305
            values = nulls(last - first, type_.value_type)
        else:
            values = _conform_array(array.values.slice(first, last - first), type_.value_type)
        # pyarrow's from_arrays accepts a mask only with offsets that are not a slice; until it does, subtract makes new ones
        return pa.ListArray.from_arrays(pc.subtract(array.offsets, first), values, type=type_, mask=null_mask(array))
    if pa.types.is_map(array.type) and pa.types.is_map(type_):
        first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
        items = _conform_array(array.items.slice(first, last - first), type_.item_type)
        offsets = pc.subtract(array.offsets, first)
        return pa.MapArray.from_arrays(offsets, array.keys.slice(first, last - first), items, type=type_, mask=null_mask(array))
    if pa.types.is_string(type_) and pa.types.is_nested(array.type):
        return pa.array([None if value is None else _json_text(value) for value in array.to_pylist()], type_)
    if pa.types.is_timestamp(type_) and (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return _times(array, type_)
    # A safe cast would refuse integers that a double can't hold.
    return array.cast(type_, safe=not (pa.types.is_integer(array.type) and pa.types.is_floating(type_)))


def _times(texts: pa.Array, type_: pa.TimestampType) -> pa.Array:
    times = times_of_texts(texts, type_.unit)
    if times.null_count > texts.null_count:
        raise pa.ArrowInvalid(f"a text that is not a {type_}")
    return times.cast(pa.int64()).cast(type_)


class _Absent:
    """Columns of nulls, made once for each type."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._made: dict[int, pa.Array] = {}

    def of(self, type_: pa.DataType) -> pa.Array:
        made = self._made.get(type_.id)
        if made is None or made.type != type_:
            made = self._made[type_.id] = nulls(self._rows, type_)
        return made


def _json_text(value: Any) -> str:
    return json.dumps(_without_nulls(value), ensure_ascii=False, separators=(",", ":"), default=str)


def _without_nulls(value: Any) -> Any:
    """Remove null members, at any depth. A struct has the members of all rows, so a null member was probably missing here."""
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
