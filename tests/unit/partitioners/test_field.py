"""FieldPartitioner: folders by the values of fields."""

from __future__ import annotations

import datetime
import json
import logging
from typing import Any

import pyarrow as pa
import pytest

from kafka2parquet import RecordCountRotation
from kafka2parquet.events import RecordRejected
from kafka2parquet.partitioners.field import FieldPartitioner
from kafka2parquet.rows import Rows
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from tests.support.rows import rows_of
from tests.support.sink_world import SinkWorld

OPENED_AT = datetime.datetime(2026, 5, 17, tzinfo=datetime.timezone.utc)


def outcome(rows: Rows, *fields: str) -> list[str]:
    """Return each row's folder, or why it is rejected."""
    partitioned = FieldPartitioner(fields, escape=False).partition(rows, OPENED_AT)
    found = {reject.offset: reject.reason for reject in partitioned.rejects}
    codes = partitioned.rows.codes.to_pylist()
    for offset, code in zip(partitioned.rows.rows.offsets.to_pylist(), codes, strict=True):
        found[offset] = partitioned.rows.encoded_partitions[code]
    return [found[offset] for offset in sorted(found)]


def of_json(*values: object) -> Rows:
    return rows_of(pa.table({"field": pa.array(values)}))


@pytest.mark.parametrize("values", [(1, None), ("a", None), (True, None), (None, None)])
def test_null_has_a_folder(values: tuple[object, ...]) -> None:
    """A null has a folder whatever its column's type is."""
    assert outcome(of_json(*values), "field")[1] == "field=null"


def test_missing_member_is_like_a_null() -> None:
    """In values without a schema a missing member counts as null, because columns depend on other records."""
    assert outcome(of_json(1, 2), "missing") == ["missing=null", "missing=null"]
    assert outcome(rows_of(pa.table({"outer": [{"b": 1}, None]})), "outer.missing") == ["outer.missing=null"] * 2


def test_missing_member_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A field that no record has is logged once, because it may be a typo."""
    partitioner = FieldPartitioner(["missing"])
    with caplog.at_level(logging.WARNING):
        partitioner.partition(of_json(1), OPENED_AT)
        partitioner.partition(of_json(2), OPENED_AT)
    assert ["topic: no record so far has the field missing that names the folder."] == [
        message.partition(" Records")[0] for message in caplog.messages
    ]


def test_whole_numbers_in_a_column_of_doubles() -> None:
    """A whole number has the same folder whether records with fractions came before it or not."""
    why = "Error encoding partition. The field field is not a whole number of 64 bits"
    values = (2.0, 2.5, None, -3.0, 1e300, float("nan"), float("inf"), -(2.0**63), 2.0**63)
    assert outcome(of_json(*values), "field") == [
        "field=2", why, "field=null", "field=-3", why, why, why, f"field={-(2**63)}", why,
    ]  # fmt: skip


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"x", datetime.date(2026, 5, 17)])
def test_only_values_of_other_types_are_rejected(value: object) -> None:
    """Nulls beside rejected values keep the folder of nulls."""
    first, second = outcome(of_json(value, None), "field")
    assert "which can't name a folder" in first
    assert second == "field=null"


def test_value_where_an_object_is_expected() -> None:
    """A record is rejected if the path leads through a value without fields; a null there counts as null."""
    rows = rows_of(pa.table({"user": ["x", None]}))
    assert outcome(rows, "user.country") == [
        "Unable to get field 'user.country' from the field user, which is string",
        "user.country=null",
    ]


def test_column_whose_name_has_the_dots() -> None:
    """A column with dots in its name takes precedence over a nested field, at each level."""
    rows = rows_of(pa.table({"a.b": ["column"], "a": [{"b": "nested", "c.d": "inner"}]}))
    assert outcome(rows, "a.b", "a.c.d") == ["a.b=column/a.c.d=inner"]


def test_rows_refused_by_one_of_several_fields() -> None:
    """Each row is rejected once, by the first field that can't name a folder."""
    rows = rows_of(pa.table({"a": [1.0, 1.5, 2.5, 3.0], "b": [1.0, 2.0, 2.5, 3.5]}))
    why = "Error encoding partition. The field {} is not a whole number of 64 bits"
    assert outcome(rows, "a", "b") == ["a=1/b=1", why.format("a"), why.format("a"), why.format("b")]


