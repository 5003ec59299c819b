"""Compares a merged file with its originals: rows, offsets, and the values of all columns, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from kafka2parquet.compaction.merging import MergeError, read_rows, read_schema, row_groups
from kafka2parquet.compaction.storage import MergeStorage
from kafka2parquet.merged.footer import MergedFooter
from kafka2parquet.merged.plan import MergePlan, PlannedOutput
from kafka2parquet.util.display import counted

#: Floating-point types, and the integers of the same width. Integers are equal exactly if all bits are.
_BITS = {pa.float16(): pa.int16(), pa.float32(): pa.int32(), pa.float64(): pa.int64()}


def compare(storage: MergeStorage, plan: MergePlan, output: PlannedOutput) -> int:
    """Read a merged file back from the store, compare it with its originals, and return its size in bytes. Blocks.

    Holds at most about two row groups in memory.

    Raises:
        MergeError: something differs.
        Kafka2ParquetError: the store doesn't answer or refuses access.
    """
    try:
        footer = MergedFooter.from_metadata(storage.read_metadata(output.key))
    except ValueError as error:
        raise MergeError(f"the footer of {output.key} can't be read: {error}") from error
    if footer != plan.footer(output):
        raise MergeError(f"the footer of {output.key} is not that of its plan")
    schema = read_schema(storage, output.inputs[0].key)
    if not read_schema(storage, output.key).equals(schema, check_metadata=True):
        raise MergeError(f"{output.key} has another schema than its originals")
    rows = 0
    for expected, actual in _aligned(read_rows(storage, output, schema), row_groups(storage, output.key)):
        if expected is None or actual is None:
            raise MergeError(f"{output.key} doesn't have as many rows as its originals: they differ after row {rows}")
        for number, field in enumerate(schema):
            if not same(expected.column(number), actual.column(number)):
                raise MergeError(f"column {field.name} of {output.key} differs from the originals after row {rows}")
        rows += expected.num_rows
    if rows != output.rows:
        raise MergeError(f"{output.key} has {counted(rows, 'row')}, but its plan says {output.rows}")
    with storage.open(output.key) as source:
        return source.seek(0, 2)


def same(expected: pa.ChunkedArray, actual: pa.ChunkedArray) -> bool:
    """Return whether two columns of one type are equal, bit for bit: NaN equals the same NaN, and 0.0 isn't -0.0."""
    as_bits = _bits(expected.type)
    if as_bits == expected.type:
        return bool(expected.equals(actual))
    ours, theirs = (
        pa.chunked_array([_storage(chunk).view(as_bits) for chunk in column.chunks], as_bits) for column in (expected, actual)
    )
    return bool(ours.equals(theirs))


def _storage(array: pa.Array) -> pa.Array:
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _bits(type_: pa.DataType) -> pa.DataType:
    """Return the type with integers in place of floating-point numbers, at any depth."""
    if isinstance(type_, pa.ExtensionType):
        return _bits(type_.storage_type) if _bits(type_.storage_type) != type_.storage_type else type_
    if pa.types.is_struct(type_):
        return pa.struct([field.with_type(_bits(field.type)) for field in type_])
    if pa.types.is_map(type_):
        return pa.map_(type_.key_field.with_type(_bits(type_.key_type)), type_.item_field.with_type(_bits(type_.item_type)))
    if pa.types.is_large_list(type_):
        return pa.large_list(type_.value_field.with_type(_bits(type_.value_type)))
    if pa.types.is_list(type_):
        return pa.list_(type_.value_field.with_type(_bits(type_.value_type)))
    return _BITS.get(type_, type_)


def _aligned(expected: Iterator[pa.Table], actual: Iterator[pa.Table]) -> Iterator[tuple[pa.Table | None, pa.Table | None]]:
    """Yield pieces of both sides that have the same number of rows. If a side ends first, the other's next piece is alone."""
    expected, actual = (filter(len, side) for side in (expected, actual))
    one = other = None
    while True:
        one = one if one is not None and len(one) else next(expected, None)
        other = other if other is not None and len(other) else next(actual, None)
        if one is None or other is None:
            if one is not other:
                yield one, other
            return
        rows = min(len(one), len(other))
        yield one.slice(0, rows), other.slice(0, rows)
        one, other = one.slice(rows), other.slice(rows)
