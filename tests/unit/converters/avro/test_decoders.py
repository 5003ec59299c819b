"""Both Avro decoders return the values that were written, and agree on damaged payloads."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.avro.columns import ColumnDecoder, is_readable
from kafka2parquet.converters.avro.node import AvroMapping, AvroNode
from kafka2parquet.converters.avro.schema import plan_avro
from kafka2parquet.converters.avro.values import value_reader
from kafka2parquet.converters.payload_decoder import PayloadDecoder, PayloadsRefused
from kafka2parquet.converters.registry.base import RegisteredSchema
from tests.support.avro_cases import AvroCase, avro_cases, double, number, text, written

_MAPPINGS = st.sampled_from([AvroMapping(logical_types="connect"), AvroMapping(logical_types="arrow")])


_SMALLEST_LONG = b"\xff" * 9 + b"\x01"


def _node(schema: Any, mapping: AvroMapping | None = None) -> AvroNode:
    return plan_avro(RegisteredSchema(1, "AVRO", json.dumps(schema)), mapping)


def _record(*types: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": f"f{i}", "type": t} for i, t in enumerate(types)]}


def _one_by_one(node: AvroNode, payloads: list[bytes], *, null_becomes_default: bool = False) -> pa.Array:
    read = value_reader(node, null_becomes_default=null_becomes_default)
    return pa.array([read(payload) for payload in payloads], node.schema.arrow_type)


def _at_once(node: AvroNode, payloads: list[bytes], *, null_becomes_default: bool = False) -> pa.Array:
    return ColumnDecoder(node, null_becomes_default=null_becomes_default).decode(_views(payloads))


def _views(payloads: list[bytes]) -> pa.Array:
    return pa.array(payloads, pa.binary_view())


def _assert_same(expected: pa.Array, found: pa.Array) -> None:
    found.validate(full=True)
    assert expected.type.equals(found.type, check_metadata=True)
    # NaN is not equal to itself. The text of an array also shows the values under nulls, which may differ.
    assert expected.equals(found) or repr(expected.to_pylist()) == repr(found.to_pylist())


@given(st.data(), avro_cases(), _MAPPINGS)
def test_values_are_what_was_written(data: st.DataObject, case: AvroCase, mapping: AvroMapping) -> None:
    """Decoding one by one returns the written values of any type."""
    pairs = data.draw(st.lists(case.values, max_size=5))
    node = _node(case.schema, mapping)
    expected = pa.array([pair[1] for pair in pairs], node.schema.arrow_type)
    _assert_same(expected, _one_by_one(node, written(case.schema, [pair[0] for pair in pairs])))


@given(st.data(), avro_cases(readable=True), _MAPPINGS)
def test_columns_are_what_was_written(data: st.DataObject, case: AvroCase, mapping: AvroMapping) -> None:
    """Decoding as columns returns the written values."""
    pairs = data.draw(st.lists(case.values, max_size=8))
    node = _node(case.schema, mapping)
    assert is_readable(node, null_becomes_default=False)
    expected = pa.array([pair[1] for pair in pairs], node.schema.arrow_type)
    _assert_same(expected, _at_once(node, written(case.schema, [pair[0] for pair in pairs])))


def _damaged(data: st.DataObject, payload: bytes) -> bytes:
    cut = data.draw(st.integers(0, len(payload)))
    more = data.draw(st.one_of(st.binary(max_size=6), st.sampled_from([_SMALLEST_LONG, b"\xff" * 9 + b"\x7f"])))
    return payload[:cut] + more + payload[cut + data.draw(st.integers(0, 3)) :]


@given(st.data(), avro_cases(readable=True), _MAPPINGS)
def test_what_is_read_at_once_is_the_same_one_by_one(data: st.DataObject, case: AvroCase, mapping: AvroMapping) -> None:
    """Values decoded as columns are the same one by one, and no value accepted as a column is refused alone."""
    payloads = written(case.schema, [pair[0] for pair in data.draw(st.lists(case.values, min_size=1, max_size=3))])
    node = _node(case.schema, mapping)
    decoder = ColumnDecoder(node, null_becomes_default=False)
    for payload in payloads:
        damaged = _damaged(data, payload)
        try:
            found = decoder.decode(_views([damaged]))
        except PayloadsRefused:
            continue
        _assert_same(_one_by_one(node, [damaged]), found)


@given(st.data(), avro_cases(), _MAPPINGS)
def test_damaged_payloads_are_values_of_their_type_or_refused(
    data: st.DataObject, case: AvroCase, mapping: AvroMapping
) -> None:
    """A damaged payload is a value of its type or is refused with a reason."""
    (pair,) = data.draw(st.lists(case.values, min_size=1, max_size=1))
    node = _node(case.schema, mapping)
    read = value_reader(node, null_becomes_default=False)
    damaged = _damaged(data, *written(case.schema, [pair[0]]))
    (decoded,) = PayloadDecoder(node.schema, read).run(_views([damaged]))
    decoded.values.validate(full=True)
    assert 1 == len(decoded.values) + len(decoded.refused)
    assert "" not in [reason for _, reason in decoded.refused]


@pytest.mark.parametrize(
    ("avro_type", "payload", "reason"),
    [
        ("int", b"", "ends too early"),
        ("long", b"\xff" * 9, "ends too early"),
        ("long", b"\xff" * 11, "ends too early"),
        ("boolean", b"\x02", "a boolean is 2"),
        ("double", double(1.5)[:7], "ends too early"),
        ("float", b"\0\0\0", "ends too early"),
        ("string", number(3) + b"ab", "ends too early"),
        ("string", number(2**62) + b"ab", "ends too early"),
        ("string", number(-1) + b"ab", "ends too early"),
        ("string", number(2) + b"\xff\xfe", "not UTF-8"),
        ("bytes", number(2**40) + b"ab", "ends too early"),
        ("bytes", number(-(2**63)) + b"ab", "ends too early"),
        ({"type": "fixed", "name": "F", "size": 3}, b"ab", "ends too early"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4}, number(0), "a decimal without digits"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, number(2), "has no symbol 2"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, number(-1), "has no symbol -1"),
        ({"type": "array", "items": "int"}, number(2**40) + number(1), "ends too early"),
        ({"type": "array", "items": "int"}, number(-(2**63)) + number(1), "ends too early"),
        ({"type": "array", "items": "int"}, number(1) + number(1), "ends too early"),
        ({"type": "map", "values": "int"}, number(2**40) + text("a"), "ends too early"),
        (["null", "int"], number(2), "has no type of that number"),
        (["null", "int"], number(-1), "has no type of that number"),
        (["int", "string"], number(2), "has no type of that number"),
        (["int", "string", "null"], number(-1), "has no type of that number"),
        (["int"], number(1) + number(5), "has no type 1"),
        ({"type": "int", "logicalType": "time-millis"}, number(-1), "is not a time of day"),
        ({"type": "int", "logicalType": "time-millis"}, number(86_400_000), "is not a time of day"),
    ],
)
def test_damaged_payloads_are_refused(avro_type: Any, payload: bytes, reason: str) -> None:
    """Both decoders refuse damaged payloads without using much memory, whatever lengths they name."""
    node = _node(_record(avro_type))
    read = value_reader(node, null_becomes_default=False)
    tracemalloc.start()
    try:
        with pytest.raises(PayloadsRefused, match=reason):
            read(payload)
        assert 1_000_000 > tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if is_readable(node, null_becomes_default=False):
        with pytest.raises(PayloadsRefused):
            _at_once(node, [payload])


@pytest.mark.parametrize(
    ("avro_type", "value"),
    [
        ("int", 2**31),
        ("int", -(2**31) - 1),
        ({"type": "int", "connect.type": "int8"}, 128),
        ({"type": "int", "logicalType": "date"}, 2**31),
    ],
)
def test_numbers_too_wide_for_their_type_are_refused(avro_type: Any, value: int) -> None:
    """Numbers out of the range of their `connect.type` are refused."""
    node = _node(_record(avro_type))
    with pytest.raises(PayloadsRefused):
        _at_once(node, [number(value)])
    with pytest.raises((pa.ArrowException, OverflowError)):
        _one_by_one(node, [number(value)])


def test_types_of_a_union_may_have_full_names() -> None:
    """The fields of a union may have full names, although Avro's own fields can't contain dots."""
    union = ["null", {**_record("int"), "name": "A", "namespace": "x.y"}, {**_record("boolean"), "name": "A", "namespace": "z"}]
    node = _node(_record(union), AvroMapping(enhanced_schema_support=True))
    payloads = [number(1) + number(7), number(2) + b"\1", number(0)]
    rows = [{"f0": {"x.y.A": {"f0": 7}, "z.A": None}}, {"f0": {"x.y.A": None, "z.A": {"f0": True}}}, {"f0": None}]
    expected = pa.array(rows, node.schema.arrow_type)
    _assert_same(expected, _one_by_one(node, payloads))
    _assert_same(expected, _at_once(node, payloads))


def test_blocks_may_say_their_size() -> None:
    """A block with a negative count, which is followed by its size, is read."""
    node = _node(_record({"type": "array", "items": "int"}))
    payload = number(-2) + number(2) + number(1) + number(2) + number(1) + number(9) + number(0)
    expected = pa.array([{"f0": [1, 2, 9]}], node.schema.arrow_type)
    _assert_same(expected, _one_by_one(node, [payload]))
    _assert_same(expected, _at_once(node, [payload]))


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    """The last value of a repeated key counts, as in a Java map."""
    node = _node(_record({"type": "map", "values": "int"}))
    payload = number(3) + text("a") + number(1) + text("b") + number(2) + text("a") + number(3) + number(0)
    assert [{"f0": [("a", 3), ("b", 2)]}] == _one_by_one(node, [payload]).to_pylist()
    with pytest.raises(PayloadsRefused):
        _at_once(node, [payload])


def test_maps_of_other_keys_are_arrays_of_entries() -> None:
    """Maps with other keys are arrays of entries, as Kafka Connect writes them."""
    entry = {
        "type": "record",
        "name": "io.confluent.connect.avro.MapEntry",
        "fields": [{"name": "key", "type": "int"}, {"name": "value", "type": ["null", "string"]}],
    }
    node = _node(_record({"type": "array", "items": entry}))
    payload = number(2) + number(7) + number(0) + number(8) + number(1) + text("x") + number(0)
    assert not is_readable(node, null_becomes_default=False)
    assert [{"f0": [(7, None), (8, "x")]}] == _one_by_one(node, [payload]).to_pylist()


def test_entries_may_have_keys_that_are_not_scalars() -> None:
    """Keys of entries may be structured, and the last value of a repeated key counts."""
    key = {**_record("int"), "name": "K"}
    entry = {**_record(), "name": "io.confluent.connect.avro.MapEntry"}
    entry["fields"] = [{"name": "key", "type": key}, {"name": "value", "type": "boolean"}]
    node = _node(_record({"type": "array", "items": entry}))
    payload = number(2) + number(7) + b"\1" + number(7) + b"\0" + number(0)
    assert [{"f0": [({"f0": 7}, False)]}] == _one_by_one(node, [payload]).to_pylist()


def test_what_stands_behind_a_value_is_not_looked_at() -> None:
    """Bytes after a value are ignored, as in Avro's own decoders."""
    node = _node(_record("int"))
    assert (
        [{"f0": 1}] == _one_by_one(node, [number(1) + b"xyz"]).to_pylist() == _at_once(node, [number(1) + b"xyz"]).to_pylist()
    )


