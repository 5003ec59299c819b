"""Parses JSON values into columns, a whole batch at a time.

pyarrow's parser reads a stream of JSON documents, not one document per value, so we have to prove that each value became one
row. Every value starts with `{` and ends with `}`, and a newline separates two values. Inside a document, `{` can't follow `}`
with only white space between them, and a raw newline inside a string is an error. So if the parser accepts the stream, each of
our newlines lies between two documents, and each value holds one or more whole documents. If there are as many rows as values,
each value holds exactly one. A NUL byte would end the stream early and is never valid JSON, so it is looked for first.

Apart from that, the parser is laxer than JSON in three ways. It doesn't check UTF-8, it reads `NaN` and `Infinity`, and it
turns numbers beyond a float's range into infinities. It also rounds integers that a column of floating-point numbers doesn't
hold. All four are refused here. The checks can go once pyarrow.json refuses such input itself.
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
from kafka2parquet.util.display import counted

_BLOCK_BYTES = 1 << 20  # fits the processor's cache; larger blocks are slower
_WORD_BYTES = 8
#: The end of the parser's messages that name the row at which it stopped, counted from the first row of the block.
_ROW = re.compile(r" in row (\d+)$")


class ValuesRefused(Exception):  # noqa: N818  # an answer, not a fault
    """At least one value is not a single JSON object that fits the schema.

    Attributes:
        row: index of the value that probably caused the error; None if the parser doesn't name a row.
    """

    def __init__(self, reason: str, row: int | None = None) -> None:
        self.row = row
        super().__init__(reason)


class Objects:
    """Values that look like one object each before parsing, joined to the stream that the parser reads.

    Each value is in braces, is valid UTF-8 and has no NUL byte.
    """

    def __init__(self, stream: pa.Buffer, starts: npt.NDArray[np.int64], has_newlines: bool) -> None:
        """See `of`.

        Args:
            stream: the values, each followed by a newline.
            starts: where each value begins in the stream, and where the stream ends.
            has_newlines: whether values may have newlines inside.
        """
        self._stream = stream
        self._starts = starts
        self._has_newlines = has_newlines

    def __len__(self) -> int:
        return len(self._starts) - 1

    @classmethod
    def of(cls, values: pa.Array) -> Objects:
        """Join values (binary or binary_view without nulls, at least one).

        Raises:
            ValuesRefused: at least one value is not an object.
        """
        try:
            objects = cls.of_valid_utf8(values)
            _check_utf8(objects._stream)
        except (pa.ArrowInvalid, pa.ArrowCapacityError) as exc:
            raise ValuesRefused(str(exc)) from exc
        return objects

    @classmethod
    def of_valid_utf8(cls, values: pa.Array) -> Objects:
        """Join values like `of`, if they are known to be valid UTF-8.

        Raises:
            ValuesRefused: at least one value is not an object.
            pyarrow.ArrowInvalid: the values have too many bytes.
            pyarrow.ArrowCapacityError: the values have too many bytes.
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
        """The values without white space around them, each followed by a newline. Not copied."""
        offsets = pa.py_buffer(self._starts.astype(np.int32))
        return pa.Array.from_buffers(pa.binary(), len(self), [None, offsets, self._stream])

    def chosen(self, indices: npt.NDArray[np.int64]) -> Objects:
        """Return the values at these indices, which are ascending and at least one."""
        if indices[-1] - indices[0] == len(indices) - 1:
            return self.part(int(indices[0]), int(indices[-1]) + 1)
        chosen = self.lines.take(pa.array(indices))
        starts = content_of(chosen)[0].astype(np.int64)
        return Objects(chosen.buffers()[2].slice(0, int(starts[-1])), starts, self._has_newlines)

    def most_brackets(self) -> int:
        """Return the largest number of opening brackets in one value, which is an upper bound for its nesting."""
        characters = np.frombuffer(self._stream, np.uint8)
        opens = (characters == ord("{")) | (characters == ord("["))
        return int(np.add.reduceat(opens, self._starts[:-1], dtype=np.int64).max())

    def with_other_names(self, names: Iterable[str]) -> npt.NDArray[np.int64]:
        """Find members, at any depth, whose names are probably not among these names.

        Only the ends of names are compared, and only names that are directly followed by a colon.

        Returns:
            For each such member, the index of its value.
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
        """Return an upper bound for the number of columns of the values, as if no two members had the same name."""
        return int(np.count_nonzero(np.frombuffer(self._stream, np.uint8) == ord(":")))

    def part(self, start: int, stop: int) -> Objects:
        """Return the values at the indices [start, stop), at least one."""
        starts = self._starts[start : stop + 1]
        stream = self._stream.slice(int(starts[0]), int(starts[-1] - starts[0]))
        return Objects(stream, starts - starts[0], self._has_newlines)

    def end_of_part(self, start: int, rows: int, size_bytes: int) -> int:
        """Return the end of a part from `start` on with at most `rows` rows and `size_bytes` bytes, or a single row."""
        inside = int(np.searchsorted(self._starts, self._starts[start] + size_bytes, "right")) - 1
        return min(max(inside, start + 1), start + rows, len(self))

    def parse(self, schema: pa.Schema, *, ignore_unknown: bool, looks_at_integers: bool = True) -> pa.Table:
        """Parse the values to a table. See `parse_objects`."""
        table = self.read(schema, ignore_unknown=ignore_unknown)
        check_numbers(table, (lambda: self.lines) if looks_at_integers else None)
        return table

    def read(self, schema: pa.Schema, *, ignore_unknown: bool) -> pa.Table:
        """Parse the values like `parse`, but leave the numbers to `check_numbers`, which can check many tables at once."""

        def read(stream: pa.Buffer, schema: pa.Schema) -> pa.Table:
            return self._read(stream, schema, "ignore" if ignore_unknown else "error")

        try:
            # If unknown members are left out, the parser can't report that a group lacks a column.
            table = None if ignore_unknown else parse_sparse(self._stream, self._starts[:-1], schema, read)
            if table is None:
                table = read(self._stream, schema)
        except (pa.ArrowInvalid, pa.ArrowCapacityError) as exc:
            raise _refused(exc) from exc
        if table.num_rows != len(self):
            raise ValuesRefused(f"{counted(table.num_rows, 'document')} in {counted(len(self), 'value')}")
        return table

    def inferred(self, schema: pa.Schema) -> pa.Schema:
        """Extend the schema by columns for members that are not in it. Deeply nested columns are expensive.

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
        """Return the parser's block size. Blocks end at newlines, so a newline inside a value requires a single block."""
        if self._has_newlines:
            return len(self._stream) + 1
        return max(_BLOCK_BYTES, int(np.diff(self._starts).max()))


