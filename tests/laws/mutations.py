"""Mutations of real bytes: flips, cuts, insertions, repetitions, numbers at their edges, nesting, byte order marks."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import strategies as st

_NUMBER = re.compile(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_EDGE_NUMBERS = (
    *(b"0", b"-1", b"1.5", b"1e400", b"-1e-400", b"1e1000000", b"2147483648", b"9007199254740993", b"9223372036854775808"),
    *(b"9" * 400, b"0.1e1", b"00", b"NaN", b"253402300800000", b"77", b"-0.0", b"1.0"),
)
#: Bytes that mean something in one format or another: ends, lengths, escapes, groups of Protobuf, marks.
_BYTES = (
    *(b"\0", b"\1", b"\x7f", b"\x80", b"\xff", b"\xff" * 9 + b"\1", b"\x7b", b"\x7c", b'"', b"\\", b"\\ud800", b"{", b"}"),
    *(b"[", b"]", b",", b":", b"\n", b"-", b"null"),
    *(b"\xef\xbb\xbf", b"\xfe\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\x1b[2J", b"\0\0\0\0\1"),
)  # fmt: skip

Mutation = Callable[[bytes], bytes]


@st.composite
def mutations(draw: st.DrawFn, others: st.SearchStrategy[bytes]) -> Mutation:
    """Generates one change of a value; pieces of `others` are spliced in."""
    at, length = draw(st.integers(0, 400)), draw(st.integers(1, 12))

    def place(value: bytes) -> int:
        return at % (len(value) + 1)

    def flip(value: bytes) -> bytes:
        where = at % len(value) if value else 0
        return value[:where] + draw(st.binary(min_size=1, max_size=1)) + value[where + 1 :]

    def insert(value: bytes) -> bytes:
        return value[: place(value)] + draw(st.sampled_from(_BYTES)) + value[place(value) :]

    def cut(value: bytes) -> bytes:
        return value[: place(value)] + value[place(value) + length :]

    def truncate(value: bytes) -> bytes:
        return value[: place(value)]

    def repeat(value: bytes) -> bytes:
        piece = value[place(value) : place(value) + length]
        return value[: place(value)] + piece * draw(st.sampled_from([2, 3, 50])) + value[place(value) + length :]

    def splice(value: bytes) -> bytes:
        return value[: place(value)] + draw(others)[length:]

    def number(value: bytes) -> bytes:
        found = list(_NUMBER.finditer(value))
        if not found:
            return value
        chosen = found[at % len(found)]
        return value[: chosen.start()] + draw(st.sampled_from(_EDGE_NUMBERS)) + value[chosen.end() :]

    def nest(value: bytes) -> bytes:
        depth = draw(st.sampled_from([1, 30, 64, 1000]))
        before, after = draw(st.sampled_from([(b"[", b"]"), (b'{"n":', b"}"), (b"\x7b", b"\x7c"), (b"\x32\x02", b"")]))
        return value[: place(value)] + before * depth + value[place(value) :] + after * depth

    def mark(value: bytes) -> bytes:
        return b"\xef\xbb\xbf" + value

    return draw(st.sampled_from([flip, insert, cut, truncate, repeat, splice, number, nest, mark]))


@st.composite
def sometimes_mutated(draw: st.DrawFn, values: st.SearchStrategy[bytes]) -> bytes:
    """Generates values of which one in eight has one to three changes."""
    value = draw(values)
    if draw(st.integers(1, 8)) == 8:
        for _ in range(draw(st.integers(1, 3))):
            value = draw(mutations(values))(value)
    return value
