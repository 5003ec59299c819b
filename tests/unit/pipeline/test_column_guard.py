"""Rows with values in columns that would make a file unreadable are rejected, whatever part made these columns."""

from __future__ import annotations

import json
import logging
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet import JsonConverter, MetadataColumns
from kafka2parquet.converters import JsonEnvelopeConverter
from kafka2parquet.converters.record_views import RecordViews
from kafka2parquet.events import RecordRejected
from kafka2parquet.schema.learned import LearnedSchema
from kafka2parquet.transforms import MapTable, Rename
from tests.support.sink_world import SinkWorld


def outcome(world: SinkWorld, count: int, **parts: Any) -> tuple[dict[int, Any], dict[int, str]]:
    """Returns rows without nulls and reasons of rejects, by offset. Reads each file as any reader would."""
    with world.task(tolerance="skip", **{"metadata_columns": MetadataColumns(["offset"]), **parts}) as task:
        taken = 0
        while taken < count:
            taken += task.step(0.001).records
    rows: dict[int, Any] = {}
    for stored in world.storage.objects.values():
        table = pq.read_table(pa.BufferReader(stored.content))
        assert len({name.lower() for name in table.column_names}) == len(table.column_names) or parts.get("name_case") == "keep"
        rows |= {row["_kafka_offset"]: row for row in table.to_pylist()} if "_kafka_offset" in table.column_names else {}
    rejects = {event.reject.offset: event.reject.reason for event in world.events if isinstance(event, RecordRejected)}
    return {offset: {k: v for k, v in row.items() if v is not None} for offset, row in rows.items()}, rejects


def envelope(schema: dict[str, Any], payload: Any) -> bytes:
    return json.dumps({"schema": schema, "payload": payload}).encode()


def struct(*names: str, inner: Any = None) -> dict[str, Any]:
    fields = [{"field": name, **(inner or {"type": "int64", "optional": True})} for name in names]
    return {"type": "struct", "fields": fields, "optional": True}


def test_a_member_called_like_a_metadata_column() -> None:
    """A record with a value for the member is rejected, because no file can have both columns; null does no harm."""
    world = SinkWorld()
    world.append(b'{"_kafka_offset":77,"a":1}', b'{"a":2}', b'{"_kafka_offset":null,"a":3}', b'{"_KAFKA_OFFSET":4}')
    rows, rejects = outcome(world, 4)

    assert {1: {"a": 2, "_kafka_offset": 1}, 2: {"a": 3, "_kafka_offset": 2}} == rows
    assert [0, 3] == list(rejects)
    assert "field _kafka_offset: another column has that name" in rejects[0]


def test_a_member_called_like_a_metadata_column_may_be_renamed() -> None:
    """A transform may rename the member. A transform that gives a member such a name makes rejects."""
    world = SinkWorld()
    world.append(b'{"_kafka_offset":77}', b'{"a":1,"b":2}', b'{"b":3}')
    rows, rejects = outcome(world, 3, transforms=[Rename({"_kafka_offset": "was", "a": "_kafka_offset"})])

    assert ({0: {"was": 77, "_kafka_offset": 0}, 2: {"b": 3, "_kafka_offset": 2}}, [1]) == (rows, list(rejects))


def test_a_record_with_a_schema_that_has_the_name_of_a_metadata_column() -> None:
    """Only records of that schema are rejected; other schemas of the topic are written."""
    world = SinkWorld()
    world.append(envelope(struct("_kafka_offset", "a"), {"_kafka_offset": 7, "a": 1}), envelope(struct("a"), {"a": 2}))
    world.append(envelope(struct("_kafka_offset", "a"), {"a": 3}))
    rows, rejects = outcome(world, 3, converter=JsonEnvelopeConverter())

    assert {1: {"a": 2, "_kafka_offset": 1}, 2: {"a": 3, "_kafka_offset": 2}} == rows
    assert [0] == list(rejects)


def test_an_inner_struct_whose_only_field_has_an_empty_name() -> None:
    """Records of such a schema are rejected, because DuckDB can't read the file; a struct at the top may have such a field."""
    world = SinkWorld()
    deep = struct("a", inner=struct("b", inner=struct("")))
    world.append(envelope(deep, {"a": {"b": {"": 1}}}), envelope(struct("a", inner=struct("")), {"a": None}))
    rows, rejects = outcome(world, 2, converter=JsonEnvelopeConverter())

    assert ([1], [0]) == (list(rows), list(rejects))
    assert "field a: a struct inside it has a single field with an empty name" in rejects[0]


