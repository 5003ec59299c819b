"""Decodes whole batches of Avro values into columns, with pyruhvro.

pyruhvro gets a schema that describes the same bytes but leaves fewer decisions to pyruhvro (`wire_schema.py`): int is read as
long, because pyruhvro would cut off the higher bits, and names are made up. pyruhvro supports neither bytes nor fixed. So bytes
are declared as text, which pyruhvro doesn't validate, and a fixed is declared as a record of doubles, with a float at the end
if needed. The result is converted to the types of the schema here. (pyruhvro accepts one kind of damaged value: it reads a
block whose count is the smallest long as empty.) Schemas with a fixed of another size, or with maps as arrays of entries, are
left to `values.py`.

The conversions can go, each for its type, once pyruhvro decodes bytes, fixed and decimals, and checks the range of int.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.avro.node import AvroNode, Kind
from kafka2parquet.converters.avro.wire_schema import WireSchemas, day_limit, record
from kafka2parquet.converters.decimals import decimals_of, decimals_of_matrix
from kafka2parquet.converters.map_entries import keys_again
from kafka2parquet.converters.payload_decoder import PayloadsRefused, Suspicions, refusing_payloads
from kafka2parquet.schema.connect_schema import DECIMAL
from kafka2parquet.util.arrays import invalid_utf8, validity_bitmap

_FLOAT_BYTES, _DOUBLE_BYTES = 4, 8
_MAX_FIXED_BYTES = 256
#: Arrow numbers the types of a union with one signed byte.
_MAX_BRANCHES = 100
#: The texts of a batch have 32-bit offsets.
_MAX_BATCH_BYTES = 1 << 30

_Bools = npt.NDArray[np.bool_]


class ColumnDecoder:
    """Decodes payloads of one schema."""

    def __init__(self, node: AvroNode, *, null_becomes_default: bool) -> None:
        """Make a decoder.

        Args:
            node: the schema, for which `is_readable` must be true.
            null_becomes_default: whether a null is replaced by the default of its type, if there is one.

        Raises:
            ImportError: pyruhvro isn't installed.
        """
        from pyruhvro import deserialize_array

        self._deserialize = deserialize_array
        self._node = node
        self._null_becomes_default = null_becomes_default
        self._schema = json.dumps(WireSchemas(_wire_scalar).schema_of(node))

    def decode(self, payloads: pa.Array) -> pa.Array:
        """Decode payloads (binary_view without nulls) to an array of the schema's Arrow type.

        Raises:
            PayloadsRefused: at least one payload is malformed, or has to be decoded alone.
        """
        values = payloads.to_pylist()
        if payloads.get_total_buffer_size() > _MAX_BATCH_BYTES and sum(map(len, values)) > _MAX_BATCH_BYTES:
            raise PayloadsRefused("too many bytes")
        with refusing_payloads():
            batch = self._deserialize(values, self._schema)
            suspicions = Suspicions(np.zeros(len(values), np.bool_))
            return suspicions.checked(self._column(batch.column(0), self._node, suspicions))

    def _column(self, array: pa.Array, node: AvroNode, suspicions: Suspicions, alive: _Bools | None = None) -> pa.Array:
        """Convert an array from pyruhvro to the node's type.

        Args:
            array: from pyruhvro.
            node: the type of the values.
            suspicions: collects the values that have to be decoded alone, by `values.py`. In the returned array they may be
                anything.
            alive: which values count; the others become null. By default, all values count.
        """
        if array.offset:
            raise PayloadsRefused("arrays are expected to begin at their first value")
        valid = _both(alive, _valid(array))
        if node.kind is Kind.UNION:
            column, valid = self._union(array, node, suspicions, alive)
        elif node.kind is Kind.SINGLE:
            suspicions.add(_numbers(array.field(0)) != 0, valid)
            return self._column(array.field(1), node.children[0], suspicions, alive)
        elif node.kind is Kind.FIXED:
            column = _with_validity(_fixed(array, node, suspicions, valid), valid)
        elif node.children:
            column = self._nested(array, node, suspicions, valid)
        else:
            column = _with_validity(_scalars(array, node, suspicions, valid), valid)
        if self._null_becomes_default and node.schema.optional and node.schema.default is not None and valid is not None:
            absent = ~valid if alive is None else alive & ~valid
            column = pc.if_else(pa.array(absent), pa.scalar(node.schema.default, column.type), column)
        return column

    def _nested(self, array: pa.Array, node: AvroNode, suspicions: Suspicions, valid: _Bools | None) -> pa.Array:
        type_ = node.schema.arrow_type
        bitmap = validity_bitmap(valid)
        if node.kind is Kind.RECORD:
            children = [self._column(array.field(i), child, suspicions, valid) for i, child in enumerate(node.children)]
            return pa.Array.from_buffers(type_, len(array), [bitmap], children=children)
        offsets = array.buffers()[1]
        of_items = suspicions.of_items(array.offsets.to_numpy())
        if node.kind is Kind.ARRAY:
            items = self._column(array.values, node.children[0], of_items)
            return pa.Array.from_buffers(type_, len(array), [bitmap, offsets], children=[items])
        _check_text(array.keys, of_items, None)
        of_items.add(keys_again(array))
        items = self._column(array.items, node.children[0], of_items)
        entries = pa.Array.from_buffers(
            pa.struct([type_.key_field, type_.item_field]), len(items), [None], children=[array.keys, items]
        )
        return pa.Array.from_buffers(type_, len(array), [bitmap, offsets], children=[entries])

    def _union(
        self, array: pa.Array, node: AvroNode, suspicions: Suspicions, alive: _Bools | None
    ) -> tuple[pa.Array, _Bools | None]:
        branches = array.type_codes.to_numpy(zero_copy_only=False)
        numbers = [i for i in range(len(node.children) + (node.null_branch is not None)) if i != node.null_branch]
        children = []
        for number, child in zip(numbers, node.children, strict=True):
            chosen = branches == number
            chosen = chosen if alive is None else chosen & alive
            children.append(self._column(array.field(number).field(0), child, suspicions, chosen))
        valid = alive if node.null_branch is None else _both(alive, branches != node.null_branch)
        return pa.Array.from_buffers(node.schema.arrow_type, len(array), [validity_bitmap(valid)], children=children), valid


def is_readable(node: AvroNode, *, null_becomes_default: bool) -> bool:
    """Whether `ColumnDecoder` can decode values of the schema."""
    if node.kind is Kind.ENTRIES or (node.kind is Kind.UNION and len(node.children) > _MAX_BRANCHES):
        return False
    if node.kind is Kind.FIXED and (node.size % _FLOAT_BYTES or node.size > _MAX_FIXED_BYTES):
        return False
    if null_becomes_default and node.schema.optional and node.schema.default is not None and node.children:
        return False
    return all(is_readable(child, null_becomes_default=null_becomes_default) for child in node.children)


def _wire_scalar(node: AvroNode, name: str) -> Any:
    """Return the type by which pyruhvro reads the bytes of a scalar."""
    if node.kind is Kind.FIXED:
        doubles, floats = divmod(node.size, _DOUBLE_BYTES)
        types = ["double"] * doubles + ["float"] * (floats // _FLOAT_BYTES)
        return record(name, [f"f{i}" for i in range(len(types))], types)
    if node.kind is Kind.ENUM:
        return {"type": "enum", "name": name, "symbols": node.symbols}
    return {Kind.BYTES: "string", Kind.INT: "long"}.get(node.kind, node.kind.value)


def _scalars(array: pa.Array, node: AvroNode, suspicions: Suspicions, valid: _Bools | None) -> pa.Array:
    type_ = node.schema.arrow_type
    if node.kind is Kind.BYTES:
        return _bytes(array.view(pa.binary()), node, suspicions, valid)
    if node.kind is Kind.STRING:
        _check_text(array, suspicions, valid)
    if node.kind not in (Kind.INT, Kind.LONG):
        return array if array.type.equals(type_) else array.cast(type_)
    limit = day_limit(type_)
    if limit is not None:
        numbers = _numbers(array)
        suspicions.add((numbers < 0) | (numbers >= limit), valid)
    if node.kind is Kind.INT:
        array = suspicions.integers(array, pa.int32(), valid)
    return suspicions.integers(array, type_, valid) if pa.types.is_integer(type_) else array.view(type_)


def _check_text(array: pa.StringArray, suspicions: Suspicions, valid: _Bools | None) -> None:
    """Suspect texts that aren't UTF-8, because pyruhvro doesn't check them."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        suspected = np.zeros(len(array), np.bool_)
        suspected[invalid_utf8(array)] = True
        suspicions.add(suspected, valid)


