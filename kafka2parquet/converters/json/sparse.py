"""Parses wide and sparse JSON, whose values have few of many columns, as in a topic with events of many types.

pyarrow's parser appends a null for each column that a value lacks, which costs more than the value itself. So values with about
the same members are grouped. Each group is parsed with only the columns of its own members, and the resulting columns are
combined in the order of the values, which costs a tenth as much. This can go once pyarrow.json appends missing columns cheaply.

Which values look alike is a guess, based on the ends of their members' names. A wrong guess doesn't change the outcome: a group
is parsed with a subset of the columns, and the parser refuses values with other members. Then all values are parsed with all
columns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.util.arrays import Places

#: Tables with fewer columns or fewer rows are not worth the effort.
_MIN_COLUMNS = 32
_MIN_ROWS = 256
#: The fixed costs of parsing another group, as the number of nulls that the parser could append in the same time.
_GROUP_NULLS = 5_000
_MAX_GROUPS = 64

_Int64s = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]

Parse = Callable[[pa.Buffer, pa.Schema], pa.Table]
"""Parses objects, each followed by a newline, to a table with the columns of a schema."""


@attrs.define(eq=False)
class _Group:
    """Values that are parsed together.

    Attributes:
        names: the names of their members.
        looks: the numbers of their looks; values of one look have the same members, by a guess.
        rows: the number of values.
    """

    names: set[str]
    looks: list[int]
    rows: int

    def nulls_with(self, other: _Group) -> int:
        """Return how many more nulls there are if another group is merged into this one."""
        return len(other.names - self.names) * self.rows + len(self.names - other.names) * other.rows


def parse_sparse(stream: pa.Buffer, starts: _Int64s, schema: pa.Schema, parse: Parse) -> pa.Table | None:
    """Parse objects to a table of the schema, group by group; return None if that would cost more or a group is refused.

    Args:
        stream: objects, separated by newlines; a newline after the last object is optional.
        starts: where each object begins.
        schema: all columns.
        parse: has to raise `pyarrow.ArrowInvalid` for a member that is not in its schema.
    """
    count = len(starts)
    if len(schema) < _MIN_COLUMNS or count < _MIN_ROWS or any(_has_unknown_items(type_) for type_ in schema.types):
        return None
    ends = ends_of_names(stream)
    if len(ends) * 2 > count * len(schema):
        return None
    looks, firsts, look_of_row, sizes = np.unique(
        _looks(stream, starts, ends), return_index=True, return_inverse=True, return_counts=True
    )
    if len(looks) * 8 > count:
        return None
    bounds = np.append(starts, len(stream))
    columns = set(schema.names)
    members = []
    for row in firsts.tolist():
        names = _members(stream, *bounds[row : row + 2].tolist())
        if names is None or not names <= columns:
            return None
        members.append(names)
    groups = _groups(members, sizes.tolist())
    if sum(len(group.names) * group.rows for group in groups) * 2 > count * len(schema):
        return None
    group_of_look = np.empty(len(looks), np.int64)
    for number, group in enumerate(groups):
        group_of_look[group.looks] = number
    return _table(stream, bounds, group_of_look[look_of_row], groups, schema, parse)


def ends_of_names(stream: pa.Buffer) -> _Int64s:
    """Find the quotes that a colon follows. They end the names of members, but a few may be inside text."""
    text = np.frombuffer(stream, np.uint8)
    found: _Int64s = np.flatnonzero((text[1:] == ord(":")) & (text[:-1] == ord('"')))
    return found


def _looks(stream: pa.Buffer, starts: _Int64s, ends: _Int64s) -> _Words:
    """Hash each value by the names of its members. The order of the members doesn't matter."""
    hashes = _mixed(last_characters(stream, ends))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(hashes, dtype=np.uint64)])
    places = np.append(np.searchsorted(ends, starts), len(ends))
    return np.asarray(sums[places[1:]] - sums[places[:-1]], np.uint64)


def last_characters(stream: pa.Buffer, ends: _Int64s) -> _Words:
    """Return the eight bytes before each place, with those up to the last quote set to zero."""
    padded = b"\0" * 8 + stream.slice(0, 8).to_pybytes() + b"\0" * 8
    near = ends < 8
    words = np.ndarray((len(stream) - 7,), "<u8", buffer=stream, strides=(1,))[np.maximum(ends - 8, 0)]
    if near.any():
        words[near] = np.ndarray((len(padded) - 7,), "<u8", buffer=padded, strides=(1,))[ends[near]]
    low_bits = np.uint64(0x7F7F_7F7F_7F7F_7F7F)
    differs = words ^ np.uint64(0x2222_2222_2222_2222)
    quotes = ~(((differs & low_bits) + low_bits) | differs | low_bits)  # the highest bit of each byte that is a quote
    for shift in (1, 2, 4, 8, 16, 32):
        quotes |= quotes >> np.uint64(shift)  # and all bits before the last quote
    return np.asarray(words & ~quotes, np.uint64)


