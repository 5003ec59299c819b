"""The built-in converters, partitioners, rotation policies and transforms pass the contract tests for parts of users."""

from __future__ import annotations

import datetime
import inspect
import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from kafka2parquet.converters.avro.converter import AvroConverter
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.converters.json_with_schema.json_schema import JsonSchemaConverter
from kafka2parquet.converters.per_record import PerRecordConverter
from kafka2parquet.converters.primitives import (
    BooleanConverter,
    DoubleConverter,
    FloatConverter,
    IntegerConverter,
    LongConverter,
    ShortConverter,
)
from kafka2parquet.converters.protobuf.converter import ProtobufConverter
from kafka2parquet.converters.string import ByteArrayConverter, StringConverter
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.partitioners.composite import CompositePartitioner
from kafka2parquet.partitioners.default import DefaultPartitioner
from kafka2parquet.partitioners.field import FieldPartitioner
from kafka2parquet.partitioners.per_record import PerRecordPartitioner
from kafka2parquet.partitioners.schema_name import SchemaNamePartitioner
from kafka2parquet.partitioners.time import DailyPartitioner, HourlyPartitioner, TimeBasedPartitioner
from kafka2parquet.partitioners.timestamps import RecordFieldTimestamp, WallclockTimestamp
from kafka2parquet.rotation.base import FlushStats, RotationPolicy
from kafka2parquet.rotation.policies import (
    CompressedBytesRotation,
    EncodedPartitionRotation,
    FirstOf,
    MaxOpenFilesRotation,
    PerRecordRotation,
    RecordCountRotation,
    RecordTimeRotation,
    ScheduledRotation,
)
from kafka2parquet.rows import Row, Rows
from kafka2parquet.testing.contracts import (
    ConverterContract,
    PartitionerContract,
    RotationPolicyContract,
    TransformContract,
    rows_of,
)
from kafka2parquet.transforms import (
    Cast,
    Drop,
    ExtractField,
    Filter,
    Flatten,
    HasHeaderKey,
    HoistField,
    InsertField,
    Keep,
    LeaveOut,
    MapTable,
    Mask,
    RecordIsTombstone,
    RegexRouter,
    Rename,
    TableTransform,
    TimestampRouter,
    TombstoneHandler,
    TopicNameMatches,
    ToTimestamp,
    Transform,
    TransformChain,
    Unwrap,
    Where,
    value_in,
)
from kafka2parquet.transforms.kafka_connect import make
from tests.support.avro_cases import number, text
from tests.support.registries import FakeRegistry, framed, registered

Part = TypeVar("Part")


@attrs.frozen
class Case(Generic[Part]):
    """A way to make a part, what to give to the part, and parts with other settings."""

    make: Callable[[], Part]
    given: Any = None
    others: Sequence[Part] = ()


def cases_of(cases: Mapping[str, Case[Any]]) -> list[Any]:
    return [pytest.param(case, id=name) for name, case in cases.items()]


# ---- converters

PLAIN_JSON = [
    b'{"a": 1, "b": {"c": "x"}}',
    b'{"a": 2.5}',
    b"not JSON",
    b'{"b": {"d": [1, null]}}',
    b"",
    b'{"a": "text"}',
    b'{"new": true, "a": null}',
    b"[1]",
    b'{"a": -3, "b": null}',
    b'{"a": 4}',
    b'{"b": {"c": "y", "d": []}}',
]
COLUMNS = pa.schema([("a", pa.int64()), ("b", pa.struct([("c", pa.string())]))])
AVRO_USER = {
    "type": "record",
    "name": "User",
    "fields": [{"name": "id", "type": "long"}, {"name": "email", "type": ["null", "string"], "default": None}],
}
AVRO_NOTE = {"type": "record", "name": "Note", "fields": [{"name": "text", "type": "string"}]}
JSON_ORDER = {"type": "object", "properties": {"id": {"type": "integer"}, "note": {"type": "string"}}}
PROTOBUF_ORDER = 'syntax = "proto3"; message Order { int64 number = 1; optional string remark = 2; }'
CONNECT_ORDER = {
    "type": "struct",
    "fields": [{"field": "id", "type": "int32"}, {"field": "note", "type": "string", "optional": True}],
}


