"""The Avro converter turns values in the registry's wire format into rows and rejects."""

from __future__ import annotations

import datetime
import decimal
import io
import json
import sys
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.avro.converter import AvroConverter
from kafka2parquet.converters.avro.node import AvroMapping
from kafka2parquet.errors import ConfigurationError, SchemaRegistryUnavailableError
from kafka2parquet.records import Stage
from kafka2parquet.rows import Converted
from tests.support.avro_cases import AvroCase, avro_cases, number, text, written
from tests.support.batches import batch_of
from tests.support.registries import FakeRegistry, framed, registered

REASON = "Failed to deserialize data for topic topic to Avro: "
USER = {
    "type": "record",
    "name": "User",
    "namespace": "shop",
    "fields": [{"name": "id", "type": "long"}, {"name": "email", "type": ["null", "string"], "default": None}],
}


def record(*types: Any, name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": f"f{i}", "type": type_} for i, type_ in enumerate(types)]}


def registry_of(*schemas: Any) -> FakeRegistry:
    """Makes a registry that has the schemas under the ids from 1 on."""
    texts = [schema if isinstance(schema, str) else json.dumps(schema) for schema in schemas]
    return FakeRegistry({i: registered(schema, "AVRO", version=i) for i, schema in enumerate(texts, 1)})


def convert(values: list[bytes], *schemas: Any, mapping: AvroMapping | None = None) -> Converted:
    return AvroConverter(registry_of(*schemas), mapping=mapping).convert(batch_of(values))


def user(number_: int, email: str | None = None) -> bytes:
    return framed(1, number(number_) + (number(0) if email is None else number(1) + text(email)))


def test_makes_columns_of_records() -> None:
    """Fields become columns by name, and the schema has the registry's version."""
    converted = convert([user(7, "a@b"), user(8)], USER)
    assert [{"id": 7, "email": "a@b"}, {"id": 8, "email": None}] == converted.rows.table.to_pylist()
    assert pa.schema([pa.field("id", pa.int64(), nullable=False), ("email", pa.string())]) == converted.rows.table.schema
    schema = converted.rows.value_schema
    assert schema is not None
    assert ("shop.User", 1) == (schema.name, schema.version)


def test_logical_types_become_types_of_arrow() -> None:
    """Decimals, dates, times and timestamps become Arrow types, as far as Kafka Connect knows them."""
    logical = [
        {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        {"type": "fixed", "name": "F", "size": 16, "logicalType": "decimal", "precision": 38, "scale": 3},
        {"type": "int", "logicalType": "date"},
        {"type": "int", "logicalType": "time-millis"},
        {"type": "long", "logicalType": "timestamp-millis"},
        {"type": "enum", "name": "E", "symbols": ["A", "B"]},
    ]
    payload = number(2) + (-150).to_bytes(2, "big", signed=True) + (10**30).to_bytes(16, "big", signed=True)
    payload += number(20_000) + number(61_000) + number(1_000) + number(1)
    (row,) = convert([framed(1, payload)], record(*logical)).rows.table.to_pylist()
    assert {
        "f0": decimal.Decimal("-1.50"),
        "f1": decimal.Decimal("1e27"),
        "f2": datetime.date(2024, 10, 4),
        "f3": datetime.time(0, 1, 1),
        "f4": datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.timezone.utc),
        "f5": "B",
    } == row


def test_versions_of_a_schema_stay_apart() -> None:
    """The rows of each version keep their own columns and the order of their records."""
    newer = record("long", ["null", "string"])
    values = [framed(1, number(1)), framed(2, number(2) + number(0)), framed(1, number(3)), framed(2, number(4) + number(0))]
    converted = convert(values, record("long"), newer)
    assert [[0, 2], [1, 3]] == [rows.offsets.to_pylist() for rows in converted.groups]
    assert [["f0"], ["f0", "f1"]] == [rows.table.column_names for rows in converted.groups]
    assert [1, 2] == [rows.value_schema.version for rows in converted.groups if rows.value_schema]


def test_schemas_may_refer_to_others() -> None:
    """Types of referenced schemas are found by their full names."""
    outer = {"type": "record", "name": "Outer", "fields": [{"name": "user", "type": "shop.User"}]}
    known = registered(json.dumps(USER), "AVRO")
    registry = FakeRegistry({1: registered(json.dumps(outer), "AVRO", {"shop.User": known})})
    converted = AvroConverter(registry).convert(batch_of([user(7)]))
    assert [{"user": {"id": 7, "email": None}}] == converted.rows.table.to_pylist()


def test_values_that_are_not_records_become_one_column() -> None:
    """A value that is not a record becomes the column `value`."""
    converted = convert([framed(1, text("x")), framed(1, text("y"))], json.dumps("string"))
    assert {"value": ["x", "y"]} == converted.rows.table.to_pydict()


def test_a_value_that_is_null_as_a_whole_is_a_tombstone() -> None:
    """A null value of a union with null is a tombstone."""
    converted = convert([framed(1, number(0)), framed(1, number(1) + number(5)), framed(1, number(0))], ["null", record("int")])
    assert [{"f0": 5}] == converted.rows.table.to_pylist()
    assert converted.tombstones is not None
    assert ([1], [0, 2]) == (converted.rows.offsets.to_pylist(), converted.tombstones.to_pylist())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "the value ends before its payload"),
        (b"\0\0\0\0", "the value ends before its payload"),
        (b"\1\0\0\0\1\0", "Unknown magic byte!"),
        (b'{"id":1}', "Unknown magic byte!"),
        (b"{", "Unknown magic byte!"),
        (framed(9, b"\0"), "schema id 9 is not in the registry"),
        (framed(1, b""), "the value ends too early"),
        (framed(1, number(1) + number(7)), "a union has no type of that number"),
        (framed(1, number(1) + number(1) + number(2) + b"\xff\xfe"), "text that is not UTF-8: invalid start byte"),
    ],
)
def test_rejects_bytes_that_are_not_such_a_record(value: bytes, reason: str) -> None:
    """A value that can't be converted is a reject with the reason, and its neighbours are rows."""
    converted = convert([user(1), value, user(2)], USER)
    assert [0, 2] == converted.rows.offsets.to_pylist()
    (reject,) = converted.rejects
    assert (1, value, Stage.DECODE, f"{REASON}{reason}") == (reject.offset, reject.value, reject.stage, reject.reason)
    assert "org.apache.kafka.connect.errors.DataException" == reject.exception


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (record("int", ["null", "R"]), "schema id 1: R contains itself, which Parquet has no type for"),
        (record(), "schema id 1: R has no fields, which Parquet has no type for"),
        ("{", "schema id 1: it is not JSON"),
        (record("nonsense"), "schema id 1: the type 'nonsense' is unknown"),
    ],
)
def test_rejects_all_values_of_a_schema_without_columns(schema: Any, reason: str) -> None:
    """All values of such a schema are rejected with the same reason."""
    converted = convert([framed(1, b"\0"), framed(1, b"\0")], schema)
    assert 0 == len(converted.rows)
    assert [True, True] == [reject.reason.startswith(f"{REASON}{reason}") for reject in converted.rejects]