def test_null_becomes_the_default_if_that_is_wanted() -> None:
    """With the setting, nulls become the default at any depth, as in Confluent's sink."""
    inner = ["null", {"type": "int", "connect.default": 5}]
    node = _node(
        _record(inner, {"type": "array", "items": inner}, ["null", {**_record(inner), "name": "B"}], [*inner, "string"])
    )
    payloads = [
        number(0) + number(2) + number(0) + number(1) + number(7) + number(0) + number(0) + number(0),
        number(1) + number(6) + number(0) + number(1) + number(0) + number(2) + text("x"),
        number(1) + number(6) + number(0) + number(0) + number(1) + number(4),
    ]
    rows = [
        {"f0": 5, "f1": [5, 7], "f2": None, "f3": None},
        {"f0": 6, "f1": [], "f2": {"f0": 5}, "f3": {"int": None, "string": "x"}},
        {"f0": 6, "f1": [], "f2": None, "f3": {"int": 4, "string": None}},
    ]
    expected = pa.array(rows, node.schema.arrow_type)
    _assert_same(expected, _one_by_one(node, payloads, null_becomes_default=True))
    _assert_same(expected, _at_once(node, payloads, null_becomes_default=True))
    assert _at_once(node, payloads)[0].as_py()["f0"] is None


def test_default_of_several_fields_is_left_to_the_slow_way() -> None:
    """A default with several fields is filled in by the decoder of single values."""
    inner = {**_record("int"), "name": "B", "connect.default": {"f0": 3}}
    node = _node(_record(["null", inner]))
    assert not is_readable(node, null_becomes_default=True)
    payloads = [number(0), number(1) + number(4)]
    assert [{"f0": {"f0": 3}}, {"f0": {"f0": 4}}] == _one_by_one(node, payloads, null_becomes_default=True).to_pylist()


def test_default_of_a_union_of_several_types_is_one_of_its_first() -> None:
    """The default of a union has its first type, even if null is another of its types."""
    schema = {**_record(["int", "null", "string"])}
    schema["fields"][0]["default"] = 5
    node = _node(schema)
    payloads = [number(1), number(2) + text("x")]
    rows: list[dict[str, Any]] = [{"f0": {"int": 5, "string": None}}, {"f0": {"int": None, "string": "x"}}]
    assert rows == _one_by_one(node, payloads, null_becomes_default=True).to_pylist()
    assert [None, rows[1]["f0"]] == [row["f0"] for row in _one_by_one(node, payloads).to_pylist()]
