"""The outcome of a payload is the same in any batch, and bad payloads cost little more than good ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attrs
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.avro.converter import AvroConverter
from kafka2parquet.converters.avro.node import AvroMapping
from kafka2parquet.converters.payload_decoder import PayloadDecoder, Suspicions
from tests.support.avro_cases import AvroCase, avro_cases, number, written
from tests.support.damage import damaged
from tests.support.registries import FakeRegistry, registered

_DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
_TIME = {"type": "int", "logicalType": "time-millis"}
_SCHEMA = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "number", "type": "int"},
        {"name": "text", "type": ["null", "string"]},
        {"name": "items", "type": {"type": "array", "items": {"type": "map", "values": _DECIMAL}}},
        {"name": "choice", "type": ["null", _TIME, "boolean", "string"]},
    ],
}


def _decoder(schema: Any, mapping: AvroMapping | None = None) -> PayloadDecoder:
    return AvroConverter(FakeRegistry({}), mapping=mapping).prepare(registered(json.dumps(schema), "AVRO"))


def outcomes_of(decoder: PayloadDecoder, payloads: Sequence[bytes]) -> list[Any]:
    """Returns for each payload an array with its value, or the reason why it has none."""
    found: dict[int, Any] = {}
    for decoded in decoder.run(pa.array(payloads, pa.binary_view())):
        decoded.values.validate(full=True)
        found |= ((row, decoded.values.slice(index, 1)) for index, row in enumerate(decoded.kept.tolist()))
        found |= decoded.refused
    assert len(payloads) == len(found)
    return [found[row] for row in range(len(payloads))]


def assert_like_alone(decoder: PayloadDecoder, payloads: Sequence[bytes], found: Sequence[Any]) -> None:
    """Asserts that the outcomes are those of the payloads one by one."""
    for payload, outcome in zip(payloads, found, strict=True):
        (expected,) = outcomes_of(decoder, [payload])
        if expected != outcome:  # NaN is not equal to itself
            assert repr(expected.to_pylist()) == repr(outcome.to_pylist())
            assert expected.type == outcome.type


@given(st.data(), avro_cases(readable=True), st.booleans())
def test_outcomes_of_avro_do_not_depend_on_neighbours(data: st.DataObject, case: AvroCase, is_arrow: bool) -> None:
    """Each Avro payload has the outcome of the decoder of single payloads."""
    decoder = _decoder(case.schema, AvroMapping(logical_types="arrow" if is_arrow else "connect"))
    pairs = data.draw(st.lists(case.values, min_size=1, max_size=8))
    payloads = [data.draw(damaged(payload)) for payload in written(case.schema, [pair[0] for pair in pairs])]
    assert_like_alone(attrs.evolve(decoder, decode=None), payloads, outcomes_of(decoder, payloads))


def _payload(
    value: int = 1, name: bytes = b"name", items: Sequence[tuple[bytes, bytes]] = ((b"k", b"\1"),), choice: bytes = number(0)
) -> bytes:
    entries = b"".join(number(len(key)) + key + number(len(price)) + price for key, price in items)
    maps = number(1) + (number(len(items)) + entries if items else b"") + number(0) + number(0)
    return number(value) + number(1) + number(len(name)) + name + maps + choice


BAD = {
    "truncated": _payload()[:-1],
    "empty": b"",
    "branch": _payload(choice=number(4)),
    "boolean": _payload(choice=number(2) + b"\2"),
    "long for an int": _payload(value=2**40),
    "not UTF-8": _payload(name=b"\xff"),
    "key not UTF-8": _payload(items=[(b"a", b"\1"), (b"\xc3", b"\1")]),
    "choice not UTF-8": _payload(choice=number(3) + number(1) + b"\x80"),
    "no digits": _payload(items=[(b"a", b"\1"), (b"b", b"")]),
    "many digits": _payload(items=[(b"a", b"\x7f\xff")]),
    "very many digits": _payload(items=[(b"a", b"\1" * 40)]),
    "no time": _payload(choice=number(1) + number(-1)),
}
ODD = {
    "a key twice": _payload(items=[(b"a", b"\1"), (b"b", b"\1"), (b"a", b"\2")]),
    "padded digits": _payload(items=[(b"a", b"\0" * 40 + b"\1")]),
    "more behind it": _payload() + b"xyz",
}


@pytest.mark.parametrize("kind", [*BAD, *ODD])
def test_payloads_of_one_in_ten_are_decoded_one_by_one(kind: str) -> None:
    """With one bad payload in ten, the others are decoded together, at most twice."""
    decoder = _decoder(_SCHEMA)
    single: list[bytes] = []
    together: list[int] = []
    assert decoder.decode is not None

    def decode_one(payload: bytes) -> Any:
        single.append(payload)
        return decoder.decode_one(payload)

    def decode(payloads: pa.Array) -> pa.Array:
        together.append(len(payloads))
        assert decoder.decode is not None
        return decoder.decode(payloads)

    counting = attrs.evolve(decoder, decode_one=decode_one, decode=decode)
    payload = (BAD | ODD)[kind]
    payloads = [payload if row % 10 == 5 else _payload(row) for row in range(200)]
    outcomes = outcomes_of(counting, payloads)
    assert len(together) <= 2
    assert {payload} >= {*single}
    assert (20 if kind in BAD else 0) == sum(isinstance(outcome, str) for outcome in outcomes)
    assert_like_alone(decoder, payloads, outcomes)


def test_batches_of_many_kinds_of_bad_payloads() -> None:
    """Bad payloads of many kinds are found together."""
    decoder = _decoder(_SCHEMA)
    payloads = [each for row in range(10) for each in (*BAD.values(), _payload(row), *ODD.values(), _payload(name=b"x" * row))]
    assert_like_alone(decoder, payloads, outcomes_of(decoder, payloads))


def test_suspicions_of_items_are_those_of_what_they_are_in() -> None:
    """Suspicions of items are passed on over several levels, and empty lists have none."""
    rows = pa.array([[], [["a"], []], [["b", "c"]], [[], ["d"]]], pa.list_(pa.list_(pa.string())))
    suspicions = Suspicions(pa.array([False] * 4).to_numpy(zero_copy_only=False).copy())
    inner = suspicions.of_items(rows.offsets.to_numpy())
    texts = inner.of_items(rows.values.offsets.to_numpy())
    texts.add(pa.array([True, False, False, True]).to_numpy(zero_copy_only=False))
    assert [False, True, False, True] == suspicions.rows.tolist()
    inner.add(pa.array([False, False, True, False, False]).to_numpy(zero_copy_only=False))
    assert [False, True, True, True] == suspicions.rows.tolist()