def test_rejects_values_of_other_formats() -> None:
    """Values whose id names a schema of another format are rejected."""
    converted = AvroConverter(FakeRegistry({1: registered("{}", "JSON")})).convert(batch_of([framed(1, b"{}")]))
    assert [f"{REASON}schema id 1: its type is JSON"] == [reject.reason for reject in converted.rejects]


@given(bad=st.sets(st.integers(0, 199)), count=st.integers(1, 200))
def test_finds_bad_records_among_good_ones(bad: set[int], count: int) -> None:
    """Exactly the bad records are rejected, whatever records are around them."""
    values = [framed(1, b"") if row in bad else user(row) for row in range(count)]
    converted = CONVERTER.convert(batch_of(values))
    good = [row for row in range(count) if row not in bad]
    assert good == converted.rows.offsets.to_pylist()
    assert [row for row in range(count) if row in bad] == [reject.offset for reject in converted.rejects]
    if good:
        assert good == converted.rows.table.column("id").to_pylist()


CONVERTER = AvroConverter(registry_of(USER))


def test_decimals_of_too_many_digits_are_rejects() -> None:
    """A decimal with too many digits is a reject, and its neighbours are rows."""
    schema = record({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 0})
    values = [framed(1, number(2) + n.to_bytes(2, "big")) for n in (1, 100, 99)]
    converted = convert(values, schema)
    assert [1, 99] == [int(row["f0"]) for row in converted.rows.table.to_pylist()]
    assert [1] == [reject.offset for reject in converted.rejects]


@given(st.data(), avro_cases())
def test_agrees_with_fastavro(data: st.DataObject, case: AvroCase) -> None:
    """For any schema, the values are those that fastavro reads by the schema itself, without logical types."""
    payloads = written(case.schema, [pair[0] for pair in data.draw(st.lists(case.values, min_size=1, max_size=4))])
    plain = json.loads(json.dumps(case.schema).replace('"logicalType"', '"no"'))
    table = convert([framed(1, payload) for payload in payloads], plain).rows.table
    parsed = fastavro.parse_schema(plain)
    theirs = [fastavro.schemaless_reader(io.BytesIO(payload), parsed, None) for payload in payloads]
    assert theirs == [_plain(plain, row) for row in table.to_pylist()]