def avro() -> AvroConverter:
    return AvroConverter(
        FakeRegistry({1: registered(json.dumps(AVRO_USER), "AVRO"), 2: registered(json.dumps(AVRO_NOTE), "AVRO")})
    )


def json_schema() -> JsonSchemaConverter:
    return JsonSchemaConverter(FakeRegistry({1: registered(json.dumps(JSON_ORDER), "JSON")}))


def protobuf() -> ProtobufConverter:
    return ProtobufConverter(FakeRegistry({1: registered(PROTOBUF_ORDER)}))


def numbers(form: str) -> list[bytes]:
    good = [struct.pack(form, value) for value in (1, 0, 1, 1, 0)]
    return [good[0], b"x" * 11, *good[1:3], b"", *good[3:], b"x" * 3]


class Words(PerRecordConverter):
    """A format of a user: words with numbers."""

    def decode(self, value: bytes) -> Mapping[str, Any] | None:
        if not value:
            return None
        word, _, number_ = value.decode().partition("=")
        return {word: int(number_)}


def envelope(schema: Any, payload: Any) -> bytes:
    return json.dumps({"schema": schema, "payload": payload}).encode()


CONVERTERS: dict[str, Case[RecordConverter]] = {
    "JSON, learned": Case(JsonConverter, PLAIN_JSON, [JsonConverter(on_misfit="rescue"), JsonConverter(COLUMNS)]),
    "JSON, given": Case(lambda: JsonConverter(COLUMNS), PLAIN_JSON, [JsonConverter(COLUMNS, on_unknown_field="ignore")]),
    "JSON, rescued": Case(lambda: JsonConverter(on_misfit="rescue"), PLAIN_JSON, [JsonConverter()]),
    "JSON envelopes": Case(
        JsonEnvelopeConverter,
        [
            envelope(CONNECT_ORDER, {"id": 1, "note": "x"}),
            envelope(CONNECT_ORDER, {"id": 2}),
            envelope(CONNECT_ORDER, {"id": "text"}),
            envelope(CONNECT_ORDER, {"id": 3, "note": None}),
            envelope(None, None),
            b"not JSON",
            envelope({"type": "int64"}, 7),
        ],
        [JsonEnvelopeConverter(replace_null_with_default=False)],
    ),
    "JSON Schema": Case(
        json_schema,
        [framed(1, document) for document in (b'{"id": 1}', b'{"id": 2, "note": "x"}', b'{"id": "x"}', b"{", b'{"note": "y"}')],
    ),
    "Avro": Case(
        avro,
        [
            framed(1, number(7) + number(0)),
            framed(2, text("hello")),
            framed(1, number(8) + number(1) + text("a@b")),
            framed(1, b"\xff"),
            framed(3, b""),
            framed(1, number(9) + number(0)),
            b"",
        ],
    ),
    "Protobuf": Case(
        protobuf,
        [framed(1, b"\0" + message) for message in (b"\x08\x07", b"", b"\x12\x01x", b"\x08", b"\x08\x08\x12\x02yz", b"\xff")],
    ),
    "per record": Case(Words, [b"a=1", b"b=2", b"", b"a=x", b"a=3", b"\xff=1"]),
    "string": Case(StringConverter, [b"a", b"\xff", b"", "ü".encode()], [StringConverter("UTF-16")]),
    "bytes": Case(ByteArrayConverter, [b"a", b"\xff", b"", b"\0"], [ByteArrayConverter(field="raw")]),
    "short": Case(ShortConverter, numbers(">h"), [IntegerConverter()]),
    "integer": Case(IntegerConverter, numbers(">i"), [LongConverter()]),
    "long": Case(LongConverter, numbers(">q"), [DoubleConverter()]),
    "float": Case(FloatConverter, numbers(">f"), [DoubleConverter()]),
    "double": Case(DoubleConverter, numbers(">d"), [BooleanConverter()]),
    "boolean": Case(BooleanConverter, [b"\0", b"\1", b"\2", b"", b"\1\1", b"\1"], [ShortConverter()]),
}


