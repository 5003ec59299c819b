"""Functions on Arrow arrays that Arrow itself lacks."""

from __future__ import annotations

import functools
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

#: Arrow's exceptions about the given values and types. Not all ArrowExceptions are: `ArrowMemoryError` is about memory.
ARROW_DATA_ERRORS = (
    pa.ArrowInvalid,
    pa.ArrowTypeError,
    pa.ArrowKeyError,
    pa.ArrowIndexError,
    pa.ArrowNotImplementedError,
    pa.ArrowCapacityError,
    pa.ArrowSerializationError,
)


#: An element of a binary_view array. Content of up to `INLINE_BYTES` bytes is stored inside, from the prefix on.
VIEW = np.dtype([("length", "<i4"), ("prefix", "<u4"), ("buffer", "<i4"), ("offset", "<i4")])
INLINE_BYTES = 12

_NUMBERS = (pa.int64(), pa.float64())
_MOVED_BY_HAND = (*_NUMBERS, pa.string())
#: numpy's names for Arrow types with other names.
_NUMPY_NAMES = {"halffloat": "float16", "float": "float32", "double": "float64"}


def numpy_type(type_: pa.DataType) -> np.dtype[Any]:
    """Return numpy's type for one of Arrow's numeric types."""
    # Can be `to_pandas_dtype` once pyarrow no longer imports pandas for it (version 25 does).
    name = str(type_)
    return np.dtype(_NUMPY_NAMES.get(name, name))


def null_mask(array: pa.Array) -> pa.Array | None:
    """Return a mask of the array's nulls for `from_arrays`; None if the array doesn't have nulls."""
    return array.is_null() if array.null_count else None