def _plain(schema: Any, value: Any) -> Any:
    """Converts a column's value to fastavro's form: maps are dictionaries, and unions are plain values."""
    if isinstance(schema, list):
        branches = [branch for branch in schema if branch != "null"]
        if value is None or len(branches) == 1:
            return None if value is None else _plain(branches[0], value)
        ((name, chosen),) = ((name, item) for name, item in value.items() if item is not None)
        return _plain(next(branch for branch in branches if _name(branch) == name), chosen)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        if isinstance(value, tuple):  # an entry of a map
            value = dict(zip(("key", "value"), value, strict=True))
        return {field["name"]: _plain(field["type"], value[field["name"]]) for field in schema["fields"]}
    if kind == "array":
        return [_plain(schema["items"], item) for item in value]
    if kind == "map":
        return {key: _plain(schema["values"], item) for key, item in value}
    return value


def _name(schema: Any) -> str:
    return str(schema if isinstance(schema, str) else schema.get("name", schema["type"]))


def test_asks_once_for_each_schema() -> None:
    """Each schema is requested once, with the topic's subject."""
    registry = registry_of(USER)
    converter = AvroConverter(registry)
    for _ in range(2):
        converter.convert(batch_of([user(1), user(2)]))
    assert [(1, "topic-value")] == registry.asked


@pytest.mark.parametrize(
    ("is_key", "names", "subject"),
    [
        (True, "topic", "topic-key"),
        (False, "record", "shop.User"),
        (False, "topic_record", "topic-shop.User"),
    ],
)
def test_versions_are_those_of_the_subject(is_key: bool, names: Any, subject: str) -> None:
    """The version is that of the subject which the strategy derives from topic and record."""
    registry = registry_of(USER)
    AvroConverter(registry, is_key=is_key, subject_names=names).convert(batch_of([user(1)]))
    assert (1, subject) == registry.asked[-1]


def test_an_outage_of_the_registry_rejects_nothing() -> None:
    """After an outage the batch comes again, and the schema is requested again."""
    registry = registry_of(USER)
    registry.error = SchemaRegistryUnavailableError("down")
    converter = AvroConverter(registry)
    with pytest.raises(SchemaRegistryUnavailableError):
        converter.convert(batch_of([user(1)]))
    registry.error = None
    assert 1 == len(converter.convert(batch_of([user(1)])).rows)


def test_does_without_the_fast_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values are decoded without pyruhvro if it can't be installed."""
    monkeypatch.setitem(sys.modules, "pyruhvro", None)
    converted = convert([user(7, "a@b"), framed(1, b""), user(8)], USER)
    assert [{"id": 7, "email": "a@b"}, {"id": 8, "email": None}] == converted.rows.table.to_pylist()
    assert [1] == [reject.offset for reject in converted.rejects]


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fastavro, the error says what to install."""
    monkeypatch.delitem(sys.modules, "kafka2parquet.converters.avro.values", raising=False)
    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(ConfigurationError, match=r"pip install kafka2parquet\[avro\]"):
        AvroConverter(registry_of(USER))


def test_fingerprint_names_the_settings() -> None:
    """Settings that change columns change the fingerprint."""
    one, other = (AvroConverter(registry_of(), mapping=AvroMapping(logical_types=name)) for name in ("connect", "arrow"))
    assert one.fingerprint != other.fingerprint


@given(st.data(), avro_cases())
def test_outcome_of_a_value_does_not_depend_on_its_neighbours(data: st.DataObject, case: AvroCase) -> None:
    """The outcome of a value, even of a damaged one, doesn't depend on its neighbours."""
    payloads = written(case.schema, [pair[0] for pair in data.draw(st.lists(case.values, min_size=2, max_size=4))])
    cut, more = data.draw(st.integers(0, len(payloads[0]))), data.draw(st.binary(max_size=4))
    values = [framed(1, payload) for payload in [*payloads, payloads[0][:cut] + more]]
    alone = [convert([value], case.schema) for value in values]
    together = convert(values, case.schema)
    assert [reject.reason for one in alone for reject in one.rejects] == [reject.reason for reject in together.rejects]
    tables = [one.rows.table for one in alone if len(one.rows)]
    # as Arrow shows them: Python has no dates beyond the year 9999
    assert str(pa.concat_tables(tables).combine_chunks()) == str(together.rows.table.combine_chunks())
