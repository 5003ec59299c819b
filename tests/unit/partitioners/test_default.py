"""DefaultPartitioner: one folder per Kafka partition."""

from __future__ import annotations

import datetime

import attrs
import pyarrow as pa

from kafka2parquet.partitioners.default import DefaultPartitioner
from kafka2parquet.records import TopicPartition
from tests.support.rows import rows_of

OPENED_AT = datetime.datetime(2026, 5, 17, tzinfo=datetime.timezone.utc)


def test_all_rows_share_the_folder_of_their_partition() -> None:
    """The folder is named after the Kafka partition, and the times are the records' Kafka timestamps."""
    rows = rows_of(pa.table({"a": [1, 2]}))
    rows = attrs.evolve(rows, batch=attrs.evolve(rows.batch, topic_partition=TopicPartition("topic", 12)))

    partitioned = DefaultPartitioner().partition(rows, OPENED_AT)

    assert ("partition=12",) == partitioned.rows.encoded_partitions
    assert [0, 0] == partitioned.rows.codes.to_pylist()
    assert [0, 1000] == partitioned.rows.timestamps_ms.to_pylist()
    assert [] == list(partitioned.rejects)
