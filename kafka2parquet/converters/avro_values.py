"""Avro values one by one, in Python: the rule of what a payload means. `avro_columns` does the same for whole batches.

Format: Avro's binary encoding. What stands behind a value is not looked at, as in Avro's own decoders.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from kafka2parquet.schema.avro_defaults import decimal_value
from kafka2parquet.schema.avro_node import AvroNode, Kind
from kafka2parquet.schema.connect_schema import DECIMAL

#: Reads a value that begins at a position, and tells the position behind it. Raises ValueError, or IndexError at the end.
Reader = Callable[[bytes, int], "tuple[Any, int]"]

_LONGEST_VARINT_BYTES = 10
_INT_RANGE = range(-(2**31), 2**31)
_PER_DAY = {"ms": 86_400_000, "us": 86_400_000_000}
_FLOAT = struct.Struct("<f")
_DOUBLE = struct.Struct("<d")


def value_reader(node: AvroNode, *, null_becomes_default: bool) -> Callable[[bytes], Any]:
    """A function that makes of a payload the value of its row, as `pyarrow.array` takes it, or raises ValueError."""
    read = _nullable(node, null_becomes_default)

    def read_payload(payload: bytes) -> Any:
        try:
            return read(payload, 0)[0]
        except IndexError:
            raise ValueError("the value ends too early") from None

    return read_payload


def day_limit(arrow_type: pa.DataType) -> int | None:
    """What times of a day stay below; None for other types."""
    return _PER_DAY[arrow_type.unit] if pa.types.is_time(arrow_type) else None


def _long(data: bytes, position: int) -> tuple[int, int]:
    byte = data[position]
    position += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), position
    number = byte & 0x7F
    for shift in range(7, 7 * _LONGEST_VARINT_BYTES, 7):
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            number &= 0xFFFF_FFFF_FFFF_FFFF
            return (number >> 1) ^ -(number & 1), position
    raise ValueError(f"a number of more than {_LONGEST_VARINT_BYTES} bytes")


def _nullable(node: AvroNode, null_becomes_default: bool) -> Reader:
    read = _plain(node, null_becomes_default)
    if node.null_branch is None or node.kind is Kind.UNION:
        return read
    null_branch = node.null_branch
    null = node.schema.default if null_becomes_default else None

    def read_nullable(data: bytes, position: int) -> tuple[Any, int]:
        branch, position = _long(data, position)
        if branch == null_branch:
            return null, position
        if branch != 1 - null_branch:
            raise ValueError(f"a union of 2 types has no type {branch}")
        return read(data, position)

    return read_nullable


def _plain(node: AvroNode, null_becomes_default: bool) -> Reader:
    if node.kind in _SCALARS:
        return _SCALARS[node.kind](node)
    children = [_nullable(child, null_becomes_default) for child in node.children]
    return _NESTED[node.kind](node, children)


def _boolean(_: AvroNode) -> Reader:
    def read(data: bytes, position: int) -> tuple[Any, int]:
        byte = data[position]
        if byte > 1:
            raise ValueError(f"a boolean is {byte}")
        return byte == 1, position + 1

    return read


def _int(node: AvroNode) -> Reader:
    limit = day_limit(node.schema.arrow_type)

    def read(data: bytes, position: int) -> tuple[Any, int]:
        number, position = _long(data, position)
        if number not in _INT_RANGE:
            raise ValueError(f"{number} is no int")
        if limit is not None and not 0 <= number < limit:
            raise ValueError(f"{number} is no time of a day")
        return number, position

    return read


def _long_of(node: AvroNode) -> Reader:
    limit = day_limit(node.schema.arrow_type)
    if limit is None:
        return _long

    def read(data: bytes, position: int) -> tuple[Any, int]:
        number, position = _long(data, position)
        if not 0 <= number < limit:
            raise ValueError(f"{number} is no time of a day")
        return number, position

    return read


def _float_of(form: struct.Struct) -> Callable[[AvroNode], Reader]:
    def make(_: AvroNode) -> Reader:
        def read(data: bytes, position: int) -> tuple[Any, int]:
            end = position + form.size
            if end > len(data):
                raise IndexError
            return form.unpack_from(data, position)[0], end

        return read

    return make


def _content(data: bytes, position: int) -> tuple[bytes, int]:
    length, position = _long(data, position)
    end = position + length
    if length < 0:
        raise ValueError(f"a length is {length}")
    if end > len(data):
        raise IndexError
    return data[position:end], end


def _string(_: AvroNode) -> Reader:
    def read(data: bytes, position: int) -> tuple[Any, int]:
        content, end = _content(data, position)
        try:
            return content.decode(), end
        except UnicodeDecodeError as error:
            raise ValueError(f"text that is not UTF-8: {error.reason}") from None

    return read


def _bytes(node: AvroNode) -> Reader:
    if node.schema.name != DECIMAL:
        return _content

    def read(data: bytes, position: int) -> tuple[Any, int]:
        content, end = _content(data, position)
        if not content:
            raise ValueError("a decimal without digits")
        return decimal_value(node.schema, content), end

    return read


def _fixed(node: AvroNode) -> Reader:
    size, schema = node.size, node.schema

    def read(data: bytes, position: int) -> tuple[Any, int]:
        end = position + size
        if end > len(data):
            raise IndexError
        return decimal_value(schema, data[position:end]), end

    return read


def _enum(node: AvroNode) -> Reader:
    symbols = node.symbols

    def read(data: bytes, position: int) -> tuple[Any, int]:
        index, position = _long(data, position)
        if not 0 <= index < len(symbols):
            raise ValueError(f"{node.full_name} has no symbol {index}")
        return symbols[index], position

    return read


def _record(node: AvroNode, children: list[Reader]) -> Reader:
    parts = [(field.name, read) for field, read in zip(node.schema.fields, children, strict=True)]

    def read(data: bytes, position: int) -> tuple[Any, int]:
        value = {}
        for name, read_field in parts:
            value[name], position = read_field(data, position)
        return value, position

    return read


def _blocks(read_item: Reader) -> Reader:
    def read(data: bytes, position: int) -> tuple[Any, int]:
        items: list[Any] = []
        while True:
            count, position = _long(data, position)
            if count == 0:
                return items, position
            if count < 0:
                count = -count
                _, position = _long(data, position)  # the size of the block
            while count:  # an item has a byte at least: a wrong count ends with the data
                item, position = read_item(data, position)
                items.append(item)
                count -= 1

    return read


def _array(_: AvroNode, children: list[Reader]) -> Reader:
    return _blocks(children[0])


def _map(node: AvroNode, children: list[Reader]) -> Reader:
    read_key, read_value = (_string(node), children[0]) if node.kind is Kind.MAP else children

    def read_entry(data: bytes, position: int) -> tuple[Any, int]:
        key, position = read_key(data, position)
        value, position = read_value(data, position)
        return (key, value), position

    read_entries = _blocks(read_entry)

    def read(data: bytes, position: int) -> tuple[Any, int]:
        entries, position = read_entries(data, position)
        try:
            return list(dict(entries).items()), position  # of a key that comes twice the last counts
        except TypeError:  # keys that are no scalars
            return entries, position

    return read


def _union(node: AvroNode, children: list[Reader]) -> Reader:
    names: list[str | None] = [field.name for field in node.schema.fields]
    readers: list[Reader | None] = [*children]
    if node.null_branch is not None:
        names.insert(node.null_branch, None)
        readers.insert(node.null_branch, None)

    def read(data: bytes, position: int) -> tuple[Any, int]:
        branch, position = _long(data, position)
        if not 0 <= branch < len(readers):
            raise ValueError(f"a union of {len(readers)} types has no type {branch}")
        read_value = readers[branch]
        if read_value is None:
            return None, position
        value, position = read_value(data, position)
        return {names[branch]: value}, position

    return read


def _single(_: AvroNode, children: list[Reader]) -> Reader:
    (read_value,) = children

    def read(data: bytes, position: int) -> tuple[Any, int]:
        branch, position = _long(data, position)
        if branch != 0:
            raise ValueError(f"a union of 1 type has no type {branch}")
        return read_value(data, position)

    return read


_SCALARS: dict[Kind, Callable[[AvroNode], Reader]] = {
    Kind.BOOLEAN: _boolean,
    Kind.INT: _int,
    Kind.LONG: _long_of,
    Kind.FLOAT: _float_of(_FLOAT),
    Kind.DOUBLE: _float_of(_DOUBLE),
    Kind.STRING: _string,
    Kind.BYTES: _bytes,
    Kind.FIXED: _fixed,
    Kind.ENUM: _enum,
}
_NESTED: dict[Kind, Callable[[AvroNode, list[Reader]], Reader]] = {
    Kind.RECORD: _record,
    Kind.ARRAY: _array,
    Kind.MAP: _map,
    Kind.ENTRIES: _map,
    Kind.UNION: _union,
    Kind.SINGLE: _single,
}
