"""JSON values to columns, a whole batch at a time.

pyarrow's parser reads a stream of JSON documents, not one document per value, so it has to be shown that each value became
one row. Every value starts with `{` and ends with `}`, and a newline stands between two of them. Inside a document no `{`
may follow a `}` with only white space between, and inside a string a raw newline is an error. So wherever the parser accepts
the stream, each of our newlines lies between two documents: each value holds one or more whole documents, and if there are as
many rows as values, exactly one. A NUL byte would end the stream early, and is never valid JSON; it is looked for first.

Apart from that, the parser is laxer than JSON in three ways that are made good here: it doesn't check UTF-8, it reads `NaN`
and `Infinity`, and it makes numbers beyond a float's range infinite. It also rounds integers that a column of floating-point
numbers doesn't hold; these are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from kafka2parquet.converters.json.lines import content_of, has_only_newlines, json_lines
from kafka2parquet.converters.json.numbers import has_floats, rounds_integers
from kafka2parquet.converters.json.sparse import ends_of_names, last_characters, parse_sparse

_BLOCK_BYTES = 1 << 20  # fits the processor's cache; larger blocks are slower
_WORD_BYTES = 8
#: How the parser names the row at which it stopped, counted from the block's first one.
_ROW = re.compile(r" in row (\d+)$")


class ValuesRefused(Exception):  # noqa: N818  # an answer, not a fault
    """The values, taken together, are not one JSON object each that fits the schema.

    Attributes:
        row: which of them is probably the first to blame; None where the parser doesn't say.
    """

    def __init__(self, reason: str, row: int | None = None) -> None:
        self.row = row
        super().__init__(reason)


class Objects:
    """Values that pass for one object each before they are parsed, one behind the other as the parser reads them.

    Each is in braces, is valid UTF-8 and has no NUL byte.
    """

    def __init__(self, stream: pa.Buffer, starts: npt.NDArray[np.int64], has_newlines: bool) -> None:
        """See `of`.

        Args:
            stream: the values, with a newline behind each.
            starts: where each value begins, and at last where another one would begin.
            has_newlines: whether there may be further newlines, inside of values.
        """
        self._stream = stream
        self._starts = starts
        self._has_newlines = has_newlines

    def __len__(self) -> int:
        return len(self._starts) - 1

    @classmethod
    def of(cls, values: pa.Array) -> Objects:
        """Put values (binary or binary_view without nulls, at least one) one behind the other.

        Raises:
            ValuesRefused: one of them, at least, is not an object.
        """
        try:
            objects = cls.of_valid_utf8(values)
            _check_utf8(objects._stream)
        except (pa.ArrowInvalid, pa.ArrowCapacityError) as exc:
            raise ValuesRefused(str(exc)) from exc
        return objects

    @classmethod
    def of_valid_utf8(cls, values: pa.Array) -> Objects:
        """The same for values that are known to be valid UTF-8.

        Raises:
            ValuesRefused: one of them, at least, is not an object.
            pyarrow.ArrowInvalid: they are too long.
            pyarrow.ArrowCapacityError: they are too long.
        """
        lines = json_lines(values)
        if lines is None:
            raise ValuesRefused("not in braces")
        return cls._of_lines(lines)

    @classmethod
    def _of_lines(cls, lines: pa.BinaryArray) -> Objects:
        starts = content_of(lines)[0].astype(np.int64)
        stream = lines.buffers()[2].slice(int(starts[0]), int(starts[-1] - starts[0]))
        characters, has_newlines = np.frombuffer(stream, np.uint8), False
        if not has_only_newlines(characters, len(lines)):
            if not characters.all():
                raise ValuesRefused("a NUL byte")
            has_newlines = bool(np.count_nonzero(characters == ord("\n")) != len(lines))
        return cls(stream, starts - starts[0], has_newlines)

    @property
    def lines(self) -> pa.BinaryArray:
        """The values without white space around them, but with a newline behind each. Not copied."""
        offsets = pa.py_buffer(self._starts.astype(np.int32))
        return pa.Array.from_buffers(pa.binary(), len(self), [None, offsets, self._stream])

    def chosen(self, indices: npt.NDArray[np.int64]) -> Objects:
        """The values at these indices, at least one, which rise."""
        if indices[-1] - indices[0] == len(indices) - 1:
            return self.part(int(indices[0]), int(indices[-1]) + 1)
        chosen = self.lines.take(pa.array(indices))
        starts = content_of(chosen)[0].astype(np.int64)
        return Objects(chosen.buffers()[2].slice(0, int(starts[-1])), starts, self._has_newlines)

    def most_brackets(self) -> int:
        """How many brackets open objects and lists in one value, at most; so deeply it may be nested."""
        characters = np.frombuffer(self._stream, np.uint8)
        opens = (characters == ord("{")) | (characters == ord("["))
        return int(np.add.reduceat(opens, self._starts[:-1], dtype=np.int64).max())

    def with_other_names(self, names: Iterable[str]) -> npt.NDArray[np.int64]:
        """The index of a value for each of its members, at any depth, that probably has another name than these.

        Names are told apart by their ends, and only where a colon follows at once.
        """
        if len(self._stream) < _WORD_BYTES:
            return np.zeros(0, np.int64)
        ends = ends_of_names(self._stream)
        text = pa.py_buffer(
            " ".join([" " * _WORD_BYTES, *(f"{json.dumps(name, ensure_ascii=False)}:" for name in names)]).encode()
        )
        is_known = np.isin(last_characters(self._stream, ends), last_characters(text, ends_of_names(text)))
        return np.searchsorted(self._starts, ends[~is_known], "right") - 1

    def most_columns(self) -> int:
        """How many columns the values may have at most, if each member has a name of its own."""
        return int(np.count_nonzero(np.frombuffer(self._stream, np.uint8) == ord(":")))

    def part(self, start: int, stop: int) -> Objects:
        """The values of indices [start, stop), at least one."""
        starts = self._starts[start : stop + 1]
        stream = self._stream.slice(int(starts[0]), int(starts[-1] - starts[0]))
        return Objects(stream, starts - starts[0], self._has_newlines)

    def end_of_part(self, start: int, rows: int, size_bytes: int) -> int:
        """Where a part ends that begins at `start`, with at most `rows` rows, and `size_bytes` bytes or a single row."""
        inside = int(np.searchsorted(self._starts, self._starts[start] + size_bytes, "right")) - 1
        return min(max(inside, start + 1), start + rows, len(self))

    def parse(self, schema: pa.Schema, *, ignore_unknown: bool, looks_at_integers: bool = True) -> pa.Table:
        """See `parse_objects`."""
        table = self.read(schema, ignore_unknown=ignore_unknown)
        check_numbers(table, (lambda: self.lines) if looks_at_integers else None)
        return table

    def read(self, schema: pa.Schema, *, ignore_unknown: bool) -> pa.Table:
        """As `parse`, but the numbers are not looked at: `check_numbers` does that, for the tables of many objects at once."""

        def read(stream: pa.Buffer, schema: pa.Schema) -> pa.Table:
            return self._read(stream, schema, "ignore" if ignore_unknown else "error")

        try:
            # where unknown members are left out, the parser could not say that a group lacks a column
            table = None if ignore_unknown else parse_sparse(self._stream, self._starts[:-1], schema, read)
            if table is None:
                table = read(self._stream, schema)
        except (pa.ArrowInvalid, pa.ArrowCapacityError) as exc:
            raise _refused(exc) from exc
        if table.num_rows != len(self):
            raise ValuesRefused(f"{len(self)} values hold {table.num_rows} documents")
        return table

    def inferred(self, schema: pa.Schema) -> pa.Schema:
        """The schema with further columns for members that are not in it. Nested deeply, such columns are a burden.

        Raises:
            ValuesRefused: some value doesn't fit.
        """
        try:
            return self._read(self._stream, schema, "infer").schema
        except (pa.ArrowInvalid, pa.ArrowCapacityError) as exc:
            raise _refused(exc) from exc

    def _read(self, stream: pa.Buffer, schema: pa.Schema, unexpected: Literal["error", "ignore", "infer"]) -> pa.Table:
        return pyarrow.json.read_json(
            pa.BufferReader(stream),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=self._block_bytes()),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unexpected),
        )

    def _block_bytes(self) -> int:
        """The parser's block size. Blocks end at newlines, so a value with a newline inside needs one block for everything."""
        if self._has_newlines:
            return len(self._stream) + 1
        return max(_BLOCK_BYTES, int(np.diff(self._starts).max()))


