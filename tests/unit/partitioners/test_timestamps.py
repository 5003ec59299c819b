"""Timestamp extractors: the time of each row, and why a row has none, in Kafka Connect's words."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

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
    """A record without a Kafka timestamp is rejected in Kafka Connect's words."""
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
def test_field_that_is_not_a_time(column: pa.Array, exception: str, reason: str) -> None:
    """Each kind of unusable value has its own reason, and long text is cut off."""
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
    """The reason names the part of the path that doesn't exist."""
    rows = rows_of(text=pa.array(["a"]), inner=pa.array([{"time": 1}]))
    assert [("DataException", reason)] == rejected(RecordFieldTimestamp(path), rows)


def test_value_without_fields() -> None:
    """A text value doesn't have fields, even if its column has the field's name."""
    rows = rows_of(ConnectSchema("string"), value=pa.array(["a"]))
    reason = "Error encoding partition. Argument not a Struct or Map. Cannot get field 'value' from a value of type string"
    assert [("PartitionException", reason)] == rejected(RecordFieldTimestamp("value"), rows)


def test_only_the_unusable_row_is_rejected() -> None:
    """Rows beside a rejected row keep their folders."""
    rows = rows_of(SCHEMA, time=pa.array([0, None, 3_600_000]))
    partitioned = HourlyPartitioner(timestamp_extractor=RecordFieldTimestamp("time")).partition(rows, OPENED_AT)
    assert [1] == [reject.offset for reject in partitioned.rejects]
    assert ("year=1970/month=01/day=01/hour=00", "year=1970/month=01/day=01/hour=01") == partitioned.rows.encoded_partitions


def test_number_with_a_fraction_in_a_value_without_schema() -> None:
    """JSON has only one type of numbers, so the fraction of a millisecond is cut off."""
    rows = rows_of(time=pa.array([1500.9, -1500.9, 1e300, None]))
    assert [1500, -1500, None, None] == RecordFieldTimestamp("time").extract(rows, OPENED_AT).to_pylist()


@pytest.mark.parametrize("time", [-1, -2, -(2**63), None])
def test_record_without_a_timestamp(time: int | None) -> None:
    """A negative Kafka timestamp means that it is missing, so the record doesn't go to a folder of 1969."""
    batch = batch_of([b"{}"] * 2)
    rows = Rows(batch, batch.offsets, pa.array([time, 0], pa.int64()), pa.table({"a": [1, 2]}))
    partitioned = HourlyPartitioner(timestamp_extractor=RecordTimestamp()).partition(rows, OPENED_AT)
    (reject,) = partitioned.rejects
    assert (0, True) == (reject.offset, reject.reason.startswith("Unable to determine timestamp"))
    assert ("year=1970/month=01/day=01/hour=00",) == partitioned.rows.encoded_partitions