def parse_objects(
    values: pa.Array | Objects, schema: pa.Schema, *, ignore_unknown: bool = False, looks_at_integers: bool = True
) -> pa.Table:
    """Parse values to a table with one row per value and exactly the columns of `schema`.

    A batch is accepted if and only if each of its values would be accepted alone: an object in strict JSON (RFC 8259) and
    valid UTF-8 that names no known field twice. A missing field is null.

    Args:
        values: binary or binary_view without nulls, at least one.
        schema: types that pyarrow.json can parse.
        ignore_unknown: whether fields that are not in the schema are left out; otherwise their values are refused.
        looks_at_integers: whether to refuse integers that a column of floating-point numbers would round. False if the
            caller has checked them.

    Raises:
        ValuesRefused: some value isn't such an object.
    """
    objects = values if isinstance(values, Objects) else Objects.of(values)
    return objects.parse(schema, ignore_unknown=ignore_unknown, looks_at_integers=looks_at_integers)


def check_numbers(table: pa.Table, lines: Callable[[], pa.BinaryArray] | None) -> None:
    """Refuse numbers that the parser accepts although they are not JSON or don't fit their columns.

    Args:
        table: from `Objects.read`.
        lines: returns the objects; None to skip the check of integers, see `parse_objects`.

    Raises:
        ValuesRefused: the table has such a number.
    """
    if not all(_is_finite(chunk) for column in table.columns if has_floats(column.type) for chunk in column.chunks):
        raise ValuesRefused("NaN, an infinity, or a number too large for its type")
    if lines is not None and rounds_integers(lines, table):
        raise ValuesRefused("an integer that its column doesn't hold exactly")


def _refused(error: pa.ArrowException) -> ValuesRefused:
    row = _ROW.search(str(error))
    return ValuesRefused(str(error), int(row[1]) if row is not None else None)


def _check_utf8(stream: pa.Buffer) -> None:
    """Check that the stream is valid UTF-8.

    A newline is never part of another character, so the stream is valid if and only if each line is.

    Raises:
        pyarrow.ArrowInvalid: the stream is not valid.
    """
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
