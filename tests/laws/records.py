"""Records: values of a format, mutated here and there, with odd keys, times and headers."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from kafka2parquet.testing import MemoryRecord
from tests.laws.json_texts import documents, encoded, mostly
from tests.laws.mutations import sometimes_mutated

#: The first hour of 2026.
NOW_MS = 1_767_225_600_000

_ODD_TIMES_MS = (None, 0, -1, 2**31, 253_402_300_799_999, 253_402_300_800_000, 2**62, 2**63 - 1)
_TIMES_MS = st.sampled_from([*[NOW_MS, NOW_MS + 1, NOW_MS + 3_600_000] * 6, *_ODD_TIMES_MS])
_KEYS = st.sampled_from(
    [
        *(None, b"", b"k", b"k2", b"\xff", b"\0\0\0\0\0\0\0\1", b"1", b'"x"', b'{"id":1}', b'{"id":2,"b":"x"}'),
        b'{"schema":{"type":"struct","fields":[{"field":"a","type":"int32"}]},"payload":{"a":1}}',
        b'{"schema":{"type":"string","optional":true},"payload":"x"}',
        b'{"schema":{"type":"string","optional":true},"payload":null}',
        b'{"schema":null,"payload":{"a":"x"}}',
    ]
)
_HEADER_NAMES = (b"trace", "é".encode(), b"", b"\xff\xfe", b"a\0b", b"x" * 300)
_HEADER_VALUES = (None, b"1", b"", b"\xff", b"text", b'{"a":1}', b"2026-01-01T00:00:00Z")
_HEADERS = st.lists(st.tuples(st.sampled_from(_HEADER_NAMES), st.sampled_from(_HEADER_VALUES)), max_size=3)


def header_section(pairs: Sequence[tuple[bytes, bytes | None]]) -> bytes:
    """Encodes headers as Kafka sends them: their number, then names and values behind their lengths."""
    content = _varint(len(pairs))
    for name, value in pairs:
        content += _varint(len(name)) + name + (_varint(-1) if value is None else _varint(len(value)) + value)
    return content


def _varint(number: int) -> bytes:
    rest, content = (number << 1) ^ (number >> 63), b""
    while rest > 0x7F:
        content += bytes([rest & 0x7F | 0x80])
        rest >>= 7
    return content + bytes([rest])


def records(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[MemoryRecord]:
    """Generates records of a topic whose values have one format; one record in four is odd in all of its parts."""
    mutated = sometimes_mutated(values)
    header = header_section([(b"a", b"1")])
    usual = st.builds(MemoryRecord, mutated, st.just(b"k"), st.just(NOW_MS), st.just(header))
    odd = st.builds(
        MemoryRecord,
        mostly(mutated, documents.map(encoded) | st.binary(max_size=9) | st.none(), one_in=3),
        sometimes_mutated(_KEYS.map(lambda key: key or b"")) | _KEYS,
        _TIMES_MS,
        st.none() | _HEADERS.map(header_section),
    )
    return mostly(usual, odd, one_in=4)