def parse_objects(
    values: pa.Array | Objects, schema: pa.Schema, *, ignore_unknown: bool = False, looks_at_integers: bool = True
) -> pa.Table:
    """Make a table with one row for each value and exactly the columns of `schema`.

    A batch is accepted if and only if each of its values is accepted by itself: an object in strict JSON (RFC 8259) of valid
    UTF-8 that names no known field twice; a missing field is null.

    Args:
        values: binary or binary_view without nulls, at least one.
        schema: types that pyarrow.json can parse.
        ignore_unknown: leave out fields that are not in the schema, instead of refusing the values.
        looks_at_integers: whether to refuse integers that a column of floating-point numbers would round; they were looked at
            before where not.

    Raises:
        ValuesRefused: some value isn't such an object.
    """
    objects = values if isinstance(values, Objects) else Objects.of(values)
    return objects.parse(schema, ignore_unknown=ignore_unknown, looks_at_integers=looks_at_integers)


def check_numbers(table: pa.Table, lines: Callable[[], pa.BinaryArray] | None) -> None:
    """Refuse numbers that the parser reads although they are not JSON or don't fit their columns.

    Args:
        table: from `Objects.read`.
        lines: gives the objects; None where integers are not looked at, see `parse_objects`.

    Raises:
        ValuesRefused: there is one.
    """
    if not all(_is_finite(chunk) for column in table.columns if has_floats(column.type) for chunk in column.chunks):
        raise ValuesRefused("NaN, an infinity, or a number too large for its type")
    if lines is not None and rounds_integers(lines, table):
        raise ValuesRefused("an integer that its column doesn't hold exactly")


def _refused(error: pa.ArrowException) -> ValuesRefused:
    row = _ROW.search(str(error))
    return ValuesRefused(str(error), int(row[1]) if row is not None else None)


def _check_utf8(stream: pa.Buffer) -> None:
    """Newlines stand alone in UTF-8: the whole is valid if and only if each line is."""
    offsets = pa.py_buffer(np.array([0, len(stream)], np.int64))
    pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, stream]).validate(full=True)


def _is_finite(array: pa.Array) -> bool:
    if pa.types.is_floating(array.type):
        return pc.all(pc.is_finite(array)).as_py() is not False
    if pa.types.is_struct(array.type):
        return all(_is_finite(child) for child in array.flatten())
    if pa.types.is_list(array.type):
        return _is_finite(array.flatten())
    return True
