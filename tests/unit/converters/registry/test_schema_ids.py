"""The id of a value's schema is found in front of the value or in a header."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence

import attrs
import pyarrow as pa
import pytest
from google.protobuf import message_factory

from kafka2parquet.converters.avro.converter import AvroConverter
from kafka2parquet.converters.protobuf.converter import ProtobufConverter
from kafka2parquet.converters.protobuf.files import compile_file
from kafka2parquet.converters.registry.confluent import ConfluentSchemaRegistry
from kafka2parquet.converters.registry.schema_ids import identified
from kafka2parquet.records import ConsumedBatch, TopicPartition
from tests.support.avro_cases import number
from tests.support.batches import batch_of
from tests.support.registries import FakeRegistry, framed, registered
from tests.support.registry_server import RegistryServer

NAME = "__value_schema_id"
ONE, TWO = uuid.UUID(int=1), uuid.UUID(int=2)
LONG = registered(json.dumps("long"), "AVRO")


def section(*headers: tuple[str, bytes | None]) -> bytes:
    """Encodes headers as in a record batch: the count, then names and values with their lengths."""
    content = number(len(headers))
    for name, value in headers:
        content += number(len(name)) + name.encode()
        content += number(-1) if value is None else number(len(value)) + value
    return content


def batch_with(values: Sequence[bytes], sections: Sequence[bytes | None]) -> ConsumedBatch:
    return attrs.evolve(batch_of(values), headers=pa.array(sections, pa.binary_view()))


def ids_of(batch: ConsumedBatch) -> dict[int, tuple[object, bytes]]:
    """Returns the id and the payload of each record."""
    found: dict[int, tuple[object, bytes]] = {}
    for schema_id, rows, payloads in identified(batch, NAME):
        payloads.validate(full=True)
        for row, payload in zip(rows.tolist(), payloads.to_pylist(), strict=True):
            assert row not in found
            found[row] = (schema_id, payload)
    return found


@pytest.mark.parametrize(
    ("value", "header", "expected"),
    [
        (b"payload", section((NAME, b"\1" + ONE.bytes)), (ONE, b"payload")),
        (b"payload", section((NAME, b"\0\0\0\0\7")), (7, b"payload")),
        (framed(3, b"x"), section((NAME, b"\0\0\0\0\7")), (7, framed(3, b"x"))),
        (b"payload", section((NAME, b"\0\0\0\0\7\2\4")), (7, b"\2\4payload")),
        (b"payload", section((NAME, b"\0\0\0\0\6"), (NAME, b"\0\0\0\0\7")), (7, b"payload")),
        (b"payload", section((NAME, b"\0\0\0\0")), (None, b"payload")),
        (b"payload", section((NAME, b"\1" + ONE.bytes[:15])), (None, b"payload")),
        (framed(3, b"x"), section(("other", NAME.encode())), (3, b"x")),
        (framed(3, b"x"), section((NAME, None)), (3, b"x")),
        (framed(3, b"x"), None, (3, b"x")),
        (b"\1" + TWO.bytes + b"x", None, (TWO, b"x")),
        (b"\1" + TWO.bytes[:15], None, (None, b"\1" + TWO.bytes[:15])),
        (b"\2payload", None, (None, b"\2payload")),
        (b"", None, (None, b"")),
    ],
)
def test_the_header_counts_for_more_than_what_stands_in_front(
    value: bytes, header: bytes | None, expected: tuple[object, bytes]
) -> None:
    """A header takes precedence over the value's prefix, as in Confluent's deserializers, record by record."""
    values = [framed(9, b"first"), value, b"\1" + ONE.bytes + b"last", value]
    found = ids_of(batch_with(values, [None, header, None, header]))
    assert {0: (9, b"first"), 1: expected, 2: (ONE, b"last"), 3: expected} == found


def test_avro_by_its_guid() -> None:
    """An Avro schema is found by the GUID in a header, and for keys in the header for keys."""
    registry = FakeRegistry({ONE: LONG})
    headers = section((NAME, b"\1" + ONE.bytes), ("__key_schema_id", b"\1" + TWO.bytes))
    batch = batch_with([number(5), number(6)], [headers, headers])
    assert {"value": [5, 6]} == AvroConverter(registry).convert(batch).rows.table.to_pydict()
    assert [(ONE, "topic-value")] == registry.asked
    keys = AvroConverter(FakeRegistry({TWO: LONG}), is_key=True)
    assert {"value": [5, 6]} == keys.convert(batch).rows.table.to_pydict()


def test_protobuf_with_its_indexes_in_a_header() -> None:
    """A header may have the indexes of a Protobuf message after the id."""
    schema = registered('syntax = "proto3"; message A { int32 a = 1; } message B { int32 b = 1; }')
    payload = message_factory.GetMessageClass(compile_file(schema).message([1]))(b=3).SerializeToString()
    batch = batch_with([payload], [section((NAME, b"\1" + ONE.bytes + b"\2\2"))])
    assert {"b": [3]} == ProtobufConverter(FakeRegistry({ONE: schema})).convert(batch).rows.table.to_pydict()


def test_a_registry_is_asked_by_guid() -> None:
    """A registry is asked by GUID, with the version in the subject."""
    with RegistryServer() as server:
        server.add("t-value", "string")
        schema_id = server.add("t-value", "long")
        registry = ConfluentSchemaRegistry({"schema.registry.url": server.url})
        found = registry.schema(uuid.UUID(int=schema_id), "t-value")
        registry.close()
    assert ("AVRO", "long", 2) == (found.type, found.text, found.version)


def test_many_ids_and_guids_cost_little() -> None:
    """A batch with a different id in each record takes about linear time."""
    values = [b"\0" + n.to_bytes(4, "big") + b"x" for n in range(10_000)]
    values += [b"\1" + uuid.UUID(int=n).bytes + b"y" * 20 for n in range(10_000)]
    values += [b"\1short", b"\0", b"", b"{}"]
    began_s = time.process_time()
    found = list(identified(ConsumedBatch.of_values(TopicPartition("t", 0), values), "__value_schema_id"))
    took_s = time.process_time() - began_s

    assert 20_001 == len(found)
    assert [*range(10_000), *(uuid.UUID(int=n) for n in range(10_000)), None] == [schema_id for schema_id, _, _ in found]
    assert [*range(20_000)] == [rows[0] for _, rows, _ in found[:-1]]
    assert ([20_000, 20_001, 20_002, 20_003], [b"\1short", b"\0", b"", b"{}"]) == (
        found[-1][1].tolist(),
        found[-1][2].to_pylist(),
    )
    assert took_s < 5