def test_schema_decides_where_there_is_one() -> None:
    """A record whose schema lacks the field is rejected, as in Kafka Connect; a null value is not."""
    schema = ConnectSchema("struct", fields=(ConnectField("field", ConnectSchema("int64", optional=True)),))
    rows = of_json(1, None)
    rows = Rows(rows.batch, rows.offsets, rows.timestamps_ms, rows.table, schema)
    assert outcome(rows, "field") == ["field=1", "field=null"]
    assert outcome(rows, "missing") == ["Field 'missing' is not present in the schema."] * 2


RECORDS = [{}, {"field": None}, {"field": 1}, {"field": 1.5}, {"field": 7}, {}, {"other": 1}, {"field": None}]


@pytest.mark.parametrize("at_once", range(1, len(RECORDS) + 1))
def test_folders_do_not_depend_on_how_batches_fall(at_once: int) -> None:
    """A record's folder doesn't depend on the records that are converted with it."""
    world = SinkWorld()
    parts: dict[str, Any] = {
        "rotation": RecordCountRotation(1),
        "partitioner": FieldPartitioner(["field"], escape=False),
        "tolerance": "skip",
    }
    for begin in range(0, len(RECORDS), at_once):
        world.append(*(json.dumps(record).encode() for record in RECORDS[begin : begin + at_once]))
        world.run(min(begin + at_once, len(RECORDS)), **parts)
    assert [3] == [event.reject.offset for event in world.events if isinstance(event, RecordRejected)]
    folders = {int(key.split("+")[2].split(".")[0]): key.split("/")[2] for key in world.storage.objects if ".parquet" in key}
    null = "field=null"
    assert {0: null, 1: null, 2: "field=1", 4: "field=7", 5: null, 6: null, 7: null} == folders


def test_bare_values() -> None:
    """Without labels, folders are bare values, and a record with an empty text is rejected."""
    partitioner = FieldPartitioner(["field"], escape=False, labels=False)
    partitioned = partitioner.partition(of_json("a", None, "", "b/c"), OPENED_AT)
    assert ("a", "null", "b/c") == partitioned.rows.encoded_partitions
    (reject,) = partitioned.rejects
    assert (2, "Error encoding partition. The field field is empty, and its value alone names the folder") == (
        reject.offset,
        reject.reason,
    )


def test_bare_values_are_escaped() -> None:
    """Bare values are escaped like labelled ones; the name for null and empty texts are rejected."""
    partitioned = FieldPartitioner(["field"], labels=False).partition(
        of_json("a/b", None, "", "__HIVE_DEFAULT_PARTITION__"), OPENED_AT
    )
    assert ("a%2Fb", "__HIVE_DEFAULT_PARTITION__") == partitioned.rows.encoded_partitions
    assert [2, 3] == sorted(reject.offset for reject in partitioned.rejects)


def test_bare_values_are_part_of_the_fingerprint() -> None:
    """Bare values have another fingerprint, because they go to other folders."""
    fingerprints = {FieldPartitioner(["field"], labels=labels).fingerprint for labels in (True, False)}
    assert {"field-field-/-escaped", "field-field-/-escaped-bare"} == fingerprints


@pytest.mark.parametrize(
    ("field", "exception", "reason"),
    [
        ("missing", "DataException", "Field 'missing' is not present in the schema."),
        (
            "number",
            "PartitionException",
            "Error encoding partition. The field number is double, which can't name a folder",
        ),
    ],
)
def test_field_without_a_folder(field: str, exception: str, reason: str) -> None:
    """All rows are rejected if the schema rules the field out."""
    schema = ConnectSchema("struct", fields=(ConnectField("time", ConnectSchema("int64")),))
    rows = rows_of(pa.table({"number": pa.array([1.5, None])}), value_schema=schema)
    rejects = FieldPartitioner([field]).partition(rows, OPENED_AT).rejects
    assert [(offset, exception, reason) for offset in (0, 1)] == [
        (reject.offset, reject.exception.rpartition(".")[2], reject.reason) for reject in rejects
    ]


def test_value_without_fields_has_no_folder() -> None:
    """A text value doesn't have fields, even if its column has the field's name."""
    rows = rows_of(pa.table({"value": ["a"]}), value_schema=ConnectSchema("string"))
    (reject,) = FieldPartitioner(["value"]).partition(rows, OPENED_AT).rejects
    expected = ("PartitionException", "Error encoding partition. A value of type string has no field value")
    assert expected == (reject.exception.rpartition(".")[2], reject.reason)
