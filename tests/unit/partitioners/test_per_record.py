"""PerRecordPartitioner: a layout that is computed record by record."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

from kafka2parquet.partitioners.per_record import PerRecordPartitioner
from kafka2parquet.records import Stage
from kafka2parquet.rows import Row
from tests.support.rows import rows_of

OPENED_AT = datetime.datetime(2026, 5, 17, tzinfo=datetime.timezone.utc)


class Initial(PerRecordPartitioner):
    """Puts names into folders by their first letter."""

    fingerprint = "initial"

    def encode(self, row: Row) -> str:
        if not row.values["name"]:
            raise ValueError(f"the name at {row.timestamp_ms} is empty")
        return f"initial={row.values['name'][0]}"


def test_each_row_is_encoded() -> None:
    """Rows with the same result share a folder, and the times are the records' Kafka timestamps."""
    partitioned = Initial().partition(rows_of(pa.table({"name": ["Ann", "Bob", "Abe"]})), OPENED_AT)

    assert ("initial=A", "initial=B") == partitioned.rows.encoded_partitions
    assert [0, 1, 0] == partitioned.rows.codes.to_pylist()
    assert [0, 1000, 2000] == partitioned.rows.timestamps_ms.to_pylist()
    assert [] == list(partitioned.rejects)


def test_a_value_error_rejects_the_record() -> None:
    """A record for which `encode` raises ValueError is rejected with the message and its raw bytes."""
    partitioned = Initial().partition(rows_of(pa.table({"name": ["", "Bob", ""]}), first_offset=7), OPENED_AT)

    assert [(7, Stage.PARTITION, "the name at 7000 is empty"), (9, Stage.PARTITION, "the name at 9000 is empty")] == [
        (reject.offset, reject.stage, reject.reason) for reject in partitioned.rejects
    ]
    assert b"value of 7" == partitioned.rejects[0].value
    assert [8] == partitioned.rows.rows.offsets.to_pylist()


def test_another_exception_is_a_bug_in_the_partitioner() -> None:
    """An exception other than ValueError passes unchanged: the record is not at fault."""
    with pytest.raises(KeyError):
        Initial().partition(rows_of(pa.table({"other": ["Ann"]})), OPENED_AT)