def test_names_that_differ_only_in_case_in_schemas_of_records() -> None:
    """The setting decides: such records are rejected, or the columns become one, or both are written with a warning."""
    values = [envelope(struct("id", "ID"), payload) for payload in ({"id": 1}, {"ID": 2}, {"id": 3, "ID": 4})]
    seen = {}
    for name_case in ("reject", "unite", "keep"):
        world = SinkWorld()
        world.append(*values)
        rows, rejects = outcome(world, 3, converter=JsonEnvelopeConverter(), name_case=name_case)
        seen[name_case] = [{k: v for k, v in row.items() if k != "_kafka_offset"} for row in rows.values()], list(rejects)

    assert ([{"id": 1}], [1, 2]) == seen["reject"]
    assert ([{"id": 1}, {"id": 2}], [2]) == seen["unite"]
    assert ([{"id": 1}, {"ID": 2}, {"id": 3, "ID": 4}], []) == seen["keep"]


def test_names_that_differ_only_in_case_inside_of_structs() -> None:
    """Rows in which the struct is null are written without its column."""
    schema = struct("o", inner=struct("x", "X"))
    world = SinkWorld()
    world.append(envelope(schema, {"o": {"x": 1}}), envelope(schema, {"o": None}))
    rows, rejects = outcome(world, 2, converter=JsonEnvelopeConverter())

    assert {0: "field o.X: its name differs from o.x only in upper and lower case"} == rejects
    assert {1: {"_kafka_offset": 1}} == rows


def test_keeping_warns_once_of_both_names(caplog: pytest.LogCaptureFixture) -> None:
    """The warning names both columns and the engines that have trouble with them."""
    world = SinkWorld()
    world.append(*[envelope(struct("id", "ID"), {"id": 1})] * 3)
    with caplog.at_level(logging.WARNING):
        outcome(world, 3, converter=JsonEnvelopeConverter(), name_case="keep")

    messages = [record.getMessage() for record in caplog.records if "upper and lower case" in record.getMessage()]
    assert 1 == len(messages)
    assert "the columns id and ID differ only in upper and lower case. Spark refuses" in messages[0]


@pytest.mark.parametrize("levels", [48, 49, 50])
def test_nesting_that_readers_refuse(levels: int) -> None:
    """The limit counts levels of the Parquet schema: in values, after a transform, in keys, and in files of keys."""
    type_: pa.DataType = pa.int64()
    array: dict[str, Any] = {"type": "int64", "optional": True}
    value: Any = 1
    for _ in range(levels):
        type_, array, value = pa.list_(type_), {"type": "array", "items": array, "optional": True}, [value]
    is_fine = levels < 50
    world = SinkWorld()
    world.append(b'{"a":1}')
    added = MapTable(lambda table: table.append_column("deep", pa.array([value] * len(table), type_)), "deep")
    rows, rejects = outcome(world, 1, transforms=[added])
    assert (is_fine, not is_fine) == (0 in rows, 0 in rejects)
    world = SinkWorld()
    key = envelope(array, value)
    world.append(b'{"a":1}', key=key)
    world.append(b'{"a":2}')
    metadata = MetadataColumns(["offset", "key"], key_converter=JsonEnvelopeConverter())
    rows, rejects = outcome(world, 2, metadata_columns=metadata)
    assert ([0, 1] if is_fine else [1]) == list(rows)
    world = SinkWorld()
    world.append(b'{"a":1}', key=key)
    outcome(world, 1, views=RecordViews(keys=True, key_converter=JsonEnvelopeConverter()))
    assert (2 if is_fine else 0) == len(world.storage.objects)


def test_keys_that_can_not_be_written_beside_null_ones() -> None:
    """The column is left out of the file of keys, and rows whose key has no value in it are written."""
    schema = struct("id", "ID")
    world = SinkWorld()
    world.append(b'{"a":1}', key=envelope(schema, {"id": 1, "ID": 2}))
    world.append(b'{"a":2}', key=envelope(schema, None))
    views = RecordViews(keys=True, key_converter=JsonEnvelopeConverter())
    rows, rejects = outcome(world, 2, views=views)

    assert ([1], [0]) == (list(rows), list(rejects))
    schemas = [pq.read_schema(pa.BufferReader(stored.content)) for stored in world.storage.objects.values()]
    assert [["a", "_kafka_offset"], ["key"]] == [schema.names for schema in schemas]
    assert pa.binary() == schemas[1].field("key").type


def test_a_contract_that_has_such_columns_already_is_not_an_obstacle() -> None:
    """If a contract has such columns already, rows without a value in the second one are written."""
    known = LearnedSchema(pa.schema([("id", pa.int64()), ("ID", pa.int64()), ("_kafka_offset", pa.int64())]))
    world = SinkWorld()
    world.append(b'{"id":1}', b'{"ID":2}', b'{"_kafka_offset":3}', b'{"id":4,"new":5}')
    rows, rejects = outcome(world, 4, converter=JsonConverter(learned=known))

    assert ([0, 3], [1, 2]) == (list(rows), list(rejects))
