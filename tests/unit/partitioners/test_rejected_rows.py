"""Why rows have no folder or no time, in the words that Kafka Connect has for it."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

from kafka2parquet.partitioners.field import FieldPartitioner
from kafka2parquet.partitioners.time import HourlyPartitioner
from kafka2parquet.partitioners.timestamps import RecordFieldTimestamp, RecordTimestamp, TimestampExtractor
from kafka2parquet.rows import Rows
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from tests.support.batches import batch_of

OPENED_AT = datetime.datetime(2024, 5, 17, tzinfo=datetime.timezone.utc)
SCHEMA = ConnectSchema("struct", fields=(ConnectField("time", ConnectSchema("int64")),))


def rows_of(schema: ConnectSchema | None = None, **columns: pa.Array) -> Rows:
    table = pa.table(columns)
    batch = batch_of([b"{}"] * table.num_rows)
    return Rows(batch, batch.offsets, pa.nulls(table.num_rows, pa.int64()), table, schema)


def rejected(extractor: TimestampExtractor, rows: Rows) -> list[tuple[str, str]]:
    found = HourlyPartitioner(timestamp_extractor=extractor).partition(rows, OPENED_AT).rejects
    return [(reject.exception.rpartition(".")[2], reject.reason) for reject in found]


def test_record_without_timestamp() -> None:
    """Kafka knows no time for it."""
    extractor = "io.confluent.connect.storage.partitioner.TimeBasedPartitioner$RecordTimestampExtractor"
    reason = f"Unable to determine timestamp using timestamp.extractor {extractor} for record: it has no timestamp"
    assert [("PartitionException", reason)] == rejected(RecordTimestamp(), rows_of(a=pa.array([1])))


@pytest.mark.parametrize(
    ("column", "exception", "reason"),
    [
        (
            pa.array([12.5], pa.float64()),
            "PartitionException",
            "Error extracting timestamp from record field: time: it is double",
        ),
        (pa.array([7], pa.int16()), "PartitionException", "Error extracting timestamp from record field: time: it is int16"),
        (
            pa.array([None], pa.int64()),
            "NullPointerException",
            "Error extracting timestamp from record field: time: it is null",
        ),
        (pa.array(["soon"]), "IllegalArgumentException", 'Invalid format: "soon" in the field time'),
        (
            pa.array(["x" * 200]),
            "IllegalArgumentException",
            f'Invalid format: "{"x" * 100}…" in the field time',
        ),
    ],
)
def test_field_that_is_no_time(column: pa.Array, exception: str, reason: str) -> None:
    """Each kind of misfit is told, and long text is cut off."""
    assert [(exception, reason)] == rejected(RecordFieldTimestamp("time"), rows_of(SCHEMA, time=column))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("foo", "The field 'foo' does not exist in the value, which has text, inner"),
        ("inner.foo", "The field 'inner.foo' does not exist in the value, which has text, inner"),
        ("text.foo", "Unable to get field 'foo' from the field text, which is string"),
    ],
)
def test_path_that_leads_nowhere(path: str, reason: str) -> None:
    """The part of it is named that can't be followed."""
    rows = rows_of(text=pa.array(["a"]), inner=pa.array([{"time": 1}]))
    assert [("DataException", reason)] == rejected(RecordFieldTimestamp(path), rows)


def test_value_without_fields() -> None:
    """Text has no field, even where its column has the field's name."""
    rows = rows_of(ConnectSchema("string"), value=pa.array(["a"]))
    reason = "Error encoding partition. Argument not a Struct or Map. Cannot get field 'value' from a value of type string"
    assert [("PartitionException", reason)] == rejected(RecordFieldTimestamp("value"), rows)


def test_only_the_row_to_blame_is_rejected() -> None:
    """The others get their folders."""
    rows = rows_of(SCHEMA, time=pa.array([0, None, 3_600_000]))
    partitioned = HourlyPartitioner(timestamp_extractor=RecordFieldTimestamp("time")).partition(rows, OPENED_AT)
    assert [1] == [reject.offset for reject in partitioned.rejects]
    assert ("year=1970/month=01/day=01/hour=00", "year=1970/month=01/day=01/hour=01") == partitioned.rows.encoded_partitions


def test_number_with_a_fraction_in_a_value_without_schema() -> None:
    """JSON has only one kind of number: the fraction of a millisecond is cut off."""
    rows = rows_of(time=pa.array([1500.9, -1500.9, 1e300, None]))
    assert [1500, -1500, None, None] == RecordFieldTimestamp("time").extract(rows, OPENED_AT).to_pylist()


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
    """All rows are rejected, for their schema says so."""
    rows = rows_of(SCHEMA, number=pa.array([1.5, None]))
    rejects = FieldPartitioner([field]).partition(rows, OPENED_AT).rejects
    assert [(offset, exception, reason) for offset in (0, 1)] == [
        (reject.offset, reject.exception.rpartition(".")[2], reject.reason) for reject in rejects
    ]


def test_value_without_fields_has_no_folder() -> None:
    """Text has no field, even where its column has the field's name."""
    rows = rows_of(ConnectSchema("string"), value=pa.array(["a"]))
    (reject,) = FieldPartitioner(["value"]).partition(rows, OPENED_AT).rejects
    expected = ("PartitionException", "Error encoding partition. A value of type string has no field value")
    assert expected == (reject.exception.rpartition(".")[2], reject.reason)
