"""Malformed Protobuf messages, as ptars refuses them, are found without decoding them."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.payload_decoder import PayloadDecoder, PayloadsRefused
from kafka2parquet.converters.protobuf.converter import ProtobufConverter
from kafka2parquet.schema.refused import Refused
from tests.support.damage import damaged
from tests.support.registries import FakeRegistry, registered
from tests.unit.converters.protobuf.test_columns import PROTO, encoded
from tests.unit.converters.test_payload_decoder import assert_like_alone, outcomes_of

SMALL = """
syntax = "proto3";
message M {
  int32 a = 1; string s = 2; N n = 3; repeated int32 packed = 4; map<string, N> by_name = 5; double d = 6; fixed32 f = 7;
  bytes raw = 8; oneof choice { int32 x = 9; string y = 10; }
}
message N { int32 q = 1; string t = 2; }
"""


def decoder_of(text: str, *indexes: int) -> PayloadDecoder:
    """Returns the decoder of a message type."""
    decoder = ProtobufConverter(FakeRegistry({})).prepare(registered(text)).decoder(indexes)
    assert not isinstance(decoder, Refused)
    return decoder


DECODER = decoder_of(SMALL, 0)
DAMAGED_DECODER = decoder_of(PROTO, 1)


def varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([number])


def field(number: int, wire_type: int, content: bytes = b"") -> bytes:
    """Encodes a field, with a length if its type has one."""
    return varint(number << 3 | wire_type) + (varint(len(content)) if wire_type == 2 else b"") + content


@given(payloads=st.lists(encoded().flatmap(damaged), min_size=1, max_size=8))
def test_outcomes_do_not_depend_on_neighbours(payloads: list[bytes]) -> None:
    """The outcome of a message, even of a damaged one, doesn't depend on its neighbours."""
    assert_like_alone(DAMAGED_DECODER, payloads, outcomes_of(DAMAGED_DECODER, payloads))


@st.composite
def odd_messages(draw: st.DrawFn, depth: int = 0) -> bytes:
    """Generates fields and groups in any order, with lengths, tags and ends that serializers don't write."""
    inner = odd_messages(depth + 1) if depth < 3 else st.just(b"")
    parts = st.one_of(
        st.builds(field, st.integers(0, 10), st.integers(0, 7), st.binary(max_size=4)),
        st.builds(field, st.sampled_from([1, 9, 70]), st.just(0), st.integers(0, 2**64 - 1).map(varint)),
        st.builds(field, st.sampled_from([2, 8, 10, 70]), st.just(2), st.sampled_from([b"", b"ab", "é".encode(), b"\xe2\x82"])),
        st.builds(field, st.sampled_from([3, 5, 70]), st.just(2), inner),
        st.builds(
            lambda *parts: b"".join(parts), st.just(field(70, 3)), inner, st.sampled_from([b"", field(70, 4), field(3, 4)])
        ),
        st.builds(
            lambda number, length, rest: varint(number << 3 | 2) + varint(length) + rest,
            st.sampled_from([2, 3, 4, 70]),
            st.sampled_from([3, 2**31, 2**63, 2**64 - 12, 2**64 - 10, 2**64 - 1]),
            st.binary(max_size=4),
        ),
        st.integers(0, 2**67 - 1).map(varint),
        st.builds(field, st.sampled_from([1 << 29, 1 << 32, (1 << 32) + 2, 1 << 60]), st.sampled_from([0, 2]), st.just(b"\1")),
    )
    return b"".join(draw(st.lists(parts, max_size=4)))


@given(payloads=st.lists(odd_messages(), min_size=1, max_size=8))
def test_finds_what_the_decoder_refuses(payloads: list[bytes]) -> None:
    """Exactly the messages that the decoder refuses for their form are found."""
    assert DECODER.malformed is not None
    array = pa.array(payloads, pa.binary_view())
    found = DECODER.malformed(array).tolist()
    assert [_is_refused(array.slice(index, 1)) for index in range(len(payloads))] == found


def _is_refused(payload: pa.Array) -> bool:
    """Whether the decoder refuses a payload for its form, not for one of its values."""
    assert DECODER.decode is not None
    try:
        DECODER.decode(payload)
    except PayloadsRefused as refusal:
        return refusal.suspects is None
    return False


MALFORMED = {
    "varint": field(1, 0, b"\x80"),
    "endless varint": field(1, 0, b"\xff" * 10 + b"\1"),
    "length": field(2, 2, b"abc")[:-1],
    "double": field(6, 1, b"1234567"),
    "float": field(7, 5, b"123"),
    "text": field(2, 2, b"\xff"),
    "text of a choice": field(10, 2, b"\xff"),
    "message": field(3, 2, b"\x08"),
    "text in a message": field(3, 2, field(2, 2, b"\xff")),
    "key": field(5, 2, field(1, 2, b"\xff")),
    "message of a key": field(5, 2, field(2, 2, b"\x08")),
    "packed": field(4, 2, b"\1\x80"),
    "number of a field": b"\0\1",
    "wire type": field(1, 6),
    "group that does not end": field(9, 3),
    "end without a group": field(9, 4),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_each_kind(kind: str) -> None:
    """Each kind of damage is found, between fields and between messages."""
    good = field(2, 2, "é".encode())
    payloads = [good, good + MALFORMED[kind], good + good, MALFORMED[kind], b"", field(70, 2, MALFORMED[kind]) + good]
    assert DECODER.malformed is not None
    assert [False, True, False, True, False, False] == DECODER.malformed(pa.array(payloads, pa.binary_view())).tolist()


@pytest.mark.parametrize("make", [lambda: b"\x10\1" * 50_000, lambda: field(70, 3) * 100], ids=["fields", "groups"])
def test_few_messages_of_many_fields_are_not_looked_at_to_their_end(make: Callable[[], bytes]) -> None:
    """A few messages with very many fields are not read to their end, since each field would take a round."""
    many = make()
    assert DECODER.malformed is not None
    found = DECODER.malformed(pa.array([many, b"\x08", many + b"\x08"], pa.binary_view())).tolist()
    assert [many[0] != 0x10, True, many[0] != 0x10] == found