def _bytes(array: pa.BinaryArray, node: AvroNode, suspicions: Suspicions, valid: _Bools | None) -> pa.Array:
    type_ = node.schema.arrow_type
    if node.schema.name == DECIMAL:
        column, fits = decimals_of(array, node.schema, valid)
        suspicions.add(~fits)
        return column
    if pa.types.is_fixed_size_binary(type_):
        fits = _numbers(pc.binary_length(array)) == type_.byte_width
        suspicions.add(~fits, valid)
        array = array if fits.all() else pc.if_else(pa.array(fits), array, pa.scalar(bytes(type_.byte_width), pa.binary()))
    return array if array.type.equals(type_) else array.cast(type_)


def _fixed(array: pa.StructArray, node: AvroNode, suspicions: Suspicions, valid: _Bools | None) -> pa.Array:
    type_ = node.schema.arrow_type
    content = _content_of_fixed(array, node.size)
    if node.schema.name == DECIMAL:
        column, fits = decimals_of_matrix(content, node.schema, valid)
        suspicions.add(~fits)
        return column
    fixed = pa.Array.from_buffers(pa.binary(node.size), len(array), [None, pa.py_buffer(np.ascontiguousarray(content))])
    return fixed if fixed.type.equals(type_) else fixed.cast(type_)


def _content_of_fixed(array: pa.StructArray, size: int) -> npt.NDArray[np.uint8]:
    """Join the bytes of each fixed value, which was read as several doubles and a float. The result has one row per value."""
    columns = [
        np.frombuffer(child.buffers()[1], np.uint8, len(array) * child.type.byte_width).reshape(len(array), -1)
        for child in (array.field(i) for i in range(array.type.num_fields))
        if len(array)
    ]
    return np.concatenate(columns, axis=1) if columns else np.zeros((0, size), np.uint8)


def _numbers(array: pa.Array) -> npt.NDArray[np.int64]:
    """Return the numbers, with 0 for nulls."""
    return (pc.fill_null(array, 0) if array.null_count else array).to_numpy()  # type: ignore[no-any-return]  # pyarrow has no types


def _valid(array: pa.Array) -> _Bools | None:
    if pa.types.is_union(array.type) or array.null_count == 0:
        return None
    return array.is_valid().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]  # pyarrow has no types


def _both(left: _Bools | None, right: _Bools | None) -> _Bools | None:
    if left is None or right is None:
        return left if right is None else right
    return left & right


def _with_validity(array: pa.Array, valid: _Bools | None) -> pa.Array:
    """Replace the nulls of an array of scalars."""
    if valid is None:
        return array
    return pa.Array.from_buffers(array.type, len(array), [validity_bitmap(valid), *array.buffers()[1:]])
