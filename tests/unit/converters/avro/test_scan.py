"""Malformed Avro payloads are found without decoding them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyruhvro import deserialize_array

from kafka2parquet.converters.avro.columns import ColumnDecoder
from kafka2parquet.converters.avro.node import AvroNode
from kafka2parquet.converters.avro.scan import malformed_payloads
from kafka2parquet.converters.avro.schema import plan_avro
from kafka2parquet.converters.payload_decoder import PayloadsRefused
from kafka2parquet.converters.registry.base import RegisteredSchema
from tests.support.avro_cases import AvroCase, avro_cases, number, text, written
from tests.support.damage import damaged

_INTS = {"type": "array", "items": "int"}
_SMALLEST_LONG = b"\xff" * 9 + b"\x01"


def _node(*types: Any) -> AvroNode:
    fields = [{"name": f"f{i}", "type": type_} for i, type_ in enumerate(types)]
    return plan_avro(RegisteredSchema(1, "AVRO", json.dumps({"type": "record", "name": "R", "fields": fields})))


def _found(node: AvroNode, *payloads: bytes) -> list[bool]:
    return list(malformed_payloads(node, pa.array(payloads, pa.binary_view())).tolist())


def _refuses(decode: Callable[[], Any]) -> bool:
    try:
        decode()
    except (ValueError, PayloadsRefused):
        return True
    return False


@given(st.data(), avro_cases(readable=True))
def test_finds_what_the_decoder_refuses_for_its_form(data: st.DataObject, case: AvroCase) -> None:
    """Exactly the payloads that the decoder refuses for their form are found, whatever is next to them."""
    pairs = data.draw(st.lists(case.values, min_size=1, max_size=6))
    payloads = [data.draw(damaged(payload)) for payload in written(case.schema, [pair[0] for pair in pairs])]
    node = plan_avro(RegisteredSchema(1, "AVRO", json.dumps(case.schema)))
    decoder = ColumnDecoder(node, null_becomes_default=False)
    for payload, is_found in zip(payloads, _found(node, *payloads), strict=True):
        if is_found:
            assert _refuses(lambda: decoder.decode(pa.array([payload], pa.binary_view())))  # noqa: B023  # called at once
        else:
            assert not _refuses(lambda: deserialize_array([payload], decoder._schema))  # noqa: B023  # called at once


@pytest.mark.parametrize(
    ("avro_type", "sound", "malformed"),
    [
        ("long", number(2**62), b"\xff" * 10),
        ("string", text("ab"), number(3) + b"ab"),
        ("string", text(""), number(-1) + b"ab"),
        ("bytes", number(1) + b"\xff", number(2**62) + b"\xff"),
        ("double", b"12345678", b"1234567"),
        ({"type": "fixed", "name": "F", "size": 4}, b"1234", b"123"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, number(1), number(2)),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, number(0), number(-1)),
        (["null", "int"], number(1) + number(5), number(2) + number(5)),
        (["int", "null", "string"], number(2) + text("a"), number(3) + text("a")),
        (["int"], number(0) + number(5), number(1) + number(5)),
        (_INTS, number(2) + number(1) + number(2) + number(0), number(2) + number(1) + number(2)),
        (_INTS, number(-1) + number(1) + number(9) + number(0), number(-1) + number(1) + number(9)),
        (_INTS, _SMALLEST_LONG + number(3) + number(0), _SMALLEST_LONG + number(3)),
        (_INTS, number(0), number(2**62)),
        ({"type": "map", "values": "int"}, number(1) + text("k") + number(9) + number(0), number(1) + number(9) + b"k"),
    ],
)
def test_each_kind(avro_type: Any, sound: bytes, malformed: bytes) -> None:
    """Each kind of damage is found, between fields and between payloads."""
    node = _node("int", avro_type, "boolean")
    framed = [number(300) + value + b"\1" for value in (sound, malformed, sound, malformed)]
    assert [False, True, False, True] == _found(node, *framed)
    assert [True, True] == _found(node, *(number(300) + value + b"\2" for value in (sound, sound)))


def test_few_payloads_of_many_items_are_not_looked_at_to_their_end() -> None:
    """A few payloads with very many items are not read to their end, since each item would take a round."""
    node = _node(_INTS, "int")
    many = number(100_000) + number(7) * 100_000 + number(0)
    assert [False, True, False] == _found(node, many, number(1), many + number(1))
