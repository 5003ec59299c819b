"""What several rooms need of Arrow and what it has no functions for."""

from __future__ import annotations

import functools
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

#: What Arrow raises about the values and types that it is given. `ArrowMemoryError` is an ArrowException, too, and says nothing
#: about them.
ARROW_DATA_ERRORS = (
    pa.ArrowInvalid,
    pa.ArrowTypeError,
    pa.ArrowKeyError,
    pa.ArrowIndexError,
    pa.ArrowNotImplementedError,
    pa.ArrowCapacityError,
    pa.ArrowSerializationError,
)


#: An element of a binary_view array: content of up to `INLINE_BYTES` stands in it, from the prefix on.
VIEW = np.dtype([("length", "<i4"), ("prefix", "<u4"), ("buffer", "<i4"), ("offset", "<i4")])
INLINE_BYTES = 12

_NUMBERS = (pa.int64(), pa.float64())
_MOVED_BY_HAND = (*_NUMBERS, pa.string())
#: numpy's names of Arrow's types, where they differ.
_NUMPY_NAMES = {"halffloat": "float16", "float": "float32", "double": "float64"}


def numpy_type(type_: pa.DataType) -> np.dtype[Any]:
    """Return the type of numpy's that a type of numbers has."""
    # not `to_pandas_dtype`: pyarrow 25 imports pandas for it
    name = str(type_)
    return np.dtype(_NUMPY_NAMES.get(name, name))


def null_mask(array: pa.Array) -> pa.Array | None:
    """Return where the array is null, as `from_arrays` takes it; None where it is nowhere."""
    return array.is_null() if array.null_count else None


def validity_bitmap(valid: npt.NDArray[np.bool_] | None) -> pa.Buffer | None:
    """Return the buffer, as `from_buffers` takes it, that says which values are there; None for all."""
    return None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return the column as an array whose buffers begin at its first value; not copied where it is one."""
    if column.num_chunks == 1 and not column.chunk(0).offset:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def invalid_utf8(array: pa.Array) -> npt.NDArray[np.int64]:
    """Return the indices (rising) of the values that are not valid UTF-8, of a binary or string array whose nulls are empty."""
    _, offsets, characters = array.buffers()
    bounds = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    content = np.frombuffer(characters or b"", np.uint8)[bounds[0] : bounds[-1]]
    bounds -= bounds[0]
    places = np.flatnonzero(content >= 0x80)
    if not len(places):
        return places
    begins, seconds = content[places], content[np.minimum(places + 1, len(content) - 1)]
    following = (begins >= 0xC2).astype(np.int64) + (begins >= 0xE0) + (begins >= 0xF0)  # how many bytes a character still has
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
    """Binary values at these indices, nulls included; those of a binary_view are not copied."""
    column = column if column.type.equals(pa.binary_view()) else column.cast(pa.binary_view())
    _, views, *content = column.buffers()
    if not len(rows) or views is None:
        return pa.array([], pa.binary_view())
    chosen = np.frombuffer(views, VIEW)[column.offset : column.offset + len(column)][rows]
    valid = column.is_valid().to_numpy(zero_copy_only=False)[rows] if column.null_count else None
    return pa.Array.from_buffers(pa.binary_view(), len(rows), [validity_bitmap(valid), pa.py_buffer(chosen), *content])


def is_rising_subset(numbers: npt.NDArray[np.int64], given: npt.NDArray[np.int64]) -> bool:
    """Return whether numbers rise, and are all among the given ones, which rise too."""
    places = np.searchsorted(given, numbers)
    found = places < len(given)
    return bool(found.all() and (given[places] == numbers).all() and (np.diff(numbers) > 0).all())


class Places:
    """Rows of a long column, to which the values of a short one go."""

    def __init__(self, rows: npt.NDArray[np.int64], count: int) -> None:
        """Compute what all columns of the same rows share.

        Args:
            rows: for each value its row.
            count: rows of the long column.
        """
        self.rows = rows
        self._count = count
        self._rises = bool((np.diff(rows) > 0).all())
        valid = np.zeros(count, np.bool_)
        valid[rows] = True
        self._valid = validity_bitmap(valid)

    @property
    def nbytes(self) -> int:
        """Bytes held, as long as nothing but numbers and text was spread."""
        return int(self.rows.nbytes) + self._count // 8

    @functools.cached_property
    def _found(self) -> pa.Array:
        """For each row the index of its value."""
        found = np.full(self._count, -1, np.int64)
        found[self.rows] = np.arange(len(self.rows))
        return pa.array(found, mask=found < 0)

    @functools.cached_property
    def _gaps(self) -> npt.NDArray[np.int64]:
        """From each row to the next one, from before the first row to behind the last one; computed once for all columns."""
        gaps: npt.NDArray[np.int64] = np.diff(self.rows, prepend=-1, append=self._count)
        return gaps

    def spread(self, values: pa.Array) -> pa.Array:
        """Return the long column: each value in its row, and null elsewhere.

        `take` could do all of it. Numbers and text are moved by hand, which costs a fifth: most sparse columns are these.
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
    """A table whose columns of mostly nulls are held without them: events of many types take a tenth of the memory."""

    def __init__(self, table: pa.Table) -> None:
        """Hold a table."""
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
        """Return the table."""
        columns = [column.places.spread(column.values) if isinstance(column, _Packed) else column for column in self._columns]
        return pa.Table.from_arrays(columns, schema=self.schema)


@attrs.frozen(eq=False)
class _Packed:
    """The values of a column that are not null, and where they go."""

    values: pa.Array
    places: Places

    @property
    def nbytes(self) -> int:
        return int(self.values.nbytes)


def _packed(column: pa.Array, places: dict[tuple[int, int], tuple[pa.Buffer, Places]]) -> _Packed:
    """Return the column without its nulls, of which it has some."""
    valid = column.buffers()[0]
    key = (valid.address, column.offset)  # columns that were parsed together have it in common
    if key not in places:
        rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        places[key] = valid, Places(rows, len(column))  # with the buffer, or another one might get its address
    _, where = places[key]
    if column.type == pa.string():
        return _Packed(_chosen_text(column, where.rows), where)
    numbers = np.frombuffer(column.buffers()[1], numpy_type(column.type))
    return _Packed(pa.array(numbers[column.offset + where.rows]), where)


def _chosen_text(column: pa.Array, rows: npt.NDArray[np.int64]) -> pa.Array:
    """Return the same as `take`; not copied where nothing lies between the texts."""
    _, offsets, text = column.buffers()
    bounds = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    begins, ends = bounds[rows], bounds[rows + 1]
    if not len(rows) or (begins[1:] != ends[:-1]).any():
        return column.take(pa.array(rows))
    return pa.Array.from_buffers(column.type, len(rows), [None, pa.py_buffer(np.append(begins, ends[-1:])), text])
