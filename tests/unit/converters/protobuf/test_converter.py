"""The Protobuf converter turns values in the registry's wire format into rows and rejects."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf import message_factory
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.protobuf.converter import ProtobufConverter
from kafka2parquet.converters.protobuf.files import ProtobufFile, compile_file
from kafka2parquet.converters.protobuf.mapping import ProtobufMapping
from kafka2parquet.converters.registry.base import RegisteredSchema
from kafka2parquet.rows import Converted
from tests.support.batches import batch_of
from tests.support.registries import FakeRegistry, framed, registered

ORDER = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "money.proto";
enum Color { RED = 0; GREEN = 1; }
message Order {
  message Line { string article = 1; uint32 count = 2; }
  map<string, int32> stock = 1;
  message Note { string text = 1; }
  int64 number = 2;
  optional string remark = 3;
  Color color = 4;
  repeated Line lines = 5;
  oneof payment { string card = 6; Money cash = 7; }
  google.protobuf.Timestamp at = 8;
}
message Tree { string name = 1; repeated Tree children = 2; }
message Nothing {}
"""
MONEY = 'syntax = "proto3"; package shop; message Money { int64 cents = 1; }'
SCHEMA = registered(ORDER, references={"money.proto": registered(MONEY)}, version=4)
COMPILED = compile_file(SCHEMA)
REASON = "Failed to deserialize data for topic topic to Protobuf: "


def message(indexes: list[int], compiled: ProtobufFile = COMPILED, **fields: Any) -> Any:
    """Serializes a message of a type."""
    return message_factory.GetMessageClass(compiled.message(indexes))(**fields).SerializeToString()


def convert(*values: bytes, schema: RegisteredSchema = SCHEMA, mapping: ProtobufMapping | None = None) -> Converted:
    return ProtobufConverter(FakeRegistry({1: schema}), mapping=mapping).convert(batch_of(values))


def rows_of(converted: Converted) -> Any:
    rows = converted.rows.table.to_pylist()
    assert converted.rows.value_schema is not None
    assert converted.rows.value_schema.arrow_schema == converted.rows.table.schema
    return rows


def test_makes_columns_of_messages() -> None:
    """Fields become columns by name, a oneof is a leading struct, and absent fields are null or the default."""
    at = datetime.datetime(2026, 5, 17, 12, 30, tzinfo=datetime.timezone.utc)
    full = message([0], number=7, remark="", color=1, lines=[{"article": "a", "count": 2**32 - 1}], cash={"cents": 5}, at=at)
    first, second = rows_of(convert(framed(1, b"\0" + full), framed(1, b"\0")))
    assert first == {
        "payment_0": {"card": None, "cash": {"cents": 5}},
        "stock": [],
        "number": 7,
        "remark": "",
        "color": "GREEN",
        "lines": [{"article": "a", "count": 2**32 - 1}],
        "at": at,
    }
    absent: dict[str, Any] = {
        "payment_0": None,
        "stock": [],
        "number": 0,
        "remark": None,
        "color": "RED",
        "lines": [],
        "at": None,
    }
    assert absent == second


def test_gives_the_schema_of_connect() -> None:
    """The schema has Connect's names, field numbers, enum symbols and the registry's version."""
    schema = convert(framed(1, b"\0")).rows.value_schema
    assert schema is not None
    assert ("Order", 4, False) == (schema.name, schema.version, schema.optional)
    color = schema.field_schemas["color"]
    assert ("string", "Color", True) == (color.type, color.name, color.optional)
    assert {
        "io.confluent.connect.protobuf.Enum": "Color",
        "io.confluent.connect.protobuf.Enum.RED": "0",
        "io.confluent.connect.protobuf.Enum.GREEN": "1",
        "io.confluent.connect.protobuf.Tag": "4",
    } == color.parameters
    assert "io.confluent.connect.protobuf.Union.payment" == schema.field_schemas["payment_0"].name
    assert "stock" == schema.field_schemas["stock"].name
    assert "org.apache.kafka.connect.data.Timestamp" == schema.field_schemas["at"].name