def validity_bitmap(valid: npt.NDArray[np.bool_] | None) -> pa.Buffer | None:
    """Return a validity bitmap for `from_buffers`; None if all values are valid."""
    return None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return the column as an array whose buffers begin at its first value. Avoids a copy if it is one already."""
    if column.num_chunks == 1 and not column.chunk(0).offset:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def invalid_utf8(array: pa.Array) -> npt.NDArray[np.int64]:
    """Return the ascending indices of values that are not valid UTF-8, in a binary or string array whose nulls are empty."""
    _, offsets, characters = array.buffers()
    bounds = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    content = np.frombuffer(characters or b"", np.uint8)[bounds[0] : bounds[-1]]
    bounds -= bounds[0]
    places = np.flatnonzero(content >= 0x80)
    if not len(places):
        return places
    begins, seconds = content[places], content[np.minimum(places + 1, len(content) - 1)]
    following = (begins >= 0xC2).astype(np.int64) + (begins >= 0xE0) + (begins >= 0xF0)  # number of continuation bytes
    ends = bounds[np.searchsorted(bounds, places, "right")]
    wrong = (begins >= 0xC0) & (begins < 0xC2) | (begins > 0xF4) | (places + following >= ends)
    wrong |= (begins == 0xE0) & (seconds < 0xA0) | (begins == 0xED) & (seconds > 0x9F)
    wrong |= (begins == 0xF0) & (seconds < 0x90) | (begins == 0xF4) & (seconds > 0x8F)
    follows = np.zeros(len(content), np.bool_)
    for distance in (1, 2, 3):
        follows[places[(following >= distance) & ~wrong] + distance] = True
    at_odds = follows != ((content >= 0x80) & (content < 0xC0))
    at_odds[places[wrong]] = True
    return np.unique(np.searchsorted(bounds, np.flatnonzero(at_odds), "right") - 1)


def chosen_views(column: pa.Array, rows: npt.NDArray[np.int64]) -> pa.Array:
    """Return the binary values at the indices `rows`, including nulls, without copying the content of a binary_view.

    Can be `column.take(rows)` once Arrow supports it for binary_view (apache/arrow#43010).
    """
    column = column if column.type.equals(pa.binary_view()) else column.cast(pa.binary_view())
    _, views, *content = column.buffers()
    if not len(rows) or views is None:
        return pa.array([], pa.binary_view())
    chosen = np.frombuffer(views, VIEW)[column.offset : column.offset + len(column)][rows]
    valid = column.is_valid().to_numpy(zero_copy_only=False)[rows] if column.null_count else None
    return pa.Array.from_buffers(pa.binary_view(), len(rows), [validity_bitmap(valid), pa.py_buffer(chosen), *content])


def is_rising_subset(numbers: npt.NDArray[np.int64], given: npt.NDArray[np.int64]) -> bool:
    """Return whether `numbers` are ascending and all among `given`, which are ascending too."""
    places = np.searchsorted(given, numbers)
    found = places < len(given)
    return bool(found.all() and (given[places] == numbers).all() and (np.diff(numbers) > 0).all())


class Places:
    """The rows of a long column to which the values of a short column belong."""

    def __init__(self, rows: npt.NDArray[np.int64], count: int) -> None:
        """Set up the parts that all columns with the same rows share.

        Args:
            rows: the row of each value, ascending.
            count: number of rows of the long column.
        """
        self.rows = rows
        self._count = count
        self._rises = bool((np.diff(rows) > 0).all())
        valid = np.zeros(count, np.bool_)
        valid[rows] = True
        self._valid = validity_bitmap(valid)

    @property
    def nbytes(self) -> int:
        """Bytes of memory held, if only numbers and text were spread."""
        return int(self.rows.nbytes) + self._count // 8

    @functools.cached_property
    def _found(self) -> pa.Array:
        """The index of each row's value, null for a row without a value."""
        found = np.full(self._count, -1, np.int64)
        found[self.rows] = np.arange(len(self.rows))
        return pa.array(found, mask=found < 0)

    @functools.cached_property
    def _gaps(self) -> npt.NDArray[np.int64]:
        """The distances between neighbouring rows, including the column's start and end. Computed once for all columns."""
        gaps: npt.NDArray[np.int64] = np.diff(self.rows, prepend=-1, append=self._count)
        return gaps

    def spread(self, values: pa.Array) -> pa.Array:
        """Return the long column, with each value in its row and nulls elsewhere.

        `take` could do all of this. Numbers and text, the types of most sparse columns, are moved in a way that costs a fifth.
        """
        if values.null_count or not self._rises:
            return values.take(self._found)
        buffers: list[pa.Buffer | None]
        if values.type in _NUMBERS:
            given = values.to_numpy()
            numbers = np.zeros(self._count, given.dtype)
            numbers[self.rows] = given
            buffers = [self._valid, pa.py_buffer(numbers)]
        elif values.type == pa.string():
            _, offsets, text = values.buffers()
            ends = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
            buffers = [self._valid, pa.py_buffer(np.repeat(ends, self._gaps)), text]
        else:
            return values.take(self._found)
        return pa.Array.from_buffers(values.type, self._count, buffers, self._count - len(values))


class PackedTable:
    """A table that stores sparse columns without their nulls. A table with events of many types takes a tenth of the memory."""

    def __init__(self, table: pa.Table) -> None:
        """Pack a table."""
        self.schema = table.schema
        self._columns: list[pa.ChunkedArray | _Packed] = []
        places: dict[tuple[int, int], tuple[pa.Buffer, Places]] = {}
        for column in table.columns:
            is_sparse = column.type in _MOVED_BY_HAND and column.null_count * 4 > len(column) * 3
            chunks = [chunk for chunk in column.chunks if len(chunk)] if is_sparse else []
            self._columns.append(_packed(chunks[0], places) if len(chunks) == 1 else column)
        columns_bytes = sum(column.nbytes for column in self._columns)
        self.nbytes = int(columns_bytes + sum(where.nbytes for _, where in places.values()))
        """Bytes held."""

    def unpacked(self) -> pa.Table:
        """Return the original table."""
        columns = [column.places.spread(column.values) if isinstance(column, _Packed) else column for column in self._columns]
        return pa.Table.from_arrays(columns, schema=self.schema)


@attrs.frozen(eq=False)
class _Packed:
    """A column's values that are not null, and their rows."""

    values: pa.Array
    places: Places

    @property
    def nbytes(self) -> int:
        return int(self.values.nbytes)


def _packed(column: pa.Array, places: dict[tuple[int, int], tuple[pa.Buffer, Places]]) -> _Packed:
    """Pack a column that has nulls."""
    valid = column.buffers()[0]
    key = (valid.address, column.offset)  # columns that were parsed together share the buffer
    if key not in places:
        rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        places[key] = valid, Places(rows, len(column))  # keeps the buffer alive, so that its address is not reused
    _, where = places[key]
    if column.type == pa.string():
        return _Packed(_chosen_text(column, where.rows), where)
    numbers = np.frombuffer(column.buffers()[1], numpy_type(column.type))
    return _Packed(pa.array(numbers[column.offset + where.rows]), where)


def _chosen_text(column: pa.Array, rows: npt.NDArray[np.int64]) -> pa.Array:
    """Return the texts at the indices `rows`. Avoids a copy if the texts are adjacent."""
    _, offsets, text = column.buffers()
    bounds = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    begins, ends = bounds[rows], bounds[rows + 1]
    if not len(rows) or (begins[1:] != ends[:-1]).any():
        return column.take(pa.array(rows))
    return pa.Array.from_buffers(column.type, len(rows), [None, pa.py_buffer(np.append(begins, ends[-1:])), text])
