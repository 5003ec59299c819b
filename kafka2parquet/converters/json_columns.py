"""JSON values to columns, a whole batch at a time.

pyarrow's parser reads a stream of JSON documents, not one document per value, so it has to be shown that each value became
one row. Every value starts with `{` and ends with `}`, and a newline stands behind each. Inside a document no `{`
may follow a `}` with only white space between, and inside a string a raw newline is an error. So wherever the parser accepts
the stream, each of our newlines lies between two documents: each value holds one or more whole documents, and if there are as
many rows as values, exactly one. A NUL byte would end the stream early, and is never valid JSON; it is looked for first.

Apart from that, the parser is laxer than JSON in three ways that are made good here: it doesn't check UTF-8, it reads `NaN`
and `Infinity`, and it makes numbers beyond a float's range infinite. It also rounds integers that a column of floating-point
numbers doesn't hold; these are refused.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from kafka2parquet.converters.json_lines import content_of, has_only_newlines, json_lines
from kafka2parquet.converters.json_numbers import has_floats, rounds_integers
from kafka2parquet.converters.json_sparse import parse_sparse

_BLOCK_BYTES = 1 << 20  # fits the processor's cache; larger blocks are slower
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


def parse_objects(
    values: pa.Array, schema: pa.Schema, *, ignore_unknown: bool = False, looks_at_integers: bool = True
) -> pa.Table:
    """Make a table with one row for each value and exactly the columns of `schema`.

    A batch is accepted if and only if each of its values is accepted by itself: an object in strict JSON (RFC 8259) of valid
    UTF-8 that names no known field twice; a missing field is null.

    Args:
        values: binary_view without nulls, at least one.
        schema: types that pyarrow.json can parse.
        ignore_unknown: leave out fields that are not in the schema, instead of refusing the values.
        looks_at_integers: whether to refuse integers that a column of floating-point numbers would round; they were looked at
            before where not.

    Raises:
        ValuesRefused: some value isn't such an object. Which one isn't said; halve the batch to find out.
    """
    try:
        text = json_lines(values)
        if text is None:
            raise ValuesRefused("not in braces")
        starts, stream = content_of(text)[0].astype(np.int64), text.buffers()[2]
        stream = stream.slice(int(starts[0]), int(starts[-1] - starts[0]))
        _check_utf8(stream)
        block_bytes = _block_bytes(stream, starts)

        def read(stream: pa.Buffer, schema: pa.Schema) -> pa.Table:
            table = pyarrow.json.read_json(
                pa.BufferReader(stream),
                read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=block_bytes),
                parse_options=pyarrow.json.ParseOptions(
                    explicit_schema=schema, unexpected_field_behavior="ignore" if ignore_unknown else "error"
                ),
            )
            if not all(_is_finite(chunk) for column in table.columns if has_floats(column.type) for chunk in column.chunks):
                raise ValuesRefused("NaN, an infinity, or a number too large for its type")
            return table

        # where unknown members are left out, the parser could not say that a group lacks a column
        table = None if ignore_unknown else parse_sparse(stream, starts[:-1] - starts[0], schema, read)
        if table is None:
            table = read(stream, schema)
    except (pa.ArrowInvalid, pa.ArrowCapacityError) as exc:
        row = _ROW.search(str(exc))
        raise ValuesRefused(str(exc), int(row[1]) if row is not None else None) from exc
    if table.num_rows != len(values):
        raise ValuesRefused(f"{len(values)} values hold {table.num_rows} documents")
    if looks_at_integers and rounds_integers(values, table):
        raise ValuesRefused("an integer that its column doesn't hold exactly")
    return table


def _check_utf8(stream: pa.Buffer) -> None:
    """Newlines stand alone in UTF-8: the whole is valid if and only if each line is."""
    offsets = pa.py_buffer(np.array([0, len(stream)], np.int64))
    pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, stream]).validate(full=True)


def _block_bytes(stream: pa.Buffer, starts: np.ndarray) -> int:
    """The parser's block size. Blocks end at newlines, so a value with a newline inside needs one block for everything."""
    characters, count = np.frombuffer(stream, np.uint8), len(starts) - 1
    if not has_only_newlines(characters, count):
        if not characters.all():
            raise ValuesRefused("a NUL byte")
        if np.count_nonzero(characters == ord("\n")) != count:
            return len(characters) + 1
    return max(_BLOCK_BYTES, int(np.diff(starts).max()))


def _is_finite(array: pa.Array) -> bool:
    if pa.types.is_floating(array.type):
        return pc.all(pc.is_finite(array)).as_py() is not False
    if pa.types.is_struct(array.type):
        return all(_is_finite(child) for child in array.flatten())
    if pa.types.is_list(array.type):
        return _is_finite(array.flatten())
    return True
