"""Headers become the same columns as record by record, however many there are."""

from __future__ import annotations

import tracemalloc

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.record_headers import header_lists
from kafka2parquet.converters.record_views import header_text
from kafka2parquet.records import decode_headers

BYTES = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
TEXT = pa.list_(
    pa.field("element", pa.struct([pa.field("key", pa.string(), nullable=False), ("value", pa.string())]), nullable=False)
)


def _varint(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def _section(*pairs: tuple[bytes, bytes | None]) -> bytes:
    parts = [_varint(len(pairs))]
    for key, value in pairs:
        parts += [_varint(len(key)), key, _varint(-1 if value is None else len(value)), value or b""]
    return b"".join(parts)


def _expected(section: bytes | None) -> list[dict[str, object]]:
    return [{"key": key, "value": value} for key, value in decode_headers(section)]


_KEYS = st.one_of(st.text(max_size=5).map(str.encode), st.binary(max_size=300))
_SECTIONS = st.one_of(
    st.none(), st.lists(st.tuples(_KEYS, st.none() | st.binary(max_size=300)), max_size=5).map(lambda pairs: _section(*pairs))
)


@given(st.lists(_SECTIONS, max_size=8), st.integers(0, 8))
def test_headers_are_those_of_each_record(sections: list[bytes | None], start: int) -> None:
    """Null values, keys that are not UTF-8, equal sections and sliced batches are handled."""
    column = pa.array(sections, pa.binary_view()).slice(start)

    assert [_expected(section) for section in sections[start:]] == header_lists(column, BYTES).to_pylist()


def test_values_may_be_text() -> None:
    """Values that are not text become hexadecimal digits."""
    column = pa.array([_section((b"a", b"\xc3\xa9"), (b"b", b"\xff"), (b"c", None)), None], pa.binary_view())
    headers = header_lists(column, TEXT, header_text)

    assert TEXT == headers.type
    expected = [{"key": "a", "value": "é"}, {"key": "b", "value": "ff"}, {"key": "c", "value": None}]
    assert [expected, []] == headers.to_pylist()


@pytest.mark.parametrize(
    "section",
    [
        *(_section((b"key", b"value"))[:length] for length in range(1, 11)),
        _section((b"key", b"value")) + b"x",
        b"\x02\x01",  # a key of -1 bytes
        b"\x02\x02k\x03",  # a value of -2 bytes
        b"\x01",  # -1 headers
        b"\xfe\xff\xff\xff\x0f\x00",
        b"\x80",
        b"\xff" * 1_000_000,
    ],
)
def test_a_section_that_is_not_well_formed_is_an_error(section: bytes) -> None:
    """A malformed section is an error, even if its lengths reach into the next section."""
    good = _section((b"other", b"x" * 100))
    with pytest.raises(ValueError, match="header"):
        header_lists(pa.array([good, section, good], pa.binary_view()), BYTES)


def test_no_object_is_made_of_a_header() -> None:
    """Half a million headers take no more memory than their columns."""
    section = _section(*[(b"k", b"v")] * 500_000)
    column = pa.array([section], pa.binary_view())
    tracemalloc.start()
    try:
        headers = header_lists(column, BYTES)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 500_000 == len(headers.flatten())
    assert peak_bytes < 40 << 20