def _mixed(words: _Words) -> _Words:
    words = words * np.uint64(0x9E37_79B9_7F4A_7C15)
    words ^= words >> np.uint64(32)
    return np.asarray(words * np.uint64(0xD6E8_FEB8_6659_FD93), np.uint64)


def _members(stream: pa.Buffer, start: int, end: int) -> set[str] | None:
    """Return the names of a value's members; None if the value isn't a single object."""
    try:
        document = json.loads(stream.slice(start, end - start).to_pybytes())
    except (ValueError, RecursionError):
        return None
    return set(document) if isinstance(document, dict) else None


def _groups(members: Sequence[set[str]], sizes: Sequence[int]) -> list[_Group]:
    """Group looks: first by equal members; then each group, the largest first, joins the group where that costs least."""
    alike: dict[frozenset[str], _Group] = {}
    for look, (names, rows) in enumerate(zip(members, sizes, strict=True)):
        group = alike.setdefault(frozenset(names), _Group(names, [], 0))
        group.looks.append(look)
        group.rows += rows
    groups: list[_Group] = []
    for small in sorted(alike.values(), key=lambda group: -group.rows):
        best = min(groups, key=lambda group: group.nulls_with(small), default=None)
        if best is None or (len(groups) < _MAX_GROUPS and best.nulls_with(small) > _GROUP_NULLS):
            groups.append(small)
        else:
            best.names |= small.names
            best.looks += small.looks
            best.rows += small.rows
    return groups


def _table(
    stream: pa.Buffer, bounds: _Int64s, group_of_row: _Int64s, groups: Sequence[_Group], schema: pa.Schema, parse: Parse
) -> pa.Table | None:
    count = len(group_of_row)
    order = np.argsort(group_of_row, kind="stable")
    rows_of_groups = np.split(order, np.cumsum([group.rows for group in groups])[:-1])
    values = pa.Array.from_buffers(pa.large_binary(), count, [None, pa.py_buffer(bounds), stream]).take(pa.array(order))
    _, _, text = values.buffers()
    sizes = np.diff(bounds)
    ends = np.cumsum([sizes[rows].sum() for rows in rows_of_groups]).tolist()
    parsed: list[pa.Table] = []
    for group, start, end in zip(groups, [0, *ends], ends, strict=False):
        part = pa.schema([field for field in schema if field.name in group.names])
        try:
            table = parse(text.slice(start, end - start), part)
        except pa.ArrowInvalid:
            return None
        if table.num_rows != group.rows:
            return None
        parsed.append(table)
    return _united(parsed, rows_of_groups, count, schema)


def _united(tables: Sequence[pa.Table], rows_of_tables: Sequence[_Int64s], count: int, schema: pa.Schema) -> pa.Table:
    """Combine the columns of all tables, with each row in its place; a column is null in rows of tables that lack it."""
    holders: dict[str, list[int]] = {}
    chunks: dict[str, list[pa.Array]] = {}
    for number, table in enumerate(tables):
        for name, column in zip(table.column_names, table.columns, strict=True):
            holders.setdefault(name, []).append(number)
            chunks.setdefault(name, []).extend(column.chunks)
    places: dict[tuple[int, ...], Places] = {}
    columns = []
    for field in schema:
        numbers = tuple(holders.get(field.name, ()))
        if not numbers:
            columns.append(pa.nulls(count, field.type))
            continue
        if numbers not in places:
            places[numbers] = Places(np.concatenate([rows_of_tables[number] for number in numbers]), count)
        columns.append(places[numbers].spread(pa.concat_arrays(chunks[field.name])))
    return pa.Table.from_arrays(columns, schema=schema)


def _has_unknown_items(type_: pa.DataType) -> bool:
    """Whether a type has lists of Arrow's null type, to which pyarrow's parser adds too few elements: apache/arrow#51305."""
    if pa.types.is_struct(type_):
        return any(_has_unknown_items(field.type) for field in type_)
    return pa.types.is_list(type_) and (pa.types.is_null(type_.value_type) or _has_unknown_items(type_.value_type))