class TestConverters(ConverterContract):
    """Runs `ConverterContract` with the built-in converters."""

    @pytest.fixture(params=cases_of(CONVERTERS))
    def case(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    @pytest.fixture
    def make_converter(self, case: Case[RecordConverter]) -> Callable[[], RecordConverter]:
        return case.make

    @pytest.fixture
    def values(self, case: Case[RecordConverter]) -> Any:
        return case.given

    @pytest.fixture
    def other_converters(self, case: Case[RecordConverter]) -> Sequence[RecordConverter]:
        return case.others


# ---- partitioners

MIDNIGHT_MS = 1_778_976_000_000
HOUR_MS = 3_600_000
PLACES = rows_of(
    pa.table(
        {
            "country": ["FR", "DE", None, "FR", "a/b", "", "DE", "FR"],
            "at": [MIDNIGHT_MS, MIDNIGHT_MS + HOUR_MS, None, MIDNIGHT_MS, -1, MIDNIGHT_MS + 30 * HOUR_MS, 0, MIDNIGHT_MS],
        }
    )
)


class ByLength(PerRecordPartitioner):
    """A layout of a user: a folder for each length of the country's name."""

    fingerprint = "length"

    def encode(self, row: Row) -> str:
        if row.values["country"] is None:
            raise ValueError("no country")
        return f"length={len(row.values['country'])}"


def by_field_time() -> DailyPartitioner:
    return DailyPartitioner(timestamp_extractor=RecordFieldTimestamp("at"))


PARTITIONERS: dict[str, Case[Partitioner]] = {
    "default": Case(DefaultPartitioner, others=[FieldPartitioner(["country"])]),
    "field": Case(
        lambda: FieldPartitioner(["country"]), others=[FieldPartitioner(["at"]), FieldPartitioner(["country", "at"])]
    ),
    "hourly": Case(HourlyPartitioner, others=[HourlyPartitioner(timezone="Asia/Kolkata"), DailyPartitioner()]),
    "daily, by a field": Case(by_field_time, others=[DailyPartitioner()]),
    "by the clock": Case(lambda: DailyPartitioner(timestamp_extractor=WallclockTimestamp()), others=[DailyPartitioner()]),
    "any path": Case(
        lambda: TimeBasedPartitioner(path_format="'y'=YYYY", partition_duration=datetime.timedelta(days=1)),
        others=[TimeBasedPartitioner(path_format="'z'=YYYY", partition_duration=datetime.timedelta(days=1))],
    ),
    "schema name": Case(
        lambda: SchemaNamePartitioner(DefaultPartitioner()),
        others=[SchemaNamePartitioner(DefaultPartitioner(), affix="suffix")],
    ),
    "composite": Case(
        lambda: CompositePartitioner(FieldPartitioner(["country"]), by_field_time()),
        others=[CompositePartitioner(by_field_time(), FieldPartitioner(["country"]))],
    ),
    "per record": Case(ByLength),
}


class TestPartitioners(PartitionerContract):
    """Runs `PartitionerContract` with the built-in partitioners."""

    @pytest.fixture(params=cases_of(PARTITIONERS))
    def case(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    @pytest.fixture
    def make_partitioner(self, case: Case[Partitioner]) -> Callable[[], Partitioner]:
        return case.make

    @pytest.fixture
    def rows(self) -> Rows:
        return PLACES

    @pytest.fixture
    def other_partitioners(self, case: Case[Partitioner]) -> Sequence[Partitioner]:
        return case.others


# ---- rotation policies


class EverySeventh(PerRecordRotation):
    """A rule of a user."""

    def should_rotate(self, stats: FlushStats, row: Row) -> bool:
        return bool(row.values["number"] % 7 == 0)


MINUTE = datetime.timedelta(minutes=1)
POLICIES: dict[str, Case[RotationPolicy]] = {
    "rows": Case(lambda: RecordCountRotation(4)),
    "one row": Case(lambda: RecordCountRotation(1)),
    "time": Case(lambda: RecordTimeRotation(datetime.timedelta(seconds=9))),
    "folder": Case(EncodedPartitionRotation),
    "folders, but one": Case(lambda: EncodedPartitionRotation(passing="=11")),
    "files": Case(lambda: MaxOpenFilesRotation(2)),
    "schedule": Case(lambda: ScheduledRotation(MINUTE)),
    "per record": Case(EverySeventh),
    "several": Case(lambda: FirstOf(RecordCountRotation(5), MaxOpenFilesRotation(1), ScheduledRotation(MINUTE))),
}


class TestRotationPolicies(RotationPolicyContract):
    """Runs `RotationPolicyContract` with the built-in policies."""

    @pytest.fixture(params=cases_of(POLICIES))
    def case(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    @pytest.fixture
    def make_policy(self, case: Case[RotationPolicy]) -> Callable[[], RotationPolicy]:
        return case.make


class TestRotationBySize(RotationPolicyContract):
    """Runs `RotationPolicyContract` with rotation by size."""

    looks_only_at_records = False

    @pytest.fixture
    def make_policy(self) -> Callable[[], RotationPolicy]:
        return lambda: CompressedBytesRotation(1000)


# ---- transforms

PEOPLE = rows_of(
    pa.Table.from_pylist(
        [
            {"id": 1, "name": "Ann", "n": "1", "at": 1_700_000_000_000, "s": {"a": 1, "b": "x"}},
            {"id": 2, "name": None, "n": "2", "at": 1_700_000_000_001, "s": {"a": 2, "b": "y"}},
            {"id": 3, "name": "Bob", "n": "x", "at": None, "s": None},
            {"id": 4, "name": "", "n": None, "at": 0, "s": {"a": None, "b": "z"}},
            {"id": 5, "name": "Cid", "n": "-5", "at": -1, "s": {"a": 5, "b": None}},
            {"id": 6, "name": "Dan", "n": "6.5", "at": 253_402_300_799_999, "s": {"a": 6, "b": "x"}},
            {"id": 7, "name": "Eve", "n": "7", "at": 1_700_000_000_002, "s": {"a": 7, "b": "x"}},
        ]
    )
)
IMAGE = pa.struct([("id", pa.int64()), ("name", pa.string())])
EVENTS = pa.schema([("before", IMAGE), ("after", IMAGE), ("op", pa.string()), ("ts_ms", pa.int64())])
CHANGES = rows_of(
    pa.Table.from_pylist(
        [
            {"op": "c", "after": {"id": 1, "name": "Ann"}, "ts_ms": 1},
            {"op": "u", "before": {"id": 1, "name": "Ann"}, "after": {"id": 1, "name": None}, "ts_ms": 2},
            {"op": "d", "before": {"id": 1, "name": None}, "ts_ms": 3},
            {"op": "t", "ts_ms": 4},
            {"op": "c", "ts_ms": 5},
            {"op": "r", "after": {"id": 2, "name": "Bob"}, "ts_ms": 6},
        ],
        schema=EVENTS,
    )
)


class Halve(TableTransform):
    """A transform of a user: halves even numbers and refuses odd ones."""

    def transform(self, table: pa.Table) -> pa.Table:
        odd = pc.equal(pc.bit_wise_and(table["id"], 1), 1)
        if pc.any(odd).as_py():
            raise ValueError(f"odd: {pc.filter(table['id'], odd)[0]}")
        return table.set_column(0, "id", pc.divide(table["id"], 2))


def negate(table: pa.Table) -> pa.Table:
    return table.append_column("minus", pc.negate(table["id"]))


def java(class_name: str, **properties: str) -> Case[Transform]:
    named = {name.replace("_", "."): value for name, value in properties.items()}
    return Case(lambda: make(class_name, "Value", named), PEOPLE)


def people(make_transform: Callable[[], Transform], *others: Transform) -> Case[Transform]:
    return Case(make_transform, PEOPLE, others)


TRANSFORMS: dict[str, Case[Transform]] = {
    "Cast": people(lambda: Cast({"n": "int64"}), Cast({"n": "string"}), Cast({"id": "int64"})),
    "Drop": people(lambda: Drop(["name"]), Drop(["id"]), Keep(["name"])),
    "ExtractField": people(lambda: ExtractField("s"), ExtractField("s.a"), ExtractField("s", on_null="drop")),
    "Filter": people(lambda: Filter(pc.field("id") > 2), Filter(pc.field("id") > 3)),
    "Filter by texts": people(lambda: Filter(value_in("name", ["Ann", "Bob"]))),
    "Flatten": people(Flatten, Flatten("_")),
    "HoistField": people(lambda: HoistField("value"), HoistField("line")),
    "InsertField": people(lambda: InsertField(topic="t", offset="o", timestamp="ts"), InsertField(topic="t")),
    "Keep": people(lambda: Keep(["id", "s.a"]), Keep(["id"])),
    "LeaveOut": people(LeaveOut),
    "MapTable": people(lambda: MapTable(negate), MapTable(negate, "negate-2")),
    "Mask": people(lambda: Mask(["name"]), Mask(["name"], replacement="***"), Mask(["name"], hashed="sha256", key="k")),
    "RegexRouter": people(lambda: RegexRouter(".*", "all"), RegexRouter(".*", "one")),
    "Rename": people(lambda: Rename({"id": "number"}), Rename({"id": "count"})),
    "TableTransform": people(Halve),
    "TimestampRouter": people(TimestampRouter, TimestampRouter("${topic}")),
    "ToTimestamp": people(lambda: ToTimestamp(["at"]), ToTimestamp(["at"], unit="s")),
    "TombstoneHandler": people(TombstoneHandler, TombstoneHandler("fail")),
    "TransformChain": people(lambda: TransformChain([Flatten("_"), Cast({"n": "int64"})]), TransformChain([Flatten("_")])),
    "Unwrap": Case(Unwrap, CHANGES, [Unwrap(deletes="rewrite"), Unwrap(add_fields=["op"])]),
    "Where a topic matches": people(
        lambda: Where(Drop(["name"]), TopicNameMatches("contract")), Where(Drop(["name"]), TopicNameMatches("other"))
    ),
    "Where a header is": people(lambda: Where(Drop(["name"]), HasHeaderKey("h"), negate=True)),
    "Where it is a tombstone": people(lambda: Where(LeaveOut(), RecordIsTombstone())),
    "Java's Cast": java("Cast", spec="n:int32"),
    "Java's ExtractField": java("ExtractField", field="id"),
    "Java's Flatten": java("Flatten"),
    "Java's InsertField": java("InsertField", offset_field="o", static_field="s1", static_value="x"),
    "Java's MaskField": java("MaskField", fields="name"),
    "Java's ReplaceField": java("ReplaceField", exclude="name"),
    "Java's SetSchemaMetadata": java("SetSchemaMetadata", schema_name="N"),
    "Java's TimestampConverter": java("TimestampConverter", field="at", target_type="string", format="yyyy-MM-dd"),
}


class TestTransforms(TransformContract):
    """Runs `TransformContract` with the built-in transforms."""

    @pytest.fixture(params=cases_of(TRANSFORMS))
    def case(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    @pytest.fixture
    def make_transform(self, case: Case[Transform]) -> Callable[[], Transform]:
        return case.make

    @pytest.fixture
    def rows(self, case: Case[Transform]) -> Any:
        return case.given

    @pytest.fixture
    def other_transforms(self, case: Case[Transform]) -> Sequence[Transform]:
        return case.others


# ---- all of them

#: Parts that only other parts of this library make; their own tests cover them.
INTERNAL = {"MovedToHeaders", "PerTopicConverter"}


def subclasses(base: type[Any]) -> Iterator[type[Any]]:
    for found in base.__subclasses__():
        yield found
        yield from subclasses(found)


@pytest.mark.parametrize(
    ("base", "room", "made"),
    [
        (RecordConverter, "converters", [case.make() for case in CONVERTERS.values()]),
        (Partitioner, "partitioners", [case.make() for case in PARTITIONERS.values()]),
        (RotationPolicy, "rotation", [*(case.make() for case in POLICIES.values()), CompressedBytesRotation(1)]),
        (Transform, "transforms", [case.make() for case in TRANSFORMS.values()]),
    ],
)
def test_no_built_in_part_is_forgotten(base: type, room: str, made: list[object]) -> None:
    """Every concrete class of a room is checked by the contract, except the internal ones."""
    concrete = {
        found.__name__
        for found in subclasses(base)
        if found.__module__.startswith(f"kafka2parquet.{room}.") and not inspect.isabstract(found)
    }
    checked = {type(part).__name__ for part in made}

    assert set() == {name for name in concrete if not name.startswith("_")} - checked - INTERNAL
