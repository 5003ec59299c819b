"""The JSON converter gives each value the same outcome, whether it is parsed with others or alone."""

from __future__ import annotations

import codecs
import datetime
import decimal
import json
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.errors import ConfigurationError
from tests.support.batches import batch_of

NAMES = st.sampled_from(["a", "b", "c", "é"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(2**63, 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4).map(lambda value: json.dumps(value, ensure_ascii=False).encode())
#: Objects of one shape, so that most batches go through at once.
TAME = st.fixed_dictionaries(
    {"a": st.integers(-100, 100)},
    optional={"b": st.floats(0, 1), "c": st.fixed_dictionaries({"a": st.text(max_size=3)}), "é": st.lists(st.integers(0, 9))},
).map(lambda value: json.dumps(value).encode())
BROKEN = st.sampled_from(
    [
        b"",
        b"   ",
        b"{}",
        b" {\n} ",
        b"[]",
        b"1",
        b'"text"',
        b"null",
        b"{",
        b"}",
        b"{}{}",
        b"{}\n{}",
        b'{"a":1}{"a":2}',
        b'{"a":1}\n',
        b'{"a":\n1}',
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e999}',
        b'{"a":01}',
        b'{"a":1.0}',
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\x00"}',
        b'{"a":"x\\u0000"}',
        b'{"a":1} // no',
        b"\xef\xbb\xbf{}",
        b'{"a":"}\\n{"}',
        b'{"a":{"b":[]}}',
        b'{"a":null}',
    ]
)
MIXED = st.lists(TAME | OBJECTS | BROKEN, min_size=1, max_size=12)

SCHEMA = pa.schema(
    [
        ("a", pa.int64()),
        ("b", pa.float64()),
        ("c", pa.struct([("a", pa.string())])),
        ("é", pa.list_(pa.int64())),
    ]
)


def outcome(converter: RecordConverter, batches: list[list[bytes]]) -> tuple[dict[int, Any], set[int]]:
    """Returns the rows by offset, and the offsets of rejects."""
    rows: dict[int, Any] = {}
    rejects: set[int] = set()
    offset = 0
    for values in batches:
        converted = converter.convert(batch_of(values, offset))
        offset += len(values)
        assert len(converted.rows.offsets) == converted.rows.table.num_rows
        rows.update(zip(converted.rows.offsets.to_pylist(), converted.rows.table.to_pylist(), strict=True))
        rejects.update(reject.offset for reject in converted.rejects)
    return {offset: known(row) for offset, row in rows.items()}, rejects


def known(value: Any) -> Any:
    """Removes nulls, since earlier tables lack columns that were learned later, and replaces floats by their bits."""
    if isinstance(value, dict):
        return {name: known(item) for name, item in value.items() if item is not None and known(item) not in ({}, [])}
    if isinstance(value, list):
        items = [known(item) for item in value]
        return items if any(item is not None and item not in ({}, []) for item in items) else []
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(MIXED)
def test_learning_a_batch_is_learning_its_records_one_by_one(values: list[bytes]) -> None:
    """Learning from a batch gives the same rows and rejects as learning from its records one by one."""
    assert outcome(JsonConverter(), [[value] for value in values]) == outcome(JsonConverter(), [values])


@given(MIXED)
def test_converting_a_batch_is_converting_its_records_one_by_one(values: list[bytes]) -> None:
    """With a given schema, a batch gives the same rows and rejects as its records one by one."""
    assert outcome(JsonConverter(SCHEMA), [[value] for value in values]) == outcome(JsonConverter(SCHEMA), [values])


@given(MIXED, st.data())
def test_batches_may_be_split_anywhere(values: list[bytes], data: st.DataObject) -> None:
    """The outcome of a record depends only on the records before it, not on batches."""
    cut = data.draw(st.integers(0, len(values)))
    parts = [part for part in (values[:cut], values[cut:]) if part]
    assert outcome(JsonConverter(), parts) == outcome(JsonConverter(), [values])


@given(st.lists(TAME, min_size=1, max_size=20))
def test_accepted_records_keep_their_values(values: list[bytes]) -> None:
    """A row has the values that Python's own parser reads."""
    rows, rejects = outcome(JsonConverter(), [values])
    assert set() == rejects
    assert {number: known(json.loads(value.removeprefix(codecs.BOM_UTF8))) for number, value in enumerate(values)} == rows


@given(st.lists(BROKEN, min_size=1, max_size=8))
def test_each_record_is_a_row_or_a_reject(values: list[bytes]) -> None:
    """Each record is either a row or a reject, and only records that are invalid or have no type are rejects."""
    rows, rejects = outcome(JsonConverter(SCHEMA, on_unknown_field="ignore"), [values])
    assert set(range(len(values))) == set(rows) | rejects
    assert set() == set(rows) & rejects
    for offset in rows:
        text = values[offset].decode().removeprefix("\ufeff")  # a byte order mark
        assert isinstance(json.loads(text, parse_constant=lambda _: math.nan), dict)


def test_columns_are_learned_in_the_order_of_the_records() -> None:
    """New members become columns at the end, and an integer column becomes double when a fraction turns up."""
    converter = JsonConverter()
    first = converter.convert(batch_of([b'{"b":1,"a":"x"}']))
    second = converter.convert(batch_of([b'{"a":"y","c":true,"b":1.5}']))

    assert pa.schema([("b", pa.int64()), ("a", pa.string())]) == first.rows.table.schema
    assert pa.schema([("b", pa.float64()), ("a", pa.string()), ("c", pa.bool_())]) == second.rows.table.schema


def test_a_conflict_is_a_reject_that_names_the_field() -> None:
    """A record with a conflicting type is rejected and doesn't change the known columns."""
    converted = JsonConverter().convert(batch_of([b'{"a":{"b":1}}', b'{"a":{"b":"x"}}']))

    assert [0] == converted.rows.offsets.to_pylist()
    assert [1] == [reject.offset for reject in converted.rejects]
    assert "a.b" in converted.rejects[0].reason


def test_a_given_schema_reads_times_dates_and_decimals() -> None:
    """A given schema reads times, dates and decimals from text."""
    schema = pa.schema([("t", pa.timestamp("us", "UTC")), ("d", pa.date32()), ("n", pa.decimal128(5, 2))])
    converted = JsonConverter(schema).convert(batch_of([b'{"t":"2026-05-17T10:00:00Z","d":"2026-05-17","n":1.25}']))

    assert [] == converted.rejects
    assert [
        {
            "t": datetime.datetime(2026, 5, 17, 10, tzinfo=datetime.timezone.utc),
            "d": datetime.date(2026, 5, 17),
            "n": decimal.Decimal("1.25"),
        }
    ] == converted.rows.table.to_pylist()


def test_an_unknown_member_is_a_reject_or_ignored() -> None:
    """A member outside the given schema is rejected or left out, depending on `on_unknown_field`."""
    schema = pa.schema([("a", pa.int64())])
    values = [b'{"a":1}', b'{"a":2,"z":3}']

    assert [1] == [reject.offset for reject in JsonConverter(schema).convert(batch_of(values)).rejects]
    assert [{"a": 1}, {"a": 2}] == JsonConverter(schema, on_unknown_field="ignore").convert(
        batch_of(values)
    ).rows.table.to_pylist()


def test_a_schema_with_types_that_json_has_not_is_refused() -> None:
    """The constructor refuses a schema with types that JSON can't be converted to."""
    with pytest.raises(ConfigurationError):
        JsonConverter(pa.schema([("a", pa.dictionary(pa.int32(), pa.string()))]))


@pytest.mark.parametrize("body", [b"\x00{}", b"\x00\xff\xfe"])
def test_value_for_a_schema_registry_is_recognised(body: bytes) -> None:
    """The reason of a reject says that the value looks like one for a schema registry, even if it is not UTF-8."""
    (reject,) = JsonConverter().convert(batch_of([b"\x00\x00\x00\x00" + body])).rejects
    assert reject.reason.endswith("; it begins with byte 0, like Avro, Protobuf or JSON for a schema registry")