def test_finds_the_message_by_its_indexes() -> None:
    """Each message of a file has its own rows, and map entries don't count in the indexes."""
    order, note = message([0], number=1), message([0, 1], text="hello")
    converted = convert(framed(1, b"\0" + order), framed(1, b"\x04\x00\x02" + note), framed(1, b"\x02\x00" + order))
    assert [["Order", [0, 2]], ["Note", [1]]] == [
        [rows.value_schema.name if rows.value_schema else None, rows.offsets.to_pylist()] for rows in converted.groups
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "the value ends before its payload"),
        (b"\0\0\0\0", "the value ends before its payload"),
        (b"\1\0\0\0\1\0", "Unknown magic byte!"),
        (framed(2, b"\0"), "schema id 2 is not in the registry"),
        (framed(1, b""), "the indexes of the message are malformed"),
        (framed(1, b"\xff"), "the indexes of the message are malformed"),
        (framed(1, b"\x01"), "the indexes of the message are malformed"),
        (framed(1, b"\x02\x10"), "the schema has no message with the indexes [8]"),
        (framed(1, b"\x02\x01"), "the schema has no message with the indexes [-1]"),
        (framed(1, b"\x02\x02"), "the message shop.Tree contains itself, and Parquet has no recursive types"),
        (framed(1, b"\x02\x04"), "the message shop.Nothing has no fields, and Parquet has no empty structs"),
        (framed(1, b"\0\x10"), "Error parsing message"),
        (framed(1, b"\0\x42\x02\x10\xff"), "Error parsing message"),
        (framed(1, b"\0\x42\x0b\x10" + b"\xff" * 9 + b"\1"), "a timestamp outside the years 1 to 9999"),
    ],
)
def test_rejects_bytes_that_are_not_a_message(value: bytes, reason: str) -> None:
    """A value that can't be converted is a reject with the reason, and its neighbours are rows."""
    good = framed(1, b"\0" + message([0], number=1))
    converted = convert(good, value, good)
    assert [0, 2] == converted.rows.offsets.to_pylist()
    (reject,) = converted.rejects
    assert (1, value) == (reject.offset, reject.value)
    assert reject.reason.startswith(REASON)
    assert reason in reject.reason


@given(bad=st.sets(st.integers(0, 99)), count=st.integers(1, 100))
def test_finds_bad_records_among_good_ones(bad: set[int], count: int) -> None:
    """Exactly the bad records are rejected, whatever records are around them."""
    values = [framed(1, b"\0\x10" if row in bad else b"\0" + message([0], number=row)) for row in range(count)]
    converted = CONVERTER.convert(batch_of(values))
    good = [row for row in range(count) if row not in bad]
    assert good == converted.rows.offsets.to_pylist()
    assert [row for row in range(count) if row in bad] == [reject.offset for reject in converted.rejects]
    if good:
        assert good == converted.rows.table.column("number").to_pylist()


CONVERTER = ProtobufConverter(FakeRegistry({1: SCHEMA}))


_DAMAGED = [
    b"\x0b\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xf0\x90\x80\x80\xb2\x02\x04",
    b"\x42\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x10",
]


@given(
    st.lists(
        st.tuples(st.binary(max_size=4), st.sampled_from(_DAMAGED), st.binary(max_size=4)) | st.just((b"", b"", b"")),
        min_size=1,
        max_size=40,
    )
)
def test_outcome_of_a_record_does_not_depend_on_its_neighbours(parts: list[tuple[bytes, bytes, bytes]]) -> None:
    """Each message, even a damaged one, has the same outcome alone and with others."""
    values = [framed(1, b"\0" + b"".join(part)) for part in parts]
    alone = [CONVERTER.convert(batch_of([value])) for value in values]
    together = CONVERTER.convert(batch_of(values))
    assert [row for row, one in enumerate(alone) if len(one.rows)] == together.rows.offsets.to_pylist()
    assert [one.rejects[0].reason for one in alone if one.rejects] == [reject.reason for reject in together.rejects]


def test_counts_merged_messages_as_protobuf_does() -> None:
    """If a oneof is set twice, or a map has a key twice, the last value counts."""
    twice = message([0], card="x", stock={"a": 1}) + message([0], cash={"cents": 1}, stock={"a": 2})
    (row,) = rows_of(convert(framed(1, b"\0" + twice)))
    assert ({"card": None, "cash": {"cents": 1}}, [("a", 2)]) == (row["payment_0"], row["stock"])


