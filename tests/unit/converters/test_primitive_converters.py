"""Converters for single numbers and booleans."""

from __future__ import annotations

import struct

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.primitives import (
    BooleanConverter,
    DoubleConverter,
    FloatConverter,
    IntegerConverter,
    LongConverter,
    ShortConverter,
)
from kafka2parquet.schema.connect_schema import ConnectSchema
from tests.support.batches import batch_of

CONVERTERS = {
    "?": (BooleanConverter(), "boolean"),
    "h": (ShortConverter(), "int16"),
    "i": (IntegerConverter(), "int32"),
    "q": (LongConverter(), "int64"),
    "f": (FloatConverter(), "float"),
    "d": (DoubleConverter(), "double"),
}


@pytest.mark.parametrize("form", CONVERTERS)
@given(content=st.lists(st.binary(max_size=9), min_size=1, max_size=12))
def test_reads_values_of_the_right_size(form: str, content: list[bytes]) -> None:
    """Values of the right size are read as big-endian numbers, and only the others are rejects."""
    converter, type_ = CONVERTERS[form]
    size = struct.calcsize(f">{form}")
    fits = [len(value) == size and (form != "?" or value in (b"\0", b"\1")) for value in content]
    converted = converter.convert(batch_of(content))
    rows = [row for row, fit in enumerate(fits) if fit]
    assert [row for row, fit in enumerate(fits) if not fit] == [reject.offset for reject in converted.rejects]
    assert rows == converted.rows.offsets.to_pylist()
    if rows:
        schema = ConnectSchema(type_, optional=True)
        expected = pa.array([struct.unpack(f">{form}", content[row])[0] for row in rows], schema.arrow_type)
        column = converted.rows.table.column("value").chunk(0)
        assert (schema, schema.arrow_schema) == (converted.rows.value_schema, converted.rows.table.schema)
        assert expected.equals(column) or str(expected) == str(column)  # NaN is not equal to itself


@pytest.mark.parametrize(
    ("converter", "value", "reason"),
    [
        (BooleanConverter(), b"", "Failed to deserialize boolean: Size of data received by BooleanDeserializer is not 1"),
        (BooleanConverter(), b"\xff", "Failed to deserialize boolean: Unexpected byte received by BooleanDeserializer: -1"),
        (ShortConverter(), b"\0", "Failed to deserialize short: Size of data received by ShortDeserializer is not 2"),
        (IntegerConverter(), b"12345", "Failed to deserialize integer: Size of data received by IntegerDeserializer is not 4"),
        (LongConverter(), b"1234", "Failed to deserialize long: Size of data received by LongDeserializer is not 8"),
        (FloatConverter(), b"1", "Failed to deserialize float: Size of data received by Deserializer is not 4"),
        (DoubleConverter(), b"1", "Failed to deserialize double: Size of data received by Deserializer is not 8"),
    ],
)
def test_reasons_are_those_of_kafka(converter: RecordConverter, value: bytes, reason: str) -> None:
    """The reasons of rejects are Kafka's own, so that users can search for them."""
    (reject,) = converter.convert(batch_of([value])).rejects
    assert (reason, "org.apache.kafka.connect.errors.DataException") == (reject.reason, reject.exception)
