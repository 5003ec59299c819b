"""JSON texts to a table by `pyarrow.json`, with proof of one row for each text.

The texts are joined by newlines and parsed as a sequence of objects. Each begins with `{` and ends with `}`. Between the `}` that
ends one and the `{` that begins the next there is only white space, and JSON's grammar allows that nowhere inside an object, an
array or a string (where a raw newline is an error). So the boundary lies between two objects of the sequence, each text is at
least one whole object, and as many rows as texts mean one row for each.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

#: Deeper texts are not given to the parser, whose recursion would overflow the stack; it was seen to bear 16,000 levels.
MAX_TEXT_DEPTH = 10_000
#: Deeper schemas are refused: no reader of Parquet is at ease with them.
MAX_SCHEMA_DEPTH = 100

_WHITE_SPACE = " \t\r\n"
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ERROR_ROW = re.compile(r" in row (\d+)$")


class UnparsableError(Exception):
    """Some text of a batch can't be parsed.

    Attributes:
        row: index of a text that can't, None where the parser doesn't tell.
    """

    def __init__(self, reason: str, row: int | None = None) -> None:
        self.row = row
        super().__init__(reason)


def trim(values: pa.Array) -> pa.Array:
    """The values as large_binary, without JSON white space around them where any has some."""
    values = values.cast(pa.large_binary())
    if looks_like_objects(values):
        return values
    try:
        return pc.ascii_trim(values.cast(pa.large_string()), characters=_WHITE_SPACE).cast(pa.large_binary())
    except pa.ArrowInvalid:  # not UTF-8 somewhere: found text by text
        return values


def looks_like_objects(values: pa.Array) -> bool:
    """Whether every value of a large_binary array without nulls begins with `{` and ends with `}`."""
    _, offsets, data = values.buffers()
    bounds = np.frombuffer(offsets, np.int64, len(values) + 1, values.offset * 8)
    if not (bounds[1:] > bounds[:-1]).all():
        return False
    content = np.frombuffer(data, np.uint8)
    return bool((content[bounds[:-1]] == ord("{")).all() and (content[bounds[1:] - 1] == ord("}")).all())


def parse(values: pa.Array, schema: pa.Schema | None, *, unexpected: str = "infer") -> pa.Table:
    """One row for each of the texts, which are trimmed.

    Args:
        values: large_binary without nulls.
        schema: types of known fields; None infers all of them.
        unexpected: what to do about other fields: `infer`, `ignore` or `error`.

    Raises:
        UnparsableError: some text is no JSON object, or doesn't fit the schema.
    """
    if not looks_like_objects(values):
        raise UnparsableError("not a JSON object")
    _check_depth(values)
    text = _join(values)
    try:
        table = pj.read_json(
            pa.BufferReader(text),
            read_options=pj.ReadOptions(use_threads=False, block_size=text.size + 1),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unexpected),
        )
    except pa.ArrowInvalid as error:
        row = _ERROR_ROW.search(str(error))
        raise UnparsableError(str(error), int(row[1]) if row and int(row[1]) < len(values) else None) from error
    except (UnicodeDecodeError, pa.ArrowNotImplementedError) as error:  # a field's name; a type that can't be parsed
        raise UnparsableError(str(error)) from error
    if table.num_rows != len(values):
        raise UnparsableError(f"{table.num_rows} JSON objects in {len(values)} values")
    return table


def _join(values: pa.Array) -> pa.Buffer:
    """All texts in one buffer, separated by newlines.

    Raises:
        UnparsableError: they aren't UTF-8.
    """
    whole = pa.LargeListArray.from_arrays(pa.array([0, len(values)], pa.int64()), values)
    joined = pc.binary_join(whole, pa.scalar(b"\n", pa.large_binary()))
    try:
        joined.view(pa.large_string()).validate(full=True)
    except pa.ArrowInvalid as error:
        raise UnparsableError("not UTF-8") from error
    return joined[0].as_buffer()


def _check_depth(values: pa.Array) -> None:
    lengths = pc.binary_length(values).to_numpy()
    for row in np.flatnonzero(lengths >= 2 * MAX_TEXT_DEPTH).tolist():
        text = np.frombuffer(_STRING.sub(b"", values[row].as_py()), np.uint8)
        opened = np.isin(text, np.frombuffer(b"[{", np.uint8)).astype(np.int64)
        closed = np.isin(text, np.frombuffer(b"]}", np.uint8)).astype(np.int64)
        if len(text) and np.cumsum(opened - closed).max() > MAX_TEXT_DEPTH:
            raise UnparsableError(f"nested deeper than {MAX_TEXT_DEPTH:,} levels", row)


def canonical(schema: pa.Schema) -> pa.Schema:
    """What `pyarrow.json` inferred, in the types of the lattice: what looks like a time stays text.

    Raises:
        UnparsableError: it is nested too deeply.
    """
    return pa.schema([pa.field(field.name, _canonical_type(field.type, 1)) for field in schema])


def _canonical_type(data_type: pa.DataType, depth: int) -> pa.DataType:
    if depth > MAX_SCHEMA_DEPTH:
        raise UnparsableError(f"nested deeper than {MAX_SCHEMA_DEPTH} levels")
    if pa.types.is_struct(data_type):
        return pa.struct([pa.field(field.name, _canonical_type(field.type, depth + 1)) for field in data_type])
    if pa.types.is_list(data_type):
        return pa.list_(_canonical_type(data_type.value_type, depth + 1))
    if pa.types.is_temporal(data_type):
        return pa.string()
    return data_type
