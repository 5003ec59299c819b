"""Native decoders don't get input that kills them, and what they refuse is decoded by others."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from kafka2parquet.converters.payload_decoder import PayloadsRefused, refusing_payloads
from kafka2parquet.converters.protobuf.converter import ProtobufConverter
from kafka2parquet.rows import Converted
from kafka2parquet.schema.refused import SchemaRefused, refusing_schemas
from tests.support.batches import batch_of
from tests.support.registries import FakeRegistry, framed, registered

SCHEMA = 'syntax = "proto3"; message M { int32 a = 1; N n = 2; string s = 3; } message N { int32 x = 1; }'
GOOD = b"\0\x08\x01"
_MOST_CPU_S = 5.0


def convert(*payloads: bytes, schema: str = SCHEMA) -> Converted:
    return ProtobufConverter(FakeRegistry({1: registered(schema)})).convert(batch_of([framed(1, each) for each in payloads]))


def varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([number])


def nested(groups: bytes) -> bytes:
    """Encodes groups inside groups inside a message."""
    return b"\0\x12" + varint(len(groups)) + groups


GROUPS = {
    "open": lambda count: b"\0" + b"\x7b" * count,
    "closed": lambda count: b"\0" + b"\x7b" * count + b"\x7c" * count,
    "in a message": lambda count: nested(b"\x7b" * count),
    "of a known field": lambda count: b"\0" + b"\x0b" * count,
    "of fields with long numbers": lambda count: b"\0" + b"\x83\x80\x80\x01" * count,
    "with fields between": lambda count: b"\0" + b"\x7b\x08\x01" * count,
}


def test_groups_in_groups_are_rejects() -> None:
    """Deeply nested groups are rejects; a separate process shows that the decoder does not crash."""
    script = """
import sys; sys.path.insert(0, ".")
from tests.unit.converters.test_native_decoders import GOOD, GROUPS, SCHEMA, ProtobufConverter, batch_of, framed, registered
from tests.unit.converters.test_native_decoders import FakeRegistry
converter = ProtobufConverter(FakeRegistry({1: registered(SCHEMA)}))
for kind in GROUPS.values():
    for count in (40_000, 1_000_000):
        values = [framed(1, each) for each in (GOOD, kind(count), GOOD)]
        print(len(converter.convert(batch_of(values)).rejects), end=" ")
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=120)
    assert (0, "1 " * 2 * len(GROUPS)) == (done.returncode, done.stdout), done.stderr


def test_a_few_groups_are_unknown_fields() -> None:
    """A few groups are unknown fields, which are left out, in short and long messages."""
    few = b"\x7b" * 50 + b"\x08\x01" + b"\x7c" * 50
    text = b"c" * 100_000  # each byte could begin a group
    converted = convert(GOOD + few, GOOD + few + b"\x1a" + varint(len(text)) + text)
    assert [1, 1] == converted.rows.table.column("a").to_pylist()


def test_schema_that_makes_the_fast_decoder_panic() -> None:
    """A schema for which the fast decoder panics is read by the other decoder."""
    converted = convert(b"\0\x08\x07\x10\x08", schema='syntax = "proto3"; message M { int32 _id = 1; int32 id = 2; }')
    assert [{"_id": 7, "id": 8}] == converted.rows.table.to_pylist()


class PanicException(BaseException):
    """An exception with the name that pyo3 gives to panics."""


@pytest.mark.parametrize(("refusing", "refusal"), [(refusing_payloads, PayloadsRefused), (refusing_schemas, SchemaRefused)])
def test_panics_are_refusals(refusing: Any, refusal: type[Exception]) -> None:
    """A panic is a refusal, and other BaseExceptions are raised as they are."""
    with pytest.raises(refusal, match="on purpose"), refusing():
        raise PanicException("on purpose")
    for passing in (KeyboardInterrupt, SystemExit, MemoryError):
        with pytest.raises(passing), refusing():
            raise passing


def test_many_messages_of_a_schema_in_one_batch() -> None:
    """Many missing message types in a batch take linear time, and nothing is kept of them."""
    converter = ProtobufConverter(FakeRegistry({1: registered(SCHEMA)}))
    values = [framed(1, b"\2" + varint(number << 1) + b"\x08\x01") for number in range(2, 20_000)]
    began_s = time.process_time()
    converted = converter.convert(batch_of([*values, framed(1, GOOD), framed(1, b"\2\2\x08\x05")]))
    assert time.process_time() - began_s < _MOST_CPU_S
    assert (len(values), 1, 1) == (len(converted.rejects), len(converted.rows), len(converted.others[0]))
    assert converted.rejects == sorted(converted.rejects, key=lambda reject: reject.offset)
    (prepared,) = converter._prepared.values()
    assert 2 == len(prepared._decoders)


def test_malformed_indexes_are_rejects() -> None:
    """Malformed indexes are rejects, alone and among others."""
    converted = convert(GOOD, b"", b"\xff" * 9, b"\3", b"\x80\x80\x80\x80\x80\x01", GOOD)
    assert [1, 2, 3, 4] == [reject.offset for reject in converted.rejects]


def test_bytes_with_the_size_of_a_fixed() -> None:
    """If a parameter gives bytes a fixed size, bytes of another size are rejects."""
    from kafka2parquet.converters.avro.converter import AvroConverter

    field = {"name": "v", "type": {"type": "bytes", "connect.parameters": {"connect.fixed.size": "2"}}}
    text = json.dumps({"type": "record", "name": "R", "fields": [field]})
    converter = AvroConverter(FakeRegistry({1: registered(text, "AVRO")}))
    converted = converter.convert(batch_of([framed(1, b"\4ab"), framed(1, b"\2a"), framed(1, b"\4cd")]))
    assert [b"ab", b"cd"] == converted.rows.table.column("v").to_pylist()
    assert [1] == [reject.offset for reject in converted.rejects]