def test_reads_proto2() -> None:
    """Defaults, closed enums, groups and required fields of proto2 are supported."""
    schema = registered("""
        syntax = "proto2";
        enum Color { RED = 1; GREEN = 2; }
        message Old {
          required int32 number = 1;
          optional string text = 2 [default = "none"];
          optional Color color = 3;
          optional group Part = 4 { optional int32 size = 5; }
        }
    """)
    part = message([0], compile_file(schema), number=1, part={"size": 3})
    converted = convert(framed(1, b"\0" + part), framed(1, b"\0\x08\x02\x18\x07"), framed(1, b"\0"), schema=schema)
    assert [
        {"number": 1, "text": None, "color": None, "part": {"size": 3}},
        {"number": 2, "text": None, "color": None, "part": None},
    ] == rows_of(converted)
    assert [f"{REASON}required fields are missing: number"] == [reject.reason for reject in converted.rejects]
    defaults = convert(framed(1, b"\0" + part), schema=schema, mapping=ProtobufMapping(optional_for_proto2=False))
    assert [("none", "RED")] == [(row["text"], row["color"]) for row in rows_of(defaults)]


def test_unwraps_raw_primitives() -> None:
    """A value that is a wrapper message becomes a column called `value`."""
    schema = registered('syntax = "proto3"; import "google/protobuf/wrappers.proto"; message Unused { int32 a = 1; }')
    described = compile_file(schema).files[0]
    assert "google/protobuf/wrappers.proto" == described.name
    text = base64.b64encode(described.SerializeToString()).decode()
    converted = convert(framed(1, b"\x02\x06\x08\x05"), schema=registered(text))
    assert [{"value": 5}] == rows_of(converted)


def test_reads_descriptors_and_explicit_map_entries() -> None:
    """A schema may be a descriptor in base64, or spell out its map entries, as Confluent's registry may do."""
    text = base64.b64encode(next(file for file in COMPILED.files if file.name.endswith("root.proto")).SerializeToString())
    value = message([0], stock={"a": 1})
    described = registered(text.decode(), references=dict(SCHEMA.references))
    (row,) = rows_of(convert(framed(1, b"\0" + value), schema=described))
    assert [("a", 1)] == row["stock"]
    spelled = registered("""
        syntax = "proto3";
        message Order {
          repeated StockEntry stock = 1;
          message StockEntry { option map_entry = true; string key = 1; int32 value = 2; }
        }
    """)
    (row,) = rows_of(convert(framed(1, b"\0" + value), schema=spelled))
    assert {"stock": [("a", 1)]} == row


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (registered("message"), "schema id 1: protoc: line "),
        (registered('syntax = "proto3"; import "lost.proto";'), "lost.proto"),
        (registered(ORDER, references={"../money.proto": registered(MONEY)}), "is not the path of a file"),
        (registered("{}", "AVRO"), "schema id 1: its type is AVRO"),
    ],
)
def test_rejects_all_values_of_a_schema_that_does_not_work(schema: RegisteredSchema, reason: str) -> None:
    """All values of such a schema are rejected with the same reason."""
    converted = convert(framed(1, b"\0"), framed(1, b"\0"), schema=schema)
    assert 0 == len(converted.rows)
    assert [True, True] == [reason in reject.reason for reject in converted.rejects]


def test_asks_once_for_each_schema() -> None:
    """Each schema is requested once, with the topic's subject."""
    registry = FakeRegistry({1: SCHEMA})
    converter = ProtobufConverter(registry)
    for _ in range(2):
        converter.convert(batch_of([framed(1, b"\0"), framed(1, b"\0")]))
    assert [(1, "topic-value")] == registry.asked


def test_fingerprint_names_the_settings() -> None:
    """Settings that change columns change the fingerprint."""
    registry = FakeRegistry({})
    one, other = (ProtobufConverter(registry, mapping=ProtobufMapping(int_for_enums=flag)) for flag in (False, True))
    assert one.fingerprint != other.fingerprint


def test_values_of_several_schemas_keep_their_order() -> None:
    """Mixed values of two schemas give two groups, each in the order of offsets."""
    registry = FakeRegistry({1: SCHEMA, 2: registered(MONEY)})
    values = [framed(1 + row % 2, b"\0") for row in range(7)]
    groups = ProtobufConverter(registry).convert(batch_of(values)).groups
    assert [[0, 2, 4, 6], [1, 3, 5]] == [rows.offsets.to_pylist() for rows in groups]
    assert pa.int64() == groups[1].table.schema.field("cents").type
